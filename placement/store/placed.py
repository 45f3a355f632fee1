"""Approved placements: one row a dataset, ready to be read, and hidden from whoever may not see it.

Who may see a placement is judged by the dataset's present record, not by that of the day it was
decided: a dataset that changed hands since belongs to its new department alone. What a plan
inherits counts, too: a record that calls itself public is not, where its effective class is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, false, insert, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from models import AccessRights, GdprCategory, Level, RowFilter
from placement.store.engine import Transaction
from placement.store.tables import (
    CityRow,
    PlacedReaderRow,
    PlacedRow,
    PlacedSiteRow,
    RecordReaderRow,
    RecordRow,
)

_AT_ONCE = 500
"""Ids of one query: SQLite takes some thousand."""


@dataclass(frozen=True)
class NewPlacement:
    """One dataset of an approved plan, as it is kept."""

    dataset: str
    body: str
    """JSON as /v1/placements shows it."""
    department: str | None
    confidentiality: Level | None
    """Effective class."""
    gdpr_category: GdprCategory | None
    access_rights: AccessRights | None
    sites: tuple[tuple[str, str], ...]
    """(site, operator)."""
    readers: tuple[str, ...]
    """Catalogue roles."""


@dataclass(frozen=True)
class PlacedFilter:
    """Which placements are asked for: those that meet every field that is set."""

    confidentiality: Level | None = None
    gdpr_category: GdprCategory | None = None
    department: str | None = None
    site: str | None = None
    operator: str | None = None
    role: str | None = None
    """A catalogue role that reads the dataset."""


class Placed:
    """The approved placements of a store, seen in one transaction.

    Parameters
    ----------
    tx
        The transaction.
    in_force
        Look at the plan in force, not at the one that was approved last.
    """

    def __init__(self, tx: Transaction, *, in_force: bool = False) -> None:
        self._session = tx.session
        self._of: InstrumentedAttribute[int | None] = (
            CityRow.in_force_decision if in_force else CityRow.standing_decision
        )

    def add(self, decision: int, placements: Sequence[NewPlacement]) -> None:
        """Keep the placements of a decision."""
        self._insert(
            PlacedRow,
            [
                {
                    "decision": decision,
                    "dataset": placed.dataset,
                    "body": placed.body,
                    "department": placed.department,
                    "confidentiality": _number(placed.confidentiality),
                    "gdpr_category": _word(placed.gdpr_category),
                    "access_rights": _word(placed.access_rights),
                }
                for placed in placements
            ],
        )
        self._insert(
            PlacedSiteRow,
            [
                {
                    "decision": decision,
                    "dataset": placed.dataset,
                    "site": site,
                    "operator": operator,
                }
                for placed in placements
                for site, operator in placed.sites
            ],
        )
        self._insert(
            PlacedReaderRow,
            [
                {"decision": decision, "dataset": placed.dataset, "role": role}
                for placed in placements
                for role in sorted(set(placed.readers))
            ],
        )

    def read(self, dataset: str, rows: RowFilter) -> str | None:
        """The JSON of one placement; none where there is none, or none that these rows admit."""
        query = select(PlacedRow.body).join(CityRow, PlacedRow.decision == self._of)
        query = query.where(CityRow.id == 1, PlacedRow.dataset == dataset, _admitted(rows))
        return self._session.scalar(query)

    def list(
        self, rows: RowFilter, limit: int, *, after: str = "", where: PlacedFilter | None = None
    ) -> tuple[tuple[str, str], ...]:
        """(dataset, JSON) of at most `limit` placements after a dataset, in order of their ids."""
        query = select(PlacedRow.dataset, PlacedRow.body)
        query = query.join(CityRow, PlacedRow.decision == self._of).where(CityRow.id == 1)
        query = query.where(_admitted(rows), *_conditions(where or PlacedFilter()))
        if after:
            query = query.where(PlacedRow.dataset > after)
        found = self._session.execute(query.order_by(PlacedRow.dataset).limit(limit))
        return tuple((dataset, body) for dataset, body in found)

    def decision(self) -> int | None:
        """The number of the decision looked at; none where there is none."""
        return self._session.scalar(select(self._of).where(CityRow.id == 1))

    def admitted(self, decision: int, rows: RowFilter) -> frozenset[str]:
        """Every dataset of a decision that these rows admit."""
        query = select(PlacedRow.dataset).where(PlacedRow.decision == decision, _admitted(rows))
        return frozenset(self._session.scalars(query))

    def sites(self, datasets: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The sites of some datasets by the plan looked at, sorted; others are left out."""
        query = select(PlacedSiteRow.dataset, PlacedSiteRow.site)
        query = query.join(CityRow, PlacedSiteRow.decision == self._of)
        found: dict[str, list[str]] = {}
        for start in range(0, len(datasets), _AT_ONCE):
            names = datasets[start : start + _AT_ONCE]
            asked = query.where(CityRow.id == 1, PlacedSiteRow.dataset.in_(names))
            for dataset, site in self._session.execute(asked.order_by(PlacedSiteRow.site)):
                found.setdefault(dataset, []).append(site)
        return {dataset: tuple(sites) for dataset, sites in found.items()}

    def bodies(self, datasets: Sequence[str]) -> dict[str, str]:
        """The JSON of some datasets' placements, for whoever may see every record."""
        query = select(PlacedRow.dataset, PlacedRow.body)
        query = query.join(CityRow, PlacedRow.decision == self._of).where(CityRow.id == 1)
        found: dict[str, str] = {}
        for start in range(0, len(datasets), _AT_ONCE):
            names = datasets[start : start + _AT_ONCE]
            rows = self._session.execute(query.where(PlacedRow.dataset.in_(names)))
            found |= {row.dataset: row.body for row in rows}
        return found

    def _insert(self, table: type, rows: Sequence[dict[str, object]]) -> None:
        if rows:
            self._session.execute(insert(table), rows)


def _admitted(rows: RowFilter) -> ColumnElement[bool]:
    """Whether the dataset's present record is one that the principal may see."""
    if rows.all:
        return true()
    ways: list[ColumnElement[bool]] = []
    if rows.departments:
        ways.append(RecordRow.department.in_(rows.departments))
    if rows.reader_roles:
        ways.append(
            exists().where(
                RecordReaderRow.dataset == RecordRow.id,
                RecordReaderRow.valid_from == RecordRow.valid_from,
                RecordReaderRow.role.in_(rows.reader_roles),
            )
        )
    if rows.public:
        public = AccessRights.PUBLIC.value
        ways.append(and_(RecordRow.access_rights == public, PlacedRow.access_rights == public))
    if not ways:
        return false()
    return exists().where(
        RecordRow.kind == "dataset",
        RecordRow.id == PlacedRow.dataset,
        RecordRow.valid_to.is_(None),
        or_(*ways),
    )


def _conditions(where: PlacedFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if where.confidentiality is not None:
        found.append(PlacedRow.confidentiality == int(where.confidentiality))
    if where.gdpr_category is not None:
        found.append(PlacedRow.gdpr_category == where.gdpr_category.value)
    if where.department is not None:
        found.append(PlacedRow.department == where.department)
    hosted = [
        column == name
        for column, name in (
            (PlacedSiteRow.site, where.site),
            (PlacedSiteRow.operator, where.operator),
        )
        if name is not None
    ]
    if hosted:  # one replica meets both
        found.append(
            exists().where(
                PlacedSiteRow.decision == PlacedRow.decision,
                PlacedSiteRow.dataset == PlacedRow.dataset,
                *hosted,
            )
        )
    if where.role is not None:
        found.append(
            exists().where(
                PlacedReaderRow.decision == PlacedRow.decision,
                PlacedReaderRow.dataset == PlacedRow.dataset,
                PlacedReaderRow.role == where.role,
            )
        )
    return found


def _number(level: Level | None) -> int | None:
    return None if level is None else int(level)


def _word(value: GdprCategory | AccessRights | None) -> str | None:
    return None if value is None else value.value
