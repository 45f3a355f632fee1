"""A database is brought up to date wholly, once, and then guards its history."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from placement.errors import StoreError
from placement.store import Store, open_store
from placement.store.tables import APPEND_ONLY, Base, CatalogVersionRow, RecordRow

VERSION = {
    "version": 1,
    "at": datetime(2026, 11, 23, tzinfo=UTC),
    "author": "city clerk",
    "summary": "first",
    "digest": "0" * 64,
    "changes": [],
    "changed": 0,
}
RECORD = {"kind": "dataset", "id": "trees", "valid_from": 1, "digest": "0" * 64, "body": "{}"}


def test_a_migrated_database_has_exactly_the_tables_of_the_code(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": "placement_schema"}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_every_append_only_table_exists():
    assert set(APPEND_ONLY) < set(Base.metadata.tables)


def test_processes_that_begin_at_once_prepare_one_database(empty_url, store_key):
    failures: list[Exception] = []
    stores = [Store(empty_url, store_key) for _ in range(6)]
    start = threading.Barrier(len(stores))

    def begin(store: Store) -> None:
        start.wait()
        try:
            store.prepare()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with stores[0].reading() as tx:
        assert tx.city.audit_sequence == 0
        assert tx.session.scalar(text("SELECT count(*) FROM city")) == 1
    for store in stores:
        store.close()


def test_preparing_again_changes_nothing(empty_url, store_key):
    store = open_store(empty_url, store_key)
    with store.writing() as tx:
        tx.city.catalog_version = 7
    store.prepare()
    with store.reading() as tx:
        assert tx.city.catalog_version == 7
    store.close()


def test_a_database_of_a_newer_version_is_refused(store):
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE placement_schema SET version_num = '9999'"))
    with pytest.raises(StoreError, match="another version"):
        store.prepare()


def test_a_failed_migration_leaves_nothing(empty_url, store_key, monkeypatch):
    def fail(_connection):
        raise StoreError("no triggers today")

    monkeypatch.setattr("placement.store.preparing.guard", fail)
    store = Store(empty_url, store_key)
    with pytest.raises(StoreError, match="no triggers"):
        store.prepare()
    assert inspect(store.engine).get_table_names() == []
    store.close()


@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_append_only_tables_refuse_changes(store, table, change):
    columns = Base.metadata.tables[table].columns
    _insert(store, table)  # a row to change: SQLite's triggers run for each row
    with pytest.raises(StoreError), store.noting() as tx:
        tx.session.execute(text(change.format(table, columns.keys()[0])))
    with store.reading() as tx:
        assert tx.session.scalar(text(f"SELECT count(*) FROM {table}")) == 1


def _insert(store: Store, table: str) -> None:
    """A row, whatever it refers to."""
    values = ", ".join(
        {"DATETIME": "'2026-11-23 00:00:00'", "JSON": "'{}'"}.get(str(column.type), "'1'")
        for column in Base.metadata.tables[table].columns
    )
    loose = "PRAGMA foreign_keys = OFF"
    if not store.is_sqlite:
        loose = "SET session_replication_role = replica"
    with store.engine.connect() as connection:
        connection.execute(text(loose))
        connection.execute(text(f"INSERT INTO {table} VALUES ({values})"))
        connection.commit()
        connection.invalidate()  # nobody else gets this connection


def test_a_row_is_not_replaced_either(store):
    with store.writing() as tx:
        tx.session.add(CatalogVersionRow(**VERSION))
    replace = "INSERT OR REPLACE INTO catalog_versions SELECT * FROM catalog_versions"
    if not store.is_sqlite:
        replace = "TRUNCATE catalog_versions CASCADE"
    with pytest.raises(StoreError), store.noting() as tx:
        tx.session.execute(text(replace))


def test_a_dropped_trigger_comes_back(store):
    with store.engine.begin() as connection:
        if store.is_sqlite:
            connection.execute(text("DROP TRIGGER guard_catalog_versions_delete"))
        else:
            connection.execute(text("ALTER TABLE catalog_versions DISABLE TRIGGER ALL"))
    store.prepare()
    with store.writing() as tx:
        tx.session.add(CatalogVersionRow(**VERSION))
    with pytest.raises(StoreError), store.noting() as tx:
        tx.session.execute(text("DELETE FROM catalog_versions"))


def test_the_end_of_a_record_is_set_once(store):
    with store.writing() as tx:
        tx.session.add(RecordRow(**RECORD))
    with store.writing() as tx:
        tx.session.get_one(RecordRow, ("dataset", "trees", 1)).valid_to = 2
    for later in (3, None):
        with pytest.raises(StoreError), store.writing() as tx:
            tx.session.get_one(RecordRow, ("dataset", "trees", 1)).valid_to = later


@pytest.mark.parametrize(
    "change",
    ["UPDATE records SET body = '[]'", "UPDATE records SET valid_to = 2, title = 'x'"],
)
def test_nothing_else_of_a_record_changes(store, change):
    with store.writing() as tx:
        tx.session.add(RecordRow(**RECORD))
    with pytest.raises(StoreError), store.noting() as tx:
        tx.session.execute(text(change))
    with pytest.raises(StoreError), store.noting() as tx:
        tx.session.execute(text("DELETE FROM records"))


def test_only_the_owner_reads_the_file(tmp_path, store_key):
    path = tmp_path / "deep" / "city.sqlite3"
    store = open_store(f"sqlite:///{path}", store_key)
    with store.writing() as tx:
        tx.city.catalog_version = 1
        files = list(path.parent.iterdir())
        assert len(files) == 3  # with -wal and -shm
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    store.close()


def test_reading_makes_no_database(tmp_path):
    path = tmp_path / "absent.sqlite3"
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StoreError), store.reading() as tx:
        assert tx.city.id == 1
    assert not Path(path).exists()
