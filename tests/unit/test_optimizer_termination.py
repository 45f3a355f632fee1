"""How a solve ends, and that it says so honestly."""

from __future__ import annotations

import subprocess
import sys
import threading
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from models import Termination
from placement.optimizer import Progress, search, solve
from placement.optimizer.progress import Watch, gap_between
from tests.builders import dataset, problem
from tests.optimizer_cases import best_plan, clouds, free, hard_problem

ROOT = Path(__file__).resolve().parents[2]


class StopAtFirstPlan:
    """A progress callback that cancels as soon as there is a plan."""

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self.seen: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.seen.append(progress)
        if progress.incumbent is not None:
            self.cancel.set()


def test_a_plan_within_the_gap_is_proven_by_its_own_bound():
    solution = solve(hard_problem(gap=Decimal("0.01"), time_limit_s=60))
    assert solution.termination is Termination.WITHIN_GAP
    assert solution.objective_eur is not None
    assert solution.dual_bound_eur is not None
    assert solution.gap == pytest.approx(
        gap_between(solution.objective_eur, solution.dual_bound_eur)
    )
    assert solution.gap is not None
    assert 0 <= solution.gap <= 0.01


def test_a_gap_of_zero_means_optimal():
    given = problem(
        tuple(dataset(name, volume_gb=v) for name, v in zip("abcde", (7, 5, 4, 3, 2), strict=True)),
        clouds("x", "y", "z", capacity_gb=9),
        parameters=free(),
    )
    solution = solve(given)
    best = best_plan(given)
    assert best is not None
    assert solution.gap == 0.0
    assert solution.objective_eur == solution.dual_bound_eur == pytest.approx(float(best))


def test_stopping_early_gives_the_best_plan_and_its_true_gap():
    stop = StopAtFirstPlan()
    solution = solve(hard_problem(time_limit_s=600), progress=stop, cancel=stop.cancel)
    assert solution.termination is Termination.TIME_LIMIT
    assert len(solution.placements) == 60
    assert solution.objective_eur is not None
    assert solution.dual_bound_eur is not None
    assert solution.dual_bound_eur < solution.objective_eur
    assert solution.gap == pytest.approx(
        gap_between(solution.objective_eur, solution.dual_bound_eur)
    )
    assert solution.gap is not None
    assert solution.gap > 0


def test_running_out_of_time_is_not_optimal_though_pulp_says_so():
    solution = solve(hard_problem(time_limit_s=1))
    assert solution.termination is Termination.TIME_LIMIT
    assert solution.gap is not None
    assert solution.gap > 0


def test_cancelled_before_it_began_there_is_no_plan():
    cancel = threading.Event()
    cancel.set()
    solution = solve(hard_problem(), cancel=cancel)
    assert solution.termination is Termination.TIME_LIMIT
    assert (solution.placements, solution.objective_eur, solution.gap) == ((), None, None)


@pytest.mark.parametrize("phase", ["reading", "prices", "polish", "search"])
def test_cancelling_in_any_phase_ends_it(phase, monkeypatch):
    monkeypatch.setattr(search, "SMALL", 10)
    monkeypatch.setattr(search, "NEAR_TIES", 5)
    cancel, seen = threading.Event(), []

    def stop(progress: Progress) -> None:
        seen.append(progress.phase)
        if progress.phase == phase:
            cancel.set()

    given = hard_problem(gap=Decimal("0.000001"), time_limit_s=600)
    solution = solve(given, progress=stop, cancel=cancel)
    assert solution.termination is Termination.TIME_LIMIT
    assert seen[-1] == phase


def test_cancelling_from_another_thread_stops_the_solver():
    cancel, started, answers = threading.Event(), threading.Event(), []

    def note(progress: Progress) -> None:
        if progress.phase == "search":
            started.set()

    worker = threading.Thread(
        target=lambda: answers.append(
            solve(hard_problem(time_limit_s=600), progress=note, cancel=cancel)
        )
    )
    worker.start()
    assert started.wait(30)
    cancel.set()
    worker.join(30)
    assert not worker.is_alive()
    assert answers[0].termination is Termination.TIME_LIMIT


def test_progress_goes_through_phases_with_ever_better_numbers():
    seen: list[Progress] = []
    solution = solve(hard_problem(gap=Decimal("0.005"), time_limit_s=60), progress=seen.append)
    assert [p.phase for p in seen if p.elapsed_s == seen[0].elapsed_s] == ["reading"]
    assert {"reading", "prices", "search"} == {p.phase for p in seen}
    incumbents = [p.incumbent for p in seen if p.incumbent is not None]
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(incumbents))
    assert incumbents[-1] == pytest.approx(solution.objective_eur)
    assert all(a.elapsed_s <= b.elapsed_s for a, b in pairwise(seen))
    for progress in seen:
        if progress.incumbent is not None and progress.bound is not None:
            assert progress.gap == gap_between(progress.incumbent, progress.bound)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt()])
def test_what_a_callback_raises_inside_highs_comes_out_of_solve(error):
    """An exception that crossed C++ would end the process."""
    searching = []

    def fail(progress: Progress) -> None:
        if progress.phase == "search":
            searching.append(progress)
            if len(searching) > 1:  # the first one is reported by us, the next by HiGHS
                raise error

    with pytest.raises(type(error)):
        solve(hard_problem(time_limit_s=60), progress=fail)


def test_the_same_problem_has_the_same_answer_every_time():
    given = hard_problem(gap=Decimal("0.01"), time_limit_s=60)
    one, other = solve(given), solve(given)
    assert one.placements == other.placements
    assert one.prices == other.prices
    assert (one.objective_eur, one.dual_bound_eur) == (other.objective_eur, other.dual_bound_eur)


def test_a_large_problem_is_proven_by_prices_and_near_ties_alone(monkeypatch):
    given = hard_problem(datasets=300, operators=6, gap=Decimal("0.005"), time_limit_s=60)
    monkeypatch.setattr(search, "SMALL", 100)
    monkeypatch.setattr(search, "NEAR_TIES", 200)
    seen: list[Progress] = []
    solution = solve(given, progress=seen.append)
    assert "polish" in {p.phase for p in seen}
    assert "search" not in {p.phase for p in seen}
    assert solution.termination is Termination.WITHIN_GAP
    assert solution.gap is not None
    assert solution.gap <= 0.005
    whole = solve(hard_problem(datasets=300, operators=6, gap=Decimal("0.004"), time_limit_s=60))
    assert whole.objective_eur is not None
    assert solution.dual_bound_eur is not None
    assert solution.dual_bound_eur <= whole.objective_eur


def test_a_polish_that_falls_short_goes_on_to_the_whole_problem(monkeypatch):
    given = hard_problem(datasets=40, operators=5, gap=Decimal("0.0001"), time_limit_s=60)
    monkeypatch.setattr(search, "SMALL", 10)
    monkeypatch.setattr(search, "NEAR_TIES", 5)
    polished = solve(given)
    monkeypatch.undo()
    plain = solve(given)
    assert polished.termination is plain.termination is Termination.WITHIN_GAP
    assert polished.objective_eur == pytest.approx(plain.objective_eur, rel=2e-4)


OTHER_THREADS = """
import pulp
from placement.errors import SolverError
from placement.optimizer import solve
from tests.builders import dataset, problem, site

model = pulp.LpProblem("other", pulp.LpMinimize)
model += model.add_variable("x", 0, 1, cat=pulp.LpInteger)
model.solve(pulp.HiGHS(msg=False, threads=2))
try:
    print(solve(problem((dataset(),), (site(),))).placements)
except SolverError as error:
    print(error)
"""


def test_another_number_of_threads_in_the_process_is_an_error_not_an_empty_plan():
    """HiGHS keeps one pool of threads a process; a run with another number solves nothing."""
    done = subprocess.run(
        [sys.executable, "-c", OTHER_THREADS],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "another number of threads" in done.stdout


def test_the_report_says_what_solved_and_how_large_it_was():
    report = solve(problem((dataset(),), clouds("x", "y"), parameters=free())).report
    assert report is not None
    assert report.solver == f"HiGHS {_version('highspy')} through PuLP {_version('pulp')}"
    assert (report.variables, report.constraints) == (2, 1)


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def test_a_watch_tells_the_time_left():
    assert Watch(0).expired
    assert not Watch(1000).expired
    cancel = threading.Event()
    watch = Watch(1000, cancel=cancel)
    cancel.set()
    assert watch.expired
    assert watch.left_s == 0.0
    assert Watch(1000).within(5).left_s <= 5
    assert Watch(0).extended(100).left_s > 50


def test_gaps():
    assert gap_between(100, 90) == pytest.approx(0.1)
    assert gap_between(100, 101) == 0
    assert gap_between(0, 0) == 0
