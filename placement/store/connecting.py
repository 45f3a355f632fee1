"""Connections that keep what they acknowledge: the engines of SQLite and PostgreSQL.

Every new connection is asked whether a commit will survive a power failure; one that says no is
not used.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from placement.errors import BadInput, Defect, StoreError

IDLE_S = 300
"""Seconds after which PostgreSQL ends a transaction whose owner has fallen silent."""


def parse_url(url: str) -> URL:
    """The database URL with the driver we use. Raises BadInput."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise _bad("not a database URL") from error
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.query:
            raise _bad("SQLite needs a plain file: sqlite:////var/lib/placement/placement.sqlite3")
        return parsed.set(drivername="sqlite+pysqlite")
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise _bad("sqlite:///FILE or postgresql://... is expected")


def connect(url: URL, busy_s: float) -> Engine:
    """The engine of a parsed URL; `busy_s`: seconds a statement waits for others."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, busy_s)
    return _postgresql(url, busy_s)


def make_file(url: URL) -> None:
    """An empty SQLite file that its owner alone can read, where there is none.

    SQLite gives its -wal and -shm files the mode of the file itself. Raises StoreError.
    """
    path = Path(str(url.database))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"{path}: the database file cannot be used: {error.strerror}") from error


def _sqlite(url: URL, busy_s: float) -> Engine:
    # mode=rw: a file that is not there is an error, not a new empty database.
    file = f"file:{quote(str(Path(str(url.database)).absolute()))}?mode=rw"

    def open_file() -> sqlite3.Connection:
        return sqlite3.connect(
            file, uri=True, timeout=busy_s, check_same_thread=False, isolation_level=None
        )

    engine = create_engine(url, creator=open_file, pool_size=10, max_overflow=30)

    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: Any) -> None:
        with _closed_if_unfit(connection):
            _use_wal(connection, busy_s)
            # recursive_triggers: else INSERT OR REPLACE deletes rows unseen by triggers.
            for pragma in ("synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
                connection.execute(f"PRAGMA {pragma}")
            if connection.execute("PRAGMA synchronous").fetchone() != (2,):
                raise StoreError("SQLite does not write synchronously here")

    return engine


def _use_wal(connection: sqlite3.Connection, busy_s: float) -> None:
    """Write-ahead log. The switch itself does not wait its turn, so we do."""
    until = time.monotonic() + busy_s
    mode = None
    while mode is None:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
    if mode != ("wal",):
        raise StoreError("SQLite cannot keep a write-ahead log on this file system")


def _postgresql(url: URL, busy_s: float) -> Engine:
    options = {
        "lock_timeout": f"{int(busy_s * 1000)}ms",
        "synchronous_commit": "on",
        "idle_in_transaction_session_timeout": f"{IDLE_S}s",
        # A replica whose machine died must not hold the city's row for hours.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=30,
        connect_args={
            "connect_timeout": 10,
            "application_name": "placement",
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        },
    )

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        with _closed_if_unfit(connection):
            found = connection.execute(
                "SELECT current_setting('synchronous_commit'), current_setting('fsync'),"
                " current_setting('server_encoding')"
            ).fetchone()
            connection.rollback()
            if found != ("on", "on", "UTF8"):
                raise StoreError(
                    "PostgreSQL must have synchronous_commit and fsync on, and a UTF8 database"
                )

    return engine


@contextmanager
def _closed_if_unfit(connection: Any) -> Iterator[None]:
    """The pool forgets a connection that fails here, without closing it."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _bad(message: str) -> BadInput:
    return BadInput([Defect("", "DATABASE_URL", "", message)])
