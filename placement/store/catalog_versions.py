"""Versions of the catalogue: what each changed, in words and as a chain of digests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select

from models import FIRST_PREVIOUS, AuditAction, RecordChange, RecordKind, sha256_of
from placement.errors import StoreError
from placement.store.engine import Transaction
from placement.store.records import Key, decoded
from placement.store.tables import CatalogVersionRow, RecordRow

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

    Every body is hashed again, the changes of each version are gathered from the records, and
    the chain of digests is computed from them.
    """
    changes: defaultdict[int, dict[Key, str | None]] = defaultdict(dict)
    columns = (RecordRow.kind, RecordRow.id, RecordRow.valid_from, RecordRow.valid_to)
    rows = select(*columns, RecordRow.digest, RecordRow.body).execution_options(yield_per=500)
    for name, ident, began, ended, digest, body in tx.session.execute(rows):
        kind = RecordKind(name)
        try:
            decoded(kind, ident, body, digest)
        except StoreError as error:
            yield str(error)
        changes[began][kind, ident] = digest
        if ended is not None:
            changes[ended].setdefault((kind, ident), None)
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
