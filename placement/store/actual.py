"""What provisioners and observers said: every word of it, and the last of it ready to be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from models import (
    EventType,
    Evidence,
    NewObservation,
    NewProvisioningReport,
    Observation,
    ProvisioningReport,
    ProvisioningState,
    RecordKind,
)
from placement.store.engine import Transaction
from placement.store.tables import (
    ActualRow,
    DriftRow,
    ObservationRow,
    OutboxRow,
    ProvisioningReportRow,
    RecordRow,
)

_CHANGES = tuple(
    kind.value
    for kind in (
        EventType.DATASET_PLACED,
        EventType.DATASET_MOVED,
        EventType.DATASET_RETIRED,
        EventType.OBLIGATIONS_CHANGED,
    )
)
_AT_ONCE = 500
"""Ids of one query: SQLite takes some thousand."""


@dataclass(frozen=True)
class Known:
    """The last that was said of one dataset at one site."""

    site: str
    state: ProvisioningState | None
    found: bool | None
    reported_at: datetime | None
    reported_by: str | None
    observed_at: datetime | None
    observed_by: str | None
    evidence: Evidence


class Actuals:
    """What is known of where datasets are, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._session = tx.session

    def report(self, dataset: str, new: NewProvisioningReport, actor: str) -> ProvisioningReport:
        """Keep a provisioner's report; of one dataset and site the latest counts."""
        number = self._next(ProvisioningReportRow)
        self._session.execute(
            insert(ProvisioningReportRow).values(
                number=number,
                dataset=dataset,
                decision=new.decision,
                site=new.site,
                state=new.state.value,
                event=new.event,
                at=self._tx.now,
                actor=actor,
                evidence=new.evidence.model_dump(mode="json"),
            )
        )
        self._put(
            dataset,
            new.site,
            decision=new.decision,
            state=new.state.value,
            reported_at=self._tx.now,
            reported_by=actor,
            evidence=new.evidence.model_dump(mode="json"),
        )
        return ProvisioningReport(
            number=number, dataset=dataset, at=self._tx.now, actor=actor, report=new
        )

    def observe(self, dataset: str, new: NewObservation, actor: str) -> Observation:
        """Keep what somebody found; of one dataset and site the latest counts."""
        number = self._next(ObservationRow)
        self._session.execute(
            insert(ObservationRow).values(
                number=number,
                dataset=dataset,
                found=list(new.found),
                looked_at=list(new.looked_at),
                at=self._tx.now,
                actor=actor,
                evidence=new.evidence.model_dump(mode="json"),
            )
        )
        for site in sorted({*new.found, *new.looked_at}):
            self._put(
                dataset,
                site,
                found=site in new.found,
                observed_at=self._tx.now,
                observed_by=actor,
                evidence=new.evidence.model_dump(mode="json"),
            )
        return Observation(
            number=number, dataset=dataset, at=self._tx.now, actor=actor, observation=new
        )

    def of(self, datasets: Iterable[str]) -> dict[str, tuple[Known, ...]]:
        """What is known of each dataset, by site; those nobody spoke of are left out."""
        found: dict[str, list[Known]] = {}
        for names in _batches(sorted(set(datasets))):
            query = select(ActualRow).where(ActualRow.dataset.in_(names)).order_by(ActualRow.site)
            for row in self._session.scalars(query):
                found.setdefault(row.dataset, []).append(_known(row))
        return {dataset: tuple(rows) for dataset, rows in found.items()}

    def observed(self) -> tuple[str, ...]:
        """Every dataset that somebody looked for, or whose drift was told."""
        looked_for = select(ActualRow.dataset).where(ActualRow.found.is_not(None)).distinct()
        told = select(DriftRow.dataset)
        return tuple(sorted({*self._session.scalars(looked_for), *self._session.scalars(told)}))

    def begin_again(self, datasets: Iterable[str]) -> None:
        """Forget what provisioners said last: these datasets are to be provisioned anew."""
        for names in _batches(sorted(set(datasets))):
            self._session.execute(
                update(ActualRow)
                .where(ActualRow.dataset.in_(names))
                .values(state=None, decision=None, reported_at=None, reported_by=None)
            )

    def reports(
        self, dataset: str, limit: int, after: int | None = None
    ) -> tuple[ProvisioningReport, ...]:
        """Reports on a dataset, the latest first, behind the one with number `after`."""
        query = select(ProvisioningReportRow).where(ProvisioningReportRow.dataset == dataset)
        if after is not None:
            query = query.where(ProvisioningReportRow.number < after)
        query = query.order_by(ProvisioningReportRow.number.desc()).limit(limit)
        return tuple(_report(row) for row in self._session.scalars(query))

    def last_change(self, dataset: str) -> int | None:
        """The decision whose event told last what is to be done with a dataset."""
        query = select(OutboxRow.decision).where(
            OutboxRow.dataset == dataset, OutboxRow.type.in_(_CHANGES)
        )
        return self._session.scalar(query.order_by(OutboxRow.sequence.desc()).limit(1))

    def operators(self, sites: Iterable[str]) -> tuple[str, ...]:
        """Who runs these sites by the present register, sorted; unknown sites have nobody."""
        found: set[str] = set()
        for names in _batches(sorted(set(sites))):
            query = select(RecordRow.operator).where(
                RecordRow.kind == RecordKind.SITE.value,
                RecordRow.id.in_(names),
                RecordRow.valid_to.is_(None),
            )
            found.update(name for name in self._session.scalars(query) if name is not None)
        return tuple(sorted(found))

    # -- drift that was told ------------------------------------------------------------------

    def told(self, dataset: str) -> tuple[str, ...] | None:
        """Where a dataset was when its drift was told last; none: no drift of it is open."""
        row = self._session.get(DriftRow, dataset)
        return None if row is None else tuple(row.found)

    def tell(self, dataset: str, found: Sequence[str]) -> None:
        """Note that a drift was told."""
        row = self._session.get(DriftRow, dataset)
        if row is None:
            self._session.add(DriftRow(dataset=dataset, found=list(found), since=self._tx.now))
        else:
            row.found = list(found)
        self._session.flush()

    def settle(self, dataset: str) -> None:
        """Note that the end of a drift was told."""
        self._session.execute(delete(DriftRow).where(DriftRow.dataset == dataset))

    # -- rows -----------------------------------------------------------------------------------

    def _next(self, table: type[ProvisioningReportRow] | type[ObservationRow]) -> int:
        """A writing transaction is alone: nobody takes the same number."""
        return (self._session.scalar(select(func.max(table.number))) or 0) + 1

    def _put(self, dataset: str, site: str, **values: Any) -> None:
        changed = self._session.execute(
            update(ActualRow)
            .where(ActualRow.dataset == dataset, ActualRow.site == site)
            .values(**values)
            .returning(ActualRow.site)
        ).first()
        if changed is None:
            self._session.execute(insert(ActualRow).values(dataset=dataset, site=site, **values))


def _known(row: ActualRow) -> Known:
    return Known(
        site=row.site,
        state=None if row.state is None else ProvisioningState(row.state),
        found=row.found,
        reported_at=row.reported_at,
        reported_by=row.reported_by,
        observed_at=row.observed_at,
        observed_by=row.observed_by,
        evidence=Evidence.model_validate(row.evidence),
    )


def _report(row: ProvisioningReportRow) -> ProvisioningReport:
    return ProvisioningReport.model_validate(
        {
            "number": row.number,
            "dataset": row.dataset,
            "at": row.at,
            "actor": row.actor,
            "report": {
                "decision": row.decision,
                "site": row.site,
                "state": row.state,
                "event": row.event,
                "evidence": row.evidence,
            },
        }
    )


def _batches(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
