"""The outbox: events beside what they tell, in one transaction; and what became of each delivery.

Events are numbered under the lock of the city's row: whoever sees one sees all before it. The
deliverer's side, leases and results, is `placement.store.dispatch`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, Table, func, insert, or_, select, update

from models import Delivery, DeliveryState, EventType, OutboxEvent
from placement.store.engine import Transaction
from placement.store.live import LIVE, lock, release_next, utc_now
from placement.store.tables import DeliveryRow, OutboxRow, PlacedRow

_AT_ONCE = 500
"""Events in one statement: databases take some ten thousand parameters."""


@dataclass(frozen=True)
class NewEvent:
    """An event as it is appended; the outbox adds its number, and its time."""

    type: EventType
    decision: int
    data: dict[str, Any] | str
    """DatasetChange, DatasetDrift or PlanEnded as plain JSON, or as its text."""
    dataset: str | None = None
    """None: it concerns a plan."""
    sites: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    department: str | None = None


class Outbox:
    """The events of a store, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._session = tx.session

    def append(self, events: Sequence[NewEvent]) -> tuple[int, ...]:
        """Write events in the transaction of what they tell, in their order.

        Returns
        -------
        tuple of int
            Their numbers.
        """
        if not self._tx.writes:
            raise AssertionError("events are written together with what they tell")
        last = self.last()
        rows = [
            {
                "sequence": last + number,
                "id": f"evt_{uuid4().hex}",
                "type": event.type.value,
                "at": self._tx.now,
                "dataset": event.dataset,
                "decision": event.decision,
                "sites": list(event.sites),
                "operators": list(event.operators),
                "department": event.department,
                "data": event.data if isinstance(event.data, str) else json.dumps(event.data),
            }
            for number, event in enumerate(events, start=1)
        ]
        if rows:
            table = cast("Table", OutboxRow.__table__)
            self._session.connection().execute(insert(table), rows)
        return tuple(range(last + 1, last + len(rows) + 1))

    def last(self) -> int:
        """Number of the last event; 0: there is none."""
        return self._session.scalar(select(func.max(OutboxRow.sequence))) or 0

    def list(
        self, limit: int = 100, *, after: int = 0, dataset: str | None = None
    ) -> tuple[OutboxEvent, ...]:
        """At most `limit` events behind number `after`, in their order."""
        query = select(*OutboxRow.__table__.columns).where(OutboxRow.sequence > after)
        if dataset is not None:
            query = query.where(OutboxRow.dataset == dataset)
        rows = self._session.execute(query.order_by(OutboxRow.sequence).limit(limit))
        return tuple(event_of(row) for row in rows)

    def last_of(self, dataset: str) -> OutboxEvent | None:
        """The last event about a dataset, if there is one."""
        query = select(*OutboxRow.__table__.columns).where(OutboxRow.dataset == dataset)
        row = self._session.execute(query.order_by(OutboxRow.sequence.desc()).limit(1)).first()
        return None if row is None else event_of(row)

    def placements(self, decision: int) -> tuple[str, ...]:
        """The JSON of every ApprovedPlacement of a decision: what was told, or would be."""
        query = select(PlacedRow.body).where(PlacedRow.decision == decision)
        return tuple(self._session.scalars(query.order_by(PlacedRow.dataset)))


class Deliveries:
    """The deliveries of one subscription, as a person sees and mends them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._session = tx.session

    def list(
        self,
        subscription: str,
        limit: int = 100,
        *,
        state: DeliveryState | None = None,
        after: int | None = None,
    ) -> tuple[Delivery, ...]:
        """At most `limit` deliveries of events behind number `after`, in their order."""
        query = (
            select(*DeliveryRow.__table__.columns, OutboxRow.id.label("event"), OutboxRow.type)
            .join(OutboxRow, OutboxRow.sequence == DeliveryRow.sequence)
            .where(DeliveryRow.subscription == subscription, DeliveryRow.sequence > (after or 0))
        )
        if state is not None:
            query = query.where(DeliveryRow.state == state.value)
        rows = self._session.execute(query.order_by(DeliveryRow.sequence).limit(limit))
        return tuple(_delivery(row) for row in rows)

    def redrive(self, subscription: str, events: Sequence[str] | None = None) -> int:
        """Try deliveries again at once, from the first attempt on.

        Parameters
        ----------
        events
            Ids of their events, dead or waiting for another attempt; those that are ended, under
            way at this very moment, or behind another of their dataset stay as they are. None: all
            dead ones.

        Returns
        -------
        int
            How many are tried again.
        """
        lock(self._session, subscription)
        wanted = DeliveryRow.state == DeliveryState.DEAD.value
        if events is not None:
            wanted = or_(wanted, DeliveryRow.next_attempt_at.is_not(None) & self._idle())
        chosen = self._sequences(subscription, wanted, events)
        self._change(
            subscription,
            chosen,
            state=DeliveryState.PENDING.value,
            attempts=0,
            next_attempt_at=utc_now(self._tx),
            ended_at=None,
        )
        return len(chosen)

    def discard(self, subscription: str, events: Sequence[str] | None = None) -> int:
        """Give deliveries up: what follows for their datasets goes on.

        Parameters
        ----------
        events
            Ids of their events, dead or waiting; those that are ended, or under way at this very
            moment, stay as they are. None: all dead ones.

        Returns
        -------
        int
            How many were given up.
        """
        lock(self._session, subscription)
        now = utc_now(self._tx)
        states = LIVE if events is not None else (DeliveryState.DEAD.value,)
        chosen = self._sequences(subscription, DeliveryRow.state.in_(states) & self._idle(), events)
        discarded = DeliveryState.DISCARDED.value
        self._change(subscription, chosen, state=discarded, next_attempt_at=None, ended_at=now)
        release_next(self._session, subscription, chosen, now)
        return len(chosen)

    def _idle(self) -> ColumnElement[bool]:
        """Nobody makes it at this moment."""
        now = utc_now(self._tx)
        return or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until <= now)

    def _sequences(
        self, subscription: str, condition: ColumnElement[bool], events: Sequence[str] | None
    ) -> Sequence[int]:
        query = select(DeliveryRow.sequence).where(
            DeliveryRow.subscription == subscription, condition
        )
        query = query.with_for_update(of=DeliveryRow)
        if events is None:
            return self._session.scalars(query.order_by(DeliveryRow.sequence)).all()
        found: set[int] = set()
        named = query.join(OutboxRow, OutboxRow.sequence == DeliveryRow.sequence)
        for start in range(0, len(events), _AT_ONCE):
            some = [event for event in events[start : start + _AT_ONCE] if event.isascii()]
            found.update(self._session.scalars(named.where(OutboxRow.id.in_(some))))
        return sorted(found)

    def _change(self, subscription: str, sequences: Sequence[int], **values: object) -> None:
        for start in range(0, len(sequences), _AT_ONCE):
            some = sequences[start : start + _AT_ONCE]
            self._session.execute(
                update(DeliveryRow)
                .where(DeliveryRow.subscription == subscription, DeliveryRow.sequence.in_(some))
                .values(worker=None, leased_until=None, **values)
            )


def event_of(row: Row[tuple[object, ...]]) -> OutboxEvent:
    """An event as it stands in the outbox."""
    fields = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for a row as a mapping
    return OutboxEvent.model_validate({**fields, "data": json.loads(fields["data"])})


def _delivery(row: Row[tuple[object, ...]]) -> Delivery:
    fields = dict(row._mapping)  # noqa: SLF001  as above
    kept = {name: fields[name] for name in Delivery.model_fields}
    return Delivery.model_validate({**kept, "dataset": fields["dataset"] or None})
