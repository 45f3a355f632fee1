"""solve_related(): endings, cancellation, order of input, a warm start, progress."""

from dataclasses import replace
from threading import Event

import numba
import numpy as np
import pytest

from models import Termination
from placement.optimizer.arrays.problem import Apart, ArrayProblem, Lineage, Row, Segregation
from placement.optimizer.arrays.solution import Warm, plan_cost, violations
from placement.optimizer.compiling import compiled
from placement.optimizer.progress import Progress, Watch
from placement.optimizer.relations import dual as dual_module
from placement.optimizer.relations import plans, solve_related, sweeping
from placement.optimizer.relations.dual import Dual
from placement.optimizer.relations.graph import ordered
from placement.optimizer.relations.ready import make_ready
from placement.optimizer.relations.solve import Related
from tests.benchmarks.instances import Recipe, make_instance

AMPLE = 600.0
"""Time enough for the compiler, too."""
GAP = 2e-2
LOOKS_MORE = 12
"""At a watch after it was cancelled: one in each thread, and those of phases that end."""
RECIPE = Recipe(900, 8, seed=3, edges=1.5, apart=0.05, migration=True)


@pytest.fixture(scope="module")
def problem():
    return make_instance(RECIPE)


@pytest.fixture(scope="module")
def solution(problem):
    return solve_related(problem, gap=GAP, watch=Watch(AMPLE))


def test_a_made_problem_is_solved_within_the_gap(problem, solution):
    assert solution.termination is Termination.WITHIN_GAP
    assert solution.gap <= GAP
    assert violations(problem, solution.sites) == []
    assert solution.objective == pytest.approx(plan_cost(problem, solution.sites), rel=1e-12)
    assert set(solution.phases) >= {"prices", "relations"}


def test_the_published_numbers_prove_the_bound(problem, solution):
    """Prices, messages and meetings of the answer, and nothing else, give the bound."""
    flows, apart, of = problem.lineage, problem.apart, problem.operator_of
    h = flows.yearly_gb[:, None] * flows.egress
    assert (solution.messages >= 0).all()
    assert (solution.messages <= h * (1 + 1e-15)).all()
    theta = np.einsum("ufs,fu->us", problem.cost[problem.class_of], problem.features)
    constant = solution.apart_prices.sum()
    for row, price in zip(problem.rows, solution.prices, strict=True):
        w = np.broadcast_to(row.weights, (problem.classes, *row.weights.shape[1:]))
        phi = problem.features[row.features]
        theta[:, row.sites] += price * np.einsum("ufs,fu->us", w[problem.class_of], phi)
        constant += price * row.rhs
    for o in np.unique(of):
        granted = solution.messages[:, of == o].max(axis=1)
        for at in np.flatnonzero(of == o):
            np.add.at(theta[:, at], flows.source, solution.messages[:, at])
            np.add.at(theta[:, at], flows.derived, -granted)
    for s in range(problem.sites):
        here = np.where(apart.whole_operator, of[s], s) == solution.apart_places
        for ends in (apart.first, apart.second):
            np.add.at(theta[:, s], ends[here], solution.apart_prices[here])
    theta[~problem.open[problem.class_of]] = np.inf
    assert theta.min(axis=1).sum() - constant == pytest.approx(solution.bound, rel=1e-9)


def test_the_order_of_flows_and_pairs_is_of_no_matter(problem, solution):
    rng = np.random.default_rng(0)
    f, q = rng.permutation(len(problem.lineage)), rng.permutation(len(problem.apart))
    flows, apart = problem.lineage, problem.apart
    shuffled = replace(
        problem,
        lineage=Lineage(flows.source[f], flows.derived[f], flows.yearly_gb[f], flows.egress),
        apart=Apart(apart.second[q], apart.first[q], apart.whole_operator[q]),
    )
    other = solve_related(shuffled, gap=GAP, watch=Watch(AMPLE))
    assert (other.sites == solution.sites).all()
    assert (other.prices == solution.prices).all()
    assert (other.messages == solution.messages[f]).all()
    assert (other.apart_prices == solution.apart_prices[q]).all()


def test_a_cancelled_solve_ends_at_once_with_what_it_has(problem):
    cancel = Event()
    cancel.set()
    solution = solve_related(problem, gap=1e-6, watch=Watch(AMPLE, cancel=cancel))
    assert solution.termination is Termination.TIME_LIMIT
    assert solution.sites is None
    assert np.isinf(solution.objective)


def test_cancelling_on_the_way_keeps_plan_and_bound(problem, solution):
    cancel = Event()

    def hear(progress):
        if progress.phase == "relations" and progress.incumbent is not None:
            cancel.set()

    part = solve_related(problem, gap=0.0, watch=Watch(AMPLE, hear, cancel))
    assert part.termination is Termination.TIME_LIMIT
    assert part.sites is not None
    assert violations(problem, part.sites) == []
    assert part.bound <= solution.objective
    assert part.objective >= solution.bound


def test_progress_never_contradicts_itself(problem):
    seen: list[Progress] = []
    solve_related(problem, gap=GAP, watch=Watch(AMPLE, seen.append))
    assert {p.phase for p in seen} >= {"prices", "relations"}
    known = [
        (p.incumbent, p.bound) for p in seen if p.incumbent is not None and p.bound is not None
    ]
    assert all(bound <= incumbent for incumbent, bound in known)
    plans = [incumbent for incumbent, _ in known]
    assert plans == sorted(plans, reverse=True)


def test_a_warm_start_is_never_made_worse(problem, solution):
    warm = solve_related(problem, gap=GAP, watch=Watch(AMPLE), start=Warm.of(solution))
    assert warm.objective <= solution.objective
    assert warm.termination is Termination.WITHIN_GAP


def test_an_earlier_answer_saves_most_sweeps(problem, solution):
    """One class loses the site that its first unit had; cold and warm to the same gap."""
    unit = next(u for u in range(problem.units) if problem.open[problem.class_of[u]].sum() > 1)
    opened = problem.open.copy()
    opened[problem.class_of[unit], solution.sites[unit, 0]] = False
    changed = replace(problem, open=opened, cost=np.where(opened[:, None], problem.cost, 0.0))
    cold = Related(*ordered(changed, Watch(AMPLE))[:1], GAP, Watch(AMPLE), None, 0)
    cold.run()
    _, flows, pairs = ordered(problem, Watch(AMPLE))
    start = replace(
        Warm.of(solution),
        messages=solution.messages[flows],
        apart_places=solution.apart_places[pairs],
        apart_prices=solution.apart_prices[pairs],
    )
    warm = Related(*ordered(changed, Watch(AMPLE))[:1], GAP, Watch(AMPLE), start, 0)
    warm.run()
    assert warm.done
    assert cold.done
    assert warm.sites is not None
    assert violations(changed, warm.sites) == []
    assert warm.dual is not None
    assert cold.dual is not None
    assert warm.dual.sweeps < 0.6 * cold.dual.sweeps
    assert warm.dual.steps < 0.6 * cold.dual.steps


def test_messages_of_another_problem_are_cut_to_what_is_valid(problem, solution):
    start = replace(Warm.of(solution), messages=solution.messages * 50.0)
    warm = solve_related(problem, gap=GAP, watch=Watch(AMPLE), start=start)
    assert warm.bound <= solution.objective
    other = replace(Warm.of(solution), messages=solution.messages[:-1])
    assert solve_related(problem, gap=GAP, watch=Watch(AMPLE), start=other).gap <= GAP


def test_nothing_is_kept_on_disk_where_no_folder_can_be_written_to(monkeypatch):
    compile_with = numba.njit

    def without_folder(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return compile_with(**options)

    monkeypatch.setattr(numba, "njit", without_folder)
    assert compiled(lambda x: x + 1)(2) == 3


def test_sweeps_by_two_threads_raise_the_bound_the_same_way(problem, monkeypatch):
    monkeypatch.setattr(sweeping, "ALONE", 100)
    values = []
    for _ in range(2):
        dual = Dual(ordered(problem, Watch(AMPLE))[0], Watch(AMPLE))
        seen = [dual.value()]
        for turn in range(6):
            dual.sweep(large=turn % 2 == 1)
            seen.append(dual.value())
        assert seen == sorted(seen)
        dual.refresh()
        assert dual.value() == pytest.approx(seen[-1], rel=1e-9)
        values.append(seen)
    assert values[0] == values[1]


def test_replicas_of_some_classes():
    made = make_instance(replace(RECIPE, units=800, replicated=0.1))
    solution = solve_related(made, gap=5e-3, watch=Watch(AMPLE))
    assert solution.sites is not None
    assert violations(made, solution.sites) == []
    assert (made.replicas[made.class_of] == (solution.sites >= 0).sum(axis=1)).all()
    assert solution.bound <= solution.objective


def two(rows=(), **relations):
    """Two units, two sites of one operator each."""
    none = np.empty(0, dtype=np.intp)
    relations.setdefault("apart", Apart(none, none, np.empty(0, dtype=bool)))
    return ArrayProblem(
        class_of=np.arange(2),
        features=np.ones((1, 2)),
        counts=np.ones(2),
        cost=np.array([[[1.0, 5.0]], [[1.0, 7.0]]]),
        open=np.ones((2, 2), dtype=bool),
        replicas=np.ones(2, dtype=np.intp),
        operator_of=np.arange(2),
        rows=tuple(rows),
        **relations,
    )


APART = Apart(np.array([0]), np.array([1]), np.array([False]))


def test_the_price_of_a_meeting_closes_the_gap():
    problem = two(apart=APART)
    dual = Dual(ordered(problem, Watch(AMPLE))[0], Watch(AMPLE))
    dual.climb(1e-9)
    assert dual.bound() == pytest.approx(6.0)
    solution = solve_related(problem, gap=1e-9, watch=Watch(AMPLE))
    assert solution.objective == 6.0
    assert solution.sites is not None
    assert solution.sites.ravel().tolist() == [1, 0]


def test_no_room_apart_is_infeasible():
    full = [Row("capacity[1]", np.array([1]), np.array([0]), np.ones((1, 1, 1)), 0.0)]
    solution = solve_related(two(full, apart=APART), gap=1e-6, watch=Watch(AMPLE))
    assert solution.termination is Termination.INFEASIBLE
    assert solution.bound == np.inf
    assert solution.sites is None


def test_segregated_duties_do_not_meet():
    rule = Segregation(0, np.array([True, False]), np.array([False, True]))
    problem = two(segregations=(rule,))
    solution = solve_related(problem, gap=1e-9, watch=Watch(AMPLE))
    assert solution.sites is not None
    assert violations(problem, solution.sites) == []
    assert solution.objective == 6.0


def test_a_flow_keeps_source_and_derived_unit_together():
    flows = Lineage(np.array([0]), np.array([1]), np.array([100.0]), np.array([1.0, 1.0]))
    problem = two(lineage=flows)
    dear = replace(problem, cost=np.array([[[1.0, 5.0]], [[9.0, 7.0]]]))
    solution = solve_related(dear, gap=1e-9, watch=Watch(AMPLE))
    assert solution.objective == 10.0
    assert solution.sites is not None
    assert solution.sites.ravel().tolist() == [0, 0]
    assert solution.bound == pytest.approx(10.0)


class Counting(Watch):
    """A watch that somebody cancels at its n-th look; it counts how often it is looked at."""

    def __init__(self, allowed: int) -> None:
        super().__init__(AMPLE)
        self.allowed, self.looks = allowed, 0

    @property
    def cancelled(self) -> bool:
        self.looks += 1
        return self.looks > self.allowed


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_cancelled_solve_works_on_nowhere(monkeypatch, share):
    """Whenever that happens: a look or two later there is an answer, and it is true."""
    monkeypatch.setattr(sweeping, "ALONE", 100)
    monkeypatch.setattr(dual_module, "PORTION", 300)
    monkeypatch.setattr(plans, "BLOCK", 300)
    make_ready(Watch(AMPLE))
    made = make_instance(replace(RECIPE, units=1500))
    whole = Counting(10**9)
    best = solve_related(made, gap=GAP, watch=whole)
    watch = Counting(int(share * whole.looks))
    part = solve_related(made, gap=GAP, watch=watch)
    assert watch.looks - watch.allowed <= LOOKS_MORE
    assert part.termination is Termination.TIME_LIMIT
    assert part.bound <= best.objective
    if part.sites is not None:
        assert violations(made, part.sites) == []
        assert part.objective >= best.bound
