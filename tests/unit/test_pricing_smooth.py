"""Soft bounds and the steps on them."""

import threading
import time

import numpy as np
import pytest

from placement.optimizer.pricing.dual import evaluate, evaluate_part
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.pricing.newton import box_maximum, maximise
from placement.optimizer.pricing.soft import Curve, Soft
from placement.optimizer.progress import OutOfTime, Watch
from tests.benchmarks.instances import Recipe, make_instance
from tests.pricing_cases import random_problem

KINDS = [
    {},
    {"own": True},
    {"replicated": True},
    {"replicated": True, "own": True},
    {"counted": True},
]


@pytest.mark.parametrize("kind", KINDS)
def test_slope_and_curvature_are_those_of_the_value(kind):
    for seed in range(4):
        problem = random_problem(seed, units=12, **kind)
        rows = len(problem.rows)
        prices = np.random.default_rng(seed).uniform(0.1, 1.0, rows)
        soft, tau, step = Soft(problem), 0.3, 1e-5
        here = soft.curve(prices, tau)
        for r in range(rows):
            away = np.zeros(rows)
            away[r] = step
            up, down = soft.curve(prices + away, tau), soft.curve(prices - away, tau)
            slope = (up.value - down.value) / (2 * step)
            bend = -(up.totals - down.totals) / (2 * step)
            assert slope == pytest.approx(here.totals[r], rel=1e-5, abs=1e-6)
            assert bend == pytest.approx(here.curvature[r], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_soft_value_comes_up_to_the_bound_as_it_cools(kind):
    for seed in range(6):
        problem = random_problem(seed, **kind)
        prices = np.full(len(problem.rows), 0.4)
        soft, hard = Soft(problem), evaluate_part(problem, prices).value
        values = [soft.curve(prices, tau).value for tau in (1.0, 0.1, 0.01, 1e-5)]
        assert values == sorted(values)
        assert values[-1] <= hard + 1e-9 * abs(hard)
        assert values[-1] == pytest.approx(hard, rel=1e-3)


def test_extra_costs_count_alike_in_both():
    problem = random_problem(3, units=30)
    extra = np.random.default_rng(0).normal(size=(problem.sites, problem.units))
    prices = np.full(len(problem.rows), 0.2)
    soft = Soft(problem, extra).curve(prices, 1e-6).value
    assert soft == pytest.approx(evaluate_part(problem, prices, extra).value, rel=1e-4)
    found = find_prices(problem, Watch(60), extra=extra)
    assert found.bound == evaluate(problem, found.prices, extra).bound
    assert found.value == pytest.approx(found.bound, rel=1e-6)


def test_the_step_within_bounds_is_the_best():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 12))
        root = rng.normal(size=(n, n))
        matrix = root @ root.T + 1e-3 * np.eye(n)
        gradient = rng.normal(size=n) * 5
        low, high = -rng.uniform(0, 1, n), rng.uniform(0, 1, n)
        low[rng.random(n) < 0.3] = 0.0
        step = box_maximum(gradient, matrix, low, high)
        assert (step >= low).all()
        assert (step <= high).all()
        slope = gradient - matrix @ step
        tolerance = 1e-8 * np.abs(matrix).max() * n
        assert (slope[step > low + 1e-9] >= -tolerance).all()
        assert (slope[step < high - 1e-9] <= tolerance).all()


def test_steps_climb_to_the_top_of_a_parabola():
    top = np.array([1.0, 0.0, 3.0])
    matrix = np.diag([2.0, 1.0, 4.0])

    def curve(prices):
        away = prices - np.array([1.0, -2.0, 9.0])
        return Curve(-0.5 * float(away @ matrix @ away), -matrix @ away, matrix)

    bounds = np.zeros(3), np.full(3, 3.0)
    found = maximise(curve, np.zeros(3), np.zeros(3), *bounds, steps=20, tolerance=1e-12)
    assert found == pytest.approx(top, abs=1e-3)


@pytest.mark.parametrize("after_s", [0.01, 0.03, 0.1])
def test_cancelled_soon(after_s):
    problem = make_instance(Recipe(300_000, 20, seed=2))
    cancel = threading.Event()
    answered: list[float] = []

    def stop():
        answered.append(time.monotonic())
        cancel.set()

    timer = threading.Timer(after_s, stop)
    timer.start()
    with pytest.raises(OutOfTime):
        find_prices(problem, Watch(60, cancel=cancel))
    timer.join()
    assert answered
