"""Trips counted by area and hour, so that nobody's trip can be told from the counts.

A cell (area, hour) is published only with at least k different trips made on at least k different
vehicles. MDS tells of no riders: one rider may make several trips, and one who keeps a vehicle all
day makes many on the same one, so trips alone could all be one person's.

k = 10 unless the city chooses another. The Article 29 Working Party holds small k against
k-anonymity: within a small group inference succeeds more often, its example sets k = 2 against
k > 10 (Opinion 05/2014, WP 216, section 3.2.1). Statistical offices suppress below 3 to 10
contributors; 3 is the least that is taken here.

What is published is the published cells alone. Totals would undo it: with one cell of a total left
out, the difference is its count. So the statement tells how many *cells* are suppressed, never how
many trips, and an empty cell looks like a suppressed one.

k-anonymity is no proof against everything an attacker may know. That is why the count only
supports a declared transformation, which ends inheritance when a named person has reviewed it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

K_DEFAULT = 10
K_LEAST = 3
AREA_M_DEFAULT = 500
_M_PER_DEGREE = 111_320.0
"""Of latitude; of longitude at the equator."""


@dataclass(frozen=True)
class Trip:
    """What the aggregate reads of a trip."""

    trip: str
    vehicle: str
    start_ms: int
    """Milliseconds since 1970-01-01 UTC."""
    latitude: float
    longitude: float
    """Where it began, in degrees."""


@dataclass(frozen=True, order=True)
class Cell:
    """One published count."""

    hour: str
    """Its beginning in UTC, such as 2026-05-04T08:00Z."""
    area: str
    """Row and column of a grid, such as 11576:961."""
    trips: int


@dataclass(frozen=True)
class Statement:
    """What a reviewer is told of the release."""

    k: int
    area_m: int
    cells_published: int
    cells_suppressed: int
    checked: bool
    """Every published cell was counted again from the trips, by other means."""

    def in_words(self) -> str:
        """For the method of a declared transformation."""
        checked = "counted again" if self.checked else "NOT CONFIRMED by a second count"
        return (
            f"k-anonymity, k={self.k}: trips per {self.area_m} m cell and hour, on at least "
            f"{self.k} vehicles each; {self.cells_published} cells published, "
            f"{self.cells_suppressed} suppressed, {checked}"
        )


def aggregate(
    trips: Iterable[Trip], k: int = K_DEFAULT, area_m: int = AREA_M_DEFAULT
) -> tuple[tuple[Cell, ...], Statement]:
    """The cells that may be published, in order, and the statement on them.

    Parameters
    ----------
    trips
        Of any number; a trip that comes twice, as on two pages, counts once.
    k
        Fewest trips, and fewest vehicles, of a published cell.
    area_m
        Side of an area in metres.

    Raises
    ------
    ValueError
        For k below 3, or areas of no size.
    """
    if k < K_LEAST or area_m < 1:
        raise ValueError(f"k of at least {K_LEAST} and areas of at least 1 m are expected")
    once = list({trip.trip: trip for trip in trips}.values())
    vehicles: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for trip in once:
        key = (hour_of(trip), area_of(trip, area_m))
        vehicles[key].add(trip.vehicle)
        counts[key] += 1
    # As many vehicles as k means as many trips: each vehicle here began one.
    cells = tuple(
        sorted(Cell(*key, counts[key]) for key, distinct in vehicles.items() if len(distinct) >= k)
    )
    statement = Statement(
        k=k,
        area_m=area_m,
        cells_published=len(cells),
        cells_suppressed=len(counts) - len(cells),
        checked=_hold(cells, once, k, area_m),
    )
    return cells, statement


def hour_of(trip: Trip) -> str:
    """The hour in which a trip begins."""
    return f"{datetime.fromtimestamp(trip.start_ms // 1000, UTC):%Y-%m-%dT%H}:00Z"


def area_of(trip: Trip, area_m: int) -> str:
    """The square in which a trip begins.

    Rows are bands of `area_m` from the equator; columns are as wide in the middle of their band,
    so that areas have the same size everywhere. No trip is in two of them, whatever a city's
    districts do.
    """
    row = math.floor(trip.latitude * _M_PER_DEGREE / area_m)
    middle = math.radians((row + 0.5) * area_m / _M_PER_DEGREE)
    column = math.floor(trip.longitude * _M_PER_DEGREE * math.cos(middle) / area_m)
    return f"{row}:{column}"


def _hold(cells: Sequence[Cell], trips: Iterable[Trip], k: int, area_m: int) -> bool:
    """Whether the published cells are right, by a second count that shares nothing with the first.

    The trips are sorted and cut into runs, rather than gathered in tables.
    """
    records = sorted((hour_of(t), area_of(t, area_m), t.trip, t.vehicle) for t in trips)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for key, run in groupby(records, key=lambda record: record[:2]):
        members = list(run)
        found[key] = len({member[2] for member in members}), len({m[3] for m in members})
    return all(
        cell.trips == found.get((cell.hour, cell.area), (0, 0))[0]
        and min(found[cell.hour, cell.area]) >= k
        for cell in cells
    )
