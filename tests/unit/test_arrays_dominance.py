"""Sites that are never better are closed, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from placement.optimizer.arrays.dominance import without_dominated
from placement.optimizer.polish.solve import solve_arrays
from placement.optimizer.pricing.dual import evaluate
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.progress import Watch
from tests.array_cases import random_problem
from tests.benchmarks.instances import Recipe, make_instance


def with_twin(problem, site):
    """Another site of the same operator and terms, with room for everything at both."""
    rows = []
    for row in problem.rows:
        if site not in row.sites:
            rows.append(row)
        elif len(row.sites) > 1:
            at = np.flatnonzero(row.sites == site)
            weights = np.concatenate([row.weights, row.weights[:, :, at]], axis=2)
            sites = np.append(row.sites, problem.sites)
            rows.append(replace(row, sites=sites, weights=weights))
    return replace(
        problem,
        cost=np.concatenate([problem.cost, problem.cost[:, :, [site]]], axis=2),
        open=np.concatenate([problem.open, problem.open[:, [site]]], axis=1),
        operator_of=np.append(problem.operator_of, problem.operator_of[site]),
        rows=tuple(rows),
    )


def test_a_twin_is_closed_and_the_bound_stays():
    problem = with_twin(make_instance(Recipe(3_000, 8, seed=2)), 7)
    fewer = without_dominated(problem)
    assert not fewer.open[:, 8].any()
    prices = find_prices(fewer, Watch(60)).prices
    assert evaluate(problem, prices).bound == pytest.approx(
        evaluate(fewer, prices).bound, rel=1e-12
    )


def test_a_site_that_may_fill_up_is_kept():
    problem = make_instance(Recipe(3_000, 8, seed=2))
    assert (without_dominated(problem).open[:, 7] == problem.open[:, 7]).all()


@pytest.mark.parametrize("seed", range(60))
def test_the_optimum_is_the_same(seed):
    problem = random_problem(seed)
    fewer = without_dominated(problem)
    one = solve_arrays(problem, gap=0.0, watch=Watch(60))
    other = solve_arrays(fewer, gap=0.0, watch=Watch(60))
    assert one.termination == other.termination
    if one.sites is not None:
        assert other.objective == pytest.approx(one.objective, rel=1e-6, abs=1e-6)
