"""Relax and fix: the largest units first, as whole numbers, all smaller ones as if they split.

A dive makes one unit whole at a time, and pays for every choice that looks no further. Where many
units are large, batches of them are settled by one integer programme each, in which the others
make up for what they take (Pochet and Wolsey, "Production planning by mixed integer programming",
2006, call it relax-and-fix). After some batches, what is left gets prices and near ties of its
own: smaller units, with smaller steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from placement.optimizer.attributes import Flags, Indices
from placement.optimizer.polish.core import choose_core
from placement.optimizer.polish.dive import dive, settle_together
from placement.optimizer.polish.region import Region
from placement.optimizer.polish.repair import repaired
from placement.optimizer.polish.vertex import VERTEX, vertex
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.progress import Watch

CORE, PART = 1_600, 0.5
"""Units of each core, and their share of all at most."""
BATCH_GAP = 0.1
"""Share of the gap asked for at which a batch is settled."""
BATCH = 0.1
"""Share of all units that a batch has at most: many together are hard, and few are left."""
LEVELS = ((20, 40, 80, 160), (160, 320), (320,))
"""Units of the batches between two times that the rest is priced."""


@dataclass(frozen=True)
class Rest:
    """What some units leave the others."""

    region: Region
    """At prices of its own."""
    bound: float
    """EUR a year; no plan with the settled units there costs less."""


def left_over(region: Region, placed: Indices, settled: Flags, watch: Watch) -> Rest | None:
    """What some units leave the others; nothing where that leaves no plan, or no others.

    Parameters
    ----------
    placed
        (n, S) copies of the settled units; those of others do not count.
    settled
        (n,)

    Raises
    ------
    OutOfTime, SolverError
    """
    if settled.all():
        return None
    placed = placed * settled[:, None]
    rest = region.problem.take(np.flatnonzero(~settled))
    room = region.room - region.totals(placed)
    left = zip(rest.rows, room.tolist(), strict=True)
    priced = find_prices(
        replace(rest, rows=tuple(replace(row, rhs=free) for row, free in left)),
        watch,
        start=region.prices,
    )
    if priced.ray is not None or np.isposinf(priced.bound):
        return None
    part = Region(rest, room, region.value(placed), priced.prices)
    start = vertex(part, VERTEX, watch)
    return Rest(part.at_home(start.home, start.split), part.elsewhere + priced.bound)


def relaxed_and_fixed(region: Region, gap: float, watch: Watch) -> Indices | None:
    """(n, S) copies of all units, or none where no plan was found.

    Parameters
    ----------
    gap
        (objective - bound) / objective that is asked for.

    Raises
    ------
    OutOfTime, SolverError
    """
    units, x, part = np.arange(region.problem.units), np.zeros_like(region.home), region
    for batches in LEVELS:
        core = choose_core(part, min(CORE, int(PART * part.problem.units)), None)
        most = int(BATCH * part.problem.units)
        counts = [min(count, most) for count in batches]
        settled, placed = settle_together(part, core, counts, BATCH_GAP * gap, watch)
        x[units[settled]] = placed[settled]
        rest = left_over(part, placed, settled, watch)
        if rest is None:
            return None
        units, part = units[~settled], rest.region
    core = choose_core(part, min(CORE, part.problem.units), None)
    last = repaired(part, watch, dive(part, core, watch))
    if last is None:
        return None
    x[units] = last
    return x
