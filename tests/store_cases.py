"""Stores for tests: the same tests on SQLite and on a real PostgreSQL.

`tests/conftest.py` registers the fixtures; tests need no import.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from placement.keys import AuditKey, audit_key
from placement.store import Store
from tests import postgres

DATABASES = ("sqlite", "postgresql")
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for the whole session, with a migrated database as template."""
    with postgres.running() as server:
        server.run("CREATE DATABASE migrated")
        _migrate(server.url("migrated"))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("store") / "migrated.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=DATABASES)
def empty_url(request, tmp_path) -> Iterator[str]:
    """URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    else:
        yield from _database(request.getfixturevalue("postgres_server"), "template0")


@pytest.fixture
def postgres_url(postgres_server) -> Iterator[str]:
    """URL of a PostgreSQL database without any table."""
    yield from _database(postgres_server, "template0")


@pytest.fixture(params=DATABASES)
def store_url(request, tmp_path) -> Iterator[str]:
    """URL of a fresh, migrated database."""
    if request.param == "sqlite":
        path = tmp_path / "placement.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        yield from _database(request.getfixturevalue("postgres_server"), "migrated")


@pytest.fixture
def store_key(tmp_path) -> AuditKey:
    """The key that signs the audit log of `store`."""
    return audit_key(tmp_path / "keys" / "audit.pem")


@pytest.fixture
def make_store(store_url, store_key) -> Iterator[Callable[[], Store]]:
    """Opens the test's database once more, as another process would."""
    stores: list[Store] = []

    def make() -> Store:
        stores.append(Store(store_url, store_key))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(make_store) -> Store:
    """A fresh, migrated store that can be written."""
    return make_store()


def _migrate(url: str) -> None:
    store = Store(url)
    store.prepare()
    store.close()


def _database(server: postgres.Server, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    server.run(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
    yield server.url(name)
    server.run(f"DROP DATABASE {name} WITH (FORCE)")
