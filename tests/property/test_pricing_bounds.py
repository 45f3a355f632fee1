"""Bounds against the linear and integer programmes of small problems."""

import numpy as np
import pytest

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.pricing.dual import evaluate, reduced
from placement.optimizer.pricing.find import find_prices, force_price
from placement.optimizer.progress import Watch
from tests.pricing_cases import brute_bound, programme, random_problem, relaxed

KINDS = [
    {},
    {"own": True},
    {"replicated": True},
    {"counted": True},
    {"own": True, "replicated": True},
    {"replicated": True, "counted": True, "tight": 0.9},
]


def problems(kind, count, seed=0):
    return [random_problem(1000 * seed + i, **KINDS[kind]) for i in range(count)]


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_any_prices_give_the_bound_of_a_unit_at_a_time(kind):
    for i, problem in enumerate(problems(kind, 30)):
        rng = np.random.default_rng(i)
        prices = rng.uniform(0, 2, len(problem.rows)) * (rng.random(len(problem.rows)) < 0.7)
        extra = rng.normal(size=(problem.sites, problem.units)) if i % 2 else None
        found = evaluate(problem, prices, extra)
        assert found.bound <= brute_bound(problem, prices, extra) + 1e-12
        assert found.bound == pytest.approx(brute_bound(problem, prices, extra), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_the_bound_is_the_linear_relaxation(kind):
    feasible = 0
    for problem in problems(kind, 60, seed=1):
        value = relaxed(problem)
        found = find_prices(problem, Watch(60))
        assert (found.prices >= 0).all()
        if np.isinf(value):
            assert found.ray is not None
            free = ArrayProblem(**{**problem.__dict__, "cost": np.zeros_like(problem.cost)})
            assert evaluate(free, found.ray).bound > 0
            assert (found.ray >= 0).all()
            continue
        feasible += 1
        assert found.ray is None
        assert found.bound <= value + 1e-6 * abs(value)
        assert found.bound == pytest.approx(value, rel=1e-6)
        assert found.value == pytest.approx(value, rel=1e-6)
        assert found.bound == evaluate(problem, found.prices).bound
    assert feasible > 15


@pytest.mark.parametrize("kind", [0, 1, 2, 4])
def test_no_plan_costs_less_than_the_bound(kind):
    for problem in problems(kind, 25, seed=2):
        found = find_prices(problem, Watch(60))
        assert found.bound <= relaxed(problem, integer=True) * (1 + 1e-9)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_forcing_a_pair_costs_at_least_its_price(kind):
    for i, problem in enumerate(problems(kind, 15, seed=3)):
        found = find_prices(problem, Watch(60))
        if found.ray is not None:
            continue
        unit, site = i % problem.units, i % problem.sites
        least = found.bound + force_price(problem, found.prices, unit, site)
        if not problem.open[problem.class_of[unit], site]:
            assert least == np.inf
            continue
        assert least <= forced(problem, unit, site) * (1 + 1e-9)


def forced(problem, unit, site):
    from scipy.optimize import Bounds, milp

    cost, lines, u, s = programme(problem)
    low = ((u == unit) & (s == site)).astype(float)
    found = milp(cost, constraints=lines, integrality=np.ones(len(cost)), bounds=Bounds(low, 1))
    return np.inf if found.status == 2 else float(found.fun)


def test_reduced_costs_are_those_of_the_bound():
    for problem in problems(0, 10, seed=4):
        prices = np.full(len(problem.rows), 0.3)
        costs = reduced(problem, prices, np.arange(problem.units))
        total = costs.min(axis=1).sum() - 0.3 * problem.rhs.sum()
        assert evaluate(problem, prices).bound == pytest.approx(total, rel=1e-9)
        some = np.arange(problem.units)[::-2]
        assert np.array_equal(reduced(problem, prices, some), costs[some])
