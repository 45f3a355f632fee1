"""The deliverer's side of the outbox: what is due, who has it, and what came of it.

A delivery is *live* as long as it is pending or dead. Of the live deliveries of one subscription
and one dataset the first alone is ever due: the others have no time of their own until it has
ended. That keeps their order, behind a dead one, too, and what is due is found without looking at
what is not.

Whoever appends, ends or revives deliveries locks the subscription's row first. A worker holds a
delivery by a lease; what it learns counts only as long as it holds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Table,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from models import DeliveryState, EventFilter, EventType, OutboxEvent, SubscriptionState
from placement.store.engine import Transaction
from placement.store.tables import DeliveryRow, OutboxRow, SubscriptionRow

T = TypeVar("T")

LEASE = timedelta(seconds=15)
"""A delivery whose worker has given no sign of life for longer may be made by another one."""
LIVE = (DeliveryState.PENDING.value, DeliveryState.DEAD.value)
_AT_ONCE = 500
"""Deliveries in one statement: databases take some ten thousand parameters."""
_PENDING = DeliveryState.PENDING.value


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

    def behind(self) -> tuple[str, ...]:
        """Subscriptions for which there are events that nobody has looked at."""
        last = select(func.coalesce(func.max(OutboxRow.sequence), 0)).scalar_subquery()
        query = select(SubscriptionRow.id).where(SubscriptionRow.position < last)
        return tuple(self._session.scalars(query.order_by(SubscriptionRow.id)))

    def due(self) -> tuple[str, ...]:
        """Active subscriptions that have a delivery to be made now."""
        waits = select(DeliveryRow.sequence).where(
            DeliveryRow.subscription == SubscriptionRow.id, *self._is_due()
        )
        active = SubscriptionRow.state == SubscriptionState.ACTIVE.value
        query = select(SubscriptionRow.id).where(active, waits.exists())
        return tuple(self._session.scalars(query.order_by(SubscriptionRow.id)))

    def expand(self, subscription: str, limit: int) -> int:
        """Make deliveries of the next events that pass the filter; how many were looked at."""
        row = lock(self._session, subscription)
        if row is None:
            return 0
        columns = [column for column in OutboxRow.__table__.columns if column.name != "data"]
        query = select(*columns).where(OutboxRow.sequence > row.position)
        found = self._session.execute(query.order_by(OutboxRow.sequence).limit(limit)).all()
        if not found:
            return 0
        judged = EventFilter.model_validate(row.filter)
        passed = [
            (event.sequence, event.dataset or "")
            for event in (_glimpse(**seen._mapping) for seen in found)  # noqa: SLF001  as elsewhere
            if judged.admits(event)
        ]
        self._append(subscription, passed)
        row.position = found[-1].sequence
        self._session.flush()
        return len(found)

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
            for some in _portions(list(attempts))
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
        return DeliveryRow.state == _PENDING, DeliveryRow.next_attempt_at <= self.now, free

    def _append(self, subscription: str, passed: Sequence[tuple[int, str]]) -> None:
        """Pending deliveries of (sequence, dataset); the first live one of a dataset is due."""
        behind: set[str] = set()
        for some in _portions(sorted({dataset for _, dataset in passed})):
            live = select(DeliveryRow.dataset.distinct()).where(
                DeliveryRow.subscription == subscription,
                DeliveryRow.dataset.in_(some),
                DeliveryRow.state.in_(LIVE),
            )
            behind.update(self._session.scalars(live))
        rows: list[dict[str, object]] = []
        for sequence, dataset in passed:
            due = None if dataset in behind else self.now
            behind.add(dataset)
            rows.append({"sequence": sequence, "dataset": dataset, "next_attempt_at": due})
        if rows:
            same = {"subscription": subscription, "state": _PENDING, "attempts": 0}
            self._session.execute(insert(DeliveryRow), [same | row for row in rows])

    def _events(self, sequences: Sequence[int]) -> Iterable[OutboxEvent]:
        query = select(*OutboxRow.__table__.columns).where(OutboxRow.sequence.in_(sequences))
        for row in self._session.execute(query.order_by(OutboxRow.sequence)):
            fields = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
            yield _glimpse(json.loads(fields.pop("data")), **fields)

    def _hold(
        self,
        subscription: str,
        sequences: Sequence[int],
        worker: str | None,
        until: datetime | None,
        *,
        mine: bool = False,
    ) -> None:
        for some in _portions(sequences):
            change = update(DeliveryRow).where(
                DeliveryRow.subscription == subscription, DeliveryRow.sequence.in_(some)
            )
            if mine:
                change = change.where(
                    DeliveryRow.worker == self._worker, DeliveryRow.state == _PENDING
                )
            self._session.execute(
                change.values(worker=worker, leased_until=until),
                execution_options={"synchronize_session": False},
            )

    def _held(self, subscription: str, sequences: Sequence[int]) -> set[int]:
        """Those that this worker holds, locked until the transaction ends."""
        held: set[int] = set()
        for some in _portions(sequences):
            query = select(DeliveryRow.sequence).where(
                DeliveryRow.subscription == subscription,
                DeliveryRow.sequence.in_(some),
                DeliveryRow.worker == self._worker,
                DeliveryRow.state == _PENDING,
            )
            held.update(self._session.scalars(query.with_for_update()))
        return held

    def _end(
        self, subscription: str, sequences: Sequence[int], attempts: int, status: int | None
    ) -> None:
        for some in _portions(sequences):
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


def lock(session: Session, subscription: str) -> SubscriptionRow | None:
    """A subscription's row, locked until the transaction ends; none where there is none."""
    return session.get(SubscriptionRow, subscription, with_for_update=True, populate_existing=True)


def release_next(session: Session, subscription: str, ended: Sequence[int], now: datetime) -> None:
    """Let the first live delivery behind each of these be due, if it waits for its turn alone.

    The caller holds the subscription's lock.
    """
    row, dead = DeliveryRow, DeliveryState.DEAD.value
    for some in _portions(ended):
        # In steps: each is a look into an index, whatever the database knows about its tables.
        query = select(row.dataset.distinct(), _first_of(row, _PENDING), _first_of(row, dead))
        query = query.where(row.subscription == subscription, row.sequence.in_(some))
        found = session.execute(query).all()
        heads = [first for _, first, given_up in found if first and first < (given_up or first + 1)]
        session.execute(
            update(row)
            .where(
                row.subscription == subscription,
                row.sequence.in_(heads),
                row.next_attempt_at.is_(None),
            )
            .values(next_attempt_at=now),
            execution_options={"synchronize_session": False},
        )


def _first_of(row: type[DeliveryRow], state: str) -> ScalarSelect[int]:
    """Number of the first delivery in a state of the same subscription and dataset."""
    other = aliased(DeliveryRow)
    query = select(func.min(other.sequence)).where(
        other.subscription == row.subscription, other.dataset == row.dataset, other.state == state
    )
    return query.correlate(row).scalar_subquery()


def utc_now(tx: Transaction) -> datetime:
    """Now; of the database where its clients may be on several machines."""
    if tx.session.get_bind().dialect.name != "postgresql":
        return tx.now
    now: datetime = tx.session.scalars(select(func.clock_timestamp())).one()
    return now.astimezone(UTC)


def _glimpse(data: dict[str, Any] | None = None, **fields: Any) -> OutboxEvent:
    """An event of our own table, not checked again: thousands a second are read."""
    fields["type"] = EventType(fields["type"])
    for name in ("sites", "operators"):
        fields[name] = tuple(fields[name])
    return OutboxEvent.model_construct(**fields, data=data or {})


def _portions(items: Sequence[T]) -> Iterable[Sequence[T]]:
    """Portions of a size that one statement takes."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
