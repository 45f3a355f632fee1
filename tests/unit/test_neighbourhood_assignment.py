"""Generalised assignment: local search and core programmes against brute force."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest

from models import Termination
from placement.optimizer.arrays.problem import Row
from placement.optimizer.arrays.solution import plan_cost, violations
from placement.optimizer.neighbourhood import is_hard_small, solve_assignment
from placement.optimizer.neighbourhood.annealing import COLD, COLDEST, Annealer
from placement.optimizer.neighbourhood.exact import open_pairs
from placement.optimizer.neighbourhood.pairs import pairs_of
from placement.optimizer.neighbourhood.schedule import HOT, WARM, Round, rounds_for
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.progress import Watch
from tests.benchmarks.gap import make_case, read_case
from tests.benchmarks.instances import Recipe, make_instance

EASY = {
    "cattrysse1994/gap1-0": 261,
    "cattrysse1994/gap6-2": 519,
    "cattrysse1994/gap12-4": 945,
    "chu1997/a05100": 1698,
    "chu1997/b05100": 1843,
    "chu1997/c05100": 1931,
}


def _brute_force(problem):
    plans = itertools.product(range(problem.sites), repeat=problem.units)
    held = (np.array(plan) for plan in plans)
    return min(
        (plan_cost(problem, plan) for plan in held if not violations(problem, plan)),
        default=np.inf,
    )


def _with_shared_row(problem):
    """At most half of everything rests at sites 0 and 1 together."""
    weights = np.ones((1, 1, 2))
    row = Row("share", np.array([0, 1]), np.array([0]), weights, problem.units // 2)
    return replace(problem, rows=(*problem.rows, row))


def _roomy(problem):
    """Sites that hold twice as much."""
    return replace(problem, rows=tuple(replace(r, rhs=2 * r.rhs) for r in problem.rows))


@pytest.mark.parametrize("kind", ["c", "d", "e"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_small_ones_are_solved_to_the_optimum(kind, seed):
    problem = make_case(kind, 3, 7, seed).problem()
    answer = solve_assignment(problem, gap=0.0, watch=Watch(30))
    best = _brute_force(problem)
    if np.isinf(best):
        assert answer.termination is Termination.INFEASIBLE
        return
    assert answer.termination is Termination.WITHIN_GAP
    assert answer.objective == best == answer.bound
    assert answer.sites is not None
    assert violations(problem, answer.sites) == []


def test_a_row_over_several_sites_holds_and_counts():
    free = _roomy(make_case("c", 3, 8, 5).problem())
    problem = _with_shared_row(free)
    assert np.isfinite(_brute_force(problem))
    answer = solve_assignment(problem, gap=0.0, watch=Watch(30))
    assert answer.objective == _brute_force(problem)
    assert answer.sites is not None
    assert violations(problem, answer.sites) == []


def test_what_cannot_hold_is_infeasible():
    problem = make_case("c", 3, 8, 1).problem()
    full = replace(problem, rows=tuple(replace(row, rhs=12.0) for row in problem.rows))
    answer = solve_assignment(full, gap=0.0, watch=Watch(30))
    assert answer.termination is Termination.INFEASIBLE
    assert answer.sites is None


def _searched(problem, start, watch, *, seed=1, rounds=1):
    """The plan after some rounds of chains, each from the plan of the one before."""
    priced = find_prices(problem, Watch(60))
    searches = Annealer(pairs_of(problem), priced.prices, seed)
    for number, task in zip(range(rounds), rounds_for(problem.units), strict=False):
        start = searches.round(number, task, watch, start).sites
    return start, priced.bound


@pytest.mark.parametrize("kind", ["c", "d", "e"])
def test_chains_alone_come_close_to_the_bound_and_hold(kind):
    problem = _with_shared_row(make_case(kind, 5, 100).problem())
    problem = replace(problem, rows=(*problem.rows[:-1], replace(problem.rows[-1], rhs=60.0)))
    plan, bound = _searched(problem, np.zeros(problem.units, dtype=np.intp), Watch(60))
    assert violations(problem, plan) == []
    assert plan_cost(problem, plan) <= 1.02 * bound


@pytest.mark.parametrize("kind", ["d", "e"])
def test_many_agents_and_items_come_close_within_three_rounds(kind):
    problem = make_case(kind, 20, 400).problem()
    plan, bound = _searched(problem, None, Watch(300), rounds=3)
    assert violations(problem, plan) == []
    assert plan_cost(problem, plan) <= 1.0025 * bound


def test_broken_numbers_hold_strictly():
    case = make_case("d", 5, 60)
    problem = case.problem()
    rows = tuple(replace(r, weights=r.weights * np.pi, rhs=r.rhs * np.pi) for r in problem.rows)
    broken = replace(problem, rows=rows, cost=problem.cost * np.e)
    plan, _ = _searched(broken, np.zeros(60, dtype=np.intp), Watch(60), rounds=3)
    assert violations(broken, plan) == []


def test_a_plan_never_gets_worse_and_without_time_stays():
    problem = make_case("d", 5, 50).problem()
    start = np.zeros(50, dtype=np.intp)
    plan, _ = _searched(problem, start, Watch(60))
    again, _ = _searched(problem, plan, Watch(60), seed=2)
    assert plan_cost(problem, again) <= plan_cost(problem, plan)
    late, _ = _searched(problem, start, Watch(0.0))
    assert (late == start).all()


def test_a_seed_decides_the_plan():
    problem = make_case("d", 10, 100).problem()
    priced = find_prices(problem, Watch(60))
    pairs = pairs_of(problem)
    task = Round(300_000, HOT)
    one, same = (Annealer(pairs, priced.prices, 7).round(0, task, Watch(60)) for _ in "ab")
    assert one.cost == same.cost
    assert (one.sites == same.sites).all()


def test_a_round_that_finds_nothing_is_forgotten_once_one_does():
    problem = make_case("d", 20, 400).problem()
    searches = Annealer(pairs_of(problem), find_prices(problem, Watch(60)).prices, 1)
    grain, dear = searches.grain, searches.dear
    assert searches.round(0, Round(100, HOT), Watch(60)).cost == np.inf
    assert (searches.grain, searches.dear) == (2 * grain, 4 * dear)
    assert searches.round(1, Round(20_000_000, HOT), Watch(60)).cost < np.inf
    assert (searches.grain, searches.dear) == (grain, dear)


def test_reduced_costs_get_as_cold_as_the_better_search_had_them():
    problem = make_case("e", 5, 100).problem()
    searches = Annealer(pairs_of(problem), find_prices(problem, Watch(60)).prices, 1)
    searches._learn(10.0, 11.0)
    assert searches.cold == COLD
    searches._learn(11.0, 10.0)
    assert searches.cold < COLD
    searches._learn(10.0, 11.0)
    assert searches.cold == pytest.approx(COLD)
    for _ in range(100):
        searches._learn(11.0, 10.0)
    assert searches.cold == COLDEST


def test_only_melts_teach_and_a_known_plan_keeps_the_heat(monkeypatch):
    problem = make_case("d", 10, 200).problem()
    searches = Annealer(pairs_of(problem), find_prices(problem, Watch(60)).prices, 1)
    lessons = []
    monkeypatch.setattr(searches, "_learn", lambda *costs: lessons.append(costs))
    plan = searches.round(0, Round(10_000_000, HOT), Watch(60))
    assert plan.cost < np.inf
    assert len(lessons) == 1
    state = searches.grain, searches.dear
    again = searches.round(1, Round(100, WARM), Watch(60), plan.sites)
    assert again.cost <= plan.cost
    assert len(lessons) == 1
    assert (searches.grain, searches.dear) == state


def test_overloads_cost_something_where_prices_are_next_to_nothing():
    """So they are where exact ties alone could fill the sites."""
    pairs = pairs_of(make_case("c", 20, 400).problem())
    searches = Annealer(pairs, np.full(len(pairs.rhs), 1e-16), 1)
    plan = None
    for number, task in zip(range(4), rounds_for(pairs.units), strict=False):
        plan = searches.round(number, task, Watch(300), plan).sites
    assert plan is not None
    assert pairs.holds(plan)


def test_rounds_melt_and_warm_up_in_turns_and_grow():
    first = list(itertools.islice(rounds_for(400), 8))
    assert [task.heat for task in first] == [HOT, WARM, WARM, HOT, WARM, WARM, WARM, WARM]
    assert [task.work // first[0].work for task in first] == [1, 1, 1, 2, 1, 1, 1, 1]
    assert next(rounds_for(1_600)).work == 4 * first[0].work
    assert next(rounds_for(10)).work == next(rounds_for(20)).work


def test_only_pairs_that_cannot_be_in_a_better_plan_go():
    problem = _roomy(make_case("c", 3, 8, 4).problem())
    pairs = pairs_of(problem)
    priced = find_prices(problem, Watch(60))
    reduced = Annealer(pairs, priced.prices, 0).reduced
    plans = np.array(list(itertools.product(range(3), repeat=8)))
    held = [plan for plan in plans if pairs.holds(plan)]
    objective = sorted({pairs.cost_of(plan) for plan in held})[3]
    kept = open_pairs(pairs, reduced, pairs.bound(priced.prices), objective)
    assert not kept.all()
    cheaper = [plan for plan in held if pairs.cost_of(plan) < objective]
    assert all(kept[np.arange(8), plan].all() for plan in cheaper)


@pytest.mark.parametrize(("phase", "sites"), [("prices", 5), ("core", 20), ("search", 30)])
def test_cancelling_stops_it(phase, sites):
    problem = make_case("d", sites, 200).problem()
    cancel = threading.Event()

    def stop(progress):
        if progress.phase == phase:
            cancel.set()

    answer = solve_assignment(problem, gap=0.0, watch=Watch(300, stop, cancel))
    assert answer.termination is Termination.TIME_LIMIT
    assert answer.sites is None or violations(problem, answer.sites) == []


def test_which_problems_are_hard_and_small():
    assert is_hard_small(make_case("d", 20, 400).problem())
    assert is_hard_small(make_case("e", 80, 1600).problem())
    assert not is_hard_small(make_instance(Recipe(units=2_000, sites=10)))


@pytest.mark.parametrize("name", EASY)
def test_known_optima_are_reached(real_data, name):
    problem = read_case(real_data / "gap" / name).problem()
    answer = solve_assignment(problem, gap=0.0, watch=Watch(60))
    assert answer.objective == EASY[name]
    assert answer.sites is not None
    assert violations(problem, answer.sites) == []
