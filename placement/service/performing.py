"""Doing a thing once: the effect, its audit record and the reply are committed together.

A client that lost the reply asks again with the same Idempotency-Key and gets the stored one. What
was acknowledged is therefore never lost and never doubled, whenever a process dies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from models import canonical_json
from placement.errors import IdempotencyMismatch, PlacementError
from placement.service.city import Caller, City
from placement.store import Transaction
from placement.store.idempotency import Idempotency, StoredReply

JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """What a client is told, as it is stored: the same bytes every time."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False
    """Whether the effect happened at an earlier request with the same key."""

    @classmethod
    def json(
        cls,
        content: object,
        status: int = 200,
        *,
        etag: str | None = None,
        location: str | None = None,
    ) -> Reply:
        """A model or plain data as canonical JSON.

        Parameters
        ----------
        content
            A frozen model or plain JSON data.
        etag
            A digest or another version, without quotes.
        location
            Path of what was made.
        """
        headers = {"content-type": JSON}
        if etag is not None:
            headers["etag"] = f'"{etag}"'
        if location is not None:
            headers["location"] = location
        return cls(status, canonical_json(content), headers)


def perform(
    city: City,
    caller: Caller,
    key: str | None,
    fingerprint: str,
    action: Callable[[Transaction], Reply],
) -> Reply:
    """Run `action` in a writing transaction, at most once for each (caller, key).

    Parameters
    ----------
    key
        The client's Idempotency-Key; none: every call acts.
    fingerprint
        SHA-256 of the request (see `fingerprint_of`).
    action
        Gets the transaction, must not commit. What it raises undoes everything, and nothing is
        stored: the same key may be used again.

    Raises
    ------
    IdempotencyMismatch
        When the key belongs to another request of this caller.
    PlacementError
        What `action` raises; StoreError when the database fails.
    """
    with city.store.writing() as tx:
        if key is None:
            return _acknowledgeable(action(tx))
        replies = Idempotency(tx)
        stored = replies.find(caller.subject, key)
        if stored is not None:
            return _again(stored, fingerprint)
        reply = _acknowledgeable(action(tx))
        replies.keep(
            caller.subject,
            key,
            StoredReply(fingerprint, reply.status, dict(reply.headers), reply.body),
        )
        return reply


def fingerprint_of(method: str, path: str, query: str, body: bytes) -> str:
    """SHA-256 of what a request asks: method, path, query and the digest of its body."""
    parts = [method, path, query, hashlib.sha256(body).hexdigest()]
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def _again(stored: StoredReply, fingerprint: str) -> Reply:
    if stored.fingerprint != fingerprint:
        raise IdempotencyMismatch("this Idempotency-Key was used for another request")
    return replace(Reply(stored.status, stored.body, stored.headers), replayed=True)


def _acknowledgeable(reply: Reply) -> Reply:
    """A failure is raised, so that nothing of it is committed; never replied."""
    if reply.status >= 500:
        raise PlacementError(f"an action replied {reply.status} instead of raising")
    return reply
