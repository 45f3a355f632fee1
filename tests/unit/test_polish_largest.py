"""The largest units as whole numbers: a bound below every plan, and a beginning of one."""

from __future__ import annotations

import numpy as np
import pytest

from models import Termination
from placement.errors import SolverError
from placement.optimizer.polish import solve
from placement.optimizer.polish.fixing import left_over, relaxed_and_fixed
from placement.optimizer.polish.largest import mixed, settled
from placement.optimizer.polish.polishing import Polished, begin, region_of
from placement.optimizer.polish.resting import LocalResting
from placement.optimizer.polish.solve import Way, solve_arrays
from placement.optimizer.polish.some_sites import some_sites
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.pricing.merge import merge
from placement.optimizer.progress import Watch
from tests.benchmarks.instances import Recipe, make_instance

RECIPES = [
    *(Recipe(40, 4, seed=seed, profiles=6, sigma=2.5) for seed in range(2)),
    *(Recipe(40, 4, seed=seed, profiles=6, replicated=0.3) for seed in range(2)),
    *(Recipe(100, 4, seed=seed, profiles=6, distinct=20) for seed in range(2)),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("count", [10, 1_000])
@pytest.mark.parametrize("columns", [20, 1_000, None], ids=["narrow", "wide", "all pairs"])
def test_the_best_plan_costs_no_less_than_the_bound(
    recipe: Recipe, count: int, columns: int | None
) -> None:
    problem = make_instance(recipe)
    best = solve_arrays(problem, gap=0.0, watch=Watch(60.0), way=Way.WHOLE)
    assert best.termination is Termination.WITHIN_GAP
    watch = Watch(60.0)
    shard = LocalResting(merge(problem).problem)
    priced = find_prices(shard, watch)
    pick, region = region_of(shard, priced.prices, watch)
    assert region.problem.units == shard.problem.units
    if columns is None:
        found = mixed(region, count, 1e-6, watch)
    else:
        found = settled(region, count, columns, 1e-6, watch)
    assert priced.bound - 2e-7 * abs(priced.bound) <= found.bound
    assert found.bound <= best.objective * (1 + 1e-9)
    if found.placed is None:
        return
    rest = left_over(region, found.placed, found.units, watch)
    if rest is None:
        return
    assert rest.bound >= found.bound - 1e-6 * abs(found.bound)
    polished = Polished(pick, region)
    begin(polished, found, rest, found.bound, 0.0, watch)
    if polished.x is not None:
        assert polished.objective >= rest.bound * (1 - 1e-9)
        assert polished.objective >= best.objective * (1 - 1e-9)
        assert (polished.x.sum(axis=1) == region.home.sum(axis=1)).all()
        assert np.all(region.totals(polished.x) <= region.limits)


@pytest.mark.parametrize("seed", range(3))
def test_batches_and_neighbourhoods_give_plans_that_hold(seed: int) -> None:
    problem = make_instance(Recipe(3_000, 12, seed=seed, sigma=2.2))
    watch = Watch(120.0)
    shard = LocalResting(merge(problem).problem)
    priced = find_prices(shard, watch)
    _, region = region_of(shard, priced.prices, watch)
    x = relaxed_and_fixed(region, 1e-3, watch)
    assert x is not None
    assert (x.sum(axis=1) == 1).all()
    assert np.all(region.totals(x) <= region.limits)
    assert priced.bound <= region.value(x) <= 1.05 * priced.bound
    random = np.random.default_rng(seed)
    for count in (2, 5, 12):
        core = some_sites(region.at_home(x, None), x, count, random)
        moving = region.problem.sites - (~core.open).all(axis=0).sum()
        assert 0 < moving <= count
        assert (x[core.units] <= core.open).all()
        assert np.isfinite(region.cost[core.units][core.open]).all()


def test_where_the_largest_cannot_be_settled_the_log_says_so_and_a_plan_is_found(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object) -> None:
        raise SolverError("HiGHS ended with 'Unknown'")

    monkeypatch.setattr(solve, "settled", fails)
    monkeypatch.setattr(solve, "mixed", fails)
    monkeypatch.setattr(solve, "LARGE", 0.0)
    problem = make_instance(Recipe(600, 5, seed=1))
    answer = solve_arrays(problem, gap=1e-3, watch=Watch(60.0), way=Way.POLISH)
    assert answer.sites is not None
    assert "the largest units are not settled first: HiGHS ended" in caplog.text
