"""solve_arrays(): from a problem as arrays to a plan and its proof."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from models import Termination
from placement.errors import SolverError
from placement.optimizer.arrays.dominance import without_dominated
from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.arrays.solution import ArraySolution, Warm, plan_cost, violations
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.highs import Ending
from placement.optimizer.polish.fixing import left_over
from placement.optimizer.polish.largest import Settled, mixed, settled
from placement.optimizer.polish.monolith import Whole
from placement.optimizer.polish.polishing import Polished, begin, polish, region_of, within
from placement.optimizer.polish.region import Region
from placement.optimizer.polish.resting import LocalResting
from placement.optimizer.polish.spreading import counts_of, sites_of, spread_out
from placement.optimizer.polish.vertex import VERTEX, shared_out, thinned, vertex
from placement.optimizer.polish.whole import solve_whole
from placement.optimizer.pricing.dual import bound_of, evaluate
from placement.optimizer.pricing.find import Priced, find_prices
from placement.optimizer.pricing.merge import merge
from placement.optimizer.pricing.shard import Pick
from placement.optimizer.progress import OutOfTime, Watch

_LOG = logging.getLogger("placement.optimizer")

TINY = 2_000
"""Pairs up to which the whole problem is solved at once."""
SMALL = 60_000
"""Pairs up to which the whole problem is searched after one dive."""
MANY_EACH = 4
"""Equal units of each kind from which counts are so fine that polishing gets there by itself."""
MODERATE = 600_000
"""Pairs that one HiGHS model may have after reduced costs have ruled out the others."""
MIXED = 30
"""Units that are settled first over all pairs of a small problem."""
LARGEST = 20
"""Units that are settled first, in a box round the prices, of larger ones,"""
BOXES = (1_000, 5_000, 20_000)
"""and the pairs that decide how wide it is."""
OPEN = 0.4
"""Share of the gap asked for that a box may leave open: a wider one settles them otherwise."""
LARGE = 100.0
"""where the largest one that the relaxation splits costs so many times the gap asked for."""
CLOSE = 1e-8
"""Relative distance from the bound at which it does."""
ENOUGH = 0.3
"""Share of that distance that may remain in a round that needs no more units."""
EXACT = 1e-9
"""Relative difference below which objective and bound are one number: sums of floats."""


class Way(Enum):
    """Which way a problem without relations is solved."""

    BEST = "best"
    WHOLE = "whole"
    POLISH = "polish"


def solve_arrays(
    problem: ArrayProblem,
    *,
    gap: float,
    watch: Watch,
    start: Warm | None = None,
    seed: int = 0,
    way: Way = Way.BEST,
) -> ArraySolution:
    """The cheapest sites of all units, and the proof of how good they are.

    Parameters
    ----------
    problem
        U units, S sites, R rows; every unit has a count of one: equal ones are merged here.
    gap
        (objective - bound) / objective that is good enough; 0 for a proof of optimality.
    watch
        Deadline, cancellation and progress; phases prices, sift, core, search.
    start
        Where to start from.
    seed
        Of all that is random.
    way
        Only for tests and measurements: skip what is not asked for.

    Returns
    -------
    ArraySolution
        WITHIN_GAP with a plan, TIME_LIMIT with the best plan so far, if any, and its true gap,
        or INFEASIBLE, proven by a price ray or by HiGHS.

    Raises
    ------
    SolverError
        Where HiGHS fails, or a plan does not hold against the problem.
    """
    if problem.related:
        from placement.optimizer.relations import solve_related

        return solve_related(problem, gap=gap, watch=watch, start=start, seed=seed)
    if (problem.counts != 1.0).any():
        raise SolverError("equal units are merged inside the solver, not before")
    if way is Way.BEST and problem.units * problem.sites > TINY:
        from placement.optimizer.neighbourhood import is_hard_small, solve_assignment

        if is_hard_small(problem):
            return solve_assignment(problem, gap=gap, watch=watch, seed=seed)
    search = Separable(without_dominated(problem), gap, watch, start, seed, way)
    with suppress(OutOfTime):
        search.run()
    return search.answer()


@dataclass
class Separable:
    """One solve of a problem whose units are tied by coupling rows alone."""

    problem: ArrayProblem
    gap: float
    watch: Watch
    start: Warm | None
    seed: int
    way: Way
    prices: Floats = field(init=False)
    bound: float = -np.inf
    proven_by_prices: float = -np.inf
    sites: Indices | None = None
    objective: float = np.inf
    infeasible: bool = False
    core: tuple[str, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prices = np.zeros(len(self.problem.rows))

    @property
    def achieved(self) -> float:
        """The gap so far; differences that are rounding count as none."""
        if self.sites is None:
            return np.inf
        if self.objective - self.bound <= EXACT * abs(self.objective):
            return 0.0
        return (self.objective - self.bound) / self.objective if self.objective > 0 else np.inf

    @property
    def proven(self) -> bool:
        """The best plan is within the gap asked for."""
        return self.achieved <= self.gap

    def run(self) -> None:
        """Search until the gap asked for is proven, infeasibility is, or time runs out."""
        self._take_start()
        with self._phase("prices"):
            self.watch.check()
            merging = merge(self.problem)
            self.merged, self.group_of = merging.problem, merging.group
            self.shard = LocalResting(self.merged)
            self.pairs = int(self.merged.open[self.merged.class_of].sum())
            priced = self.priced = self._priced()
            self.prices, self.bound = priced.prices, priced.bound
            self.proven_by_prices = priced.bound
        if np.isposinf(self.bound) or priced.ray is not None:
            self._is_infeasible(priced)
            return
        pairs = self.pairs
        if self.way is not Way.WHOLE and (self.way is Way.POLISH or pairs > TINY):
            few = pairs <= SMALL and self.problem.units < MANY_EACH * self.merged.units
            self._polish(self.watch, brief=few and self.way is Way.BEST)
        self.watch.check()
        if not self.proven and self.way is not Way.POLISH and pairs <= MODERATE:
            with self._phase("search"):
                self._whole()

    def answer(self) -> ArraySolution:
        """What was found."""
        if self.infeasible:
            return ArraySolution(
                Termination.INFEASIBLE, self.prices, np.inf, core=self.core, phases=self.phases
            )
        within = self.sites is not None and self.proven
        bound = self.bound
        if self.sites is not None:
            bound = self.objective if self.achieved == 0.0 else min(bound, self.objective)
        return ArraySolution(
            Termination.WITHIN_GAP if within else Termination.TIME_LIMIT,
            self.prices,
            bound,
            self.sites,
            self.objective,
            phases=self.phases,
        )

    def _priced(self) -> Priced:
        """Prices; those of a tiny problem are the duals of its relaxation."""
        if self.pairs <= TINY:
            priced = self._priced_whole()
            if priced is not None:
                return priced
        first = None if self.start is None else self.start.prices
        return find_prices(self.shard, self.watch, start=first)

    def _priced_whole(self) -> Priced | None:
        """Duals of the whole relaxation, or a ray where it is infeasible."""
        whole = Whole(self.merged)
        prices = whole.prices(self.watch)
        if prices is not None:
            proven = evaluate(self.merged, prices)
            return Priced(prices, proven.bound, proven.totals, np.inf)
        ray = whole.prices(self.watch, free=True)
        if ray is None:
            return None
        proven = evaluate(replace(self.merged, cost=np.zeros_like(self.merged.cost)), ray)
        if not proven.bound > 0.0:
            return None
        return Priced(ray, np.inf, proven.totals, np.inf, ray=ray)

    def _is_infeasible(self, priced: Priced) -> None:
        self.infeasible = True
        if priced.ray is not None:
            self.prices = priced.ray
            rows = self.problem.rows
            self.core = tuple(rows[r].name for r in np.flatnonzero(priced.ray > 0).tolist())

    def _take_start(self) -> None:
        start = self.start
        if start is not None and start.sites is not None:
            sites = start.sites.reshape(self.problem.units, -1)
            if not violations(self.problem, sites):
                self.sites, self.objective = sites, plan_cost(self.problem, sites)

    def _polish(self, watch: Watch, *, brief: bool) -> None:
        with self._phase("sift"):
            polished = Polished(*self._region(watch))
        with self._phase("core"):
            try:
                if brief:
                    polish(polished, self.bound, self.gap, watch, brief=True)
                if not within(polished.objective, self.bound, self.gap):
                    self._begin(polished, watch, few=brief)
                if not brief:
                    polish(polished, self.bound, self.gap, watch)
            finally:
                if polished.x is not None:
                    self._keep_region(polished)

    def _begin(self, polished: Polished, watch: Watch, *, few: bool) -> None:
        """Large split units keep the bound below all plans, and dives above: these come first."""
        region = polished.region
        if region.split is None or region.problem.units < self.merged.units:
            return
        largest = float(region.size[region.split].max(initial=0.0))
        if largest <= LARGE * self.gap * abs(self.bound):
            return
        try:
            begun = np.empty(0, dtype=np.intp)
            for found in self._settled(region, watch, few=few):
                self.bound = max(self.bound, found.bound)
                placed = found.placed
                if placed is not None and not np.array_equal(placed, begun):
                    rest = left_over(region, placed, found.units, watch)
                    open_still = np.inf if rest is None else rest.bound - found.bound
                    if rest is not None and open_still <= OPEN * self.gap * abs(found.bound):
                        begun = placed
                        begin(polished, found, rest, self.bound, self.gap, watch)
                if within(polished.objective, self.bound, self.gap):
                    return
        except SolverError as error:  # a help, no more: dives begin elsewhere, too
            _LOG.warning("the largest units are not settled first: %s", error)

    def _settled(self, region: Region, watch: Watch, *, few: bool) -> Iterator[Settled]:
        """The largest units, settled more and more thoroughly."""
        if few:
            yield mixed(region, MIXED, self.gap, watch)
        else:
            for columns in BOXES:
                yield settled(region, LARGEST, columns, self.gap, watch)

    def _region(self, watch: Watch) -> tuple[Pick, Region]:
        """Near ties at a vertex of the relaxation; its duals become the prices where better."""
        size = VERTEX
        while True:
            pick, region = region_of(self.shard, self.prices, watch)
            if self.priced.shares is not None and self._meets(self.priced.value):
                return thinned(self.shard, pick, shared_out(region, pick, self.priced))
            try:
                found = vertex(region, size, watch)
            except SolverError:  # only where plans begin: the best sites do, too
                return pick, region
            placed = region.at_home(found.home, found.split)
            if self._meets(found.value):
                return thinned(self.shard, pick, placed)
            part = self.shard.evaluate(found.prices, watch)
            bound = bound_of(part, found.prices, self.shard.rhs)
            nearer = found.value - max(bound, self.bound) < ENOUGH * (found.value - self.bound)
            if bound > self.bound:
                self.prices, self.bound = found.prices, bound
                self.proven_by_prices = bound
            if size >= region.problem.units:
                return thinned(self.shard, pick, placed)
            if not nearer:
                size *= 2

    def _meets(self, value: float) -> bool:
        """Whether a relaxation's value is the bound: its prices and its vertex belong together."""
        return value - self.bound <= CLOSE * abs(self.bound)

    def _keep_region(self, polished: Polished) -> None:
        """The plan of a region and of everybody at rest, one site a unit."""
        assert polished.x is not None
        rest, units = self.shard.sites, polished.pick.units
        if self.problem.units == self.merged.units:
            replicas = self.merged.replicas[self.merged.class_of[units]]
            rest[units] = -1
            own = sites_of(polished.x, replicas)
            rest[units, : own.shape[1]] = own
            self._keep(rest)
            return
        x = np.zeros((self.merged.units, self.merged.sites), dtype=np.intp)
        unit, column = np.nonzero(rest >= 0)
        np.add.at(x, (unit, rest[unit, column]), self.merged.counts[unit].astype(np.intp))
        x[units] = polished.x
        self._keep_counts(x)

    def _keep_counts(self, x: Indices) -> None:
        """A plan as copies of merged units."""
        replicas = self.problem.replicas[self.problem.class_of]
        if self.problem.units == self.merged.units:
            self._keep(sites_of(x, replicas))
        else:
            self._keep(spread_out(x, self.group_of)[:, None])

    def _keep(self, sites: Indices) -> None:
        """Hold a plan against the problem itself; keep it when better."""
        broken = violations(self.problem, sites)
        if broken:
            raise SolverError(f"the plan found breaks {broken[0]}")
        objective = plan_cost(self.problem, sites)
        if objective < self.objective:
            self.sites, self.objective = sites, objective
            self.watch.report(self.objective, self.bound)

    def _whole(self) -> None:
        start = None
        if self.sites is not None:
            shape = self.merged.units, self.merged.sites
            start = counts_of(self.sites, shape, self.group_of)
        verdict = solve_whole(
            self.merged,
            self.prices,
            proven=self.proven_by_prices,
            bound=self.bound,
            start=start,
            objective=self.objective,
            gap=self.gap,
            watch=self.watch,
        )
        self.infeasible = verdict.ending is Ending.INFEASIBLE
        self.bound = max(self.bound, verdict.bound)
        if verdict.x is not None:
            self._keep_counts(verdict.x)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        self.watch.enter(name, self.objective if self.sites is not None else None, self.bound)
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - began
