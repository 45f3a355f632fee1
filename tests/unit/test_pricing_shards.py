"""However the units stand, and however they are spread: the same prices."""

from dataclasses import replace

import numpy as np
import pytest

from placement.optimizer.arrays.problem import load_of, row_totals
from placement.optimizer.pricing.dual import bound_of, evaluate
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.pricing.merge import merge
from placement.optimizer.pricing.shard import LocalShard, Shards, union
from placement.optimizer.progress import OutOfTime, Watch
from tests.benchmarks.instances import Recipe, make_instance
from tests.pricing_cases import random_problem, relaxed

LARGE = Recipe(40_000, 10, seed=3)


@pytest.fixture(scope="module")
def large():
    return make_instance(LARGE)


@pytest.fixture(scope="module")
def priced(large):
    return find_prices(large, Watch(60))


def in_four(problem):
    return [problem.take(np.arange(i, problem.units, 4)) for i in range(4)]


def shuffled(problem, seed=0):
    rng = np.random.default_rng(seed)
    order = np.argsort(problem.class_of + rng.random(problem.units), kind="stable")
    return replace(
        problem,
        features=np.ascontiguousarray(problem.features[:, order]),
        counts=problem.counts[order],
    )


def test_prices_meet_the_relaxation(large, priced):
    assert priced.value - priced.bound <= 1e-9 * priced.bound
    assert priced.bound == evaluate(large, priced.prices).bound


def test_the_relaxations_placement_costs_its_value_and_fits(large, priced):
    problem = priced.core.problem
    settled = evaluate(large, priced.prices).sites.copy()
    settled[priced.core.units] = -1
    totals = row_totals(large, load_of(large, settled))
    shares = priced.shares
    assert np.allclose(shares.sum(axis=1), problem.counts * problem.replicas[problem.class_of])
    load = np.zeros(problem.cost.shape)
    for f, phi in enumerate(problem.features):
        np.add.at(load[:, f, :], problem.class_of, shares * phi[:, None])
    full = totals + row_totals(problem, load)
    assert (full <= large.rhs * (1 + 1e-7)).all()
    tight = priced.prices > 1e-6 * priced.prices.max()
    assert full[tight] == pytest.approx(large.rhs[tight], rel=1e-6)
    split = (shares > 1e-6).sum(axis=1) > 1
    assert 0 < split.sum() <= tight.sum()


def test_four_shards_find_the_same(large, priced):
    found = find_prices(Shards([LocalShard(part) for part in in_four(large)]), Watch(60))
    assert found.prices == pytest.approx(priced.prices, rel=1e-9, abs=1e-15)
    assert found.bound == pytest.approx(priced.bound, rel=1e-12)
    assert found.core is not None
    assert sorted(found.core.units * 4 + found.core.shard) == sorted(priced.core.units)


def test_the_order_of_units_changes_nothing(large, priced):
    found = find_prices(shuffled(large), Watch(60))
    assert np.array_equal(found.prices, priced.prices)
    assert found.bound == priced.bound


def test_twice_the_same(large, priced):
    again = find_prices(large, Watch(60))
    assert np.array_equal(again.prices, priced.prices)
    assert again.bound == priced.bound


def test_parts_of_the_bound_add_up(large):
    prices = np.linspace(0, 0.1, len(large.rows))
    whole = evaluate(large, prices)
    part = Shards([LocalShard(one) for one in in_four(large)]).evaluate(prices)
    assert bound_of(part, prices, large.rhs) == pytest.approx(whole.bound, rel=1e-13)
    assert np.array_equal(part.totals, whole.totals)


def test_near_ties_are_the_smallest_margins(large, priced):
    shard = LocalShard(large)
    _, bins = shard.survey(priced.prices)
    assert bins.sum() == large.units
    first = int(np.searchsorted(np.cumsum(bins), 100)) + 1
    pick = shard.near(first)
    assert len(pick.units) == bins[:first].sum() >= 100
    wider = shard.near(first + 20)
    assert set(pick.units) < set(wider.units)
    both = union(pick, wider)
    assert sorted(both.units) == sorted(wider.units)
    assert np.array_equal(both.problem.features, large.features[:, both.units])


def test_a_sample_weighs_what_it_stands_for(large):
    shard = LocalShard(large)
    pick = shard.sample(8_000 / shard.size().stake)
    assert 2_000 < len(pick.units) < 9_000
    for f, phi in enumerate(large.features):
        weighed = float(pick.problem.features[f] @ pick.problem.counts)
        assert weighed == pytest.approx(phi.sum(), rel=0.1)


def test_warm_prices_end_where_cold_ones_do(large, priced):
    tighter = replace(large, rows=tuple(replace(row, rhs=row.rhs * 0.999) for row in large.rows))
    cold = find_prices(tighter, Watch(60))
    warm = find_prices(tighter, Watch(60), start=priced.prices)
    assert warm.bound == pytest.approx(cold.bound, rel=1e-8)
    assert warm.bound > priced.bound


def test_prices_of_another_problem_do_not_mislead(large, priced):
    wrong = np.roll(priced.prices, 7) * 50
    found = find_prices(large, Watch(60), start=wrong)
    assert found.bound == pytest.approx(priced.bound, rel=1e-6)


def test_impossible_limits_give_a_ray(large):
    rows = tuple(
        replace(row, rhs=row.rhs * (0.3 if row.name == "closed_stack" else 1.0))
        if row.name != "capacity[9]"
        else replace(row, rhs=10.0)
        for row in large.rows
    )
    short = replace(
        large,
        rows=tuple(
            replace(row, rhs=row.rhs * 0.3) if row.name.startswith("capacity") else row
            for row in rows
        ),
    )
    found = find_prices(short, Watch(60))
    assert found.bound == np.inf
    assert found.ray is not None
    assert (found.ray >= 0).all()
    assert evaluate(replace(short, cost=np.zeros_like(short.cost)), found.ray).bound > 0


def test_limits_short_by_a_hair_give_a_ray():
    for seed in range(20):
        problem = random_problem(seed, units=12)
        free = replace(problem, cost=np.zeros_like(problem.cost))
        row = problem.rows[-2]
        others = replace(free, rows=(*problem.rows[:-2], replace(row, rhs=1e9), problem.rows[-1]))
        weighed = np.zeros_like(problem.cost)
        weighed[:, row.features[:, None], row.sites[None, :]] = row.weights
        least = relaxed(replace(others, cost=np.where(problem.open[:, None, :], weighed, 0.0)))
        if not np.isfinite(least) or least <= 1.0:
            continue
        for factor, possible in ((1 + 1e-3, True), (1 - 1e-3, False)):
            limited = replace(row, rhs=least * factor)
            found = find_prices(
                replace(problem, rows=(*problem.rows[:-2], limited, problem.rows[-1])), Watch(60)
            )
            assert (found.ray is None) == possible


def test_a_unit_that_fits_nowhere():
    problem = random_problem(1)
    shut = problem.open.copy()
    shut[0] = False
    found = find_prices(replace(problem, open=shut), Watch(60))
    assert found.bound == np.inf
    assert found.ray is not None
    assert evaluate(replace(problem, open=shut, cost=0 * problem.cost), found.ray).bound == np.inf


def test_no_rows_at_all():
    problem = replace(random_problem(2), rows=())
    found = find_prices(problem, Watch(60))
    assert found.bound == pytest.approx(relaxed(random_problem(2)) * 0 + found.value)
    assert len(found.prices) == 0


def test_out_of_time(large):
    with pytest.raises(OutOfTime):
        find_prices(large, Watch(0.0))


def test_equal_units_are_merged_and_told_apart_again():
    problem = make_instance(Recipe(30_000, 8, seed=5, distinct=2_000))
    merged = merge(problem)
    assert merged.problem.units < 2_001
    assert merged.problem.counts.sum() == problem.units
    assert np.array_equal(merged.problem.features[:, merged.group], problem.features)
    prices = np.full(len(problem.rows), 0.01)
    one, other = evaluate(problem, prices), evaluate(merged.problem, prices)
    assert one.bound == other.bound
    assert np.array_equal(one.totals, other.totals)
    placed = np.zeros((merged.problem.units, 8), dtype=np.intp)
    placed[np.arange(len(placed)), other.sites[:, 0]] = merged.problem.counts
    assert np.array_equal(merged.expand(placed), one.sites)
    cold, small = find_prices(problem, Watch(60)), find_prices(merged.problem, Watch(60))
    assert small.bound == pytest.approx(cold.bound, rel=1e-6)


def test_expanding_shares_a_group_out():
    problem = make_instance(Recipe(1_000, 8, seed=5, distinct=100))
    merged = merge(problem)
    placed = np.zeros((merged.problem.units, 8), dtype=np.intp)
    placed[:, 0] = merged.problem.counts // 2
    placed[:, 3] = merged.problem.counts - placed[:, 0]
    sites = merged.expand(placed)
    for group in range(5):
        own = sites[merged.group == group, 0]
        assert (own == 0).sum() == placed[group, 0]
        assert (own == 3).sum() == placed[group, 3]


def test_different_units_are_not_merged(large):
    merged = merge(large)
    assert merged.problem is large
    assert np.array_equal(merged.group, np.arange(large.units))


def test_related_units_are_not_merged():
    problem = make_instance(Recipe(2_000, 8, seed=5, distinct=100, edges=0.5))
    assert merge(problem).problem is problem
