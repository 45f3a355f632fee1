"""From a database's errors to ours, whose text tells nothing of the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from placement.errors import Conflict, StoreError

BUSY = "the database is busy; try again"


@contextmanager
def store_errors() -> Iterator[None]:
    """Conflict for a unique row that is there already, StoreError for everything else."""
    try:
        yield
    except IntegrityError as error:
        if _is_duplicate(error):
            raise Conflict("a record with the same key is there already") from error
        raise StoreError("the database refused the change") from error
    except PoolTimeout as error:
        raise StoreError(BUSY) from error
    except SQLAlchemyError as error:
        busy = _is_busy(getattr(error, "orig", None))
        raise StoreError(BUSY if busy else "the database did not answer as expected") from error


def _is_duplicate(error: IntegrityError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode in (
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
            sqlite3.SQLITE_CONSTRAINT_ROWID,
        )
    return getattr(error.orig, "sqlstate", None) == "23505"  # unique_violation


def _is_busy(cause: object) -> bool:
    # The low byte is SQLite's primary code; SQLITE_BUSY_SNAPSHOT and its like extend it.
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    # lock_not_available, deadlock_detected, serialization_failure, too_many_connections
    state = getattr(cause, "sqlstate", None) in ("55P03", "40P01", "40001", "53300")
    return state or code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
