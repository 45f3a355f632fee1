"""Every way to solve a problem as arrays says the same: 2,000 random ones, and all plans tried."""

import numpy as np
import pytest

from models import Termination
from placement.optimizer.arrays.solution import plan_cost, violations
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish import solve
from placement.optimizer.polish.monolith import Whole
from placement.optimizer.polish.solve import Way, solve_arrays
from placement.optimizer.polish.spreading import sites_of
from placement.optimizer.progress import Watch
from tests.array_cases import cheapest_by_trying, random_problem

GAP = 1e-3
ROUNDING = 1e-6


def reference(problem):
    """Least cost by the whole model, inf where HiGHS proves that there is no plan."""
    verdict = Whole(problem).solve(Task(), Watch(30.0))
    if verdict.x is None:
        assert verdict.ending is Ending.INFEASIBLE
        return np.inf
    return plan_cost(problem, sites_of(verdict.x, problem.replicas[problem.class_of]))


def agrees(problem, solution, least, gap):
    slack = ROUNDING * max(1.0, least) if np.isfinite(least) else 0.0
    if solution.sites is not None:
        assert violations(problem, solution.sites) == []
        assert solution.objective == pytest.approx(plan_cost(problem, solution.sites))
        assert solution.objective >= least - slack
    if solution.termination is Termination.INFEASIBLE:
        assert least == np.inf
        assert solution.bound == np.inf
    else:
        assert solution.bound <= least + slack
    if solution.termination is Termination.WITHIN_GAP:
        assert solution.gap <= gap
        assert solution.objective <= least / (1 - gap) + slack


@pytest.mark.parametrize("block", range(20))
def test_the_whole_model_and_the_engine_agree_on_2000_random_problems(block):
    for seed in range(100 * block, 100 * block + 100):
        problem = random_problem(seed)
        least = reference(problem)
        best = solve_arrays(problem, gap=GAP, watch=Watch(30.0))
        agrees(problem, best, least, GAP)
        assert best.termination is (
            Termination.INFEASIBLE if least == np.inf else Termination.WITHIN_GAP
        )
        if seed % 5 == 0:
            polished = solve_arrays(problem, gap=GAP, watch=Watch(1.0), way=Way.POLISH)
            agrees(problem, polished, least, GAP)


def test_prices_of_samples_and_sifting_agree_with_the_whole_model(monkeypatch):
    monkeypatch.setattr(solve, "TINY", 0)
    for seed in range(3_000, 3_060):
        problem = random_problem(seed)
        least = reference(problem)
        best = solve_arrays(problem, gap=GAP, watch=Watch(30.0))
        agrees(problem, best, least, GAP)
        assert (best.termination is Termination.INFEASIBLE) == (least == np.inf)


def test_nothing_is_cheaper_than_the_optimum_when_all_plans_are_tried():
    feasible = 0
    for seed in range(5_000, 5_080):
        problem = random_problem(seed, units=6, sites=4)
        least = cheapest_by_trying(problem)
        best = solve_arrays(problem, gap=0.0, watch=Watch(30.0))
        agrees(problem, best, least, 0.0)
        if np.isfinite(least):
            feasible += 1
            assert best.objective == pytest.approx(least, rel=1e-9, abs=1e-9)
        else:
            assert best.termination is Termination.INFEASIBLE
    assert feasible > 40


def test_polish_alone_finds_most_plans():
    found = feasible = 0
    for seed in range(6_000, 6_060):
        problem = random_problem(seed)
        if np.isfinite(reference(problem)):
            feasible += 1
            answer = solve_arrays(problem, gap=0.05, watch=Watch(1.0), way=Way.POLISH)
            found += answer.sites is not None
    assert found >= 0.8 * feasible > 20
