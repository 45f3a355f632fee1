"""Versions of the catalogue: what each changed, in words and as a chain of digests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select

from models import FIRST_PREVIOUS, AuditAction, RecordChange, RecordKind, sha256_of
from placement.errors import StoreError
from placement.store.engine import Transaction
from placement.store.records import Key, columns_of, decoded, named_by
from placement.store.tables import (
    CatalogVersionRow,
    RecordMemberRow,
    RecordReaderRow,
    RecordRow,
)

CHANGES_KEPT = 1_000
"""Changes that a version lists; the digest covers all of them."""


def version_digest(previous: str, version: int, changes: Sequence[RecordChange]) -> str:
    """The digest that chains a version to the one before."""
    listed = sorted((c.kind.value, c.id, c.digest) for c in changes)
    return sha256_of({"previous": previous, "version": version, "changes": listed})


def summary_of(changes: Iterable[RecordChange], known: Iterable[Key]) -> str:
    """What changed, in words: "2 datasets added, 1 site removed". Names no record."""
    there = set(known)
    counts: dict[tuple[RecordKind, str], int] = {}
    for change in changes:
        was = (change.kind, change.id) in there
        done = "removed" if change.digest is None else "changed" if was else "added"
        counts[change.kind, done] = counts.get((change.kind, done), 0) + 1
    return ", ".join(
        _counted(counts[kind, done], kind, done)
        for kind in RecordKind
        for done in ("added", "changed", "removed")
        if (kind, done) in counts
    )


def action_of(changes: Iterable[RecordChange]) -> AuditAction:
    """What the audit log calls a version with these changes."""
    only_parameters = all(change.kind is RecordKind.PARAMETERS for change in changes)
    return AuditAction.PARAMETERS_CHANGED if only_parameters else AuditAction.CATALOG_CHANGED


def _counted(number: int, kind: RecordKind, done: str) -> str:
    if kind in (RecordKind.PARAMETERS, RecordKind.CITY):
        return f"{'parameters' if kind is RecordKind.PARAMETERS else 'description'} {done}"
    return f"{number} {kind.value.replace('_', ' ')}{'s' * (number != 1)} {done}"


def catalog_defects(tx: Transaction) -> Iterator[str]:
    """Where records or versions are not what was written, in one sentence each.

    Every body is hashed again, what lists are filtered by is compared with it, the changes of each
    version are gathered from the records, and the chain of digests is computed from them.
    """
    changes: defaultdict[int, dict[Key, str | None]] = defaultdict(dict)
    for row in tx.session.scalars(select(RecordRow).execution_options(yield_per=500)):
        yield from _record_defects(tx, row)
        key = RecordKind(row.kind), row.id
        changes[row.valid_from][key] = row.digest
        if row.valid_to is not None:
            changes[row.valid_to].setdefault(key, None)
    yield from _chain_defects(tx, changes)


def _record_defects(tx: Transaction, row: RecordRow) -> Iterator[str]:
    try:
        model = decoded(RecordKind(row.kind), row.id, row.body, row.digest)
    except StoreError as error:
        yield str(error)
        return
    stored = {name: getattr(row, name) for name in columns_of(row.id, model)}
    if stored != columns_of(row.id, model):
        yield f"the {row.kind} {row.id} is listed as something that it is not"
    if row.kind == RecordKind.DATASET:
        found = select(RecordReaderRow.role).where(
            RecordReaderRow.dataset == row.id, RecordReaderRow.valid_from == row.valid_from
        )
    elif row.kind == RecordKind.RELATION:
        found = select(RecordMemberRow.dataset).where(
            RecordMemberRow.relation == row.id, RecordMemberRow.valid_from == row.valid_from
        )
    else:
        return
    if sorted(tx.session.scalars(found)) != named_by(model):
        yield f"the {row.kind} {row.id} is shown to others than it names"


def _chain_defects(tx: Transaction, changes: dict[int, dict[Key, str | None]]) -> Iterator[str]:
    previous, number = FIRST_PREVIOUS, 0
    for row in tx.session.scalars(select(CatalogVersionRow).order_by(CatalogVersionRow.version)):
        number += 1
        found = changes.pop(row.version, {})
        listed = [RecordChange(kind=k, id=i, digest=d) for (k, i), d in found.items()]
        fits = row.version == number and row.changed == len(listed)
        if not fits or row.digest != version_digest(previous, row.version, listed):
            yield f"version {row.version} of the catalogue is not what it was when it was made"
        previous = row.digest
    if number != tx.city.catalog_version:
        yield f"the catalogue is at version {tx.city.catalog_version}, but {number} are recorded"
    if changes:
        yield f"records name versions of the catalogue that are not there: {min(changes)}"
