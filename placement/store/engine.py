"""The database: who may write when, and what a transaction is.

Every writing transaction first locks the one row of `city`. On SQLite that is `BEGIN IMMEDIATE`,
on PostgreSQL `SELECT ... FOR UPDATE`: one writer at a time, so that both databases behave alike
and what a transaction has read is still true when it commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, select, text
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from models import AuditEvent, AuditRecord
from placement.errors import BadInput, Conflict, Defect, StoreError
from placement.keys import AuditKey
from placement.store.audit import AuditChain
from placement.store.tables import CityRow

BUSY_S = 30.0
"""Seconds a writer waits for its turn before it gives up."""


class Transaction:
    """One unit of work. Repositories take it; only the store commits it."""

    def __init__(self, session: Session, city: CityRow | None, chain: AuditChain | None) -> None:
        self.session = session
        self.now = datetime.now(UTC)
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
        return self._chain.append(self.session, self.city, happened)


class Store:
    """One database.

    Parameters
    ----------
    url
        sqlite:///FILE or postgresql://...
    key
        Signs the ends of the audit chain. None: the store can be read only.

    Raises
    ------
    BadInput
        When the URL names neither SQLite nor PostgreSQL.
    """

    def __init__(self, url: str, key: AuditKey | None = None) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url)
        self._key = key

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
        chain = AuditChain(self._key)
        with _store_errors(), Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.execute(text("BEGIN IMMEDIATE"))
            city = session.scalars(select(CityRow).where(CityRow.id == 1).with_for_update()).one()
            tx = Transaction(session, city, chain)
            yield tx
            chain.sign(session, city)
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state and changes nothing. Raises StoreError."""
        with _store_errors(), Session(self.engine) as session:
            session.execute(text("BEGIN" if self.is_sqlite else _READ_ONLY))
            yield Transaction(session, None, None)
            session.rollback()

    @contextmanager
    def noting(self) -> Iterator[Transaction]:
        """A transaction for news that no decision rests on, such as progress and heartbeats.

        It does not wait for the city's row on PostgreSQL, and leaves no audit record. Raises
        StoreError.
        """
        with _store_errors(), Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.execute(text("BEGIN IMMEDIATE"))
            yield Transaction(session, None, None)
            session.commit()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def parse_url(url: str) -> URL:
    """The database URL with the driver we use. Raises BadInput."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _bad("not a database URL") from error
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise _bad("SQLite needs a file: sqlite:////var/lib/placement/placement.sqlite3")
        return parsed.set(drivername="sqlite+pysqlite")
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise _bad("sqlite:///FILE or postgresql://... is expected")


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        connect_args={
            "connect_timeout": 10,
            "options": f"-c lock_timeout={int(BUSY_S * 1000)} -c synchronous_commit=on",
        },
    )


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict("a record with the same key is there already") from error
    except SQLAlchemyError as error:
        raise StoreError("the database did not answer as expected") from error


def _bad(message: str) -> BadInput:
    return BadInput([Defect("", "DATABASE_URL", "", message)])
