"""Lists of catalogue records: filtered by what somebody may see, and by what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, literal, or_, select, true, tuple_
from sqlalchemy.orm import aliased

from models import AccessRights, RecordKind, RowFilter, StoredRecord
from placement.store.catalog import STORED, as_stored, valid_at
from placement.store.engine import Transaction
from placement.store.records import searchable
from placement.store.tables import RecordMemberRow, RecordReaderRow, RecordRow

SORTS: Mapping[str, Any] = {
    "id": RecordRow.id,
    "title": RecordRow.title,
    "volume_gb": RecordRow.volume_gb,
}
FILTERS: Mapping[str, Any] = {
    "department": RecordRow.department,
    "confidentiality": RecordRow.confidentiality,
    "gdpr_category": RecordRow.gdpr_category,
    "access_rights": RecordRow.access_rights,
    "current_site": RecordRow.current_site,
    "operator": RecordRow.operator,
    "country": RecordRow.country,
}
"""Filters by equality; `q` searches id and title, `dataset` finds what relates it."""


@dataclass(frozen=True)
class RecordQuery:
    """Which records, in which order, from where on."""

    kinds: tuple[RecordKind, ...]
    """Of several, the first that has an id hides the others' record of that id."""
    rows: RowFilter
    filters: Mapping[str, str | int] = field(default_factory=dict)
    q: str | None = None
    """A part of the id or the title, whatever its case."""
    dataset: str | None = None
    """Relations that name this dataset."""
    sort: str = "id"
    descending: bool = False
    after: tuple[str | int, ...] | None = None
    """Value sorted by and id of the record before, as `sort_key` gives them; one, by id."""
    limit: int = 100


@dataclass(frozen=True)
class Listed:
    """A record of a list, and where it stands in it."""

    record: StoredRecord
    key: tuple[str | int, ...]


def list_records(tx: Transaction, query: RecordQuery) -> list[Listed]:
    """The current records a query finds, at most `limit`."""
    by = SORTS[query.sort]
    order = (by,) if query.sort == "id" else (by, RecordRow.id)
    statement = select(*STORED, *order).where(*_conditions(query)).limit(query.limit)
    if query.after is not None:
        here, there = tuple_(*order), tuple_(*map(literal, query.after))
        statement = statement.where(here < there if query.descending else here > there)
    sorted_by = [column.desc() if query.descending else column.asc() for column in order]
    return [
        Listed(as_stored(tuple(row[: len(STORED)])), tuple(row[len(STORED) :]))
        for row in tx.session.execute(statement.order_by(*sorted_by))
    ]


def find_record(
    tx: Transaction, kinds: tuple[RecordKind, ...], ident: str, rows: RowFilter
) -> StoredRecord | None:
    """The current record with an id; none where there is none or it may not be seen."""
    condition = _of_kinds(kinds)
    row = tx.session.execute(
        select(*STORED).where(condition, RecordRow.id == ident, *_visible(kinds, rows))
    ).one_or_none()
    return None if row is None else as_stored(tuple(row))


def _conditions(query: RecordQuery) -> list[ColumnElement[bool]]:
    found = [_of_kinds(query.kinds), *_visible(query.kinds, query.rows)]
    found += [FILTERS[name] == value for name, value in query.filters.items()]
    if query.q:
        found.append(RecordRow.search.contains(searchable(query.q), autoescape=True))
    if query.dataset is not None:
        found.append(
            exists().where(
                RecordMemberRow.dataset == query.dataset,
                RecordMemberRow.relation == RecordRow.id,
                RecordMemberRow.valid_from == RecordRow.valid_from,
            )
        )
    return found


def _of_kinds(kinds: tuple[RecordKind, ...]) -> ColumnElement[bool]:
    """Current records of these kinds; of one id, the record of the first kind."""
    first, *further = kinds
    found = [RecordRow.kind == first.value]
    for number, kind in enumerate(further, start=1):
        other = aliased(RecordRow)
        hidden = exists().where(
            other.kind.in_([earlier.value for earlier in kinds[:number]]),
            other.id == RecordRow.id,
            other.valid_to.is_(None),
        )
        found.append(and_(RecordRow.kind == kind.value, ~hidden))
    return and_(valid_at(None), or_(*found))


def _visible(kinds: tuple[RecordKind, ...], rows: RowFilter) -> list[ColumnElement[bool]]:
    """What the row filter admits: it speaks of datasets, and so of the relations between them."""
    if rows.all:
        return []
    if RecordKind.DATASET in kinds:
        return [admitted(RecordRow, rows)]
    if RecordKind.RELATION in kinds:
        seen = aliased(RecordRow)
        unseen_member = exists().where(
            RecordMemberRow.relation == RecordRow.id,
            RecordMemberRow.valid_from == RecordRow.valid_from,
            ~exists().where(
                seen.kind == RecordKind.DATASET.value,
                seen.id == RecordMemberRow.dataset,
                seen.valid_to.is_(None),
                admitted(seen, rows),
            ),
        )
        return [~unseen_member]
    return []


def admitted(dataset: Any, rows: RowFilter) -> ColumnElement[bool]:
    """Whether a row filter admits a dataset's row."""
    if rows.all:
        return true()
    found: list[ColumnElement[bool]] = []
    if rows.departments:
        found.append(dataset.department.in_(rows.departments))
    if rows.public:
        found.append(dataset.access_rights == AccessRights.PUBLIC.value)
    if rows.reader_roles:
        found.append(
            exists().where(
                RecordReaderRow.dataset == dataset.id,
                RecordReaderRow.valid_from == dataset.valid_from,
                RecordReaderRow.role.in_(rows.reader_roles),
            )
        )
    return or_(*found) if found else false()
