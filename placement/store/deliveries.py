"""The database as the job engine uses it: asynchronously, and for deliveries alone.

The engine keeps its tables in metadata of its own. They may be dropped at any time: what they
hold, the sweeper finds again in `jobs`.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from advanced_alchemy.config import EngineConfig, SQLAlchemyAsyncConfig
from sqlalchemy import Connection, MetaData, event, text

from placement.store.engine import Store
from placement.store.failures import store_errors

_LOCK = 0x64656C6976657279
"""Key of PostgreSQL's advisory lock: "delivery"."""
_BUSY_S = 30.0


def create_tables(store: Store, tables: MetaData) -> None:
    """Create what is not there yet; of two processes that begin at once, one waits.

    Raises
    ------
    StoreError
        When the database does not answer.
    """
    with store_errors(), store.engine.connect() as connection:
        if store.is_sqlite:
            connection.execute(text("BEGIN IMMEDIATE"))
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        tables.create_all(connection)
        connection.commit()


def delivery_database(store: Store) -> SQLAlchemyAsyncConfig:
    """The same database over an asynchronous driver; dispose of its engine when done."""
    if not store.is_sqlite:
        return SQLAlchemyAsyncConfig(
            connection_string=store.url.render_as_string(hide_password=False),
            engine_config=EngineConfig(pool_pre_ping=True, pool_size=3, max_overflow=5),
        )
    url = store.url.set(drivername="sqlite+aiosqlite")
    config = SQLAlchemyAsyncConfig(
        connection_string=url.render_as_string(),
        engine_config=EngineConfig(connect_args={"timeout": _BUSY_S}, pool_size=3, max_overflow=5),
    )
    _write_at_once(config)
    return config


def _write_at_once(config: SQLAlchemyAsyncConfig) -> None:
    """Begin every transaction as a writer.

    The engine reads before it writes. SQLite refuses that at once, without waiting, when somebody
    else wrote in between.
    """
    engine = config.get_engine().sync_engine

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor: sqlite3.Cursor = connection.cursor()
        # A delivery that a power failure takes is found again: it need not wait for the disk.
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
