"""Deliveries in the order of each dataset: which of them may be made at all.

A delivery is *live* as long as it is pending or dead. Of the live deliveries of one subscription
and one dataset the first alone is ever due: the others have no time of their own until it has
ended. That keeps their order, behind a dead one, too, and what is due is found without looking at
what is not.

Whoever appends, ends or revives deliveries locks the subscription's row first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ScalarSelect, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from models import DeliveryState, EventFilter, EventType, OutboxEvent
from placement.store.engine import Transaction
from placement.store.tables import DeliveryRow, OutboxRow, SubscriptionRow

T = TypeVar("T")

PENDING = DeliveryState.PENDING.value
LIVE = (PENDING, DeliveryState.DEAD.value)
_AT_ONCE = 500
"""Deliveries in one statement: databases take some ten thousand parameters."""


class Expansion:
    """From events to deliveries, in one transaction (`Store.noting`)."""

    def __init__(self, tx: Transaction) -> None:
        self._session = tx.session
        self._now = utc_now(tx)

    def behind(self) -> tuple[str, ...]:
        """Subscriptions for which there are events that nobody has looked at."""
        last = select(func.coalesce(func.max(OutboxRow.sequence), 0)).scalar_subquery()
        query = select(SubscriptionRow.id).where(SubscriptionRow.position < last)
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
            for event in (glimpse(**seen._mapping) for seen in found)  # noqa: SLF001  as elsewhere
            if judged.admits(event)
        ]
        self._append(subscription, passed)
        row.position = found[-1].sequence
        self._session.flush()
        return len(found)

    def _append(self, subscription: str, passed: Sequence[tuple[int, str]]) -> None:
        """Pending deliveries of (sequence, dataset); the first live one of a dataset is due."""
        behind: set[str] = set()
        for some in portions(sorted({dataset for _, dataset in passed})):
            live = select(DeliveryRow.dataset.distinct()).where(
                DeliveryRow.subscription == subscription,
                DeliveryRow.dataset.in_(some),
                DeliveryRow.state.in_(LIVE),
            )
            behind.update(self._session.scalars(live))
        rows: list[dict[str, object]] = []
        for sequence, dataset in passed:
            due = None if dataset in behind else self._now
            behind.add(dataset)
            rows.append({"sequence": sequence, "dataset": dataset, "next_attempt_at": due})
        if rows:
            same = {"subscription": subscription, "state": PENDING, "attempts": 0}
            self._session.execute(insert(DeliveryRow), [same | row for row in rows])


def lock(session: Session, subscription: str) -> SubscriptionRow | None:
    """A subscription's row, locked until the transaction ends; none where there is none."""
    return session.get(SubscriptionRow, subscription, with_for_update=True, populate_existing=True)


def release_next(session: Session, subscription: str, ended: Sequence[int], now: datetime) -> None:
    """Let the first live delivery behind each of these be due, if it waits for its turn alone.

    The caller holds the subscription's lock.
    """
    row, dead = DeliveryRow, DeliveryState.DEAD.value
    for some in portions(ended):
        # In steps: each is a look into an index, whatever the database knows about its tables.
        query = select(row.dataset.distinct(), _first_of(row, PENDING), _first_of(row, dead))
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


def glimpse(data: dict[str, Any] | None = None, **fields: Any) -> OutboxEvent:
    """An event of our own table, not checked again: thousands a second are read."""
    fields["type"] = EventType(fields["type"])
    for name in ("sites", "operators"):
        fields[name] = tuple(fields[name])
    return OutboxEvent.model_construct(**fields, data=data or {})


def portions(items: Sequence[T]) -> Iterable[Sequence[T]]:
    """Portions of a size that one statement takes."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
