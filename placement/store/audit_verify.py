"""Whether the audit log still says what was written to it.

    record n:  hash(n) = SHA-256(body(n)),  body(n) names n and hash(n-1)
    head k:    signed, names a record's sequence and hash, and the sequence of head k-1
    city:      names the last record;  the last record has a head

An edited, deleted, inserted or swapped record breaks the first line, a missing or forged head the
second; somebody without the key who writes the whole chain anew can satisfy the first, not the
second. Cutting off records together with their heads leaves a whole, shorter log: the head kept
outside the database tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import text

from models import FIRST_PREVIOUS, AuditDefect, AuditReport, SignedHead
from placement.keys import AuditPublicKey
from placement.store.audit import head_message, subject_column
from placement.store.engine import Transaction

MOST_DEFECTS = 100
"""A chain that was written anew has a defect in every record: the first ones will do."""
_BATCH = 1000
_RECORD = ("body", "hash", "action", "actor", "subject", "at")
_HEAD = ("hash", "at", "key_id", "signature")


def verify_chain(
    tx: Transaction, keys: Mapping[str, AuditPublicKey], outside: Sequence[SignedHead] = ()
) -> AuditReport:
    """Check every record and every head.

    Parameters
    ----------
    tx
        A reading transaction: the chain is checked as it was at one moment.
    keys
        By id: every key that ever signed a head.
    outside
        Heads that were kept outside the database, read *before* the transaction began.

    Returns
    -------
    AuditReport
        With the first defects found, none if the log is what was written.
    """
    walk = _Walk(keys, outside)
    heads = _rows(tx, "audit_heads", ("previous",), _HEAD)
    head = next(heads, None)
    for row in _rows(tx, "audit", (), _RECORD):
        while head is not None and head["sequence"] < row["sequence"]:
            walk.head(head, None)
            head = next(heads, None)
        walk.record(row)
        if head is not None and head["sequence"] == row["sequence"]:
            walk.head(head, row["hash"])
            head = next(heads, None)
    while head is not None:
        walk.head(head, None)
        head = next(heads, None)
    city = list(_rows(tx, "city", ("audit_sequence",), ("audit_hash",), "id"))
    walk.end(city[0] if len(city) == 1 else None)
    return AuditReport(
        records=walk.records, heads=walk.heads, head=walk.last_head, defects=tuple(walk.defects)
    )


class _Walk:
    """Where the check is, and what it found."""

    def __init__(self, keys: Mapping[str, AuditPublicKey], outside: Sequence[SignedHead]) -> None:
        self._keys = keys
        self._retired: set[str] = set()
        self._outside = outside
        self._sequence = 0
        self._hash = FIRST_PREVIOUS
        self._head_sequence = 0
        self.records = 0
        self.heads = 0
        self.last_head: SignedHead | None = None
        self.defects: list[AuditDefect] = []

    def record(self, row: Mapping[str, Any]) -> None:
        """The next record."""
        self.records += 1
        sequence = row["sequence"]
        if sequence != self._sequence + 1:
            self._defect(min(sequence, self._sequence + 1), "one or more records are missing")
        problem = _record_problem(row, self._hash)
        if problem:
            self._defect(sequence, problem)
        self._sequence, self._hash = sequence, row["hash"]
        for head in self._outside:
            if head.sequence == sequence and head.hash != row["hash"]:
                self._defect(sequence, "the head outside the database names another record")

    def head(self, row: Mapping[str, Any], record_hash: str | None) -> None:
        """The next head, and the hash of the record that it stands for."""
        self.heads += 1
        sequence = row["sequence"]
        try:
            head = _head(row)
        except (ValidationError, ValueError, TypeError):
            self._defect(sequence, "the head was edited")
            return
        if record_hash is None:
            self._defect(sequence, "the record that a head names is missing")
        elif head.hash != record_hash:
            self._defect(sequence, "the head names another record")
        if head.previous != self._head_sequence:
            self._defect(head.previous, "a head is missing")
        problem = self._signature_problem(head)
        if problem:
            self._defect(sequence, problem)
        self._head_sequence = sequence
        self.last_head = head

    def end(self, city: Mapping[str, Any] | None) -> None:
        """Nothing follows."""
        if city is None or (city["audit_sequence"], city["audit_hash"]) != (
            self._sequence,
            self._hash,
        ):
            self._defect(self._sequence + 1, "the log does not end where the city's row says")
        if self._head_sequence != self._sequence:
            self._defect(self._head_sequence + 1, "no head stands for the last records")
        for head in self._outside:
            if self._unsigned(head):
                self._defect(head.sequence, "the head outside the database is not signed by us")
            if head.sequence > self._sequence:
                message = "the log was cut off: a head outside the database names a later end"
                self._defect(self._sequence + 1, message)

    def _signature_problem(self, head: SignedHead) -> str | None:
        if self._unsigned(head):
            return "the head is not signed by any known key"
        before = self.last_head.key_id if self.last_head else head.key_id
        if head.key_id != before:
            self._retired.add(before)
        if head.key_id in self._retired:
            return "the head is signed with a key that was retired before"
        return None

    def _unsigned(self, head: SignedHead) -> bool:
        key = self._keys.get(head.key_id)
        return key is None or not key.holds(head_message(head), head.signature)

    def _defect(self, sequence: int, message: str) -> None:
        if len(self.defects) < MOST_DEFECTS:
            self.defects.append(AuditDefect(sequence=sequence, message=message))


def _record_problem(row: Mapping[str, Any], previous: str) -> str | None:
    """What is wrong with one record by itself and with its predecessor."""
    body = row["body"]
    if body is None or hashlib.sha256(_raw(body)).hexdigest() != row["hash"]:
        return "the record was edited"
    try:
        link = json.loads(body)
        event = link["event"]
        if link["sequence"] != row["sequence"]:
            return "the record stands in another's place"
        if link["previous"] != previous:
            return "the record does not follow the one before"
        expected = (event["action"], event["actor"], subject_column(event["subject"]))
        at = datetime.fromisoformat(link["at"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return "the record is not one of ours"
    if (row["action"], row["actor"], row["subject"]) != expected or _moment(row["at"]) != at:
        return "the columns that are searched were edited"
    return None


def _head(row: Mapping[str, Any]) -> SignedHead:
    """A head exactly as its row states it. Raises ValueError."""
    head = SignedHead.model_validate(dict(row))
    if head.model_dump() | {"at": head.at.isoformat()} != dict(row):
        raise ValueError("another way to write the same")
    return head


def _moment(stored: object) -> datetime | None:
    if isinstance(stored, str):  # SQLite: UTC without saying so
        try:
            stored = datetime.fromisoformat(stored)
        except ValueError:
            return None
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else None
    return stored if isinstance(stored, datetime) else None


def _rows(
    tx: Transaction,
    table: str,
    numbers: Sequence[str],
    texts: Sequence[str],
    key: str = "sequence",
) -> Iterator[dict[str, Any]]:
    """Rows as they are stored, whatever somebody put there, in batches."""
    sqlite = tx.session.get_bind().dialect.name == "sqlite"
    # SQLite keeps texts that are not UTF-8, and numbers that are texts: ask for the bytes.
    read = [f"CAST({name} AS BLOB) AS {name}" if sqlite else name for name in texts]
    columns = ", ".join([key, *numbers, *read])
    query = text(f"SELECT {columns} FROM {table} ORDER BY {key}")  # noqa: S608  our own names
    options = {"yield_per": _BATCH}
    result = tx.session.execute(query, execution_options=options)
    try:
        for row in result.mappings():
            yield {name: _text(value) for name, value in row.items()}
    finally:
        result.close()


def _text(value: Any) -> Any:
    """Bytes as text; those that are no UTF-8 stay different from every text that is."""
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _raw(body: Any) -> bytes:
    return str(body).encode(errors="surrogateescape")
