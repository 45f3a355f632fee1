"""solve_assignment(): prices, annealed chains, and core programmes that prove, in turns."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from models import Termination
from placement.errors import SolverError
from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.arrays.solution import ArraySolution, plan_cost, violations
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.neighbourhood.annealing import Annealer
from placement.optimizer.neighbourhood.exact import open_pairs, solve_core
from placement.optimizer.neighbourhood.pairs import Pairs, pairs_of
from placement.optimizer.neighbourhood.ready import make_ready
from placement.optimizer.neighbourhood.schedule import Round, rounds_for
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.progress import OutOfTime, Watch

MOST_PAIRS = 400_000
"""Pairs up to which dense arrays and chains over all of them are worth it."""
UNITS_A_SITE = 2
FIRST_PAIRS = 5_000
"""Pairs up to which HiGHS is asked before any search."""
CORE_PAIRS = 6_000
"""Pairs of a core programme that HiGHS may be asked to prove."""
CORE_SHARE = 0.3
"""Share of the time left that one core programme may take."""
SHRUNK = 0.8
"""A core is asked again once it has shrunk to this."""
EXACT = 1e-9


def is_hard_small(problem: ArrayProblem) -> bool:
    """Whether every pair has its own cost and weight and there are few: no near duplicates.

    True where classes are about as many as units and units weigh differently at different sites;
    one replica, no relations, no counts. Datasets weigh the same wherever they rest.
    """
    return (
        not problem.related
        and _weighs_by_pair(problem)
        and problem.units * problem.sites <= MOST_PAIRS
        and problem.units >= UNITS_A_SITE * problem.sites
        and 2 * len(np.unique(problem.class_of)) >= problem.units
        and bool((problem.counts == 1.0).all())
        and bool((problem.replicas[problem.class_of] == 1).all())
    )


def _weighs_by_pair(problem: ArrayProblem) -> bool:
    """Whether most units weigh differently in two rows of one site each."""
    own = [row.weights[:, 0, 0] for row in problem.rows if row.weights.shape[1:] == (1, 1)]
    dense = [weights for weights in own if len(weights) == problem.classes]
    if len(dense) < 2:
        return False
    differ = np.zeros(problem.classes, dtype=np.bool_)
    for weights in dense[1:]:
        differ |= weights != dense[0]
    return bool(2 * differ.sum() > problem.classes)


def solve_assignment(
    problem: ArrayProblem, *, gap: float, watch: Watch, seed: int = 0
) -> ArraySolution:
    """The cheapest sites of all units, and the proof of how good they are.

    Parameters
    ----------
    problem
        As `is_hard_small` wants it.
    gap
        (objective - bound) / objective that is good enough; 0 for a proof of optimality.

    Returns
    -------
    ArraySolution
        WITHIN_GAP with a plan, TIME_LIMIT with the best so far, if any, or INFEASIBLE.

    Raises
    ------
    SolverError
        Where HiGHS fails, or a plan does not hold against the problem.
    """
    solve = _Solve(problem, pairs_of(problem), gap, watch, seed)
    with suppress(OutOfTime):
        solve.run()
    return solve.answer()


@dataclass
class _Solve:
    problem: ArrayProblem
    pairs: Pairs
    gap: float
    watch: Watch
    seed: int
    prices: Floats = field(init=False)
    bound: float = -np.inf
    proven_by_prices: float = -np.inf
    objective: float = np.inf
    sites: Indices | None = None
    asked: float = np.inf
    """Pairs of the last core programme that was left unproven."""
    core: tuple[str, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prices = np.zeros(len(self.problem.rows))

    @property
    def done(self) -> bool:
        """The gap asked for is proven, or that there is no plan."""
        if np.isposinf(self.bound):
            return True
        room = max(self.gap * self.objective, EXACT * abs(self.objective))
        return self.sites is not None and self.objective - self.bound <= room

    def run(self) -> None:
        """Chains and core programmes in turns."""
        self._price()
        if self.done:
            return
        searches = Annealer(self.pairs, self.prices, self.seed)
        if np.isfinite(self.pairs.cost).sum() <= FIRST_PAIRS:
            self._prove(searches.reduced)
        rounds = enumerate(rounds_for(self.problem.units))
        while not self.done:
            number, task = next(rounds)
            make_ready(self.watch)
            self._search(searches, number, task)
            if not self.done:
                self._prove(searches.reduced)

    def answer(self) -> ArraySolution:
        """What was found."""
        if np.isposinf(self.bound):
            return ArraySolution(
                Termination.INFEASIBLE, self.prices, np.inf, core=self.core, phases=self.phases
            )
        return ArraySolution(
            Termination.WITHIN_GAP if self.done else Termination.TIME_LIMIT,
            self.prices,
            min(self.bound, self.objective),
            None if self.sites is None else self.sites[:, None],
            self.objective,
            phases=self.phases,
        )

    def _price(self) -> None:
        began = time.monotonic()
        self.watch.enter("prices")
        self.watch.check()
        priced = find_prices(self.problem, self.watch)
        self.prices, self.bound = priced.prices, priced.bound
        if priced.ray is not None:
            rows = self.problem.rows
            self.prices, self.bound = priced.ray, np.inf
            self.core = tuple(rows[r].name for r in np.flatnonzero(priced.ray > 0).tolist())
        elif np.isfinite(self.bound):
            self.proven_by_prices = max(self.bound, self.pairs.bound(self.prices))
            self.bound = self.pairs.rounded(self.proven_by_prices)
        self._count("prices", began)

    def _search(self, searches: Annealer, number: int, task: Round) -> None:
        began = time.monotonic()
        self.watch.enter("search", self._incumbent(), self.bound)
        self.watch.check()
        found = searches.round(number, task, self.watch, self.sites)
        if found.cost < self.objective:
            self._keep(found.sites)
        self._count("search", began)

    def _prove(self, reduced: Floats) -> None:
        kept = open_pairs(self.pairs, reduced, self.proven_by_prices, self.objective)
        size = int(kept.sum())
        if size > min(CORE_PAIRS, SHRUNK * self.asked):
            return
        began = time.monotonic()
        self.watch.enter("core", self._incumbent(), self.bound)
        part = self.watch.within(CORE_SHARE * self.watch.left_s)
        verdict = solve_core(self.pairs, kept, part, start=self.sites, objective=self.objective)
        self.bound = max(self.bound, verdict.bound)
        if verdict.sites is not None and self.pairs.cost_of(verdict.sites) < self.objective:
            self._keep(verdict.sites)
        self.asked = size
        self._count("core", began)

    def _keep(self, sites: Indices) -> None:
        broken = violations(self.problem, sites)
        if broken:
            raise SolverError(f"the plan found breaks {broken[0]}")
        self.sites, self.objective = sites, plan_cost(self.problem, sites)
        self.watch.report(self.objective, self.bound)

    def _incumbent(self) -> float | None:
        return None if self.sites is None else self.objective

    def _count(self, phase: str, began: float) -> None:
        self.phases[phase] = self.phases.get(phase, 0.0) + time.monotonic() - began
