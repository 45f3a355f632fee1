"""The database: who may write when, and what a transaction is.

Every writing transaction first locks the one row of `city`. On SQLite that is `BEGIN IMMEDIATE`,
on PostgreSQL `SELECT ... FOR UPDATE`: one writer at a time, so that both databases behave alike
and what a transaction has read is still true when it commits.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models import AuditEvent, AuditRecord, SignedHead
from placement.errors import StoreError
from placement.keys import AuditKey
from placement.store import preparing
from placement.store.audit import AuditChain
from placement.store.audit_head import HeadFile, read_head
from placement.store.connecting import connect, make_file, parse_url
from placement.store.failures import BUSY, store_errors
from placement.store.tables import AuditRow, CityRow

BUSY_S = 30.0
"""Seconds a writer waits for its turn before it gives up."""


class Transaction:
    """One unit of work. Repositories take it; only the store commits it."""

    def __init__(self, session: Session, city: CityRow | None, chain: AuditChain | None) -> None:
        self.session = session
        self.now = datetime.now(UTC)
        self.shared: dict[str, Any] = {}
        """What those who share this transaction need not read twice."""
        self._city = city
        self._chain = chain

    @property
    def city(self) -> CityRow:
        """The city's one row; locked in a writing transaction."""
        if self._city is None:
            self._city = self.session.get_one(CityRow, 1)
        return self._city

    @property
    def writes(self) -> bool:
        """Whether this transaction may change anything."""
        return self._chain is not None

    def record(self, happened: AuditEvent) -> AuditRecord:
        """Append to the audit log: in the same transaction as what happened, or not at all."""
        if self._chain is None:
            raise AssertionError("only a writing transaction has an audit chain")
        return self._chain.append(happened)


class Store:
    """One database.

    Parameters
    ----------
    url
        sqlite:///FILE or postgresql://...
    key
        Signs the ends of the audit chain. None: the store can be read only.
    head_file
        Where the latest of these ends is kept outside the database.
    busy_s
        Seconds a writer waits for its turn before it gives up.

    Raises
    ------
    BadInput
        When the URL names neither SQLite nor PostgreSQL.
    """

    def __init__(
        self,
        url: str,
        key: AuditKey | None = None,
        head_file: Path | None = None,
        busy_s: float = BUSY_S,
    ) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = connect(self.url, busy_s)
        self._key = key
        self._head_file = HeadFile(head_file) if head_file else None
        self._busy_s = busy_s
        self._turn = threading.Lock()
        self._end: SignedHead | None = None
        """The latest end of the chain that is known to be committed."""
        self._end_lock = threading.Lock()
        _stores.add(self)

    def prepare(self) -> None:
        """Create or migrate the tables. Processes that begin at once do not disturb each other.

        Raises
        ------
        StoreError
            When the database cannot be used, was migrated by a newer version, or its audit log
            does not reach the head that is kept outside.
        """
        if self.is_sqlite:
            make_file(self.url)
        with store_errors():
            preparing.prepare(self.engine)
        if self._head_file is not None:
            self._end = read_head(self._head_file.path)
            with self.reading() as tx:
                self._require_end(tx.session, tx.city)

    def _note_end(self, head: SignedHead) -> None:
        with self._end_lock:
            if self._end is None or head.sequence > self._end.sequence:
                self._end = head
        if self._head_file is not None:
            self._head_file.note(head)

    def _require_end(self, session: Session, city: CityRow) -> None:
        """Write nothing behind a log that was cut off: the new end would hide it."""
        known = self._end
        if known is None:
            return
        found: str | None = city.audit_hash
        if city.audit_sequence != known.sequence:
            of_known = select(AuditRow.hash).where(AuditRow.sequence == known.sequence)
            found = session.scalar(of_known)
        if city.audit_sequence < known.sequence or found != known.hash:
            raise StoreError(
                f"the audit log has lost record {known.sequence}, which was committed: run"
                " `placement audit verify`, and see the README before anything else"
            )

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that sees the latest state, alone; committed when the block ends well.

        Raises
        ------
        Conflict
            When a unique row is there already.
        StoreError
            When the database fails: then nothing of the block has happened.
        """
        if self._key is None:
            raise AssertionError("a store without an audit key cannot be written")
        if self._head_file is not None:
            self._head_file.require()
        with (
            self._alone(),
            store_errors(),
            Session(self.engine, expire_on_commit=False) as session,
        ):
            if self.is_sqlite:
                session.execute(_BEGIN_IMMEDIATE)
            city = session.scalars(_CITY).one()
            self._require_end(session, city)
            chain = AuditChain(self._key, city)
            yield Transaction(session, city, chain)
            head = chain.sign(session)
            session.commit()
        if head is not None:
            self._note_end(head)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state and changes nothing. Raises StoreError."""
        with store_errors(), Session(self.engine) as session:
            session.execute(_BEGIN if self.is_sqlite else _READ_ONLY)
            yield Transaction(session, None, None)
            session.rollback()

    @contextmanager
    def noting(self) -> Iterator[Transaction]:
        """A transaction for news that no decision rests on, such as progress and heartbeats.

        It does not wait for the city's row on PostgreSQL, and leaves no audit record. Raises
        StoreError.
        """
        with (
            self._alone(),
            store_errors(),
            Session(self.engine, expire_on_commit=False) as session,
        ):
            if self.is_sqlite:
                session.execute(_BEGIN_IMMEDIATE)
            yield Transaction(session, None, None)
            session.commit()

    def close(self) -> None:
        """Close all connections, and write the last head to its file. Raises StoreError."""
        self.engine.dispose()
        if self._head_file is not None:
            self._head_file.close()

    def begin_again(self) -> None:
        """After a fork: use no connection of the parent, nor close one, not even by forgetting."""
        _abandoned.append(self.engine.pool)
        self.engine.dispose(close=False)
        # Threads of the parent may hold the old ones.
        self._turn = threading.Lock()
        self._end_lock = threading.Lock()
        if self._head_file is not None:
            self._head_file = HeadFile(self._head_file.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A turn among this process' threads: SQLite itself lets waiters poll, and starves some."""
        if not self.is_sqlite:
            yield
        elif self._turn.acquire(timeout=self._busy_s):
            try:
                yield
            finally:
                self._turn.release()
        else:
            raise StoreError(BUSY)


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_abandoned: list[object] = []


def _after_fork() -> None:
    """Every store of a child process begins again."""
    for store in _stores:
        store.begin_again()


os.register_at_fork(after_in_child=_after_fork)

_BEGIN = text("BEGIN")
_CITY = select(CityRow).where(CityRow.id == 1).with_for_update()
_BEGIN_IMMEDIATE = text("BEGIN IMMEDIATE")
_READ_ONLY = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
