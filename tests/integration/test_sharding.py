"""One problem over several real processes: the same bound, a plan as good, and lost workers."""

import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import psutil
import pytest

from models import Termination
from placement.errors import BadInput, SolverError
from placement.optimizer.arrays.solution import plan_cost, violations
from placement.optimizer.polish.solve import solve_arrays
from placement.optimizer.pricing.dual import evaluate
from placement.optimizer.progress import Watch
from placement.optimizer.sharding.cluster import local_client
from placement.optimizer.sharding.solve import solve_sharded
from tests.benchmarks.instances import Recipe, make_instance
from tests.sharding_cases import (
    broken,
    cut,
    defective,
    dies,
    differs,
    process_of,
    some,
    summed,
    waits,
)

GAP = 1e-4
LARGE = Recipe(20_000, 10, seed=3)
OTHERS = [
    Recipe(8_000, 10, seed=4, tightness=0.95),
    Recipe(20_000, 10, seed=5, distinct=400),
    Recipe(8_000, 10, seed=6, replicated=0.3),
    Recipe(8_000, 10, seed=7, migration=True),
]


@pytest.fixture(scope="module")
def cluster():
    with local_client(2, workers=2) as client:
        yield client


@pytest.fixture
def client(cluster):
    """Two workers, those that an earlier test ended among them."""
    cluster.wait_for_workers(2, timeout=120)
    return cluster


@pytest.fixture(scope="module")
def whole():
    return make_instance(LARGE)


@pytest.fixture(scope="module")
def alone(whole):
    return solve_arrays(whole, gap=GAP, watch=Watch(60))


def loaders(recipe, shares):
    return [partial(some, recipe, shares, part) for part in range(len(shares))]


def placed(answer, problem, shares):
    """(U, n) sites of the whole problem."""
    sites = np.full((problem.units, int(problem.replicas.max())), -1)
    for part, units in enumerate(cut(problem.units, shares)):
        own = answer.sites(part)
        sites[units, : own.shape[1]] = own
    return sites


def check(answer, alone, problem, shares):
    assert answer.termination is Termination.WITHIN_GAP
    # One process may go on, and prove more than prices can.
    by_prices = evaluate(problem, alone.prices).bound
    assert alone.bound >= by_prices * (1 - 1e-9)
    assert answer.bound == pytest.approx(by_prices, rel=1e-9)
    assert evaluate(problem, answer.prices).bound == pytest.approx(answer.bound, rel=1e-9)
    sites = placed(answer, problem, shares)
    assert violations(problem, sites) == []
    assert plan_cost(problem, sites) == pytest.approx(answer.objective, rel=1e-12)
    assert 0.0 <= answer.gap <= GAP
    assert answer.gap == pytest.approx((answer.objective - answer.bound) / answer.objective)


@pytest.mark.parametrize("shares", [(1,), (1, 1), (1, 1, 1, 1), (1, 30, 0, 4)])
def test_however_it_is_cut(client, whole, alone, shares):
    with solve_sharded(loaders(LARGE, shares), gap=GAP, watch=Watch(60), client=client) as answer:
        check(answer, alone, whole, shares)


@pytest.mark.parametrize("recipe", OTHERS, ids=["tight", "equal", "replicated", "migration"])
def test_other_problems(client, recipe):
    problem = make_instance(recipe)
    alone = solve_arrays(problem, gap=GAP, watch=Watch(60))
    shares = (3, 1, 2)
    with solve_sharded(loaders(recipe, shares), gap=GAP, watch=Watch(60), client=client) as answer:
        check(answer, alone, problem, shares)


def test_a_small_problem_is_gathered(client):
    recipe, shares = Recipe(300, 5, seed=2), (1, 2)
    problem = make_instance(recipe)
    alone = solve_arrays(problem, gap=GAP, watch=Watch(60))
    with solve_sharded(loaders(recipe, shares), gap=GAP, watch=Watch(60), client=client) as answer:
        assert answer.termination is Termination.WITHIN_GAP
        assert answer.objective == pytest.approx(alone.objective, rel=2 * GAP)
        assert violations(problem, placed(answer, problem, shares)) == []


def test_parts_given_as_they_are_in_any_order(client, whole):
    parts = [whole.take(units) for units in cut(whole.units, (2, 1, 1))]
    with solve_sharded(parts, gap=GAP, watch=Watch(60), client=client) as first:
        sites = [first.sites(part) for part in range(3)]
    with solve_sharded(parts[::-1], gap=GAP, watch=Watch(60), client=client) as second:
        assert np.array_equal(second.prices, first.prices)
        assert (second.bound, second.objective) == (first.bound, first.objective)
        for part in range(3):
            assert np.array_equal(second.sites(2 - part), sites[part])


def test_prices_of_before_are_a_start(client, whole, alone):
    with solve_sharded(
        loaders(LARGE, (1, 1)), gap=GAP, watch=Watch(60), client=client, start=alone.prices
    ) as answer:
        assert answer.termination is Termination.WITHIN_GAP
        assert answer.bound == pytest.approx(evaluate(whole, alone.prices).bound, rel=1e-9)
        assert answer.traffic.bytes("sample") == 0


def test_a_round_is_a_few_hundred_numbers_whatever_the_number_of_units(client):
    rounds, near = [], []
    for units in (10_000, 40_000, 160_000):
        recipe = Recipe(units, 10, seed=3)
        with solve_sharded(
            loaders(recipe, (1, 1)), gap=GAP, watch=Watch(60), client=client
        ) as answer:
            traffic = answer.traffic
            assert {one.parts for one in traffic.rounds} == {2}
            assert len(traffic.rounds) >= 3
            rounds.append(max((one.sent + one.received) / one.parts for one in traffic.rounds))
            near.append(max(one.received for one in traffic.exchanges if one.name == "near"))
    assert max(rounds) - min(rounds) <= 32  # how long pickled integers are
    assert max(rounds) <= 8 * 500
    assert near[2] < 3 * near[0]  # of 16 times the units


def test_plans_are_written_where_they_are(client, whole):
    shares = (1, 0, 2)
    with solve_sharded(loaders(LARGE, shares), gap=GAP, watch=Watch(60), client=client) as answer:
        wrote = answer.write(summed)
        units = [len(own) for own in cut(whole.units, shares)]
        totals = [int(answer.sites(part).sum()) for part in range(3)]
        assert wrote == [(0, units[0], totals[0]), (2, units[2], totals[2])]
        assert set(answer.write(process_of)).isdisjoint({os.getpid()})


def test_no_plan_is_proven_by_a_ray(client, whole):
    short = replace(whole, rows=tuple(replace(row, rhs=row.rhs * 1e-5) for row in whole.rows))
    parts = [short.take(units) for units in cut(whole.units, (1, 1))]
    with solve_sharded(parts, gap=GAP, watch=Watch(60), client=client) as answer:
        assert answer.termination is Termination.INFEASIBLE
        free = replace(short, cost=np.zeros_like(short.cost))
        assert evaluate(free, answer.prices).bound > 0.0
        assert set(answer.core) <= {row.name for row in short.rows}
        assert answer.core
        with pytest.raises(SolverError, match="no plan"):
            answer.sites(0)


class Kills:
    """Ends the worker of one part when a phase begins."""

    def __init__(self, client, phase):
        self.pids = list(client.run(os.getpid).values())
        self.phase, self.done = phase, False

    def __call__(self, progress):
        if progress.phase == self.phase and not self.done:
            self.done = True
            os.kill(self.pids[0], signal.SIGKILL)


@pytest.mark.parametrize("phase", ["sift", "placing"])
def test_a_lost_worker_is_replaced(client, whole, alone, phase):
    kills, shares = Kills(client, phase), (1, 1)
    watch = Watch(120, progress=kills)
    with solve_sharded(loaders(LARGE, shares), gap=GAP, watch=watch, client=client) as answer:
        assert kills.done
        assert answer.traffic.bytes("load") > 0
        check(answer, alone, whole, shares)


def test_a_worker_lost_after_the_answer_is_replaced(client, whole, alone):
    shares = (1, 1)
    with solve_sharded(loaders(LARGE, shares), gap=GAP, watch=Watch(60), client=client) as answer:
        before = placed(answer, whole, shares)
        os.kill(answer.write(process_of)[0], signal.SIGKILL)
        assert np.array_equal(placed(answer, whole, shares), before)


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_part_whose_worker_dies_over_it(client, tmp_path, whole, alone, deaths):
    marker, shares = tmp_path / "left", (1, 1)
    marker.write_text(str(deaths))
    parts = loaders(LARGE, shares)
    parts[1] = partial(dies, marker, LARGE, shares, 1)
    if deaths == 1:
        with solve_sharded(parts, gap=GAP, watch=Watch(120), client=client) as answer:
            check(answer, alone, whole, shares)
    else:
        with pytest.raises(SolverError, match=r"part \d: its worker was lost"):
            solve_sharded(parts, gap=GAP, watch=Watch(120), client=client)


def test_a_part_that_changed_is_refused(client, tmp_path):
    marker, shares = tmp_path / "turn", (1, 1)
    marker.write_text("0")
    parts = [partial(differs, marker, LARGE, shares, 0), partial(some, LARGE, shares, 1)]
    with solve_sharded(parts, gap=GAP, watch=Watch(60), client=client) as answer:
        os.kill(answer.write(process_of)[0], signal.SIGKILL)
        with pytest.raises(SolverError, match="part 0 changed"):
            answer.sites(0)


def test_parts_that_do_not_belong_together(client, whole):
    one, other = (whole.take(units) for units in cut(whole.units, (1, 1)))
    rows = (replace(other.rows[0], rhs=1.0), *other.rows[1:])
    with pytest.raises(SolverError, match="part 1 has other sites or rows"):
        solve_sharded([one, replace(other, rows=rows)], gap=GAP, watch=Watch(60), client=client)
    related = make_instance(Recipe(200, 5, edges=1.0))
    with pytest.raises(SolverError, match="relations"):
        solve_sharded([related], gap=GAP, watch=Watch(60), client=client)
    with pytest.raises(SolverError, match="no part"):
        solve_sharded([], gap=GAP, watch=Watch(60), client=client)


def test_what_loaders_say_is_heard(client):
    with pytest.raises(BadInput, match="bomen: volume_gb: is negative"):
        solve_sharded([defective], gap=GAP, watch=Watch(60), client=client)
    with pytest.raises(SolverError, match="part 0: OSError: the disk is gone"):
        solve_sharded([broken], gap=GAP, watch=Watch(60), client=client)


@pytest.mark.parametrize("phase", ["prices", "sift", "core"])
def test_cancelled(client, whole, alone, phase):
    cancel = threading.Event()

    def report(progress):
        if progress.phase == phase:
            cancel.set()

    watch = Watch(60, progress=report, cancel=cancel)
    with solve_sharded(loaders(LARGE, (1, 1)), gap=GAP, watch=watch, client=client) as answer:
        assert answer.termination is Termination.TIME_LIMIT
        assert not answer.placed
        assert answer.bound <= alone.bound * (1 + 1e-9)


def test_cancelled_while_a_worker_is_at_work(client, tmp_path):
    begun, go, cancel = tmp_path / "begun", tmp_path / "go", threading.Event()
    parts = [partial(waits, begun, go, LARGE, (1, 1), part) for part in range(2)]

    def cancel_when_begun():
        while not begun.exists():
            time.sleep(0.02)
        cancel.set()

    canceller = threading.Thread(target=cancel_when_begun)
    canceller.start()
    with solve_sharded(parts, gap=GAP, watch=Watch(600, cancel=cancel), client=client) as answer:
        assert answer.termination is Termination.TIME_LIMIT
        assert not answer.placed
    canceller.join()
    go.touch()


def test_no_time(client):
    with solve_sharded(loaders(LARGE, (1, 1)), gap=GAP, watch=Watch(0.0), client=client) as answer:
        assert answer.termination is Termination.TIME_LIMIT
        assert answer.gap == np.inf


def test_processes_of_its_own_end_and_listen_to_this_machine_alone():
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    answer = solve_sharded(loaders(LARGE, (1, 1)), gap=GAP, watch=Watch(60))
    with answer:
        assert answer.termination is Termination.WITHIN_GAP
        started = [
            process
            for process in psutil.Process().children(recursive=True)
            if process.pid not in before
        ]
        assert set(answer.write(process_of)) <= {process.pid for process in started}
        listening = [
            connection.laddr.ip
            for process in (psutil.Process(), *started)
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}
    _, alive = psutil.wait_procs(started, timeout=20)
    # Python's own tracker of resources serves this process and stays.
    assert [p for p in alive if "resource_tracker" not in " ".join(p.cmdline())] == []
