"""A part in its worker, without the worker."""

from dataclasses import replace

import numpy as np
import pytest

from placement.errors import BadInput, Defect, SolverError
from placement.optimizer.arrays.problem import load_of, row_totals
from placement.optimizer.arrays.solution import plan_cost, violations
from placement.optimizer.pricing.dual import evaluate
from placement.optimizer.pricing.margins import BINS
from placement.optimizer.progress import OutOfTime, Watch
from placement.optimizer.sharding.holding import BLOCK, Held, Holder, Keeper
from placement.optimizer.sharding.wire import Call, Failure, Traffic, packed, unpacked
from tests.benchmarks.instances import Recipe, make_instance
from tests.benchmarks.sharded import Assumed, Measured, estimated

WATCH = Watch(float("inf"))


def kept(problem, bins):
    """A part whose near ties all go to their second choice."""
    keeper = Keeper()
    keeper.load(lambda: problem)
    prices = np.zeros(len(problem.rows))
    keeper.survey(WATCH, prices, free=False)
    pick = keeper.near(WATCH, bins, 10_000, free=False)
    keeper.settle(WATCH, prices, bins, free=False)
    best = evaluate(pick.problem, prices).sites
    away = replace(pick.problem, open=pick.problem.open.copy())
    x = np.zeros((away.units, away.sites), dtype=np.intp)
    for unit in range(away.units):
        there = np.flatnonzero(away.open[away.class_of[unit]])
        others = there[~np.isin(there, best[unit])]
        x[unit, others[0] if len(others) else best[unit, 0]] = away.counts[unit]
    return keeper, pick, x, keeper.keep(WATCH, pick.units, x)


@pytest.mark.parametrize("distinct", [None, 60])
def test_near_ties_go_where_they_are_sent_and_the_rest_stays(distinct):
    problem = make_instance(Recipe(8_000, 8, seed=2, distinct=distinct))
    keeper, pick, x, answer = kept(problem, 230)
    assert 0 < len(pick.units) < keeper.merged.problem.units
    assert (keeper.merged.problem.units < problem.units) == bool(distinct)
    sites = keeper.sites(WATCH).astype(np.intp)
    group = keeper.merged.group
    rest = ~np.isin(group, pick.units)
    at_rest = evaluate(problem, np.zeros(len(problem.rows))).sites
    assert np.array_equal(sites[rest], at_rest[rest])
    moved = np.zeros((keeper.merged.problem.units, problem.sites), dtype=np.intp)
    np.add.at(moved, (group, sites[:, 0]), 1)
    assert np.array_equal(moved[pick.units], x)
    assert answer.cost == pytest.approx(plan_cost(problem, sites), rel=1e-12)
    assert answer.totals == pytest.approx(row_totals(problem, load_of(problem, sites)), rel=1e-12)
    assert answer.broken == ()


def test_a_plan_that_breaks_its_own_part_is_told():
    problem = make_instance(Recipe(3_000, 8, seed=2))
    keeper, pick, x, _ = kept(problem, 230)
    closed = ~pick.problem.open[pick.problem.class_of[0]]
    assert closed.any()
    x[0] = 0
    x[0, int(closed.argmax())] = 1
    answer = keeper.keep(WATCH, pick.units, x)
    assert answer.broken == ("assignment: closed pair",)
    assert "assignment: closed pair" in violations(problem, keeper.sites(WATCH))


def test_near_ties_are_bounded_nearest_first():
    problem = make_instance(Recipe(3_000, 8, seed=2))
    prices = np.zeros(len(problem.rows))
    every, few = Held(problem), Held(problem)
    for part in (every, few):
        part.survey(prices)
    wide = every.near_most(260, 10_000)
    near = few.near_most(260, 100)
    assert len(wide.units) > 1_000
    assert len(near.units) == 100
    assert set(near.units) <= set(wide.units)
    assert few.near(260).units.tolist() == near.units.tolist()
    last = max(every._bins[near.units])
    left = np.setdiff1d(wide.units, near.units)
    assert min(every._bins[left]) >= last
    rest = few.settle(prices, 260)
    assert (few.sites[near.units] == -1).all()
    assert (few.sites[left] >= 0).all()
    own = plan_cost(near.problem, evaluate(near.problem, prices).sites)
    whole = plan_cost(problem, evaluate(problem, prices).sites)
    assert rest.cost + own == pytest.approx(whole, rel=1e-12)


def test_marks_tell_parts_apart_whatever_their_order():
    problem = make_instance(Recipe(500, 8, seed=2))
    order = np.lexsort((np.random.default_rng(1).random(500), problem.class_of))
    shuffled = replace(problem, features=np.ascontiguousarray(problem.features[:, order]))
    other = replace(problem, features=problem.features + (np.arange(500) == 7))
    marks = [mark_of(each) for each in (problem, shuffled, other)]
    assert marks[0] == marks[1] != marks[2]


def mark_of(problem):
    return Keeper().load(lambda: problem).mark


def ask(holder, name, *arguments, ticket=0, left_s=60.0, **options):
    return unpacked(holder.ask(packed(Call(name, arguments, options, ticket, left_s))))


def raises(error):
    raise error


def test_whatever_goes_wrong_in_a_worker_is_an_answer():
    holder = Holder()
    defect = Defect("a.parquet", "dataset b", "volume_gb", "is negative")
    bad = ask(holder, "load", lambda: raises(BadInput([defect]))).as_error(3)
    assert isinstance(bad, BadInput)
    assert bad.defects == (defect,)
    full = ask(holder, "load", lambda: raises(MemoryError("no room"))).as_error(3)
    assert isinstance(full, SolverError)
    assert str(full) == "part 3: MemoryError: no room"
    known = ask(holder, "load", lambda: raises(SolverError("no plan"))).as_error(3)
    assert str(known) == "part 3: no plan"
    problem = make_instance(Recipe(500, 8))
    ask(holder, "load", lambda: problem)
    late = ask(holder, "evaluate", np.zeros(len(problem.rows)), left_s=0.0, free=False)
    assert isinstance(late.as_error(3), OutOfTime)
    assert isinstance(ask(holder, "sites").as_error(3), SolverError)


def test_what_was_stopped_is_not_begun():
    holder, problem = Holder(), make_instance(Recipe(500, 8))
    ask(holder, "load", lambda: problem)
    with pytest.raises(StopIteration):
        holder.stop(5).send(None)
    prices = np.zeros(len(problem.rows))
    stopped = ask(holder, "evaluate", prices, ticket=5, free=False)
    assert isinstance(stopped, Failure)
    assert stopped.out_of_time
    assert not isinstance(ask(holder, "evaluate", prices, ticket=6, free=False), Failure)


def test_traffic_adds_up():
    traffic = Traffic()
    with traffic.together():
        traffic.note("survey", 10, 100)
        traffic.note("survey", 11, 101)
    with traffic.together():
        traffic.note("near", 1, 1_000)
    (round_,) = traffic.rounds
    assert (round_.parts, round_.sent, round_.received) == (2, 21, 201)
    assert traffic.bytes("near") == 1_001
    assert traffic.bytes() == 1_223


def test_an_empty_survey_is_every_unit():
    problem = make_instance(Recipe(500, 8))
    assert len(Held(problem).near_most(BINS, 1_000).units) == 500


def test_the_estimate_is_its_arithmetic():
    phases = {"prices": 3.0, "sift": 0.5, "core": 1.0, "placing": 0.2}
    row = Measured(
        units=1_000_000, sites=20, shards=2, seconds=4.7, phases=phases, bound=1.0, objective=1.0,
        gap=0.0, rounds=6, round_bytes=4_000.0, picked_bytes=10_000_000, pass_core_s=0.5,
        part_mb=50.0, empty_mb=0.0, broken=0,
    )  # fmt: skip
    assumed = Assumed(
        cores=10, memory_gb=25.0, spare=0.8, speedup=0.5, wire_mb_s=100.0, latency_s=0.0,
        eur_hour=3.6, reading_mb_s=100.0, row_bytes=40.0,
    )  # fmt: skip
    answer = estimated(row, 1_000_000_000, assumed)
    assert answer["memory_gb"] == pytest.approx(100.0)
    assert (answer["machines"], answer["parts"]) == (5, 50)
    round_s = 1_000 * 0.5 / (50 * 0.5) + 50 * 4_000 / 1e8
    assert answer["round_s"] == pytest.approx(round_s)
    picked = (24 * 12_000 * 80 + 10_000_000) / 1e8
    own, placing = 4.5 - 6 * 0.25, 0.2 * 20e6 / 0.5e6
    assert answer["seconds"] == pytest.approx(6 * round_s + picked + own + placing)
    assert answer["reading_s"] == pytest.approx(80.0)
    assert answer["eur"] == pytest.approx(5 * (answer["seconds"] + 80.0) * 0.001)


def test_plans_of_many_blocks_add_up():
    problem = make_instance(Recipe(BLOCK + 1_000, 5, seed=2))
    keeper, _, _, answer = kept(problem, 150)
    sites = keeper.sites(WATCH).astype(np.intp)
    assert answer.cost == pytest.approx(plan_cost(problem, sites), rel=1e-12)
    assert answer.totals == pytest.approx(row_totals(problem, load_of(problem, sites)), rel=1e-12)
    assert answer.broken == ()
