"""Price and polish on a few thousand datasets: gap, order, duplicates, cancelling, starts."""

import threading
import time

import numpy as np
import pytest

from models import Termination
from placement.optimizer.arrays.solution import Warm, plan_cost, violations
from placement.optimizer.polish.solve import Way, solve_arrays
from placement.optimizer.pricing.dual import evaluate
from placement.optimizer.progress import Watch
from tests.array_cases import shuffled
from tests.benchmarks.instances import Recipe, make_instance

GAP = 1e-3


@pytest.fixture(scope="module")
def city():
    return make_instance(Recipe(8_000, 10))


@pytest.fixture(scope="module")
def answer(city):
    return solve_arrays(city, gap=GAP, watch=Watch(120.0))


def test_the_plan_holds_and_its_gap_is_true(city, answer):
    assert answer.termination is Termination.WITHIN_GAP
    assert violations(city, answer.sites) == []
    assert answer.objective == pytest.approx(plan_cost(city, answer.sites), rel=1e-12)
    assert evaluate(city, answer.prices).bound == pytest.approx(answer.bound, rel=1e-9)
    assert answer.gap <= GAP


def test_the_same_answer_twice(city, answer):
    again = solve_arrays(city, gap=GAP, watch=Watch(120.0))
    assert again.sites is not None
    assert np.array_equal(again.sites, answer.sites)
    assert again.objective == answer.objective
    assert again.bound == answer.bound


def test_the_order_of_units_does_not_matter(city, answer):
    mixed, order = shuffled(city, 7)
    other = solve_arrays(mixed, gap=GAP, watch=Watch(120.0))
    assert other.objective == pytest.approx(answer.objective, rel=1e-12)
    assert other.sites is not None
    back = np.empty_like(other.sites)
    back[order] = other.sites
    columns = np.lexsort((*city.features, city.class_of))
    kind = np.vstack([city.class_of, city.features])[:, columns]
    fresh = np.append(True, (kind[:, 1:] != kind[:, :-1]).any(axis=0))
    group = np.cumsum(fresh) - 1
    ours, theirs = answer.sites[columns, 0], back[columns, 0]
    # Equal datasets may change places with each other.
    assert np.array_equal(ours[np.lexsort((ours, group))], theirs[np.lexsort((theirs, group))])


def test_many_equal_datasets_are_few():
    problem = make_instance(Recipe(100_000, 10, distinct=1_152))
    solution = solve_arrays(problem, gap=1e-5, watch=Watch(120.0))
    assert solution.termination is Termination.WITHIN_GAP
    assert solution.sites is not None
    assert violations(problem, solution.sites) == []


def test_cancelling_returns_soon_with_a_true_bound():
    problem = make_instance(Recipe(3_000, 20))
    cancel = threading.Event()
    moment: list[float] = []

    def stop():
        moment.append(time.monotonic())
        cancel.set()

    def progress(now):
        if now.phase in ("core", "search") and not moment:
            threading.Timer(0.3, stop).start()
            moment.append(time.monotonic())

    solution = solve_arrays(problem, gap=0.0, watch=Watch(600.0, progress, cancel))
    assert solution.termination is Termination.TIME_LIMIT
    assert np.isfinite(solution.bound)
    if solution.sites is not None:
        assert violations(problem, solution.sites) == []
        assert solution.objective >= solution.bound


def test_a_start_is_kept_where_it_is_good_enough(city, answer):
    warm = solve_arrays(city, gap=GAP, watch=Watch(120.0), start=Warm.of(answer))
    assert warm.objective <= answer.objective
    assert warm.termination is Termination.WITHIN_GAP


def test_no_time_no_plan(city):
    solution = solve_arrays(city, gap=GAP, watch=Watch(0.0))
    assert solution.termination is Termination.TIME_LIMIT
    assert solution.sites is None


def test_replicas_rest_with_different_operators():
    problem = make_instance(Recipe(2_000, 10, replicated=0.3))
    solution = solve_arrays(problem, gap=5e-3, watch=Watch(60.0), way=Way.POLISH)
    assert solution.termination is Termination.WITHIN_GAP
    assert solution.sites is not None
    assert violations(problem, solution.sites) == []


def test_cancelling_from_a_report_ends_the_search():
    problem = make_instance(Recipe(3_000, 20))
    cancel = threading.Event()
    after = []

    def progress(now):
        if cancel.is_set():
            after.append(now.phase)
        elif now.phase == "core":
            cancel.set()

    solution = solve_arrays(problem, gap=0.0, watch=Watch(600.0, progress, cancel))
    assert solution.termination is Termination.TIME_LIMIT
    assert np.isfinite(solution.bound)
    assert "search" not in after
    assert len(after) <= 2
