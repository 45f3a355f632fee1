"""Rounds of cores: from prices to a plan, larger and larger cores until the gap is met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.errors import SolverError
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish.core import Core, choose_core, core_program, solve_core
from placement.optimizer.polish.dive import dive
from placement.optimizer.polish.filling import filled
from placement.optimizer.polish.largest import Settled
from placement.optimizer.polish.region import Region
from placement.optimizer.polish.repair import repaired
from placement.optimizer.polish.resting import Rest, Resting
from placement.optimizer.polish.vertex import VERTEX, vertex
from placement.optimizer.pricing.shard import Pick
from placement.optimizer.pricing.sift import TIED
from placement.optimizer.progress import OutOfTime, Watch

NEAR = 20_000
"""Units of a region: the rest stays where prices put it."""
DIVES = (1_600, 3_200)
"""Units of the cores that are dived into: plans of smaller ones cost more and come no sooner."""
BRIEF = 400
"""The same where the whole problem is searched next."""
SEARCHED = 800
"""Units of the first core that HiGHS searches."""
NODES = 100
"""Of HiGHS's tree, the first time."""
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
    """All exact ties, the units next nearest to one, and what the others leave them.

    Raises
    ------
    OutOfTime
    """
    counts = np.cumsum(shard.survey(prices, watch)[1])
    wanted = min(int(counts[TIED]) + near, int(counts[-1]))
    bins = int(np.searchsorted(counts, wanted)) + 1
    pick = shard.near(bins)
    rest: Rest = shard.settle(prices, bins, watch)
    return pick, Region(pick.problem, shard.rhs - rest.totals, rest.cost, prices)


def polish(
    polished: Polished, bound: float, gap: float, watch: Watch, *, brief: bool = False
) -> None:
    """Improve a plan until it is within the gap, or every core is exhausted.

    Dives into larger and larger cores come first, unless a plan is known already; then HiGHS
    searches cores from the best plan, longer and wider each time.

    Parameters
    ----------
    brief
        One dive and no more: the whole problem is searched next.

    Raises
    ------
    OutOfTime, SolverError
    """
    region = polished.region
    target = bound / (1 - gap) if gap < 1 and bound > 0 else bound
    most = region.problem.units
    sizes = (BRIEF,) if brief else DIVES
    for size in sizes if polished.x is None else ():
        if polished.objective <= target:
            return
        _dive(polished, min(size, most), target, watch, bound)
        if size >= most:
            break
    if brief:
        return
    size, nodes = SEARCHED, NODES
    while polished.objective > target:
        watch.check()
        before = polished.objective
        core = choose_core(region, size, polished.x)
        task = Task(gap=0.0, target=target, brief=True, nodes=nodes)
        ending = attempt(polished, core, task, watch, bound)
        if polished.x is not None:
            _keep(polished, filled(region, polished.x, bound, target, watch), watch, bound)
        if polished.objective < before:
            continue
        if ending is not Ending.STOPPED and size >= most:
            return
        size, nodes = min(2 * size, most), 2 * nodes


def begin(polished: Polished, found: Settled, bound: float, gap: float, watch: Watch) -> None:
    """Dives from where the largest units are settled, if there is a plan with them there.

    Raises
    ------
    OutOfTime, SolverError
    """
    region, placed = polished.region, found.placed
    if placed is None:
        return
    others = np.flatnonzero(~found.units)
    part = Region(
        problem=region.problem.take(others),
        room=region.room - region.totals(placed),
        elsewhere=region.value(placed),
        prices=region.prices,
    )
    start = vertex(part, VERTEX, watch)
    rest = Polished(polished.pick, part.at_home(start.home, start.split))
    target = bound / (1 - gap) if gap < 1 and bound > 0 else bound
    _dive(rest, min(DIVES[0], len(others)), target, watch, bound)
    if rest.x is not None:
        x = placed.copy()
        x[others] = rest.x
        _keep(polished, x, watch, bound)


def _dive(polished: Polished, size: int, target: float, watch: Watch, bound: float) -> None:
    """Dive, repair what that leaves overloaded, fill what it leaves free."""
    region = polished.region
    x = repaired(region, watch, dive(region, choose_core(region, size, None), watch))
    _keep(polished, x, watch, bound)
    if x is not None and polished.objective > target:
        _keep(polished, filled(region, x, bound, target, watch), watch, bound)


def attempt(polished: Polished, core: Core, task: Task, watch: Watch, bound: float) -> Ending:
    """One core, run again with tighter rows while its answer overloads any.

    Raises
    ------
    OutOfTime, SolverError
    """
    region = polished.region
    tight = np.zeros(len(region.room))
    for _ in range(8):
        made = core_program(region, core, tight)
        found = solve_core(made, task, watch, start=polished.x, known=bound)
        if found.x is None:
            return found.ending
        if not len(made.unit):
            return (
                found.ending
                if (region.totals(found.x) <= region.limits).all()
                else Ending.INFEASIBLE
            )
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
