"""Approved placements: read, filtered, and hidden from whoever may not see them."""

from __future__ import annotations

import json

import pytest

from models import (
    AccessRights,
    DecisionState,
    GdprCategory,
    Level,
    RecordKind,
    RowFilter,
)
from placement.store.catalog import CatalogRecords
from placement.store.decisions import Decisions
from placement.store.placed import NewPlacement, Placed, PlacedFilter
from tests.builders import dataset
from tests.integration.test_store_decisions import propose

ALL = RowFilter(all=True)
NOBODY = RowFilter()


def placement(ident, **changes):
    fields = {
        "dataset": ident,
        "body": json.dumps({"dataset": ident}),
        "department": "Civil affairs",
        "confidentiality": Level.NORMAL,
        "gdpr_category": GdprCategory.PERSONAL,
        "access_rights": AccessRights.RESTRICTED,
        "sites": (("townhall", "city"),),
        "readers": ("registrar",),
    }
    return NewPlacement(**(fields | changes))


def approve(tx, *placements):
    number = propose(tx).number
    Decisions(tx).move(number, DecisionState.APPROVED, "board")
    Placed(tx).add(number, placements)
    return number


def keep(tx, *datasets):
    CatalogRecords(tx).apply({(RecordKind.DATASET, d.id): d for d in datasets}, "office")


def ids(store, rows=ALL, limit=100, **asked):
    with store.reading() as tx:
        return [name for name, _ in Placed(tx).list(rows, limit, **asked)]


@pytest.fixture
def placed(store):
    """Four datasets, each different in every way that matters."""
    with store.writing() as tx:
        keep(
            tx,
            dataset("a/b:c"),
            dataset("bomen", owner_department="Green", readers=("gardener", "planner")),
            dataset("cases", owner_department=None, readers=()),
            dataset("open", access_rights=AccessRights.PUBLIC, readers=("planner",)),
        )
        approve(
            tx,
            placement("a/b:c"),
            placement(
                "bomen",
                department="Green",
                confidentiality=Level.HIGH,
                gdpr_category=GdprCategory.NONE,
                sites=(("cloud-a", "cloud"), ("townhall", "city")),
                readers=("gardener", "planner"),
            ),
            placement(
                "cases",
                department=None,
                confidentiality=None,
                gdpr_category=None,
                access_rights=None,
                readers=(),
            ),
            placement(
                "open",
                access_rights=AccessRights.PUBLIC,
                sites=(("cloud-b", "cloud"),),
                readers=("planner", "planner"),
            ),
        )
    return store


def test_a_placement_is_read_by_its_dataset(placed):
    with placed.reading() as tx:
        for name in ("a/b:c", "bomen", "cases", "open"):
            assert Placed(tx).read(name, ALL) == json.dumps({"dataset": name})
        assert Placed(tx).read("a/b", ALL) is None
        assert Placed(tx, in_force=True).read("bomen", ALL) is None


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (PlacedFilter(), ["a/b:c", "bomen", "cases", "open"]),
        (PlacedFilter(confidentiality=Level.HIGH), ["bomen"]),
        (PlacedFilter(confidentiality=Level.OPEN), []),
        (PlacedFilter(gdpr_category=GdprCategory.NONE), ["bomen"]),
        (PlacedFilter(department="Civil affairs"), ["a/b:c", "open"]),
        (PlacedFilter(site="townhall"), ["a/b:c", "bomen", "cases"]),
        (PlacedFilter(operator="cloud"), ["bomen", "open"]),
        (PlacedFilter(site="townhall", operator="cloud"), []),
        (PlacedFilter(site="cloud-a", operator="cloud"), ["bomen"]),
        (PlacedFilter(role="planner"), ["bomen", "open"]),
        (
            PlacedFilter(role="planner", site="cloud-b", gdpr_category=GdprCategory.PERSONAL),
            ["open"],
        ),
        (PlacedFilter(department="' OR 1=1 --"), []),
    ],
)
def test_filters_meet_every_field(placed, where, found):
    assert ids(placed, where=where) == found


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (NOBODY, []),
        (RowFilter(departments=("Green",)), ["bomen"]),
        (RowFilter(departments=("Civil affairs", "Green")), ["a/b:c", "bomen", "open"]),
        (RowFilter(departments=("None",)), []),
        (RowFilter(reader_roles=("planner",)), ["bomen", "open"]),
        (RowFilter(public=True), ["open"]),
        (RowFilter(public=True, reader_roles=("registrar",)), ["a/b:c", "open"]),
    ],
)
def test_rows_are_those_that_somebody_may_see(placed, rows, found):
    assert ids(placed, rows) == found
    with placed.reading() as tx:
        for name in ("a/b:c", "bomen", "cases", "open"):
            assert (Placed(tx).read(name, rows) is not None) == (name in found)
        assert Placed(tx).admitted(1, rows) == frozenset(found)


def test_who_may_see_it_is_judged_by_the_present_record(placed):
    green, civil = RowFilter(departments=("Green",)), RowFilter(departments=("Civil affairs",))
    planner = RowFilter(reader_roles=("planner",))
    with placed.writing() as tx:
        keep(tx, dataset("bomen", owner_department="Civil affairs", readers=("gardener",)))
    assert ids(placed, green) == []
    assert "bomen" in ids(placed, civil)
    assert ids(placed, planner) == ["open"]
    with placed.writing() as tx:
        CatalogRecords(tx).apply({(RecordKind.DATASET, "bomen"): None}, "office")
    assert "bomen" not in ids(placed, civil)
    assert "bomen" in ids(placed)


@pytest.mark.parametrize(
    ("record", "effective"),
    [
        (AccessRights.PUBLIC, AccessRights.RESTRICTED),
        (AccessRights.RESTRICTED, AccessRights.PUBLIC),
        (AccessRights.PUBLIC, None),
    ],
)
def test_public_is_what_is_public_by_record_and_by_inheritance(store, record, effective):
    with store.writing() as tx:
        keep(tx, dataset("derived", access_rights=record))
        approve(tx, placement("derived", access_rights=effective))
    assert ids(store, RowFilter(public=True)) == []


def test_pages_continue_behind_a_dataset(placed):
    assert ids(placed, limit=2) == ["a/b:c", "bomen"]
    assert ids(placed, limit=2, after="bomen") == ["cases", "open"]
    assert ids(placed, limit=2, after="open") == []


def test_without_a_standing_decision_there_is_nothing(store):
    assert ids(store) == []
    with store.reading() as tx:
        assert Placed(tx).decision() is None
        assert Placed(tx).read("bomen", ALL) is None


def test_the_plan_that_stands_and_the_one_in_force_are_two(placed):
    with placed.writing() as tx:
        Decisions(tx).move(1, DecisionState.PROVISIONING, "machine")
        Decisions(tx).move(1, DecisionState.IN_FORCE, "machine")
        second = approve(tx, placement("bomen", body='{"dataset": "bomen", "again": true}'))
    assert ids(placed) == ["bomen"]
    with placed.reading() as tx:
        assert Placed(tx).decision() == second
        assert Placed(tx, in_force=True).decision() == 1
        assert len(Placed(tx, in_force=True).list(ALL, 100)) == 4
    with placed.writing() as tx:
        Decisions(tx).move(second, DecisionState.WITHDRAWN, "board")
    assert len(ids(placed)) == 4


def test_ten_thousand_datasets_are_kept_and_read(store):
    many = [placement(f"set-{n:05d}", readers=("registrar", "planner")) for n in range(10_000)]
    with store.writing() as tx:
        approve(tx, *many)
    assert ids(store, limit=3, after="set-09996") == ["set-09997", "set-09998", "set-09999"]
    assert len(ids(store, limit=10_001, where=PlacedFilter(role="planner"))) == 10_000
