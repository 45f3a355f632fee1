"""The largest units as whole numbers: a bound below every plan, and a beginning of one."""

from __future__ import annotations

import numpy as np
import pytest

from placement.optimizer.polish.largest import settled
from placement.optimizer.polish.polishing import Polished, begin, region_of
from placement.optimizer.polish.resting import LocalResting
from placement.optimizer.polish.solve import Way, solve_arrays
from placement.optimizer.polish.vertex import vertex
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.pricing.merge import merge
from placement.optimizer.progress import Watch
from tests.benchmarks.instances import Recipe, make_instance

RECIPES = [
    *(Recipe(40, 4, seed=seed, profiles=6, sigma=2.5) for seed in range(2)),
    *(Recipe(40, 4, seed=seed, profiles=6, replicated=0.3) for seed in range(2)),
    *(Recipe(300, 5, seed=seed, profiles=6, distinct=40) for seed in range(2)),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("count", [10, 1_000])
def test_no_plan_costs_less_than_the_bound(recipe: Recipe, count: int) -> None:
    problem = make_instance(recipe)
    best = solve_arrays(problem, gap=1e-5, watch=Watch(2.0), way=Way.WHOLE)
    if best.sites is None:
        pytest.skip("no plan")
    watch = Watch(60.0)
    shard = LocalResting(merge(problem).problem)
    priced = find_prices(shard, watch)
    pick, region = region_of(shard, priced.prices, watch)
    assert region.problem.units == shard.problem.units
    found = settled(region, count, 1e-6, watch)
    assert found.bound <= best.objective * (1 + 1e-9)
    if found.placed is None:
        return
    assert found.bound >= priced.bound - 2e-7 * abs(priced.bound)
    at = vertex(region, 3_000, watch)
    polished = Polished(pick, region.at_home(at.home, at.split))
    begin(polished, found, found.bound, 0.0, watch)
    if polished.x is not None:
        assert polished.objective >= best.bound * (1 - 1e-9)
        assert (polished.x.sum(axis=1) == region.home.sum(axis=1)).all()
        assert np.all(region.totals(polished.x) <= region.limits)
