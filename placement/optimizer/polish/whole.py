"""The whole problem, without the pairs that prices rule out of any better plan."""

from __future__ import annotations

import numpy as np

from placement.errors import SolverError
from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish.monolith import Verdict, Whole
from placement.optimizer.polish.region import Region
from placement.optimizer.progress import Watch

BELIEVED = 1e-6
"""Relative difference by which HiGHS's bound may exceed a plan's cost: its own tolerance."""
EXACT = 1e-9


def solve_whole(
    problem: ArrayProblem,
    prices: Floats,
    *,
    proven: float,
    bound: float,
    start: Indices | None,
    objective: float,
    gap: float,
    watch: Watch,
) -> Verdict:
    """Every pair that could be in a better plan than the best so far; HiGHS's bound counts.

    Parameters
    ----------
    proven
        What the prices prove, EUR a year.
    bound
        The best bound known.
    start, objective
        (U, S) copies and cost of the best plan so far.

    Raises
    ------
    OutOfTime, SolverError
    """
    asked, best = gap, start
    cuts = Whole(problem).cuts
    while True:
        region = Region(problem, problem.rhs, 0.0, prices)
        allowed = np.isfinite(region.cost)
        if best is not None:
            room = objective - proven
            slack = EXACT * abs(objective)
            allowed &= (region.margin <= room + slack) | (best > 0)
        task = Task(gap=asked * 0.999, target=_target(bound, gap))
        whole = Whole(problem, allowed, cuts)
        verdict = whole.solve(task, watch, start=best)
        if verdict.ending is Ending.INFEASIBLE:
            if best is None:
                return verdict
            raise SolverError("HiGHS finds no plan where one is known")
        if verdict.x is not None:
            value = region.value(verdict.x)
            if value < objective:
                best, objective = verdict.x, value
        if best is not None and verdict.bound > objective + BELIEVED * max(1.0, abs(objective)):
            raise SolverError("HiGHS claims a bound above the cost of a plan")
        bound = max(bound, min(verdict.bound, objective))
        done = best is not None and objective - bound <= max(gap * objective, EXACT * objective)
        if done or watch.expired or asked <= gap / 1000:
            return Verdict(verdict.ending, best, bound)
        asked /= 10


def _target(bound: float, gap: float) -> float | None:
    """A plan this dear is within the gap of the bound that is known already."""
    return bound / (1 - gap) if 0 < gap < 1 and bound > 0 else None
