"""The audit log: a hash chain whose ends are signed with a key the database never holds."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from models import AuditEvent, AuditRecord, canonical_json
from placement.keys import AuditKey
from placement.store.tables import AuditHeadRow, AuditRow, CityRow


class AuditChain:
    """What one writing transaction adds to the chain."""

    def __init__(self, key: AuditKey) -> None:
        self._key = key
        self._added = False

    def append(self, session: Session, city: CityRow, event: AuditEvent) -> AuditRecord:
        """Add a link; the city's row, which the transaction has locked, holds the end."""
        at = datetime.now(UTC)
        body = link_body(city.audit_sequence + 1, at, event, city.audit_hash)
        record = AuditRecord(
            sequence=city.audit_sequence + 1,
            at=at,
            event=event,
            previous=city.audit_hash,
            hash=hashlib.sha256(body).hexdigest(),
        )
        session.add(
            AuditRow(
                sequence=record.sequence,
                body=body.decode(),
                hash=record.hash,
                action=event.action.value,
                actor=event.actor,
                subject=event.subject[:400],
                at=at,
            )
        )
        city.audit_sequence = record.sequence
        city.audit_hash = record.hash
        self._added = True
        return record

    def sign(self, session: Session, city: CityRow) -> None:
        """Sign the end of the chain, if this transaction moved it."""
        if not self._added:
            return
        at = datetime.now(UTC).isoformat()
        message = head_message(city.audit_sequence, city.audit_hash, at, self._key.public.id)
        session.add(
            AuditHeadRow(
                sequence=city.audit_sequence,
                hash=city.audit_hash,
                at=at,
                key_id=self._key.public.id,
                signature=self._key.sign(message),
            )
        )


def link_body(sequence: int, at: datetime, event: AuditEvent, previous: str) -> bytes:
    """What is hashed of a link."""
    return canonical_json({"sequence": sequence, "at": at, "event": event, "previous": previous})


def head_message(sequence: int, digest: str, at: str, key_id: str) -> bytes:
    """What is signed of a head."""
    return canonical_json({"sequence": sequence, "hash": digest, "at": at, "key_id": key_id})
