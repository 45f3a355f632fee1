"""The deliverer's side of the outbox: who makes which delivery, and what came of it.

A worker holds a delivery by a lease; what it learns counts only as long as it holds it. In which
order deliveries are due, `placement.store.live` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Table,
    bindparam,
    func,
    or_,
    select,
    update,
)

from models import DeliveryState, OutboxEvent, SubscriptionState
from placement.store.engine import Transaction
from placement.store.live import PENDING, glimpse, lock, portions, release_next, utc_now
from placement.store.tables import DeliveryRow, OutboxRow, SubscriptionRow

LEASE = timedelta(seconds=15)
"""A delivery whose worker has given no sign of life for longer may be made by another one."""


@dataclass(frozen=True)
class Leased:
    """A delivery that this worker is to make."""

    event: OutboxEvent
    attempts: int
    """How many were made before."""


@dataclass(frozen=True)
class Settled:
    """What came of an attempt."""

    sequence: int
    state: DeliveryState
    attempts: int
    after: timedelta | None = None
    """How long to wait before the next attempt, of a pending one."""
    status: int | None = None
    """None: there was no answer; the last one there was stays known."""
    error: str = ""


class Dispatch:
    """The deliveries of a store, seen by a worker in one transaction (`Store.noting`)."""

    def __init__(self, tx: Transaction, worker: str) -> None:
        self._session = tx.session
        self._worker = worker
        self.now = utc_now(tx)

    # -- what there is to do ----------------------------------------------------------------

    def due(self) -> tuple[str, ...]:
        """Active subscriptions that have a delivery to be made now."""
        waits = select(DeliveryRow.sequence).where(
            DeliveryRow.subscription == SubscriptionRow.id, *self._is_due()
        )
        active = SubscriptionRow.state == SubscriptionState.ACTIVE.value
        query = select(SubscriptionRow.id).where(active, waits.exists())
        return tuple(self._session.scalars(query.order_by(SubscriptionRow.id)))

    # -- making them ------------------------------------------------------------------------

    def lease(self, subscription: str, limit: int) -> tuple[Leased, ...]:
        """Take at most `limit` deliveries that are due, the longest due first."""
        active = select(SubscriptionRow.id).where(
            SubscriptionRow.id == subscription,
            SubscriptionRow.state == SubscriptionState.ACTIVE.value,
        )
        due = (
            select(DeliveryRow.sequence, DeliveryRow.attempts)
            .where(DeliveryRow.subscription == subscription, *self._is_due(), active.exists())
            .order_by(DeliveryRow.next_attempt_at, DeliveryRow.sequence)
            .limit(limit)
            .with_for_update(skip_locked=True, of=DeliveryRow)
        )
        attempts = {row.sequence: row.attempts for row in self._session.execute(due)}
        self._hold(subscription, list(attempts), self._worker, self.now + LEASE)
        return tuple(
            Leased(event, attempts[event.sequence])
            for some in portions(list(attempts))
            for event in self._events(some)
        )

    def renew(self, subscription: str, sequences: Sequence[int]) -> None:
        """A sign of life: these are still under way."""
        self._hold(subscription, sequences, self._worker, self.now + LEASE, mine=True)

    def give_back(self, subscription: str, sequences: Sequence[int]) -> None:
        """These were not tried: anybody may."""
        self._hold(subscription, sequences, None, None, mine=True)

    def settle(self, subscription: str, settled: Sequence[Settled]) -> None:
        """Write what came of attempts; of deliveries that this worker lost nothing is written.

        Where one is delivered, the next of its dataset becomes due.
        """
        if lock(self._session, subscription) is None:
            return
        held = self._held(subscription, [each.sequence for each in settled])
        kept = [each for each in settled if each.sequence in held]
        delivered = [each for each in kept if each.state is DeliveryState.DELIVERED]
        # Most are delivered, many at the first attempt: one statement each for all alike.
        alike: dict[tuple[int, int | None], list[int]] = {}
        for each in delivered:
            alike.setdefault((each.attempts, each.status), []).append(each.sequence)
        for (attempts, status), sequences in alike.items():
            self._end(subscription, sequences, attempts, status)
        self._note(
            subscription, [each for each in kept if each.state is not DeliveryState.DELIVERED]
        )
        release_next(self._session, subscription, [each.sequence for each in delivered], self.now)

    def pause(self, subscription: str) -> bool:
        """Stop an active subscription, since its receiver said that it is gone for good."""
        row = lock(self._session, subscription)
        if row is None or row.state != SubscriptionState.ACTIVE.value:
            return False
        row.state = SubscriptionState.PAUSED.value
        row.version += 1
        self._session.flush()
        return True

    # -- parts ------------------------------------------------------------------------------

    def _is_due(self) -> tuple[ColumnElement[bool], ...]:
        free = or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until <= self.now)
        return DeliveryRow.state == PENDING, DeliveryRow.next_attempt_at <= self.now, free

    def _events(self, sequences: Sequence[int]) -> Iterable[OutboxEvent]:
        query = select(*OutboxRow.__table__.columns).where(OutboxRow.sequence.in_(sequences))
        for row in self._session.execute(query.order_by(OutboxRow.sequence)):
            fields = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
            yield glimpse(json.loads(fields.pop("data")), **fields)

    def _hold(
        self,
        subscription: str,
        sequences: Sequence[int],
        worker: str | None,
        until: datetime | None,
        *,
        mine: bool = False,
    ) -> None:
        for some in portions(sequences):
            change = update(DeliveryRow).where(
                DeliveryRow.subscription == subscription, DeliveryRow.sequence.in_(some)
            )
            if mine:
                change = change.where(
                    DeliveryRow.worker == self._worker, DeliveryRow.state == PENDING
                )
            self._session.execute(
                change.values(worker=worker, leased_until=until),
                execution_options={"synchronize_session": False},
            )

    def _held(self, subscription: str, sequences: Sequence[int]) -> set[int]:
        """Those that this worker holds, locked until the transaction ends."""
        held: set[int] = set()
        for some in portions(sequences):
            query = select(DeliveryRow.sequence).where(
                DeliveryRow.subscription == subscription,
                DeliveryRow.sequence.in_(some),
                DeliveryRow.worker == self._worker,
                DeliveryRow.state == PENDING,
            )
            held.update(self._session.scalars(query.with_for_update()))
        return held

    def _end(
        self, subscription: str, sequences: Sequence[int], attempts: int, status: int | None
    ) -> None:
        for some in portions(sequences):
            self._session.execute(
                update(DeliveryRow)
                .where(DeliveryRow.subscription == subscription, DeliveryRow.sequence.in_(some))
                .values(
                    state=DeliveryState.DELIVERED.value,
                    attempts=attempts,
                    next_attempt_at=None,
                    worker=None,
                    leased_until=None,
                    last_status=status,
                    last_error="",
                    ended_at=self.now,
                ),
                execution_options={"synchronize_session": False},
            )

    def _note(self, subscription: str, failed: Sequence[Settled]) -> None:
        """Attempts that came to nothing: when the next one is, or that there is none."""
        if not failed:
            return
        table = cast("Table", DeliveryRow.__table__)
        change = (
            update(table)
            .where(table.c.subscription == subscription, table.c.sequence == bindparam("which"))
            .values(
                state=bindparam("to_state"),
                attempts=bindparam("made"),
                next_attempt_at=bindparam("next_at"),
                worker=None,
                leased_until=None,
                last_status=func.coalesce(
                    bindparam("status", type_=table.c.last_status.type), table.c.last_status
                ),
                last_error=bindparam("error"),
                ended_at=bindparam("ended"),
            )
        )
        rows = [
            {
                "which": each.sequence,
                "to_state": each.state.value,
                "made": each.attempts,
                "next_at": None if each.after is None else self.now + each.after,
                "status": each.status,
                "error": each.error[:500],
                "ended": self.now if each.state is DeliveryState.DEAD else None,
            }
            for each in failed
        ]
        self._session.connection().execute(change, rows)
