"""Triggers that keep history as it was written, whoever asks.

They stop mistakes and careless hands. Whoever owns the database can drop them; what they then
change is found by the audit chain.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from placement.store.tables import APPEND_ONLY, RecordRow

_REFUSE = """
CREATE OR REPLACE FUNCTION placement_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only';
END $$
"""
_END_ONCE = """
CREATE OR REPLACE FUNCTION placement_end_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.valid_to IS NULL AND NEW.valid_to IS NOT NULL
     AND to_jsonb(NEW) - 'valid_to' = to_jsonb(OLD) - 'valid_to' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'of a record only valid_to is set, once';
END $$
"""


def guard(connection: Connection) -> None:
    """Put every trigger in place that is missing or differs."""
    if connection.dialect.name == "sqlite":
        _guard_sqlite(connection)
    else:
        _guard_postgresql(connection)


def _guard_sqlite(connection: Connection) -> None:
    known = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    present = {row.name: row.sql for row in connection.execute(text(known))}
    for name, sql in sqlite_triggers():
        if present.get(name) == sql:
            continue
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(sql)


def sqlite_triggers() -> Iterator[tuple[str, str]]:
    """Name and statement of each."""
    for table in (*APPEND_ONLY, "records", "city"):
        yield _sqlite_trigger(table, "DELETE", "1")
    for table in APPEND_ONLY:
        yield _sqlite_trigger(table, "UPDATE", "1")
    same = " AND ".join(
        f"NEW.{column.name} IS OLD.{column.name}"
        for column in RecordRow.__table__.columns
        if column.name != "valid_to"
    )
    once = f"OLD.valid_to IS NULL AND NEW.valid_to IS NOT NULL AND {same}"
    yield _sqlite_trigger("records", "UPDATE", f"NOT ({once})")


def _sqlite_trigger(table: str, verb: str, when: str) -> tuple[str, str]:
    name = f"guard_{table}_{verb.lower()}"
    return name, (
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {when}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _guard_postgresql(connection: Connection) -> None:
    for function in (_REFUSE, _END_ONCE):
        connection.exec_driver_sql(function)
    known = (
        "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled = 'A'"
    )
    present = set(connection.scalars(text(known)))
    for name, table, sql in _postgresql_triggers():
        if name in present:
            continue
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        connection.exec_driver_sql(sql)
        # Also for sessions that replay a replication stream.
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def _postgresql_triggers() -> Iterator[tuple[str, str, str]]:
    refused = dict.fromkeys(APPEND_ONLY, "UPDATE OR DELETE OR TRUNCATE")
    refused |= {"records": "DELETE OR TRUNCATE", "city": "DELETE OR TRUNCATE"}
    for table, verbs in refused.items():
        name = f"guard_{table}"
        yield (
            name,
            table,
            (
                f"CREATE TRIGGER {name} BEFORE {verbs} ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION placement_refuse()"
            ),
        )
    yield (
        "guard_records_end",
        "records",
        (
            "CREATE TRIGGER guard_records_end BEFORE UPDATE ON records"
            " FOR EACH ROW EXECUTE FUNCTION placement_end_once()"
        ),
    )
