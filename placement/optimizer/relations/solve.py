"""solve_related(): from a problem with relations to a plan and its proof."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from models import Termination
from placement.errors import SolverError
from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.arrays.solution import ArraySolution, Warm, plan_cost, violations
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish.monolith import Whole
from placement.optimizer.polish.spreading import counts_of, sites_of
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.progress import OutOfTime, Watch
from placement.optimizer.relations.cores import Core, cores
from placement.optimizer.relations.dual import TEMPERATURES, Dual
from placement.optimizer.relations.graph import ordered
from placement.optimizer.relations.messages import BIG, SHUT
from placement.optimizer.relations.part import Plan, movable, move, nowhere, solve_part
from placement.optimizer.relations.plans import (
    decoded,
    fuse,
    improve,
    lagrangian,
    new_plan,
    repair,
    visits,
)
from placement.optimizer.relations.ready import make_ready
from placement.optimizer.relations.starting import as_given, sorted_start
from placement.optimizer.relations.tables import tables_of

SMALL = 12_000
"""Open pairs up to which the whole problem is one integer programme."""
EXACT = 1e-9
"""Relative difference below which objective and bound are one number: sums of floats."""
DECODINGS = 10
REPAIRED = 2
"""Of so many pairs of decodings one is made feasible on the way."""
ENOUGH = 0.2
"""Share of the gap asked for that plans may leave at the prices."""
CORES_GAIN, CORE_GAIN = 0.1, 0.02
"""Share of the gap asked for that a round of integer programmes, or one, must gain for another."""
FEW, MOST = 1_500, 6_000
"""Units of the first integer programmes, and of the largest."""
AIMED = 0.95
"""Share of the gap asked for at which an integer programme may stop."""
CORE_S = 10.0
"""Seconds an integer programme may take."""
LAST_STEPS = (0.001, 0.0003)
WARM = (0.003, 0.001, 0.0003)
"""Temperatures from prices and messages of a similar problem."""


def solve_related(
    problem: ArrayProblem,
    *,
    gap: float,
    watch: Watch,
    start: Warm | None = None,
    seed: int = 0,
) -> ArraySolution:
    """The cheapest sites of related units, and the proof of how good they are.

    Parameters
    ----------
    problem
        U units, S sites, R rows, with flows, separated pairs or segregations.
    gap
        (objective - bound) / objective that is good enough.
    watch
        Deadline, cancellation and progress; phases prices, relations, core.
    start
        Prices and a plan to start from.
    seed
        Of all that is random.

    Returns
    -------
    ArraySolution
        WITHIN_GAP with a plan, TIME_LIMIT with the best plan so far, if any, and its true gap, or
        INFEASIBLE, proven by prices or by HiGHS.

    Raises
    ------
    SolverError
        Where HiGHS fails, or a plan does not hold against the problem.
    """
    try:
        sorted_problem, flows, pairs = ordered(problem, watch)
    except OutOfTime:
        return ArraySolution(Termination.TIME_LIMIT, np.zeros(len(problem.rows)), -np.inf)
    search = Related(sorted_problem, gap, watch, sorted_start(start, flows, pairs), seed)
    with suppress(OutOfTime):
        search.run()
    return as_given(search.answer(), flows, pairs)


@dataclass
class Related:
    """One solve of a related problem."""

    problem: ArrayProblem
    gap: float
    watch: Watch
    start: Warm | None
    seed: int
    dual: Dual | None = None
    proven: float = -np.inf
    """By prices, messages and meetings."""
    stale: bool = True
    """The dual has moved on since `proven`."""
    bound: float = -np.inf
    """The best known, by HiGHS or by the dual."""
    sites: Indices | None = None
    objective: float = np.inf
    decoded: bool = False
    """Once, quickly: integer programmes make more of a plan than another one does."""
    infeasible: bool = False
    ray: Floats | None = None
    core: tuple[str, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)

    @property
    def achieved(self) -> float:
        """The gap so far; differences that are rounding count as none."""
        if self.sites is None:
            return np.inf
        if self.objective - self.bound <= EXACT * abs(self.objective):
            return 0.0
        return (self.objective - self.bound) / self.objective if self.objective > 0 else np.inf

    @property
    def done(self) -> bool:
        """The best plan is within the gap asked for."""
        return self.achieved <= self.gap

    def run(self) -> None:
        """Search until the gap asked for is proven, infeasibility is, or time runs out."""
        self._take_start()
        if nowhere(self.problem):
            self.infeasible = True
            return
        with self._phase("prices"):
            make_ready(self.watch)
            self.watch.check()
            self.dual = Dual(self.problem, self.watch)
            warm = self._take_prices()
            self.dual.climb(self.gap, WARM if warm else TEMPERATURES)
            self._prove()
        self.watch.check()
        self.tables = tables_of(self.problem)
        self.watch.check()
        self.free = movable(self.problem)
        small = int(self.problem.open[self.problem.class_of].sum()) <= SMALL
        with self._phase("relations"):
            self._decode()
        if small and not self.done:
            with self._phase("core"):
                self._whole()
            return
        self._improve()
        if self.sites is None:
            with self._phase("prices"):
                self._why_none()

    def _improve(self) -> None:
        """Cores while they bring enough, else better prices and new decodings, until done."""
        assert self.dual is not None
        rng, size = np.random.default_rng(self.seed), FEW
        while self.sites is not None and not self.done:
            with self._phase("core"):
                gained = self._cores(rng, size)
            size = min(MOST, 2 * size)
            missing = (self.achieved - self.gap) * self.objective
            if gained > max(CORES_GAIN * self.gap * self.objective, 0.5 * missing):
                continue
            if not self.done:
                with self._phase("prices"):
                    self.dual.climb(self.gap / 10, LAST_STEPS)
                    self._prove()
                with self._phase("relations"):
                    self._decode()

    def answer(self) -> ArraySolution:
        """What was found."""
        none = np.zeros(len(self.problem.rows))
        if self.infeasible:
            prices = none if self.ray is None else self.ray
            return ArraySolution(
                Termination.INFEASIBLE, prices, np.inf, core=self.core, phases=self.phases
            )
        if self.dual is not None:
            self._take_bound(self.dual)
        within = self.sites is not None and self.done
        return ArraySolution(
            Termination.WITHIN_GAP if within else Termination.TIME_LIMIT,
            none if self.dual is None else self.dual.prices,
            min(self.bound, self.objective),
            self.sites,
            self.objective,
            messages=None if self.dual is None else self.dual.messages,
            apart_places=None if self.dual is None else self.dual.place,
            apart_prices=None if self.dual is None else self.dual.meeting,
            phases=self.phases,
        )

    def _take_bound(self, dual: Dual) -> None:
        """What the dual has proved so far, without another pass over everything."""
        if self.stale and dual.whole:
            dual.quick_bound()
        self.bound = max(self.bound, dual.reached)

    def _take_start(self) -> None:
        if self.start is not None and self.start.sites is not None:
            sites = self.start.sites.reshape(self.problem.units, -1)
            if not violations(self.problem, sites):
                self._keep(sites)

    def _take_prices(self) -> bool:
        """Begin with what an earlier answer proved; whether its messages fit this problem."""
        assert self.dual is not None
        start = self.start
        if start is None or len(start.prices) != len(self.problem.rows):
            return False
        self.dual.set_prices(start.prices)
        if start.messages is None or start.messages.shape != self.dual.messages.shape:
            return False
        self.dual.set_messages(start.messages)
        if start.apart_places is not None and start.apart_prices is not None:
            self.dual.set_meetings(start.apart_places, start.apart_prices)
        return True

    def _prove(self) -> None:
        """The bound of the dual as it is, rounded down."""
        assert self.dual is not None
        self.stale = True
        self._take_bound(self.dual)
        self.dual.refresh()
        self.proven = self.dual.bound()
        self.stale = False
        self.bound = max(self.bound, self.proven)
        self._report()

    def _decode(self) -> None:
        """Plans from the dual in several orders, fused; the best is made feasible."""
        assert self.dual is not None
        dual, tables = self.dual, self.tables
        best = None if self.sites is None else new_plan(self.problem, tables, self.sites)
        if self.problem.segregations:
            best = self._with_sides(best)
        orders = visits(dual)
        quick, self.decoded = not self.decoded, True
        for turn in range(DECODINGS // 2):
            for plan in self._two_decoded(next(orders), next(orders)):
                best = plan if best is None else fuse(dual, tables, best, plan)
            if turn % REPAIRED == 0:
                self._repaired(best)
            assert best is not None
            if quick and self.sites is not None:
                return
            regret = lagrangian(dual, tables, best) - dual.value()
            if self.done or (turn and regret < ENOUGH * self.gap * abs(self.bound)):
                break
            if turn:
                self.stale = True
                dual.sweep(large=True)
                dual.sweep()
        if self.stale:
            self._prove()
        if not self.done and best is not None:
            self._repaired(best)

    def _two_decoded(self, *orders: Indices) -> list[Plan]:
        """A plan for either order, side by side."""
        dual, tables, watch = self.dual, self.tables, self.watch
        assert dual is not None
        with ThreadPoolExecutor(len(orders)) as pool:
            return list(pool.map(lambda order: decoded(dual, tables, order, watch), orders))

    def _repaired(self, best: Plan | None) -> None:
        """A copy made to hold, kept where it is a plan."""
        assert self.dual is not None
        assert best is not None
        plan = best.copy()
        if repair(self.dual, self.tables, plan, self.watch):
            if self.sites is None:
                self._keep(plan.at)
            improve(self.dual, self.tables, plan, self.watch)
            self._keep(plan.at)

    def _with_sides(self, best: Plan | None) -> Plan | None:
        """Each choice of who may rest where duties are segregated, few rules at a time."""
        assert self.dual is not None
        dual, k = self.dual, self.problem.class_of
        every = self.problem.segregations
        for rules in (every[begin : begin + 3] for begin in range(0, len(every), 3)):
            for sides in product((0, 1), repeat=len(rules)):
                saved = []
                for rule, side in zip(rules, sides, strict=True):
                    closed = np.flatnonzero((rule.one if side else rule.other)[k])
                    saved.append((closed, rule.site, dual.theta[closed, rule.site]))
                    dual.theta[closed, rule.site] = BIG
                plan = decoded(dual, self.tables, next(visits(dual)), self.watch)
                for closed, site, values in reversed(saved):
                    dual.theta[closed, site] = values
                self._repaired(plan)
                best = plan if best is None else fuse(dual, self.tables, best, plan)
        return best

    def _cores(self, rng: np.random.Generator, size: int) -> float:
        """A round of integer programmes, while they bring enough; EUR a year gained."""
        assert self.dual is not None
        assert self.sites is not None
        before = self.objective
        plan = new_plan(self.problem, self.tables, self.sites)
        try:
            for core in cores(self.dual, self.tables, plan, self.free, rng, size):
                last = self.objective
                self._solve_core(plan, core)
                self._keep(plan.at)
                if self.done or last - self.objective < CORE_GAIN * self.gap * last:
                    break
            improve(self.dual, self.tables, plan, self.watch)
        finally:
            self._keep(plan.at)
        return before - self.objective

    def _solve_core(self, plan: Plan, core: Core) -> None:
        """One integer programme; the plan moves where it brings something."""
        self.watch.check()
        watch = self.watch.quiet().within(CORE_S)
        p, t, task = self.problem, self.tables, Task(gap=1e-7, brief=True)
        enough = self.objective - self.bound / (1.0 - AIMED * self.gap)
        with suppress(OutOfTime):
            found = solve_part(p, t, plan, core.units, core.near, task, watch, enough=enough)
            if found is not None:
                move(t, plan, core.units, found)

    def _whole(self) -> None:
        """Everything at once."""
        shape = self.problem.units, self.problem.sites
        first = None if self.sites is None else counts_of(self.sites, shape)
        verdict = Whole(self.problem).solve(
            Task(gap=self.gap * 0.99), self.watch, start=first, known=self.bound
        )
        if verdict.ending is Ending.INFEASIBLE:
            if self.sites is not None:
                raise SolverError("HiGHS finds no plan where one is known")
            self.infeasible = True
            return
        self.bound = max(self.bound, verdict.bound)
        if verdict.x is not None:
            self._keep(sites_of(verdict.x, self.problem.replicas[self.problem.class_of]))

    def _why_none(self) -> None:
        """Prices alone may prove that no plan exists."""
        priced = find_prices(self.problem, self.watch)
        if priced.ray is not None or priced.bound >= SHUT:
            self.infeasible, self.ray = True, priced.ray

    def _keep(self, sites: Indices) -> None:
        """Hold a plan against the problem itself; keep it when it holds and is better."""
        objective = plan_cost(self.problem, sites)
        if objective < self.objective and not violations(self.problem, sites):
            self.sites, self.objective = np.sort(sites, axis=1), objective
            self._order_replicas()
            self._report()

    def _order_replicas(self) -> None:
        """Sites ascending, -1 behind a unit's last."""
        assert self.sites is not None
        far = np.where(self.sites < 0, np.iinfo(np.intp).max, self.sites)
        far.sort(axis=1)
        self.sites = np.where(far == np.iinfo(np.intp).max, -1, far)

    def _report(self) -> None:
        known = self.objective if self.sites is not None else None
        self.watch.report(known, self.bound if np.isfinite(self.bound) else None)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        bound = self.bound if np.isfinite(self.bound) else None
        self.watch.enter(name, self.objective if self.sites is not None else None, bound)
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - began
