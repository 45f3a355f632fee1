"""Related problems small enough to try every plan of."""

import numpy as np
import pytest

from models import Termination
from placement.optimizer.arrays.solution import plan_cost, violations
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish.monolith import Whole
from placement.optimizer.progress import Watch
from placement.optimizer.relations import solve_related
from placement.optimizer.relations.dual import Dual
from placement.optimizer.relations.graph import ordered
from placement.optimizer.relations.part import movable, solve_part
from placement.optimizer.relations.plans import decoded, fuse, improve, new_plan, repair, visits
from placement.optimizer.relations.tables import tables_of
from tests.relation_cases import cheapest, tiny

AMPLE = 600.0
"""Time enough for the compiler, too."""
KINDS = [
    {"units": 5, "sites": 4},
    {"units": 4, "sites": 5, "segregated": True},
    {"units": 4, "sites": 5, "replicated": True},
    {"units": 4, "sites": 4, "replicated": True, "segregated": True},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", range(4))
def test_the_answer_is_the_best_of_all_plans(kind, block):
    feasible = 0
    for seed in range(10 * block, 10 * block + 10):
        problem = tiny(seed, **kind)
        best, _ = cheapest(problem)
        solution = solve_related(problem, gap=1e-6, watch=Watch(AMPLE))
        if not np.isfinite(best):
            assert solution.termination is Termination.INFEASIBLE, seed
            assert solution.sites is None
            continue
        feasible += 1
        assert solution.termination is Termination.WITHIN_GAP, seed
        assert solution.sites is not None
        assert violations(problem, solution.sites) == []
        assert solution.objective == pytest.approx(plan_cost(problem, solution.sites), rel=1e-12)
        assert solution.objective <= best * (1 + 1e-6) + 1e-9, seed
        assert solution.bound <= best * (1 + 1e-9) + 1e-9, seed
    assert feasible >= 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", range(4))
def test_prices_messages_and_meetings_never_prove_too_much(kind, block):
    tight = []
    for seed in range(1000 + 10 * block, 1010 + 10 * block):
        problem = ordered(tiny(seed, **kind), Watch(AMPLE))[0]
        best, _ = cheapest(problem)
        if not np.isfinite(best):
            continue
        dual = Dual(problem, Watch(AMPLE))
        for tau in ((0.1,), (0.01, 0.001)):
            dual.climb(1e-9, tau)
            dual.refresh()
            assert dual.bound() <= best * (1 + 1e-12), seed
            assert dual.quick_bound() <= dual.value()
            assert dual.bound() == pytest.approx(dual.value(), rel=1e-6, abs=1e-3)
        flows = problem.lineage
        assert (dual.messages >= 0).all()
        assert (dual.messages <= flows.yearly_gb[:, None] * flows.egress * (1 + 1e-15)).all()
        assert (dual.meeting >= 0).all()
        tight.append(dual.bound() / best)
    if kind == KINDS[0]:
        assert np.mean(tight) > 0.75


@pytest.mark.parametrize("seed", range(40))
def test_any_messages_and_meetings_prove_a_bound(seed):
    problem = tiny(seed, units=4, sites=4)
    best, _ = cheapest(problem)
    rng = np.random.default_rng(seed)
    dual = Dual(problem, Watch(AMPLE))
    flows = problem.lineage
    dual.prices = rng.uniform(0, 5, len(problem.rows))
    h = flows.yearly_gb[:, None] * flows.egress
    dual.messages = h * rng.uniform(0, 1, (len(flows), problem.sites))
    dual.meeting = rng.uniform(0, 50, len(problem.apart))
    most = np.where(problem.apart.whole_operator, problem.operator_of.max() + 1, problem.sites)
    dual.place = rng.integers(0, most)
    dual.refresh()
    assert dual.bound() <= best


def test_sweeps_never_lower_the_bound():
    for seed in range(60):
        problem = tiny(seed, units=8, sites=6)
        dual = Dual(problem, Watch(AMPLE))
        before = dual.value()
        for turn in range(6):
            dual.sweep(all_ways=turn % 2 == 0)
            now = dual.value()
            assert now >= before - 1e-9 * abs(before)
            dual.refresh()
            assert dual.value() == pytest.approx(now, rel=1e-9, abs=1e-9)
            before = now


@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_the_problem_with_the_rest_at_rest(kind):
    """A part over all pairs of some units finds the best plan that moves only these."""
    compared = 0
    for seed in range(30):
        problem = ordered(tiny(seed, **kind), Watch(AMPLE))[0]
        best, plan = cheapest(problem)
        if plan is None:
            continue
        tables = tables_of(problem)
        units = np.flatnonzero(movable(problem))
        if not len(units):
            continue
        rng = np.random.default_rng(seed)
        units = np.sort(rng.choice(units, max(1, len(units) - 1), replace=False))
        state = new_plan(problem, tables, plan)
        every = np.ones((len(units), problem.sites), dtype=bool)
        found = solve_part(problem, tables, state, units, every, Task(), Watch(AMPLE))
        moved = plan.copy()
        moved[units] = found
        assert violations(problem, moved) == [], seed
        assert plan_cost(problem, moved) == pytest.approx(best, rel=1e-9), seed
        compared += 1
    assert compared >= 5


@pytest.mark.parametrize("kind", KINDS)
def test_local_search_keeps_its_books(kind):
    for seed in range(40):
        problem = ordered(tiny(seed, **kind), Watch(AMPLE))[0]
        reach = sum(
            problem.open[:, problem.operator_of == o].any(axis=1)
            for o in range(problem.operator_of.max() + 1)
        )
        if (reach < problem.replicas).any():
            continue
        watch = Watch(AMPLE)
        dual, tables = Dual(problem, watch), tables_of(problem)
        plans = [
            decoded(dual, tables, order, watch)
            for _, order in zip(range(3), visits(dual), strict=False)
        ]
        best = plans[0]
        for plan in plans[1:]:
            best = fuse(dual, tables, best, plan)
        if repair(dual, tables, best, watch):
            before = plan_cost(problem, best.at)
            improve(dual, tables, best, watch)
            assert plan_cost(problem, best.at) <= before + 1e-9
        again = new_plan(problem, tables, best.at)
        assert np.allclose(again.totals, best.totals, rtol=1e-12, atol=1e-9)
        assert (again.held == best.held).all()


def test_the_monolith_agrees():
    for seed in range(2000, 2025):
        problem = tiny(seed, units=12, sites=5, replicated=seed % 2 == 0)
        verdict = Whole(problem).solve(Task(), Watch(AMPLE))
        solution = solve_related(problem, gap=1e-6, watch=Watch(AMPLE))
        if verdict.ending is Ending.INFEASIBLE:
            assert solution.termination is Termination.INFEASIBLE
            continue
        assert solution.objective <= verdict.bound * (1 + 2e-6) + 1e-6
        assert solution.bound <= verdict.bound * (1 + 1e-6) + 1e-6
