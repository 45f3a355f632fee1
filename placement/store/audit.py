"""The audit log: a hash chain whose ends are signed with a key the database never holds."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from models import AuditEvent, AuditRecord, SignedHead, canonical_json
from placement.keys import AuditKey
from placement.store.tables import AuditHeadRow, AuditRow, CityRow


class AuditChain:
    """What one writing transaction adds to the chain."""

    def __init__(self, key: AuditKey, city: CityRow) -> None:
        self._key = key
        self._city = city
        self._before = city.audit_sequence
        self._links: list[dict[str, Any]] = []

    def append(self, event: AuditEvent) -> AuditRecord:
        """Add a link; the city's row, which the transaction has locked, holds the end."""
        city = self._city
        event = storable(event)
        at = datetime.now(UTC)
        body = link_body(city.audit_sequence + 1, at, event, city.audit_hash)
        record = AuditRecord(
            sequence=city.audit_sequence + 1,
            at=at,
            event=event,
            previous=city.audit_hash,
            hash=hashlib.sha256(body).hexdigest(),
        )
        self._links.append(
            {
                "sequence": record.sequence,
                "body": body.decode(),
                "hash": record.hash,
                "action": event.action.value,
                "actor": event.actor,
                "subject": subject_column(event.subject),
                "at": at,
            }
        )
        city.audit_sequence = record.sequence
        city.audit_hash = record.hash
        return record

    def sign(self, session: Session) -> SignedHead | None:
        """Write the links and sign the end of the chain, if this transaction moved it."""
        city = self._city
        if city.audit_sequence == self._before:
            return None
        session.execute(insert(AuditRow), self._links)
        at = datetime.now(UTC)
        head = SignedHead(
            sequence=city.audit_sequence,
            previous=self._before,
            hash=city.audit_hash,
            at=at,
            key_id=self._key.public.id,
            signature="",
        )
        head = head.model_copy(update={"signature": self._key.sign(head_message(head))})
        session.add(AuditHeadRow(**head.model_dump() | {"at": at.isoformat()}))
        return head


def link_body(sequence: int, at: datetime, event: AuditEvent, previous: str) -> bytes:
    """What is hashed of a link."""
    return canonical_json({"sequence": sequence, "at": at, "event": event, "previous": previous})


def head_message(head: SignedHead) -> bytes:
    """What is signed of a head."""
    return canonical_json(head.model_dump(exclude={"signature"}))


def subject_column(subject: str) -> str:
    """What the column that is searched holds of a subject."""
    return subject.replace("\x00", "\ufffd")[:400]


def storable(event: AuditEvent) -> AuditEvent:
    """The event without lone surrogates, which UTF-8 cannot write: hostile requests send them."""
    try:
        canonical_json(event)
    except UnicodeEncodeError:
        return AuditEvent.model_validate(_utf8(event.model_dump()))
    return event


def _utf8(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="surrogatepass").decode(errors="replace")
    if isinstance(value, dict):
        return {_utf8(key): _utf8(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_utf8(item) for item in value]
    return value
