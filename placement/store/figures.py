"""Counts of what the store holds, for monitoring."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from models import DeliveryState
from placement.store.engine import Transaction
from placement.store.tables import DeliveryRow, JobRow, PolicyRevisionRow


@dataclass(frozen=True)
class Figures:
    """A few numbers of one moment."""

    jobs: dict[str, int]
    """By state."""
    deliveries: dict[str, int]
    """Of events to subscribers, by state: those that are pending or dead."""
    audit_records: int
    catalog_version: int
    policy_number: int
    """Of the active revision; 0 before there is one."""
    policy_revision: str
    """Its digest; "" before there is one."""


def read_figures(tx: Transaction) -> Figures:
    """The figures of now, from rows that are indexed."""
    counted = tx.session.execute(
        select(JobRow.state, func.count()).group_by(JobRow.state).order_by(JobRow.state)
    ).all()
    waiting = tx.session.execute(
        select(DeliveryRow.state, func.count())
        .where(DeliveryRow.state.in_((DeliveryState.PENDING.value, DeliveryState.DEAD.value)))
        .group_by(DeliveryRow.state)
    ).all()
    city = tx.city
    active = (
        tx.session.get(PolicyRevisionRow, city.active_policy)
        if city.active_policy is not None
        else None
    )
    return Figures(
        jobs={row[0]: row[1] for row in counted},
        deliveries={row[0]: row[1] for row in waiting},
        audit_records=city.audit_sequence,
        catalog_version=city.catalog_version,
        policy_number=0 if active is None else active.number,
        policy_revision="" if active is None else active.revision,
    )
