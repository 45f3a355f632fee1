"""Replies to requests with an Idempotency-Key, stored together with their effects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from placement.store.engine import Transaction
from placement.store.tables import IdempotencyRow

KEPT_DAYS = 30
"""A request is repeated within seconds or hours; after this its key is free again."""
_PURGED_AT_ONCE = 100


@dataclass(frozen=True)
class StoredReply:
    """What a client was told, and for which request."""

    fingerprint: str
    """SHA-256 of what was asked: another request may not use the same key."""
    status: int
    headers: dict[str, str]
    body: bytes
    """UTF-8."""


class Idempotency:
    """The keys of all principals, seen in one transaction.

    Parameters
    ----------
    tx
        A writing transaction, where keys are kept.
    kept_days
        How long a key is remembered.
    """

    def __init__(self, tx: Transaction, kept_days: int = KEPT_DAYS) -> None:
        self._tx = tx
        self._forgotten_before = tx.now - timedelta(days=kept_days)

    def find(self, subject: str, key: str) -> StoredReply | None:
        """The reply that this principal got for this key."""
        row = self._tx.session.get(IdempotencyRow, (subject, key))
        if row is None or row.created_at < self._forgotten_before:
            return None
        return StoredReply(row.fingerprint, row.status, dict(row.headers), row.body.encode())

    def keep(self, subject: str, key: str, reply: StoredReply) -> None:
        """Store a reply beside its effect; some keys that are too old make room.

        Raises
        ------
        Conflict
            From the transaction, when the key is known already.
        """
        self.purge(self._forgotten_before, _PURGED_AT_ONCE)
        session = self._tx.session
        same = (IdempotencyRow.subject == subject, IdempotencyRow.key == key)
        forgotten = IdempotencyRow.created_at < self._forgotten_before
        session.execute(delete(IdempotencyRow).where(*same, forgotten))
        session.execute(
            insert(IdempotencyRow).values(
                subject=subject,
                key=key,
                fingerprint=reply.fingerprint,
                status=reply.status,
                headers=dict(reply.headers),
                body=reply.body.decode(),
                created_at=self._tx.now,
            )
        )

    def purge(self, before: datetime, at_most: int) -> None:
        """Forget up to this many keys that were kept before a moment."""
        session = self._tx.session
        old = session.execute(
            select(IdempotencyRow.subject, IdempotencyRow.key)
            .where(IdempotencyRow.created_at < before)
            .order_by(IdempotencyRow.created_at)
            .limit(at_most)
        ).all()
        for subject, key in old:
            session.execute(
                delete(IdempotencyRow).where(
                    IdempotencyRow.subject == subject, IdempotencyRow.key == key
                )
            )
