"""Where to start from: the prices and placements of an earlier answer to a similar problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models import RowPrice
from placement.optimizer.arrays.solution import Warm
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.instance import Instance


@dataclass(frozen=True)
class Start:
    """An earlier answer. It saves work and decides nothing: what does not hold any more is left."""

    prices: tuple[RowPrice, ...]
    placements: Mapping[str, tuple[str, ...]]
    """Site ids of each dataset."""


def chosen_before(instance: Instance, start: Start) -> Flags | None:
    """(U, S) the earlier placements; none where a unit is new or one of its pairs is closed now."""
    column = {site.id: s for s, site in enumerate(instance.of.sites)}
    chosen = np.zeros(instance.allowed.shape, dtype=np.bool_)
    for unit, members in enumerate(instance.members):
        at = start.placements.get(instance.of.datasets[members[0]].id, ())
        known = [column[site] for site in at if site in column]
        if len(known) != instance.replicas[unit]:
            return None
        chosen[unit, known] = True
    closed = chosen & ~instance.fitting
    return None if closed.any() else chosen


def prices_before(instance: Instance, start: Start) -> Floats:
    """(R,) the earlier prices, by the names of rows; 0 for rows that had none."""
    known = {given.row: float(given.price) for given in start.prices}
    return np.array([known.get(row.name, 0.0) for row in instance.rows])


def warm_of(instance: Instance, start: Start) -> Warm:
    """The start as the array engine takes it."""
    chosen = chosen_before(instance, start)
    prices = prices_before(instance, start)
    return Warm(prices, None if chosen is None else _sites(instance, chosen))


def _sites(instance: Instance, chosen: Flags) -> Indices:
    """(U, n) sites, -1 behind a unit's last."""
    most = int(instance.replicas.max(initial=1))
    sites = np.full((instance.units, most), -1, dtype=np.intp)
    for unit, row in enumerate(chosen):
        at = np.flatnonzero(row)
        sites[unit, : len(at)] = at
    return sites
