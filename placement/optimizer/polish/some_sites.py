"""Neighbourhoods of a few sites: the units that rest there and may swap, searched exactly.

What a plan pays above the bound is, at prices p, sum_u (c'_u(y) - c'_u(x*)) + sum_r p_r room_r.
Sites whose priced rows leave room are where something can still be had: with some other sites,
drawn at random, and the units there that change places most cheaply, they make an integer
programme small enough to be searched in a blink (large neighbourhood search, Shaw 1998).
"""

from __future__ import annotations

import numpy as np

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.polish.core import Core
from placement.optimizer.polish.region import Region

UNITS = 300
"""Of a neighbourhood."""
COLUMNS = 3
"""Sites, besides its own, that a unit may move to."""


def some_sites(region: Region, x: Indices, count: int, random: np.random.Generator) -> Core:
    """A core of `count` sites, drawn half by the room that their priced rows leave.

    Parameters
    ----------
    x
        (n, S) copies of a plan.
    """
    sites = _draw(region, x, min(count, region.problem.sites), random)
    here = np.flatnonzero((x[:, sites] > 0).any(axis=1))
    own = np.where(x[here] > 0, region.reduced[here], -np.inf).max(axis=1)
    rise = region.reduced[here][:, sites] - own[:, None]
    rise[x[here][:, sites] > 0] = np.inf
    rise /= region.size[here][:, None]
    second = rise.min(axis=1)
    order = np.argsort(second, kind="stable")[:UNITS]
    order = np.sort(order[np.isfinite(second[order])])
    limit = float(second[order].max(initial=0.0))
    nearest = np.argsort(np.argsort(rise[order], axis=1, kind="stable"), axis=1, kind="stable")
    near = (nearest < COLUMNS) & (rise[order] <= 2 * limit)
    units = here[order]
    opened = x[units] > 0
    opened[:, sites] |= near
    return Core(units, opened & np.isfinite(region.cost[units]))


def _draw(region: Region, x: Indices, count: int, random: np.random.Generator) -> Indices:
    """(count,) sites, ascending."""
    room = np.maximum(region.room - region.totals(x), 0.0)
    waste: Floats = np.zeros(region.problem.sites)
    for row, left, price in zip(
        region.problem.rows, room.tolist(), region.prices.tolist(), strict=True
    ):
        waste[row.sites] += left * price / len(row.sites)
    even = np.full(len(waste), 1.0 / len(waste))
    total = float(waste.sum())
    share = 0.5 * even + 0.5 * (waste / total if total > 0.0 else even)
    return np.sort(random.choice(len(waste), size=count, replace=False, p=share))
