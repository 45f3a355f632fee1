"""Whoever changes the catalogue behind the service is found, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from models import About, DerivedFrom, Parameters, RecordKind
from placement.errors import NotFound
from placement.store.catalog import CatalogRecords
from placement.store.catalog_versions import catalog_defects
from placement.store.head import read_head
from placement.store.records import Records, difference, records_of
from tests import builders

CATALOG = builders.catalog(
    builders.dataset("a"),
    builders.dataset("b"),
    relations=(DerivedFrom(derived="b", source="a"),),
)


@pytest.fixture
def filled(store):
    records = records_of(CATALOG, builders.register(), Parameters())
    with store.writing() as tx:
        CatalogRecords(tx).apply(difference(Records(), records), "office")
    with store.writing() as tx:
        CatalogRecords(tx).apply({(RecordKind.RELATION, next(iter(records.relations))): None}, "me")
    return store


TAMPERING = (
    ("records", "UPDATE records SET body = replace(body, '100', '1') WHERE id = 'a'"),
    ("records", "UPDATE records SET department = 'Mine' WHERE id = 'a'"),
    ("records", "UPDATE records SET access_rights = 'public' WHERE id = 'a'"),
    ("records", "UPDATE records SET valid_to = 2 WHERE id = 'a'"),
    ("records", "UPDATE records SET valid_to = NULL WHERE kind = 'relation'"),
    ("records", "DELETE FROM records WHERE id = 'a'"),
    ("record_readers", "INSERT INTO record_readers VALUES ('a', 1, 'spy')"),
    ("record_readers", "DELETE FROM record_readers WHERE dataset = 'b'"),
    ("record_members", "DELETE FROM record_members WHERE dataset = 'b'"),
    ("catalog_versions", "UPDATE catalog_versions SET changed = 1 WHERE version = 1"),
    ("catalog_versions", "DELETE FROM catalog_versions WHERE version = 2"),
    ("city", "UPDATE city SET catalog_version = 1"),
)


@pytest.mark.parametrize(("table", "statement"), TAMPERING)
def test_tampering_is_found(filled, table, statement):
    with filled.reading() as tx:
        assert list(catalog_defects(tx)) == []
    with filled.engine.connect() as connection:
        if filled.is_sqlite:
            for verb in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS guard_{table}_{verb}"))
        else:
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        connection.execute(text(statement))
        connection.commit()
    with filled.reading() as tx:
        assert list(catalog_defects(tx))


def test_a_transaction_that_is_undone_leaves_no_version(filled):
    with filled.reading() as tx:
        before = read_head(tx)

    def undone():
        with filled.writing() as tx:
            CatalogRecords(tx).apply({(RecordKind.CITY, "city"): About(municipality="X")}, "me")
            raise NotFound("never mind")

    with pytest.raises(NotFound, match="never mind"):
        undone()
    with filled.reading() as tx:
        assert read_head(tx) == before
        assert list(catalog_defects(tx)) == []


def test_versions_that_were_never_made_cannot_be_read(filled):
    with filled.reading() as tx:
        records = CatalogRecords(tx)
        assert records.load(0) == Records()
        assert records.digest(0) == "0" * 64
        for version in (-1, 3, 10**6):
            with pytest.raises(NotFound):
                records.load(version)
            with pytest.raises(NotFound):
                records.parameters(version)
