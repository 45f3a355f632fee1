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

PER_SIZE = 0.8
"""Share of a core that is chosen by margin per unit of size; the rest by margin alone."""
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
    """About `size` units with the smallest margins, and the columns that are near enough.

    Parameters
    ----------
    start
        (n, S) copies of a plan: its pairs are in.
    """
    second = np.where(region.best > 0, np.inf, region.margin).min(axis=1)
    per_size = region.margin / region.size[:, None]
    ratio = second / region.size
    first = np.argsort(ratio, kind="stable")[: int(size * PER_SIZE)]
    chosen = np.zeros(len(second), dtype=np.bool_)
    chosen[first] = True
    others = np.argsort(np.where(chosen, np.inf, second), kind="stable")
    others = others[: size - int(size * PER_SIZE)]
    chosen[others] = True
    near = per_size <= WIDTH * _last(ratio[first])
    near |= region.margin <= WIDTH * _last(second[others])
    if start is not None:
        chosen |= (start != region.best).any(axis=1)
        near |= start > 0
    near |= region.best > 0
    units = np.flatnonzero(chosen & np.isfinite(second))
    return Core(units, near[units] & np.isfinite(region.cost[units]))


def _last(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max(initial=0.0))


@dataclass(frozen=True)
class Found:
    """What a core programme gave."""

    x: Indices | None
    """(n, S) copies of every unit of the region."""
    ending: Ending


def solve_core(
    region: Region,
    core: Core,
    task: Task,
    watch: Watch,
    *,
    start: Indices | None = None,
    known: float | None = None,
    tighter: Floats | None = None,
) -> Found:
    """The core as a PuLP model, run once by HiGHS.

    Parameters
    ----------
    start
        (n, S) copies of a plan to start from; its pairs are in the core.
    known
        A bound to report, EUR a year.
    tighter
        (R,) what rows are tightened by.

    Raises
    ------
    OutOfTime, SolverError
    """
    watch.check()
    row, site = np.nonzero(core.open)
    with building():
        program = core_program(region, core, tighter)
    first = None if start is None else start[core.units][row, site].astype(np.float64)
    answer = program.solve(task, watch, start=first, known=known)
    if answer.values is None:
        return Found(None, answer.ending)
    x = region.best.copy()
    x[core.units] = 0
    x[core.units[row], site] = answer.values.astype(np.intp)
    return Found(x, answer.ending)


def core_program(region: Region, core: Core, tighter: Floats | None = None) -> Program:
    """Costs are what a column costs more than its unit's best: small numbers, told apart well."""
    problem, units = region.problem, core.units
    row, site = np.nonzero(core.open)
    counts = problem.counts[units]
    rest = region.best[units]
    base = np.where(rest > 0, region.cost[units], np.inf).min(axis=1)
    cost = region.cost[units][row, site] - base[row]
    wanted = rest.sum(axis=1).astype(np.float64)
    offset = region.value(region.best) - float(
        (np.where(rest > 0, region.cost[units] - base[:, None], 0.0) * rest).sum()
    )
    program = Program(cost, counts[row], offset)
    column = np.full(core.open.shape, -1, dtype=np.intp)
    column[row, site] = np.arange(len(row))
    starts = np.searchsorted(row, np.arange(len(units) + 1)).tolist()
    for k, amount in enumerate(wanted.tolist()):
        columns = np.arange(starts[k], starts[k + 1])
        program.add(columns, np.ones(len(columns)), amount, equal=True)
    _add_rows(program, region, units, column, 0.0 if tighter is None else tighter)
    _add_replica_separation(program, region, units, column)
    return program


def _add_rows(
    program: Program,
    region: Region,
    units: Indices,
    column: Indices,
    tighter: Floats | float,
) -> None:
    at_rest = region.best.copy()
    at_rest[units] = 0
    left = region.limits - tighter - region.totals(at_rest)
    for row, weight, room in zip(region.problem.rows, region.weights, left.tolist(), strict=True):
        columns = column[:, row.sites]
        own = weight[units]
        there = (columns >= 0) & (own != 0.0)
        heaviest = np.where(there, own, 0.0).max(axis=1, initial=0.0)
        if float(heaviest @ region.best[units].sum(axis=1)) > room:
            program.add(columns[there], own[there], room)


def _add_replica_separation(
    program: Program, region: Region, units: Indices, column: Indices
) -> None:
    problem = region.problem
    for k in np.flatnonzero(problem.replicas[problem.class_of[units]] > 1).tolist():
        for o in np.unique(problem.operator_of).tolist():
            columns = column[k, problem.operator_of == o]
            columns = columns[columns >= 0]
            if len(columns) > 1:
                program.add(columns, np.ones(len(columns)), 1.0)
