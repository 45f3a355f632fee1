"""Content-addressed documents: canonical JSON under its SHA-256."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from models import Frozen, canonical_json
from placement.errors import StoreError
from placement.store.engine import Transaction
from placement.store.tables import DocumentRow

M = TypeVar("M", bound=Frozen)


class Documents:
    """The documents of a store, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def put(self, kind: str, model: Frozen) -> str:
        """Keep a model; its digest. The same content is kept once."""
        return self.put_body(kind, canonical_json(model))

    def put_body(self, kind: str, body: bytes) -> str:
        """Keep canonical JSON that was made outside the transaction; its digest."""
        digest = hashlib.sha256(body).hexdigest()
        if self._tx.session.get(DocumentRow, digest) is None:
            self._tx.session.add(
                DocumentRow(digest=digest, kind=kind, body=body.decode(), created_at=self._tx.now)
            )
            # Rows that refer to it may follow in this transaction.
            self._tx.session.flush()
        return digest

    def kind_of(self, digest: str) -> str | None:
        """What kind of document has this digest; none where there is none."""
        row = self._tx.session.get(DocumentRow, digest)
        return None if row is None else row.kind

    def get(self, digest: str, model: type[M]) -> M:
        """The model with this digest.

        Raises
        ------
        StoreError
            When it is missing, or its bytes no longer have this digest.
        """
        return model.model_validate_json(self.body(digest))

    def body(self, digest: str) -> str:
        """The canonical JSON with this digest. Raises StoreError as `get` does."""
        row = self._tx.session.get(DocumentRow, digest)
        if row is None:
            raise StoreError(f"document {digest} is missing")
        if hashlib.sha256(row.body.encode()).hexdigest() != digest:
            raise StoreError(f"document {digest} was changed after it was stored")
        return row.body
