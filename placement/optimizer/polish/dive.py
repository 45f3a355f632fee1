"""A dive: the core's linear relaxation, made whole from the largest units to the smallest.

An exact vertex splits at most as many units as rows bind. The largest split one is given to the
site that raises the relaxation least; smaller units, still free, make up for it, so that each
step costs little. Units larger than all split ones stay where they are from then on, so that the
split ones become smaller and smaller. What the last ones leave of the rows is what a plan pays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.polish.core import Core, CoreProgram, core_program
from placement.optimizer.polish.program import Relaxed
from placement.optimizer.polish.region import Region
from placement.optimizer.progress import Watch

WHOLE = 1e-6
"""What HiGHS calls a whole number."""
OVERLOAD = 10.0
"""Times its price: what overloading a row costs a dive."""
CHEAP = 0.02
"""Share of what a dive has cost so far: a step that costs less is taken at once."""
AGAIN = (8.0, 64.0, 512.0)
"""Where rows stay overloaded: times the smallest split unit, up to which units may move again."""
BATCH_NODES = 50
"""Of HiGHS's tree, for units that are settled together."""
SHARPER = 0.7
"""Units are put to rest in steps of sizes: each step so many times the one before."""


def dive(region: Region, core: Core, watch: Watch, *, choices: int = 2) -> Indices:
    """(n, S) copies of all units; rows may be overloaded a little.

    Parameters
    ----------
    choices
        How many sites are tried for a split unit; with one, the largest share decides.

    Raises
    ------
    OutOfTime, SolverError
    """
    made = core_program(region, core, overload=OVERLOAD)
    if not len(made.unit):
        return made.base.copy()
    return _Dive(made, made.program.relaxed(watch), choices).run()


def settle_together(
    region: Region, core: Core, batches: Sequence[int], gap: float, watch: Watch
) -> tuple[Flags, Indices]:
    """The largest units, a batch at a time: as whole numbers, all smaller ones split.

    Parameters
    ----------
    gap
        (objective - bound) / objective at which each batch is settled.

    Returns
    -------
    (n,) the units of all batches, and (n, S) copies of everybody, as if whole.

    Raises
    ------
    OutOfTime, SolverError
    """
    made = core_program(region, core, overload=OVERLOAD)
    settled = np.zeros(region.problem.units, dtype=np.bool_)
    if not len(made.unit):
        return settled, made.base.copy()
    together = _Dive(made, made.program.relaxed(watch), 1)
    values = together.settle(batches, gap)
    settled[core.units[together.resting]] = True
    return settled, made.plan(values)


class _Dive:
    def __init__(self, made: CoreProgram, relaxed: Relaxed, choices: int) -> None:
        units = made.core.units
        self.made, self.relaxed, self.choices = made, relaxed, choices
        self.size = made.region.size[units]
        self.counts = made.region.problem.counts[units]
        self.first = np.searchsorted(made.unit, np.arange(len(units) + 1))
        self.resting: Flags = np.zeros(len(units), dtype=np.bool_)

    def run(self) -> Indices:
        self.value = self.floor = self.relaxed.run()
        if not np.isfinite(self.floor):
            return self.made.base.copy()
        x = self._descend()
        region = self.made.region
        for larger in AGAIN:
            if (region.totals(x) <= region.limits).all():
                break
            self._release(larger * self.smallest)
            x = self._descend()
        return x

    def _descend(self) -> Indices:
        largest = self.smallest = float(self.size[~self.resting].max(initial=0.0))
        while True:
            values = self.relaxed.values()
            split = self._split(values)
            if not len(split):
                return self.made.plan(values)
            unit = int(split[self.size[split].argmax()])
            self.smallest = min(self.smallest, float(self.size[unit]))
            while largest > self.size[unit]:
                largest *= SHARPER
            larger = (self.size > largest / SHARPER) & ~self.resting
            larger[split] = False
            if larger.any():
                self._rest(larger, values)
            self._settle(unit, values)

    def settle(self, batches: Sequence[int], gap: float) -> Floats:
        """(C,) values once the largest units rest, batch after batch."""
        self.relaxed.run()
        for count in batches:
            free = np.flatnonzero(~self.resting)
            units = np.zeros(len(self.size), dtype=np.bool_)
            units[free[np.argsort(-self.size[free], kind="stable")[:count]]] = True
            columns = np.flatnonzero(units[self.made.unit])
            values = self.relaxed.run_whole(columns, BATCH_NODES, gap)
            if values is None:
                break
            self._rest(units, values)
            self.value = self.relaxed.run()
        return self.relaxed.values()

    def _release(self, size: float) -> None:
        """Units up to this size are free again: those left over were too few to make up."""
        free = self.size <= size
        columns = np.flatnonzero(free[self.made.unit])
        most = self.counts[self.made.unit[columns]]
        self.relaxed.bound(columns, np.zeros(len(columns)), most)
        self.resting &= ~free
        self.value = self.relaxed.run()
        self.choices += 1

    def _split(self, values: Floats) -> Indices:
        away = np.zeros(len(self.size))
        np.maximum.at(away, self.made.unit, np.abs(values - np.rint(values)))
        return np.flatnonzero(away > WHOLE)

    def _rest(self, units: Flags, values: Floats) -> None:
        columns = np.flatnonzero(units[self.made.unit])
        there = np.rint(values[columns])
        self.relaxed.bound(columns, there, there)
        self.resting |= units

    def _settle(self, unit: int, values: Floats) -> None:
        """Make one unit's columns whole, in the way that costs least."""
        columns = np.arange(self.first[unit], self.first[unit + 1])
        ways = self._ways(unit, values[columns])[: self.choices]
        best, least, value = ways[0], np.inf, np.inf
        for way in ways:
            self.relaxed.bound(columns, way, way)
            value = self.relaxed.run()
            if value < least:
                best, least = way, value
            if least - self.value <= CHEAP * (self.value - self.floor):
                break
        if least < value:
            self.relaxed.bound(columns, best, best)
            least = self.relaxed.run()
        self.value = least
        self.resting[unit] = True

    def _ways(self, unit: int, shares: Floats) -> list[Floats]:
        """Whole numbers near the shares, nearest first."""
        wanted = self.counts[unit]
        single = bool(self.made.single[unit])
        below = np.floor(shares + WHOLE)
        parts = shares - below
        total = float(below.sum())
        spare = (wanted if single else round(float(shares.sum()))) - total
        order = np.argsort(-parts, kind="stable")
        ways = []
        rounded = int(min(spare, max(0, round(float(parts.sum())))))
        for take in dict.fromkeys((rounded, rounded + 1, rounded - 1)):
            if 0 <= take <= spare and (single or take == spare):
                for skip in range(2 if 0 < take < len(order) else 1):
                    way = below.copy()
                    way[order[skip : skip + take]] += 1
                    ways.append(way)
        ways.sort(key=lambda way: float(np.abs(way - shares).sum()))
        return ways or [below]
