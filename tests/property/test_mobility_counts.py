"""No published count is of fewer than k trips or vehicles, whatever trips there are."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placement.catalog.mobility.aggregate import (
    K_LEAST,
    Trip,
    aggregate,
    area_of,
    hour_of,
)

HOUR_MS = 3_600_000
DAY_MS = 1_777_852_800_000
# Few vehicles, places and hours, so that cells fill up to about k.
trips = st.lists(
    st.builds(
        Trip,
        trip=st.uuids().map(str) | st.sampled_from(["again", "and-again"]),
        vehicle=st.sampled_from([f"v{number}" for number in range(8)]),
        start_ms=st.integers(0, 2 * HOUR_MS).map(lambda ms: DAY_MS + ms),
        latitude=st.sampled_from([52.0, 52.001, 52.01, -33.9, 89.99]),
        longitude=st.sampled_from([4.35, 4.351, -179.999, 0.0]),
    ),
    max_size=120,
)
least = st.integers(K_LEAST, 8)


def gathered(found, area_m):
    """Every cell, published or not, counted by the plainest means."""
    cells: defaultdict[tuple[str, str], tuple[set[str], set[str]]] = defaultdict(
        lambda: (set(), set())
    )
    for trip in {trip.trip: trip for trip in found}.values():
        of_trips, of_vehicles = cells[hour_of(trip), area_of(trip, area_m)]
        of_trips.add(trip.trip)
        of_vehicles.add(trip.vehicle)
    return cells


@given(trips, least)
def test_every_published_cell_has_k_trips_on_k_vehicles(found, k):
    cells, statement = aggregate(found, k, 500)
    all_cells = gathered(found, 500)
    for cell in cells:
        of_trips, of_vehicles = all_cells[cell.hour, cell.area]
        assert cell.trips == len(of_trips) >= k
        assert len(of_vehicles) >= k
    assert statement.checked
    assert statement.cells_published == len(cells)


@given(trips, least)
def test_nothing_that_may_be_published_is_held_back(found, k):
    cells, statement = aggregate(found, k, 500)
    all_cells = gathered(found, 500)
    enough = {key for key, (_, vehicles) in all_cells.items() if len(vehicles) >= k}
    assert {(cell.hour, cell.area) for cell in cells} == enough
    assert statement.cells_suppressed == len(all_cells) - len(enough)


@given(trips, least, st.randoms(use_true_random=False))
def test_the_order_of_trips_does_not_matter_where_ids_are_distinct(found, k, shuffle):
    distinct = list({trip.trip: trip for trip in found}.values())
    shuffled = list(distinct)
    shuffle.shuffle(shuffled)
    assert aggregate(shuffled, k) == aggregate(distinct, k)


@given(trips, least)
def test_a_higher_k_publishes_no_more(found, k):
    fewer, _ = aggregate(found, k + 1)
    more, _ = aggregate(found, k)
    assert set(fewer) <= set(more)


def around(vehicles, trips_each=1):
    return [
        Trip(f"t{v}-{n}", f"v{v}", DAY_MS + n, 52.01, 4.36)
        for v in range(vehicles)
        for n in range(trips_each)
    ]


def test_the_boundary_is_k_vehicles_and_many_trips_on_few_do_not_do():
    assert aggregate(around(9), 10)[0] == ()
    assert [cell.trips for cell in aggregate(around(10), 10)[0]] == [10]
    assert aggregate(around(3, trips_each=100), 10)[0] == ()


def test_a_trip_on_two_pages_counts_once():
    assert [cell.trips for cell in aggregate(around(10) + around(10), 10)[0]] == [10]


def test_hours_are_cut_at_the_hour():
    late = [Trip(f"l{v}", f"v{v}", DAY_MS + HOUR_MS - 1, 52.01, 4.36) for v in range(10)]
    later = [Trip(f"m{v}", f"v{v}", DAY_MS + HOUR_MS, 52.01, 4.36) for v in range(10)]
    cells, _ = aggregate(late + later, 10)
    assert [(cell.hour, cell.trips) for cell in cells] == [
        ("2026-05-04T00:00Z", 10),
        ("2026-05-04T01:00Z", 10),
    ]


@pytest.mark.parametrize(("k", "area_m"), [(2, 500), (0, 500), (-1, 500), (10, 0)])
def test_k_and_areas_have_a_least_value(k, area_m):
    with pytest.raises(ValueError, match="at least"):
        aggregate([], k, area_m)


def test_the_statement_tells_no_number_of_trips():
    _, statement = aggregate([*around(10), Trip("lone", "v0", DAY_MS, 53.0, 5.0)], 10)
    words = statement.in_words()
    assert "1 cells published, 1 suppressed" in words
    assert "11" not in words
