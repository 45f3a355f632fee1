"""The exact core: near ties as a small integer programme, everybody else at rest.

At good prices p nearly every unit has one site that is best by far, and an exact vertex of the
linear relaxation splits at most as many units as rows bind (Shapley, Folkman). What remains is to
fill the priced rows: with y the plan and x* the best sites at p,

    cost(y) - L(p) = sum_u (c'_u(y) - c'_u(x*)) + sum_r p_r (b_r - w_r y)

so a good plan moves units of little margin (the first sum) and leaves no room in priced rows (the
second). Units with the smallest margin per unit of size fill rows most cheaply; a few more are
taken by margin alone, small ones that fill the last gaps (Pisinger 1997 and Martello, Toth 1990
on cores of knapsacks).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish.program import Program, building
from placement.optimizer.polish.region import Region
from placement.optimizer.progress import Watch

BY_OCTAVE = 0.5
"""Share of a core that is spread evenly over octaves of sizes; the rest is nearest for its size."""
TIED = 1e-9
"""A margin for a size below this is rounding: a tie."""
WIDTH = 4.0
"""Columns of a core unit: sites within so many times the margin that chose the last unit."""


@dataclass(frozen=True)
class Core:
    """Columns of a region that an integer programme decides.

    Attributes
    ----------
    units
        (k,) numbers within the region, ascending.
    open
        (k, S)
    """

    units: Indices
    open: Flags


def choose_core(region: Region, size: int, start: Indices | None) -> Core:
    """About `size` units with the smallest margins for their size, and columns near enough.

    Units of every octave of sizes are in: large ones whose sites are nearly tied, and small ones
    that cost little by themselves and fill what the large ones leave.

    Parameters
    ----------
    start
        (n, S) copies of a plan: its pairs are in.
    """
    home = region.home
    second = np.where(home > 0, np.inf, region.margin).min(axis=1)
    ratio = second / region.size
    ratio[ratio < TIED] = 0.0
    movable = np.flatnonzero(np.isfinite(ratio))
    order = movable[np.lexsort((_mixed(len(ratio))[movable], ratio[movable]))]
    octave = np.floor(np.log2(region.size)).astype(np.intp)
    rank = np.empty(len(ratio), dtype=np.intp)
    for some in np.unique(octave[order]).tolist():
        of = order[octave[order] == some]
        rank[of] = np.arange(len(of))
    by_rank = order[np.argsort(rank[order], kind="stable")]
    spread = int(size * BY_OCTAVE)
    chosen = np.zeros(len(second), dtype=np.bool_)
    chosen[by_rank[:spread]] = True
    rest = order[~chosen[order]]
    rest = np.concatenate([rest[ratio[rest] > 0.0], rest[ratio[rest] == 0.0]])
    chosen[rest[: size - spread]] = True
    limit = np.zeros(int(octave.max(initial=0)) - int(octave.min(initial=0)) + 1)
    np.maximum.at(limit, octave[chosen] - octave.min(initial=0), ratio[chosen])
    widest = np.maximum(WIDTH * limit[octave - octave.min(initial=0)], TIED)
    near = region.margin <= (widest * region.size)[:, None]
    if region.split is not None:
        chosen |= region.split
    if start is not None:
        chosen |= (start != home).any(axis=1)
        near |= start > 0
    near |= home > 0
    units = np.flatnonzero(chosen)
    return Core(units, near[units] & np.isfinite(region.cost[units]))


def _mixed(count: int) -> Indices:
    """(n,) ranks that scatter neighbours: units are sorted by content, and ties take of all."""
    scattered = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    ranks: Indices = np.argsort(np.argsort(scattered, kind="stable"), kind="stable")
    return ranks


@dataclass(frozen=True)
class CoreProgram:
    """A core as an integer programme.

    A unit with one replica has a variable for each column but its best: copies that leave it.
    Costs and weights of those are differences. Other units have a variable for every column.
    """

    region: Region
    core: Core
    program: Program
    unit: Indices
    """(C,) within the core, ascending."""
    site: Indices
    """(C,)"""
    single: Flags
    """(k,) units with one replica."""
    site_of: Indices
    """(k,) where all copies of a unit with one replica rest at first."""
    base: Indices
    """(n, S) copies when nothing leaves; none of core units with several replicas."""

    def start(self, x: Indices) -> Floats:
        """(C,) values of a plan, (n, S) copies."""
        values: Floats = x[self.core.units[self.unit], self.site].astype(np.float64)
        return values

    def plan(self, values: Floats) -> Indices:
        """(n, S) copies of all units of the region."""
        units = self.core.units
        x = self.base.copy()
        moved = np.rint(values).astype(np.intp)
        np.add.at(x, (units[self.unit], self.site), moved)
        ours = self.single[self.unit]
        away = np.bincount(self.unit[ours], moved[ours], len(units)).astype(np.intp)
        x[units, self.site_of] -= away
        return x


@dataclass(frozen=True)
class Found:
    """What a core programme gave."""

    x: Indices | None
    """(n, S) copies of every unit of the region."""
    ending: Ending


def solve_core(
    made: CoreProgram,
    task: Task,
    watch: Watch,
    *,
    start: Indices | None = None,
    known: float | None = None,
) -> Found:
    """The core, run once by HiGHS.

    Parameters
    ----------
    start
        (n, S) copies of a plan to start from; its pairs are in the core.
    known
        A bound to report, EUR a year.

    Raises
    ------
    OutOfTime, SolverError
    """
    watch.check()
    if not len(made.unit):
        return Found(made.base.copy(), Ending.OPTIMAL)
    first = None if start is None else made.start(start)
    answer = made.program.solve(task, watch, start=first, known=known)
    x = None if answer.values is None else made.plan(answer.values)
    return Found(x, answer.ending)


def core_program(
    region: Region,
    core: Core,
    tighter: Floats | None = None,
    *,
    overload: float = 0.0,
) -> CoreProgram:
    """The core as a PuLP model.

    Parameters
    ----------
    tighter
        (R,) what rows are tightened by.
    overload
        Where positive, rows may be overloaded, for so many times their prices.
    """
    problem, units = region.problem, core.units
    single = problem.replicas[problem.class_of[units]] == 1
    there = core.open.copy()
    home = region.home[units].argmax(axis=1)
    there[np.flatnonzero(single), home[single]] = False
    unit, site = np.nonzero(there)
    fixed = region.home.copy()
    fixed[units] = 0
    fixed[units[single], home[single]] = problem.counts[units[single]].astype(np.intp)
    own = region.cost[units]
    cost = own[unit, site] - np.where(single, own[np.arange(len(units)), home], 0.0)[unit]
    with building():
        program = Program(cost, problem.counts[units][unit], region.value(fixed))
        made = CoreProgram(region, core, program, unit, site, single, home, fixed)
        _add_assignment(made)
        room = region.limits - region.totals(fixed)
        _add_rows(made, home, room if tighter is None else room - tighter, overload)
        _add_replica_separation(made)
    return made


def _add_assignment(made: CoreProgram) -> None:
    """No more copies leave a unit than it has; or as many rest somewhere as it wants."""
    wanted = made.region.home[made.core.units].sum(axis=1).astype(np.float64).tolist()
    starts = np.searchsorted(made.unit, np.arange(len(wanted) + 1)).tolist()
    for k, (amount, single) in enumerate(zip(wanted, made.single.tolist(), strict=True)):
        columns = np.arange(starts[k], starts[k + 1])
        if not single or len(columns) > 1:
            made.program.add(columns, np.ones(len(columns)), amount, equal=not single)


def _add_rows(made: CoreProgram, home: Indices, room: Floats, overload: float) -> None:
    problem, units = made.region.problem, made.core.units
    most = made.region.home[units].sum(axis=1).astype(np.float64)
    everyone = np.arange(len(units))
    prices = made.region.prices.tolist()
    for row, weight, left, price in zip(
        problem.rows, made.region.weights, room.tolist(), prices, strict=True
    ):
        own = np.zeros((len(units), problem.sites))
        own[:, row.sites] = weight[units]
        own -= np.where(made.single, own[everyone, home], 0.0)[:, None]
        weights = own[made.unit, made.site]
        heaviest = np.zeros(len(units))
        np.maximum.at(heaviest, made.unit, weights)
        if float(heaviest @ most) > left:
            columns = np.flatnonzero(weights)
            factors = weights[columns]
            if overload > 0.0:
                sizes = made.region.size[units[made.unit[columns]]] / np.abs(factors)
                typical = float(np.median(sizes)) if len(sizes) else 1.0
                toll = overload * max(typical, price)
                columns = np.append(
                    columns, made.program.spare(toll, float(heaviest @ most - min(left, 0.0)))
                )
                factors = np.append(factors, -1.0)
            made.program.add(columns, factors, left)


def _add_replica_separation(made: CoreProgram) -> None:
    """[replica_separation] sum_{s in o} x_us <= 1 for every operator o, where n_u > 1."""
    operator = made.region.problem.operator_of[made.site]
    for k in np.flatnonzero(~made.single).tolist():
        columns = np.flatnonzero(made.unit == k)
        for o in np.unique(operator[columns]).tolist():
            shared = columns[operator[columns] == o]
            if len(shared) > 1:
                made.program.add(shared, np.ones(len(shared)), 1.0)
