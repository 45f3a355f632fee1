"""The catalogue's records against a model that keeps every version whole."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import RecordKind
from placement.graph import derive_facts
from placement.service.rows import sees, sees_all_of
from placement.service.snapshot import Snapshots
from placement.store.catalog import CatalogRecords
from placement.store.catalog_pages import RecordQuery, find_record, list_records
from placement.store.catalog_versions import catalog_defects
from placement.store.records import Records, difference
from tests.record_cases import BASIS, HISTORIES, ROWS, whole_defects

# One database serves all examples: each begins by removing what the one before has left.
SHARED = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def apply(store, changes):
    with store.writing() as tx:
        version = CatalogRecords(tx).apply(changes, "a test")
        return tx.city.catalog_version, version


def begin(store, records: Records = BASIS) -> int:
    """The version at which exactly these records are there."""
    with store.reading() as tx:
        before = CatalogRecords(tx).load()
    return apply(store, difference(before, records))[0]


@SHARED
@given(history=HISTORIES)
def test_every_version_stays_what_it_was(store, history):
    snapshots = Snapshots(store)
    model = {begin(store): BASIS}
    records = BASIS
    for changes in history:
        after = records.with_changes(changes)
        number, made = apply(store, changes)
        assert (made is None) == (after == records)
        records = model[number] = after
        snapshot = snapshots.at_head()
        assert (snapshot.version, snapshot.records) == (number, records)
        assert snapshot.catalog == records.as_catalog()
        assert snapshot.register == records.as_register()
    with store.reading() as tx:
        found = CatalogRecords(tx)
        for number, expected in model.items():
            assert found.load(number) == expected
            assert found.parameters(number) == expected.parameters
        first, last = min(model), max(model)
        assert model[first].with_changes(found.changes_since(first, last)) == model[last]
        assert list(catalog_defects(tx)) == []


@SHARED
@given(history=HISTORIES)
def test_a_snapshot_grown_by_changes_equals_one_built_anew(store, history):
    begin(store)
    grown = Snapshots(store)
    records = BASIS
    for changes in history:
        after = records.with_changes(changes)
        if whole_defects(after):
            continue
        records = after
        apply(store, changes)
        snapshot, anew = grown.at_head(), Snapshots(store).at_head()
        assert snapshot.facts == anew.facts == derive_facts(anew.catalog, anew.parameters)
        for name in anew.records.datasets:
            assert snapshot.dataset_view(name) == anew.dataset_view(name)
        for name in anew.records.sites:
            assert snapshot.site_view(name) == anew.site_view(name)


@SHARED
@given(history=HISTORIES, rows=ROWS, limit=st.integers(1, 3), turned=st.booleans())
def test_pages_hold_what_rows_admit_once_and_in_order(store, history, rows, limit, turned):
    records = BASIS
    for changes in history:
        records = records.with_changes(changes)
    begin(store, records)
    seen = {ident for ident, each in records.datasets.items() if sees(rows, each)}
    related = {i for i, each in records.relations.items() if sees_all_of(rows, each, records)}
    titles = sorted(seen, key=lambda i: (records.datasets[i].title, i), reverse=turned)
    volumes = sorted(seen, key=lambda i: (records.datasets[i].volume_gb, i), reverse=turned)
    roles = records.roles.keys() | records.site_roles.keys()
    kinds = (RecordKind.ROLE, RecordKind.SITE_ROLE)
    for wanted, of, sort in (
        (sorted(seen, reverse=turned), (RecordKind.DATASET,), "id"),
        (titles, (RecordKind.DATASET,), "title"),
        (volumes, (RecordKind.DATASET,), "volume_gb"),
        (sorted(related, reverse=turned), (RecordKind.RELATION,), "id"),
        (sorted(roles, reverse=turned), kinds, "id"),
    ):
        assert paged(store, of, rows, sort, turned, limit) == wanted
    with store.reading() as tx:
        for ident in records.datasets:
            found = find_record(tx, (RecordKind.DATASET,), ident, rows)
            assert (found is not None) == (ident in seen)
        for ident in records.relations:
            found = find_record(tx, (RecordKind.RELATION,), ident, rows)
            assert (found is not None) == (ident in related)


def paged(store, kinds, rows, sort, descending, limit):
    idents: list[str] = []
    after = None
    while True:
        query = RecordQuery(
            kinds=kinds, rows=rows, sort=sort, descending=descending, after=after, limit=limit
        )
        with store.reading() as tx:
            found = list_records(tx, query)
        if not found:
            return idents
        idents += [each.record.id for each in found]
        after = found[-1].key
