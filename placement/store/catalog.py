"""The city's catalogue: records with all their versions.

A record is valid from one version of the catalogue up to, not including, another. One writing
transaction makes one version, whose digest is chained to the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update

from models import (
    FIRST_PREVIOUS,
    Catalog,
    CatalogVersion,
    Frozen,
    Parameters,
    RecordChange,
    RecordKind,
    SiteRegister,
    StoredRecord,
)
from placement.errors import NotFound
from placement.store.catalog_versions import CHANGES_KEPT, summary_of, version_digest
from placement.store.engine import Transaction
from placement.store.head import read_head
from placement.store.records import (
    Changes,
    Key,
    Records,
    collected,
    columns_of,
    decoded,
    encoded,
    named_by,
)
from placement.store.tables import (
    CatalogVersionRow,
    RecordMemberRow,
    RecordReaderRow,
    RecordRow,
)

_KEYS_A_QUERY = 400


class CatalogRecords:
    """The catalogue of a store, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def get(self, kind: RecordKind, ident: str, version: int | None = None) -> StoredRecord | None:
        """A record, now or at a version; none where there is none."""
        found = self._tx.session.execute(
            select(*STORED).where(
                RecordRow.kind == kind.value, RecordRow.id == ident, valid_at(version)
            )
        ).one_or_none()
        return None if found is None else as_stored(found)

    def load(self, version: int | None = None) -> Records:
        """All records, now or at a version.

        Raises
        ------
        NotFound
            When the version was never made.
        StoreError
            When a stored record is not what it was.
        """
        self._require(version)
        rows = self._tx.session.execute(select(*STORED).where(valid_at(version)))
        return collected({(r.kind, r.id): _model(r) for r in map(as_stored, rows)})

    def as_catalog(self, version: int | None = None) -> Catalog:
        """The native catalogue, now or at a version, in the order of ids."""
        return self.load(version).as_catalog()

    def as_register(self, version: int | None = None) -> SiteRegister:
        """The native sites file, now or at a version, in the order of ids."""
        return self.load(version).as_register()

    def parameters(self, version: int | None = None) -> Parameters:
        """The city's choices, now or at a version."""
        self._require(version)
        found = self.get(RecordKind.PARAMETERS, "parameters", version)
        return collected(
            {} if found is None else {(found.kind, found.id): _model(found)}
        ).parameters

    def changes_since(self, since: int, version: int) -> dict[Key, Frozen | None]:
        """What leads from one version to a later one."""
        ended = select(RecordRow.kind, RecordRow.id).where(
            RecordRow.valid_to > since, RecordRow.valid_to <= version
        )
        changes: dict[Key, Frozen | None] = {
            (RecordKind(kind), ident): None for kind, ident in self._tx.session.execute(ended)
        }
        began = select(*STORED).where(
            RecordRow.valid_from > since, RecordRow.valid_from <= version, valid_at(version)
        )
        for record in map(as_stored, self._tx.session.execute(began)):
            changes[record.kind, record.id] = _model(record)
        return changes

    def apply(self, changes: Changes, author: str) -> CatalogVersion | None:
        """Make one new version of the catalogue; none where nothing would change.

        Records that are already as they should be are left alone.
        """
        before = self._digests(changes.keys())
        kept: list[RecordChange] = []
        bodies: dict[Key, str] = {}
        for (kind, ident), model in sorted(changes.items()):
            body, digest = encoded(model) if model is not None else (None, None)
            if before.get((kind, ident)) != digest:
                kept.append(RecordChange(kind=kind, id=ident, digest=digest))
                if body is not None:
                    bodies[kind, ident] = body
        if not kept:
            return None
        version = self._tx.city.catalog_version + 1
        self._end([(c.kind, c.id) for c in kept if (c.kind, c.id) in before], version)
        self._begin(kept, bodies, changes, version)
        return self._record_version(version, kept, before, author)

    def version(self, number: int) -> CatalogVersion:
        """A version. Raises NotFound."""
        found = self._tx.session.get(CatalogVersionRow, number)
        if found is None:
            raise NotFound(f"there is no version {number} of the catalogue")
        return _as_version(found)

    def digest(self, number: int) -> str:
        """The chained digest of a version; zeros for the empty catalogue. Raises NotFound."""
        return FIRST_PREVIOUS if number == 0 else self.version(number).digest

    def versions(self, before: int | None, limit: int) -> list[CatalogVersion]:
        """Versions below `before`, or from the newest; newest first, at most `limit`."""
        query = select(CatalogVersionRow).order_by(CatalogVersionRow.version.desc()).limit(limit)
        if before is not None:
            query = query.where(CatalogVersionRow.version < before)
        return [_as_version(row) for row in self._tx.session.scalars(query)]

    def _require(self, version: int | None) -> None:
        if version is not None and not 0 <= version <= self._tx.city.catalog_version:
            raise NotFound(f"there is no version {version} of the catalogue")

    def _digests(self, keys: Iterable[Key]) -> dict[Key, str]:
        """The current digests of those of the records that there are."""
        found: dict[Key, str] = {}
        for kind, idents in _parts(keys):
            query = select(RecordRow.id, RecordRow.digest).where(_are(kind, idents))
            for ident, digest in self._tx.session.execute(query):
                found[kind, ident] = digest
        return found

    def _end(self, keys: Sequence[Key], version: int) -> None:
        for kind, idents in _parts(keys):
            self._tx.session.execute(
                update(RecordRow)
                .where(_are(kind, idents))
                .values(valid_to=version)
                .execution_options(synchronize_session=False)
            )

    def _begin(
        self,
        kept: Sequence[RecordChange],
        bodies: Mapping[Key, str],
        changes: Changes,
        version: int,
    ) -> None:
        rows: list[dict[str, Any]] = []
        readers: list[dict[str, Any]] = []
        members: list[dict[str, Any]] = []
        key: dict[str, Any]
        for change in kept:
            model = changes[change.kind, change.id]
            if model is None:
                continue
            rows.append(
                {
                    "kind": change.kind.value,
                    "id": change.id,
                    "valid_from": version,
                    "digest": change.digest,
                    "body": bodies[change.kind, change.id],
                    **columns_of(change.id, model),
                }
            )
            if change.kind is RecordKind.DATASET:
                key = {"dataset": change.id, "valid_from": version}
                readers += [{**key, "role": role} for role in named_by(model)]
            elif change.kind is RecordKind.RELATION:
                key = {"relation": change.id, "valid_from": version}
                members += [{**key, "dataset": name} for name in named_by(model)]
        for table, values in (
            (RecordRow, rows),
            (RecordReaderRow, readers),
            (RecordMemberRow, members),
        ):
            if values:
                self._tx.session.execute(insert(table), values)

    def _record_version(
        self, version: int, kept: Sequence[RecordChange], before: Mapping[Key, str], author: str
    ) -> CatalogVersion:
        previous = read_head(self._tx).digest
        row = CatalogVersionRow(
            version=version,
            at=self._tx.now,
            author=author,
            summary=summary_of(kept, before.keys()),
            digest=version_digest(previous, version, kept),
            changes=[change.model_dump(mode="json") for change in kept[:CHANGES_KEPT]],
            changed=len(kept),
        )
        self._tx.session.add(row)
        self._tx.city.catalog_version = version
        self._tx.session.flush()
        return _as_version(row)


STORED = (RecordRow.kind, RecordRow.id, RecordRow.valid_from, RecordRow.digest, RecordRow.body)


def as_stored(row: Sequence[Any]) -> StoredRecord:
    """The record of a row of the columns STORED."""
    kind, ident, version, digest, body = row
    return StoredRecord(kind=kind, id=ident, version=version, digest=digest, body=body)


def valid_at(version: int | None) -> ColumnElement[bool]:
    """Records that are valid at a version; none: now."""
    if version is None:
        return RecordRow.valid_to.is_(None)
    return and_(
        RecordRow.valid_from <= version,
        or_(RecordRow.valid_to.is_(None), RecordRow.valid_to > version),
    )


def _model(record: StoredRecord) -> Frozen:
    return decoded(record.kind, record.id, record.body, record.digest)


def _as_version(row: CatalogVersionRow) -> CatalogVersion:
    return CatalogVersion(
        version=row.version,
        at=row.at,
        author=row.author,
        summary=row.summary,
        digest=row.digest,
        changes=tuple(RecordChange.model_validate(change) for change in row.changes),
        changed=row.changed,
    )


def _are(kind: RecordKind, idents: Sequence[str]) -> ColumnElement[bool]:
    """The current records of a kind with these ids."""
    return and_(
        RecordRow.kind == kind.value, RecordRow.valid_to.is_(None), RecordRow.id.in_(idents)
    )


def _parts(keys: Iterable[Key]) -> Iterator[tuple[RecordKind, list[str]]]:
    """The ids of each kind, as many at a time as a query takes."""
    for kind, group in groupby(sorted(keys), key=itemgetter(0)):
        while part := [ident for _, ident in islice(group, _KEYS_A_QUERY)]:
            yield kind, part
