"""API keys: who a machine is, until when, and whether somebody has revoked it.

Of a key's secret the database holds the SHA-256 alone. The secret is 256 random bits: there is
nothing to guess, so a slow hash would only slow down every request.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from models import ApiKey, ApiKeyRequest, Principal, PrincipalKind
from placement.errors import NotFound
from placement.store.engine import Transaction
from placement.store.tables import ApiKeyRow

_NO_DIGEST = "0" * 64
"""Compared with where there is no key, so that both ways take the same time."""


@dataclass(frozen=True)
class KeyFound:
    """What the database says of a token."""

    key: ApiKey | None
    """The key whose secret it was; None for an unknown key and for a wrong secret."""
    objection: str | None
    """Why it proves nothing: unknown_key, revoked_key or expired_key."""


class ApiKeys:
    """The API keys of a store, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def create(self, id_: str, secret_sha256: str, asked: ApiKeyRequest, creator: str) -> ApiKey:
        """Keep a new key.

        Parameters
        ----------
        id_, secret_sha256
            Of a fresh token; the digest is hexadecimal.
        asked
            What it is for, and for how many days.
        creator
            Whoever answers for it.
        """
        principal = Principal(
            subject=subject_of(id_),
            kind=PrincipalKind.MACHINE,
            roles=tuple(dict.fromkeys(asked.roles)),
            departments=tuple(dict.fromkeys(asked.departments)),
            reader_roles=tuple(dict.fromkeys(asked.reader_roles)),
            operations=asked.operations,
        )
        row = ApiKeyRow(
            id=id_,
            secret_sha256=secret_sha256,
            label=asked.label,
            principal=principal.model_dump(mode="json"),
            created_at=self._tx.now,
            created_by=creator,
            expires_at=self._tx.now + timedelta(days=asked.valid_days),
            revoked_at=None,
        )
        self._tx.session.add(row)
        self._tx.session.flush()
        return _key(row)

    def find(self, id_: str, secret_sha256: str) -> KeyFound:
        """The key that a token proves, as it stands at this moment."""
        row = self._tx.session.get(ApiKeyRow, id_)
        known = row.secret_sha256 if row else _NO_DIGEST
        fits = hmac.compare_digest(known.encode(), secret_sha256.encode())
        if row is None or not fits:
            return KeyFound(None, "unknown_key")
        if row.revoked_at is not None:
            return KeyFound(_key(row), "revoked_key")
        if row.expires_at <= self._tx.now:
            return KeyFound(_key(row), "expired_key")
        return KeyFound(_key(row), None)

    def get(self, id_: str) -> ApiKey:
        """One key, whatever its state. Raises NotFound."""
        return _key(self._row(id_))

    def page(self, limit: int, after: str | None = None) -> tuple[ApiKey, ...]:
        """Up to `limit` keys in the order of their ids, behind the one called `after`."""
        query = select(ApiKeyRow).order_by(ApiKeyRow.id).limit(limit)
        if after is not None:
            query = query.where(ApiKeyRow.id > after)
        return tuple(_key(row) for row in self._tx.session.scalars(query))

    def revoke(self, id_: str) -> bool:
        """End a key from the moment this commits; whether it was not revoked before.

        Raises
        ------
        NotFound
            When there is no such key.
        """
        row = self._row(id_)
        if row.revoked_at is not None:
            return False
        row.revoked_at = self._tx.now
        return True

    def creator(self, subject: str) -> str:
        """The person behind a subject: whoever created the key, or the subject itself."""
        row = self._tx.session.get(ApiKeyRow, subject.removeprefix(_SUBJECT))
        return row.created_by if row and subject == subject_of(row.id) else subject

    def _row(self, id_: str) -> ApiKeyRow:
        # What cannot be an id may not be a text either, to PostgreSQL.
        row = self._tx.session.get(ApiKeyRow, id_) if id_.isascii() and id_.isalnum() else None
        if row is None:
            raise NotFound("there is no such API key")
        return row


def subject_of(id_: str) -> str:
    """The subject of a machine with this key."""
    return f"{_SUBJECT}{id_}"


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        label=row.label,
        principal=Principal.model_validate(row.principal),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


_SUBJECT = "key:"
