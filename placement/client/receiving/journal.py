"""The journal: which messages were begun, and which are done. One SQLite file.

    begun (committed) -> [ effect, done ] in one transaction

A process that dies between the two leaves `begun`: the next delivery asks for the effect `again`.
What an effect writes over the journal's own connection is there exactly when the message is done.
The transaction holds the file's only write lock, so that effects run one after another, those of
several processes, too.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from placement.client.receiving.message import Received

_WAIT_S = 8.0
"""For the lock; less than a sender waits for an answer."""
_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    dataset TEXT,
    type TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begun', 'done', 'overtaken')),
    began_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    ended_at TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS messages_of_dataset ON messages (dataset, sequence)
    WHERE state = 'done';
CREATE TABLE IF NOT EXISTS withdrawn (decision INTEGER PRIMARY KEY) STRICT;
"""


class Busy(Exception):
    """Others were at work for too long: this message's turn did not come."""


class Journal:
    """What a receiver remembers. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One message of this process at a time, each about as it came; SQLite keeps no queue.

        Raises
        ------
        Busy
            When it does not come in time.
        """
        if not self._turn.acquire(timeout=_WAIT_S):
            raise Busy
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside: kept if the block ends, else undone.

        Raises
        ------
        sqlite3.Error
            When the lock is not to be had in time, or the disk fails.
        """
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def state(self, ident: str) -> str | None:
        """How far a message is; none: it was never begun."""
        with closing(self._connect()) as connection:
            return state(connection, ident)

    def is_withdrawn(self, decision: int) -> bool:
        """Whether a message said that a plan was withdrawn."""
        with closing(self._connect()) as connection:
            query = "SELECT 1 FROM withdrawn WHERE decision = ?"
            return connection.execute(query, (decision,)).fetchone() is not None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def state(connection: sqlite3.Connection, ident: str) -> str | None:
    """How far a message is; none: it was never begun."""
    row = connection.execute("SELECT state FROM messages WHERE id = ?", (ident,)).fetchone()
    return None if row is None else str(row[0])


def overtaken(connection: sqlite3.Connection, received: Received) -> bool:
    """Whether a later message of the same dataset is done."""
    query = "SELECT 1 FROM messages WHERE state = 'done' AND dataset = ? AND sequence > ? LIMIT 1"
    row = connection.execute(query, (received.dataset, received.sequence)).fetchone()
    return row is not None


def begin(connection: sqlite3.Connection, received: Received) -> bool:
    """Note that the effect is about to be asked for; whether it was before."""
    added = connection.execute(
        "INSERT INTO messages (id, sequence, dataset, type, state) "
        "VALUES (?, ?, ?, ?, 'begun') ON CONFLICT DO NOTHING",
        (received.id, received.sequence, received.dataset, received.type.value),
    )
    return added.rowcount == 0


def end(connection: sqlite3.Connection, received: Received, ended: str) -> None:
    """Note that a message is `done` or `overtaken`."""
    connection.execute(
        "UPDATE messages SET state = ?, ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') "
        "WHERE id = ?",
        (ended, received.id),
    )


def withdraw(connection: sqlite3.Connection, decision: int) -> None:
    """Note that nobody stands behind a plan any more."""
    connection.execute("INSERT INTO withdrawn VALUES (?) ON CONFLICT DO NOTHING", (decision,))
