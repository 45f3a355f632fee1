"""The audit log for those who read it: lists, its end, whether it holds, and a copy to keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from models import (
    AuditAction,
    AuditEvent,
    AuditRecord,
    AuditReport,
    SignedHead,
    canonical_json,
)
from placement.errors import NotFound, StoreError
from placement.keys import audit_public_keys
from placement.service.city import Caller, City
from placement.settings import Settings
from placement.store import Store
from placement.store.audit_head import read_head
from placement.store.audit_log import AuditFilter, AuditLog
from placement.store.audit_verify import verify_chain
from placement.store.catalog_versions import catalog_defects

_BATCH = 1000
_CATALOG_DEFECTS = 1000


def list_records(
    city: City, which: AuditFilter, limit: int, after: int | None, *, newest_first: bool
) -> Sequence[AuditRecord]:
    """Records by their sequence, behind `after`. Raises StoreError."""
    with city.store.reading() as tx:
        return AuditLog(tx).list(which, limit=limit, after=after, newest_first=newest_first)


def last_head(city: City) -> SignedHead:
    """The signed end of the log: whoever keeps a copy can later tell whether it was cut off.

    Raises
    ------
    NotFound
        While nothing has happened.
    StoreError
    """
    with city.store.reading() as tx:
        head = AuditLog(tx).head()
    if head is None:
        raise NotFound("the audit log is empty")
    return head


def verify_log(store: Store, settings: Settings, head_file: Path | None = None) -> AuditReport:
    """Check the whole log, also against the heads kept outside the database, and the catalogue.

    Parameters
    ----------
    store
        Without an audit key, too: only public keys are needed.
    settings
        Name the folder of the keys and the file of the latest head; it counts where it exists.
    head_file
        Another head that somebody kept.

    Raises
    ------
    StoreError
        When the database or a head cannot be read.
    BadInput
        When a public key cannot be read.
    NotFound
        When there is no `head_file`.
    """
    keys = audit_public_keys(settings.keys / "audit.pem")
    # The heads first: what happens meanwhile lies behind them.
    outside = [read_head(settings.audit_head_file)]
    if head_file is not None:
        outside.append(read_head(head_file))
        if outside[-1] is None:
            raise NotFound(f"{head_file}: there is no such file")
    with store.reading() as tx:
        report = verify_chain(tx, keys, [head for head in outside if head is not None])
        found = tuple(islice(catalog_defects(tx), _CATALOG_DEFECTS))
    return report.model_copy(update={"catalog_defects": found})


def export_log(city: City, caller: Caller, after: int = 0) -> Iterator[bytes]:
    """JSON lines: every record behind `after`, and at the end a line with the signed head.

    That somebody takes a copy is recorded first, and part of it. A line is the canonical JSON that
    was hashed, with its `hash`. A copy without the last line is not whole.

    Raises
    ------
    StoreError
        Before the first line when the export cannot be recorded; later when a record was changed.
        Nothing but whole, unchanged records is ever handed out.
    """
    exported = AuditEvent(
        action=AuditAction.EXPORTED,
        actor=caller.subject,
        subject="audit",
        detail={"after": after},
        request_id=caller.request_id,
    )
    return _lines(city.store, after, city.recorder.record([exported])[0].sequence)


def _lines(store: Store, after: int, recorded: int) -> Iterator[bytes]:
    """A transaction a batch: the log only grows, and no reader should hold one for minutes."""
    with store.reading() as tx:
        head = AuditLog(tx).head(at_least=recorded)
    if head is None:
        raise StoreError("the audit log has no head; verify it")
    while after < head.sequence:
        with store.reading() as tx:
            wanted = min(_BATCH, head.sequence - after)
            records = AuditLog(tx).list(limit=wanted, after=after)
        if len(records) < wanted or records[-1].sequence != after + wanted:
            raise StoreError("records of the audit log are missing; verify it")
        after += wanted
        yield b"".join(canonical_json(record) + b"\n" for record in records)
    yield canonical_json({"head": head}) + b"\n"
