"""A database ready to be used: migrated, guarded, with the city's one row.

Of two processes that begin at once, one works and the other finds everything done.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, insert, select, text

from models import FIRST_PREVIOUS
from placement.errors import StoreError
from placement.store.guards import guard
from placement.store.tables import CityRow

_LOCK = 0x706C6163656D656E
"""Key of PostgreSQL's advisory lock: "placemen"."""


def migrations(connection: Connection) -> Config:
    """Alembic's configuration, working on one connection inside its transaction."""
    config = Config()
    config.set_main_option("script_location", "placement.store:migrations")
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def prepare(engine: Engine) -> None:
    """Bring a database up to date, in one transaction: wholly, or not at all.

    Raises
    ------
    StoreError
        When a newer version of this software has migrated it.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("BEGIN IMMEDIATE"))
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        try:
            command.upgrade(migrations(connection), "head")
        except CommandError as error:
            raise StoreError("the database was migrated by another version of placement") from error
        guard(connection)
        if connection.scalar(select(CityRow.id)) is None:
            first = {"catalog_version": 0, "audit_sequence": 0, "audit_hash": FIRST_PREVIOUS}
            connection.execute(insert(CityRow).values(id=1, **first))
        connection.commit()
