"""The search for placements: a narrow one guided by prices, then the whole problem.

Most datasets have one site that is best at the prices of the coupling rows by far; only near
ties need an integer programme. So a large problem is first solved over each unit's
near-best sites ("polish"), where the bound still is the prices' own, which holds for the whole
problem. When that does not reach the gap asked for, the whole problem is solved, without the
pairs that the prices prove dearer than the best plan so far (reduced-cost fixing).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

from placement.errors import SolverError
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.exact import ExactCheck, Overload
from placement.optimizer.highs import Ending, Outcome, Task, run
from placement.optimizer.instance import Instance
from placement.optimizer.lineage import lineage_cost
from placement.optimizer.model import Model
from placement.optimizer.progress import OutOfTime, Watch, gap_between
from placement.optimizer.relaxation import Relaxed
from placement.optimizer.whole import whole_model

SMALL = 4_000
"""Pairs up to which the whole problem is solved at once."""
NEAR_TIES = 500
"""Pairs that the first polish adds to the relaxation's own; every round triples them."""
POLISH_SHARE = 0.4
"""Share of the time left that one polish may take."""
EXACT = 1e-9
"""Relative difference below which objective and bound are one number: sums of floats."""

BELIEVED = 1e-6
"""Relative difference by which HiGHS's bound may exceed a plan's cost: its own tolerance."""


@dataclass
class Tally:
    """What the work took."""

    build_s: float = 0.0
    solve_s: float = 0.0
    variables: int = 0
    constraints: int = 0

    def count(self, model: Model) -> None:
        """The largest model tells the size."""
        self.variables = max(self.variables, len(model.problem.variables()))
        self.constraints = max(self.constraints, len(model.row_names))

    @contextmanager
    def building(self) -> Iterator[None]:
        """Time the building of a model; the collector would visit every new object in vain."""
        began, collecting = time.monotonic(), gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collecting:
                gc.enable()
            self.build_s += time.monotonic() - began


@dataclass
class Search:
    """The best plan and bound so far, and the ways to better them."""

    instance: Instance
    check: ExactCheck
    relaxed: Relaxed
    gap: float
    watch: Watch
    tally: Tally
    objective: float = np.inf
    chosen: Flags | None = None
    infeasible: bool = False
    bound: float = 0.0
    covers: list[Overload] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bound = max(0.0, self.relaxed.bound)

    @property
    def proven(self) -> bool:
        """The best plan is within the gap asked for."""
        return self.chosen is not None and self.achieved <= self.gap

    @property
    def achieved(self) -> float:
        """The gap so far; differences that are rounding count as none."""
        if self.chosen is None:
            return np.inf
        gap = gap_between(self.objective, self.bound)
        return 0.0 if gap <= EXACT else gap

    def run(self) -> None:
        """Search until the gap asked for is proven, infeasibility is, or time runs out."""
        with suppress(OutOfTime):
            if self.gap > 0 and int(self.instance.allowed.sum()) > SMALL:
                self.watch.enter("polish", None, self.bound)
                self._polish()
            if not self.proven and not self.watch.expired:
                self.watch.enter("search", self._incumbent, self.bound)
                self._whole()

    def begin_from(self, chosen: Flags | None) -> None:
        """Take a plan that was good before, if it still holds, as the best so far."""
        if chosen is not None and self.check.holds(self.instance.site_ids(chosen)):
            self.chosen, self.objective = chosen, plan_cost(self.instance, chosen)

    @property
    def _incumbent(self) -> float | None:
        return None if self.chosen is None else self.objective

    def _polish(self) -> None:
        """Near ties only, tripled until the gap is met, nothing is gained, or time is short."""
        near = NEAR_TIES
        while not self.proven and near < self.instance.allowed.sum() / 4:
            before = self.achieved
            allowed = near_ties(self.instance, self.relaxed, near)
            task = Task(gap=self.gap / 4, target=self._target, start=self.chosen, brief=True)
            limit_s = POLISH_SHARE * self.watch.left_s
            self._attempt(allowed, task, limit_s=limit_s, known_bound=self.bound)
            stalled = np.isfinite(before) and self.achieved > before / 2
            if stalled or self.watch.expired:
                return
            near *= 3

    def _whole(self) -> None:
        """Every pair that could be in a better plan; HiGHS's bound counts."""
        asked = self.gap
        while not self.proven and not self.watch.expired and asked >= self.gap / 1000:
            allowed = self._worthwhile()
            task = Task(gap=asked * 0.999, target=self._target, start=self.chosen)
            outcome = self._attempt(allowed, task)
            self.infeasible = outcome.ending is Ending.INFEASIBLE and self.chosen is None
            if self.infeasible:
                return
            if outcome.bound > self.objective + BELIEVED * max(1.0, self.objective):
                raise SolverError("HiGHS claims a bound above the cost of a plan")
            self.bound = max(self.bound, min(outcome.bound, self.objective))
            if asked == 0.0:
                break
            asked /= 10
        if not self.proven and not self.watch.expired:
            raise SolverError("HiGHS stopped before the gap asked for was proven")

    @property
    def _target(self) -> float | None:
        """A plan this dear is within the gap of the bound that is known already."""
        return self.bound / (1 - self.gap) if 0 < self.gap < 1 and self.bound > 0 else None

    def _worthwhile(self) -> Flags:
        """Pairs that could stand in a plan cheaper than the best so far, (U, S)."""
        if self.chosen is None:
            return self.instance.fitting
        room = self.objective - self.relaxed.bound
        kept: Flags = margins(self.instance, self.relaxed.reduced) <= room * (1 + EXACT)
        return (kept & self.instance.fitting) | self.chosen

    def _attempt(
        self,
        allowed: Flags,
        task: Task,
        *,
        limit_s: float = np.inf,
        known_bound: float | None = None,
    ) -> Outcome:
        """Solve over the allowed pairs until the answer holds exactly; keep it when better."""
        watch = self.watch.within(limit_s)
        while True:
            with self.tally.building():
                model = whole_model(self.instance, allowed, self.covers, self.watch).model
            self.tally.count(model)
            began = time.monotonic()
            outcome = run(model, task, watch, known_bound)
            self.tally.solve_s += time.monotonic() - began
            if outcome.values is None or self._keep(model, outcome.values) or watch.expired:
                return outcome

    def _keep(self, model: Model, values: Floats) -> bool:
        """Hold an answer against every constraint exactly; cut off what was overloaded."""
        chosen = np.zeros(model.allowed.shape, dtype=np.bool_)
        chosen[model.units, model.sites] = values > 0.5
        overloads = self.check.overloads(self.instance.site_ids(chosen))
        if overloads:
            if any(overload in self.covers for overload in overloads):
                raise SolverError(f"HiGHS keeps overloading {overloads[0].name}")
            self.covers += overloads
            return False
        objective = plan_cost(self.instance, chosen)
        if objective < self.objective:
            self.chosen, self.objective = chosen, objective
            self.watch.report(self.objective, self.bound)
        return True


def plan_cost(instance: Instance, chosen: Flags) -> float:
    """Objective of chosen pairs, (U, S), EUR a year."""
    return float(instance.cost[chosen].sum()) + lineage_cost(instance, chosen)


def margins(instance: Instance, reduced: Floats) -> Floats:
    """(U, S) how much dearer a pair is than the dearest of its unit's n_u best, never negative.

    A plan that uses the pair costs at least L plus its margin.
    """
    ordered = np.sort(reduced, axis=1)
    best = np.take_along_axis(ordered, instance.replicas[:, None] - 1, axis=1)
    return np.maximum(reduced - best, 0.0)


def near_ties(instance: Instance, relaxed: Relaxed, count: int) -> Flags:
    """(U, S) the relaxation's own pairs and about `count` next best ones.

    Four fifths of them by margin per GB, which repairs loads most cheaply, one fifth by margin.
    Units with relations that prices do not see keep their four best sites.
    """
    margin = np.where(instance.fitting, margins(instance, relaxed.reduced), np.inf)
    kept: Flags = (relaxed.support > EXACT) | (margin <= 0.0)
    volume = np.zeros(instance.units)
    for unit, datasets in enumerate(instance.members):
        volume[unit] = instance.of.volume_gb[list(datasets)].sum()
    per_gb = margin / np.maximum(volume, 1.0)[:, None]
    for order, share in ((per_gb, 0.8), (margin, 0.2)):
        rest = np.where(kept, np.inf, order).ravel()
        next_best = np.argsort(rest, kind="stable")[: int(count * share)]
        kept.flat[next_best] = True
    related = _related(instance)
    near = np.argsort(margin[related], axis=1, kind="stable")[:, :4]
    kept[related[:, None], near] = True
    return (kept | instance.forced) & instance.fitting


def _related(instance: Instance) -> Indices:
    """Units with separations, replicas or segregated duties."""
    related = instance.replicas > 1
    for pair in instance.separations:
        related[[pair.first, pair.second]] = True
    duties = {duty for rule in instance.segregations for duty in (rule.duty, rule.other)}
    for unit, datasets in enumerate(instance.members):
        if any(duties.intersection(instance.of.datasets[d].duties) for d in datasets):
            related[unit] = True
    return np.flatnonzero(related)
