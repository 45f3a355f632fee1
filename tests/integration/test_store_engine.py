"""What the database does to us: busy, dead, full, unsafe. Nothing of it passes for success."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, text

from models import AuditAction, AuditEvent
from placement.errors import BadInput, Conflict, StoreError
from placement.keys import AuditKey
from placement.store import Store, Transaction
from placement.store.connecting import connect, parse_url
from placement.store.tables import DecisionStateRow, DocumentRow, OpaStatusRow

EVENT = AuditEvent(action=AuditAction.CHECKED, actor="key:1")
DOCUMENT = {"digest": "0" * 64, "kind": "plan", "body": "{}"}


def version(store: Store) -> int:
    with store.reading() as tx:
        return tx.city.catalog_version


# -- transactions -----------------------------------------------------------------------------


def test_writers_take_turns(store):
    """Reads and writes of the same number from many threads: none is lost."""

    def add() -> None:
        for _ in range(5):
            with store.writing() as tx:
                seen = tx.city.catalog_version
                time.sleep(0.001)
                tx.city.catalog_version = seen + 1
                tx.record(EVENT)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert version(store) == 40
    with store.reading() as tx:
        assert tx.city.audit_sequence == 40


def test_writers_of_several_processes_take_turns(store, make_store):
    others = [make_store() for _ in range(3)]

    def add(writer: Store) -> None:
        for _ in range(5):
            with writer.writing() as tx:
                tx.city.catalog_version += 1

    threads = [threading.Thread(target=add, args=(each,)) for each in (store, *others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert version(store) == 20


def test_a_failed_block_leaves_nothing(store):
    def fail(tx: Transaction) -> None:
        tx.city.catalog_version = 9
        tx.session.add(DocumentRow(**DOCUMENT, created_at=tx.now))
        tx.session.flush()
        tx.record(EVENT)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.writing() as tx:
        fail(tx)
    with store.reading() as tx:
        assert (tx.city.catalog_version, tx.city.audit_sequence) == (0, 0)
        assert tx.session.get(DocumentRow, DOCUMENT["digest"]) is None


def test_a_reader_sees_one_state(store):
    with store.reading() as reading:
        before = reading.city.catalog_version
        with store.writing() as tx:
            tx.city.catalog_version = 5
            tx.session.add(DocumentRow(**DOCUMENT, created_at=tx.now))
        reading.session.expire_all()
        assert reading.session.get_one(type(reading.city), 1).catalog_version == before
        assert reading.session.get(DocumentRow, DOCUMENT["digest"]) is None
    assert version(store) == 5


def test_a_reader_changes_nothing(store):
    def change() -> None:
        with store.reading() as tx:
            tx.session.execute(text("UPDATE city SET catalog_version = 3"))

    if store.is_sqlite:
        change()
    else:
        with pytest.raises(StoreError):
            change()
    assert version(store) == 0


def test_a_reader_has_no_audit_chain(store):
    with store.reading() as tx, pytest.raises(AssertionError):
        tx.record(EVENT)


def test_news_needs_no_turn_on_postgresql(store):
    with store.writing() as tx:
        tx.city.catalog_version = 1
        if not store.is_sqlite:
            with store.noting() as news:
                news.session.add(OpaStatusRow(instance="a", error="", seen_at=news.now))
    assert version(store) == 1


def test_only_a_duplicate_is_a_conflict(store):
    with store.writing() as tx:
        tx.session.add(DocumentRow(**DOCUMENT, created_at=tx.now))
    with pytest.raises(Conflict), store.writing() as tx:
        tx.session.execute(insert(DocumentRow).values(**DOCUMENT, created_at=tx.now))
    with pytest.raises(StoreError), store.writing() as tx:  # refers to no decision
        tx.session.add(DecisionStateRow(decision=7, sequence=1, state="x", changed_at=tx.now))
    with pytest.raises(StoreError), store.writing() as tx:  # lacks a body
        tx.session.execute(text("INSERT INTO documents (digest, kind) VALUES ('1', 'plan')"))


def test_errors_tell_nothing_of_the_database(store):
    with pytest.raises(StoreError) as told, store.writing() as tx:
        tx.session.execute(text("SELECT secret_column FROM secret_table"))
    assert "secret" not in str(told.value)
    twice = [DOCUMENT | {"created_at": datetime.now(UTC)}] * 2
    with pytest.raises(Conflict) as conflict, store.writing() as tx:
        tx.session.execute(insert(DocumentRow), twice)
    assert "documents" not in str(conflict.value)


# -- waiting ----------------------------------------------------------------------------------


@pytest.fixture
def impatient(store_url, store_key):
    impatient = Store(store_url, store_key, busy_s=0.1)
    yield impatient
    impatient.close()


def test_a_writer_does_not_wait_for_ever(store, impatient):
    with store.writing() as tx:
        tx.city.catalog_version = 1
        with pytest.raises(StoreError, match="busy"), impatient.writing():
            pytest.fail("two writers at once")
        assert version(impatient) == 0  # readers do not wait
    with impatient.writing() as tx:
        tx.city.catalog_version += 1
    assert version(store) == 2


def test_a_thread_of_the_same_process_does_not_wait_for_ever(impatient):
    refusals: list[str] = []

    def write() -> None:
        try:
            with impatient.writing():
                refusals.append("none")
        except StoreError as error:
            refusals.append(str(error))

    with impatient.writing():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert refusals == ["the database is busy; try again"]


def test_a_deadlock_is_told_as_busy(store, impatient):
    """Two notes lock two rows crosswise: PostgreSQL, or the limit of patience, ends one."""
    with store.noting() as tx:
        for instance in "ab":
            tx.session.add(OpaStatusRow(instance=instance, error="", seen_at=tx.now))
    lock = "UPDATE opa_status SET error = 'x' WHERE instance = :i"
    refused: list[str] = []

    def cross(first: str, second: str, meet: threading.Barrier) -> None:
        try:
            with impatient.noting() as tx:
                tx.session.execute(text(lock), {"i": first})
                if not impatient.is_sqlite:
                    meet.wait()
                tx.session.execute(text(lock), {"i": second})
                if impatient.is_sqlite:
                    meet.wait(0.5)
        except StoreError as error:
            refused.append(str(error))
        except threading.BrokenBarrierError:
            pass

    meet = threading.Barrier(2)
    threads = [
        threading.Thread(target=cross, args=(first, second, meet)) for first, second in ("ab", "ba")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused
    assert set(refused) == {"the database is busy; try again"}


# -- a database that dies ----------------------------------------------------------------------


def test_a_killed_session_is_an_error_and_the_next_one_works(store):
    with pytest.raises(StoreError), store.writing() as tx:
        _change_and_kill(store, tx)
    assert version(store) == 0
    with store.writing() as tx:
        tx.record(EVENT)
    assert version(store) == 0


def _change_and_kill(store: Store, tx: Transaction) -> None:
    tx.city.catalog_version = 7
    tx.session.flush()
    tx.record(EVENT)
    if store.is_sqlite:  # it has no sessions: the file is closed under our feet
        connection = tx.session.connection().connection.dbapi_connection
        assert connection is not None
        connection.close()
        return
    pid = tx.session.scalar(text("SELECT pg_backend_pid()"))
    url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_all_sessions_killed_between_two_transactions_go_unnoticed(store):
    with store.writing() as tx:
        tx.record(EVENT)
    if not store.is_sqlite:
        url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    with store.writing() as tx:
        tx.record(EVENT)
        assert tx.city.audit_sequence == 2


def test_a_server_that_is_not_there_is_an_error(tmp_path, store_key):
    store = Store(f"postgresql://city@/city?host={tmp_path}", store_key)
    with pytest.raises(StoreError), store.writing():
        pytest.fail("written to nowhere")
    with pytest.raises(StoreError):
        store.prepare()
    store.close()


def test_a_killed_writer_leaves_nothing_half_done(store, store_url, tmp_path):
    """kill -9 in the middle of a transaction: the next writer finds the state before it."""
    program = (
        "import os, sys; from pathlib import Path; from placement.keys import audit_key;"
        "from placement.store import Store; from sqlalchemy import text;"
        f"store = Store({store_url!r}, audit_key(Path({str(tmp_path / 'keys' / 'audit.pem')!r})));"
        "tx = store.writing().__enter__(); tx.city.catalog_version = 5; tx.session.flush();"
        "print('locked', flush=True); sys.stdin.read()"
    )
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        child.kill()
    with store.writing() as tx:
        assert tx.city.catalog_version == 0
        tx.record(EVENT)


# -- what SQLite and PostgreSQL promise --------------------------------------------------------


def test_connections_keep_what_they_acknowledge(store):
    with store.engine.connect() as connection:
        if store.is_sqlite:
            read = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
            ]
            assert read == ["wal", 2, 1, 1]
        else:
            shown = [
                connection.exec_driver_sql(f"SHOW {name}").scalar()
                for name in ("synchronous_commit", "lock_timeout", "tcp_keepalives_idle")
            ]
            assert shown[:2] == ["on", "30s"]


def test_postgresql_that_forgets_is_refused(postgres_server, store_key):
    postgres_server.run("CREATE ROLE careless LOGIN SUPERUSER PASSWORD 'x'")
    try:
        url = f"postgresql://careless:x@/migrated?host={postgres_server.folder}"
        engine = connect(parse_url(url), 1)
        with engine.connect() as connection:  # what the URL's role sets gives way to ours
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        engine.dispose()
        postgres_server.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        store = Store(postgres_server.url("latin"), store_key)
        with pytest.raises(StoreError, match="UTF8"):
            store.prepare()
        store.close()
    finally:
        postgres_server.run("DROP DATABASE IF EXISTS latin", "DROP ROLE careless")


def test_a_full_disk_is_an_error_and_nothing_is_lost(tmp_path, sqlite_template, store_key):
    path = tmp_path / "small.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    store = Store(f"sqlite:///{path}", store_key)
    with store.writing() as tx:
        tx.record(EVENT)
    with pytest.raises(StoreError), store.writing() as tx:
        _fill(tx)
    with store.reading() as tx:
        assert tx.city.audit_sequence == 1
        assert tx.session.scalar(text("SELECT count(*) FROM documents")) == 0
    store.close()


def _fill(tx: Transaction) -> None:
    """SQLite calls a file at its largest size a full disk (SQLITE_FULL)."""
    pages = tx.session.execute(text("PRAGMA page_count")).scalar()
    tx.session.execute(text(f"PRAGMA max_page_count = {pages}"))
    for number in range(100):
        row = DOCUMENT | {"digest": f"{number:064}", "body": "x" * 10_000}
        tx.session.add(DocumentRow(**row, created_at=tx.now))


def test_a_file_that_is_no_database_is_an_error(tmp_path, store_key):
    path = tmp_path / "letter.txt"
    path.write_text("Dear city, " * 1000)
    store = Store(f"sqlite:///{path}", store_key)
    with pytest.raises(StoreError):
        store.prepare()
    store.close()
    assert path.read_text().startswith("Dear city")


def test_another_journal_becomes_a_log_that_is_written_ahead(tmp_path, store_key):
    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    store = Store(f"sqlite:///{path}", store_key)
    store.prepare()
    with store.engine.connect() as opened:
        assert opened.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://city@localhost/city",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file.sqlite3?mode=memory",
        "postgresql://city@localhost:port/city",
    ],
)
def test_other_databases_are_refused(url):
    with pytest.raises(BadInput):
        Store(url)


def test_a_password_is_in_no_message(tmp_path, store_key: AuditKey):
    with pytest.raises(BadInput) as told:
        Store("mysql://city:geheim@localhost/city")
    assert "geheim" not in str(told.value)
    store = Store(f"postgresql://city:geheim@/city?host={tmp_path}", store_key)
    with pytest.raises(StoreError) as refused, store.writing():
        pytest.fail("written to nowhere")
    assert "geheim" not in str(refused.value)
    assert "geheim" not in repr(store.url)
    store.close()
