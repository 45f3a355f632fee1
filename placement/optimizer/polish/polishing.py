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
from placement.optimizer.polish.fixing import Rest, relaxed_and_fixed
from placement.optimizer.polish.largest import Settled
from placement.optimizer.polish.region import Region
from placement.optimizer.polish.repair import repaired
from placement.optimizer.polish.resting import Resting
from placement.optimizer.polish.some_sites import some_sites
from placement.optimizer.pricing.shard import Pick
from placement.optimizer.pricing.sift import TIED
from placement.optimizer.progress import OutOfTime, Watch

NEAR = 20_000
"""Units of a region: the rest stays where prices put it."""
DIVE = 1_600
"""Units of the core that is dived into: plans of smaller ones cost more and come no sooner."""
BRIEF = 400
"""The same where the whole problem is searched next."""
SEARCHED = 800
"""Units of the first core that HiGHS searches."""
NODES = 100
"""Of HiGHS's tree, the first time."""
SITES, TRIES, THOROUGHLY = 5, 60, 4
"""Of a neighbourhood, and how many of those are searched, and times that where nothing else is."""
WORTH = 1e-6
"""Relative gain of one below which it has given nothing."""
FEW = 2_000
"""Units up to which one dive is as good as batches."""
DRAWS, SITE_NODES = 1, 20
"""Seed of their sites, and nodes of HiGHS's tree."""
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
    rest = shard.settle(prices, bins, watch)
    return pick, Region(pick.problem, shard.rhs - rest.totals, rest.cost, prices)


def polish(
    polished: Polished,
    bound: float,
    gap: float,
    watch: Watch,
    *,
    brief: bool = False,
    large: bool = False,
) -> None:
    """Improve a plan until it is within the gap, or every core is exhausted.

    Dives come first, unless a plan is known already: one unit at a time, then, where that is too
    dear, batches of the largest. Then HiGHS searches neighbourhoods of a few sites, and cores of
    near ties from everywhere, longer and wider each time.

    Parameters
    ----------
    brief
        No cores: something else comes next.
    large
        Batches and neighbourhoods even then.

    Raises
    ------
    OutOfTime, SolverError
    """
    region = polished.region
    target = bound / (1 - gap) if gap < 1 and bound > 0 else bound
    most = region.problem.units
    if polished.x is None:
        _dive(polished, min(DIVE if large or not brief else BRIEF, most), target, watch, bound)
        if polished.objective > target and (large or not brief) and most > FEW:
            _keep(polished, relaxed_and_fixed(region, gap, watch), watch, bound)
    if large or not brief:
        _search_sites(polished, target, watch, bound, TRIES if large else THOROUGHLY * TRIES)
    size, nodes = SEARCHED, NODES
    while polished.objective > target and not brief:
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


def _search_sites(
    polished: Polished, target: float, watch: Watch, bound: float, tries: int
) -> None:
    """Neighbourhoods of a few sites, until half as many in a row have given next to nothing."""
    if polished.x is None or (polished.region.problem.replicas > 1).any():
        return
    random = np.random.default_rng([DRAWS, tries])
    task = Task(gap=0.0, target=target, brief=True, nodes=SITE_NODES)
    count = max(2, min(SITES, polished.region.problem.sites // 4))
    vain = 0
    for _ in range(tries):
        if polished.objective <= target or 2 * vain >= tries:
            return
        before, x = polished.objective, polished.x
        here = Polished(polished.pick, polished.region.at_home(x, None), x, before)
        attempt(here, some_sites(here.region, x, count, random), task, watch, bound)
        _keep(polished, here.x, watch, bound)
        vain = 0 if polished.objective < before - WORTH * abs(before) else vain + 1


def within(objective: float, bound: float, gap: float) -> bool:
    """Whether a plan is known whose cost is within the gap of the bound."""
    return np.isfinite(objective) and objective - bound <= gap * objective


def begin(
    polished: Polished, found: Settled, rest: Rest, bound: float, gap: float, watch: Watch
) -> None:
    """Plans with the largest units where they are settled.

    With these at rest, what is left has prices of its own, and no unit that fills a good part of
    a site: dives end close to its relaxation.

    Parameters
    ----------
    rest
        What they leave.

    Raises
    ------
    OutOfTime, SolverError
    """
    assert found.placed is not None
    others = Polished(polished.pick, rest.region)
    try:
        polish(others, bound, gap, watch, brief=True, large=True)
    finally:
        if others.x is not None:
            x = found.placed.copy()
            x[~found.units] = others.x
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
