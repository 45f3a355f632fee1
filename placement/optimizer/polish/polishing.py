"""Rounds of cores: from prices to a plan, larger and larger cores until the gap is met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.errors import SolverError
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish.core import Core, choose_core, solve_core
from placement.optimizer.polish.region import Region
from placement.optimizer.polish.repair import repaired
from placement.optimizer.polish.resting import Resting, Rest
from placement.optimizer.pricing.shard import Pick
from placement.optimizer.progress import OutOfTime, Watch

NEAR = 20_000
"""Units of a region: the rest stays where prices put it."""
FIRST = 200
"""Units of the first core; every round doubles it."""
LARGEST = 6_400
NODES = 300
"""Of HiGHS's tree, a round."""
SLOW = 0.8
"""A round that leaves more than this share of the gap is slow; after two of them we stop."""
CAUTION = 1e-9
"""Relative: how much tighter a row becomes each time a core's answer overloads it."""


@dataclass
class Polished:
    """The best plan of a region, with everybody else at rest."""

    pick: Pick
    region: Region
    x: Indices | None = None
    """(n, S) copies of each unit of the region."""
    objective: float = np.inf
    """EUR a year, of all units."""


def region_of(
    shard: Resting, prices: Floats, watch: Watch, *, near: int = NEAR
) -> tuple[Pick, Region]:
    """The units nearest to a tie, and what the others leave them.

    Raises
    ------
    OutOfTime
    """
    counts = np.cumsum(shard.survey(prices, watch)[1])
    bins = int(np.searchsorted(counts, min(near, int(counts[-1])))) + 1
    pick = shard.near(bins)
    rest: Rest = shard.settle(prices, bins, watch)
    return pick, Region(pick.problem, shard.rhs - rest.totals, rest.cost, prices)


def polish(
    polished: Polished, bound: float, gap: float, watch: Watch, *, first: int = FIRST
) -> None:
    """Improve a plan by cores of growing size, until within the gap or nothing helps any more."""
    region = polished.region
    target = bound / (1 - gap) if gap < 1 and bound > 0 else bound
    _keep(polished, repaired(region, watch), watch, bound)
    size, slow = first, 0
    most = min(LARGEST, region.problem.units)
    while polished.objective > target and slow < 2:
        watch.check()
        before = polished.objective - bound
        core = choose_core(region, size, polished.x)
        task = Task(gap=0.0, target=target, brief=True, nodes=NODES)
        ending = attempt(polished, core, task, watch, bound)
        after = polished.objective - bound
        slow = slow + 1 if after > SLOW * before and np.isfinite(after) else 0
        if size >= most and (ending is not Ending.STOPPED or np.isfinite(after)):
            return
        size = min(2 * size, most)


def attempt(polished: Polished, core: Core, task: Task, watch: Watch, bound: float) -> Ending:
    """One core, run again with tighter rows while its answer overloads any.

    Raises
    ------
    SolverError
        Where HiGHS keeps overloading rows.
    """
    region = polished.region
    tight = np.zeros(len(region.room))
    for _ in range(8):
        found = solve_core(region, core, task, watch, start=polished.x, known=bound, tighter=tight)
        if found.x is None:
            return found.ending
        over = region.totals(found.x) > region.limits
        if not over.any():
            _keep(polished, found.x, watch, bound)
            return found.ending
        tight[over] = np.maximum(10 * tight[over], CAUTION * np.abs(region.problem.rhs[over]))
        if watch.expired:
            raise OutOfTime
    raise SolverError("HiGHS keeps overloading rows of a core")


def _keep(polished: Polished, x: Indices | None, watch: Watch, bound: float) -> None:
    if x is None:
        return
    value = polished.region.value(x)
    if value < polished.objective:
        polished.x, polished.objective = x, value
        watch.report(value, bound)
