"""What workers do with jobs, on both databases."""

from __future__ import annotations

import threading

import pytest

from models import JobState
from placement.errors import BadInput, Defect, JobCancelled, NotFound, PolicyEngineError, StoreError
from placement.optimizer import solve
from placement.service import jobs
from placement.service.working import Refused, execute
from placement.steps import Step
from placement.store.jobs import LEASE, MAX_ATTEMPTS
from tests.job_cases import (
    KIND,
    age,
    caller_of,
    city_of,
    effect_of,
    effects,
    read,
    silence,
    submit,
    until,
)
from tests.optimizer_cases import hard_problem


@pytest.fixture
def city(store):
    return city_of(store)


def run(city, job, handler, stop=None):
    return execute(city, job.id, {KIND: handler}, stop)


def raising(error):
    def handler(_city, _job, _report, _cancel):
        raise error

    return handler


def simply(_city, job, _report, _cancel):
    return effect_of(job)


def cancel(city, job, caller=None):
    with city.store.writing() as tx:
        return jobs.cancel(tx, caller or caller_of(), job.id)


def test_a_job_and_its_effect_end_together(city):
    woken: list[str] = []
    city.wake = woken.append
    job = submit(city)
    assert woken == [job.id]
    run(city, job, simply)
    done = read(city.store, job.id)
    assert (done.state, done.result) == (JobState.DONE, {"attempt": 1})
    assert effects(city.store, job.id) == 1


def test_a_job_that_nobody_could_be_told_of_is_overdue(city):
    def deaf(_job):
        raise RuntimeError("no engine")

    city.wake = deaf
    job = submit(city)
    assert jobs.overdue(city) == (job.id,)


def test_a_job_delivered_twice_is_done_once(city):
    job = submit(city)
    assert run(city, job, simply) is not None
    assert run(city, job, simply) is None
    assert effects(city.store, job.id) == 1


def test_an_unknown_job_is_not_found(city):
    with pytest.raises(NotFound):
        execute(city, "0" * 32, {KIND: simply})


def test_the_effect_of_an_attempt_that_was_overtaken_never_happens(city):
    job = submit(city)

    def slow(_city, job, _report, _cancel):
        silence(city.store, job.id)
        assert run(city, job, simply) is not None
        return effect_of(job)

    run(city, job, slow)
    assert read(city.store, job.id).result == {"attempt": 2}
    assert effects(city.store, job.id) == 1


def test_signs_of_life_keep_a_long_job(city):
    job = submit(city)

    def long(_city, job, _report, _cancel):
        age(city.store, job.id, heartbeat_at=LEASE.total_seconds() - 5)
        until(lambda: jobs.overdue(city) == () and _young(city, job), "a sign of life")
        return effect_of(job)

    run(city, job, long)
    assert read(city.store, job.id).state is JobState.DONE


def _young(city, job):
    from placement.store.tables import JobRow

    with city.store.reading() as tx:
        row = tx.session.get_one(JobRow, job.id)
        return (tx.now - row.heartbeat_at).total_seconds() < 2


def test_progress_is_written_down(city):
    job = submit(city)

    def telling(_city, job, report, _cancel):
        report(Step("solve", "a plan", 12.345, float("-inf"), 1 / 3))
        until(lambda: read(city.store, job.id).progress_sequence == 1, "progress")
        return effect_of(job)

    run(city, job, telling)
    progress = read(city.store, job.id).progress
    assert (progress.phase, progress.message) == ("solve", "a plan")
    assert (str(progress.incumbent_eur), progress.bound_eur) == ("12.34", None)
    assert str(progress.gap) == "0.333333"


def test_a_cancelled_job_stops_its_worker_and_has_no_effect(city):
    job, stopped = submit(city), threading.Event()

    def waiting(_city, job, _report, wanted):
        assert cancel(city, job).state is JobState.CANCELLED
        assert wanted.wait(60)
        stopped.set()
        raise JobCancelled("the work was cancelled")

    run(city, job, waiting)
    assert stopped.is_set()
    assert read(city.store, job.id).state is JobState.CANCELLED
    assert read(city.store, job.id).problem is None


def test_a_cancelled_solve_ends(city):
    job = submit(city)

    def solving(_city, _job, report, wanted):
        def note(at):
            report(Step("solve", at.phase, at.incumbent, at.bound, at.gap))
            if not wanted.is_set() and at.phase == "search":
                cancel(city, job)

        solve(hard_problem(time_limit_s=3600), progress=note, cancel=wanted)
        assert wanted.is_set()
        raise JobCancelled("the work was cancelled")

    run(city, job, solving)
    assert read(city.store, job.id).state is JobState.CANCELLED


def test_a_handler_deaf_to_cancellation_has_no_effect_either(city):
    job = submit(city)

    def deaf(_city, job, _report, _cancel):
        cancel(city, job)
        return effect_of(job)

    run(city, job, deaf)
    assert read(city.store, job.id).state is JobState.CANCELLED
    assert effects(city.store, job.id) == 0


def test_cancelling_is_recorded_once(city):
    job = submit(city)
    cancel(city, job)
    cancel(city, job)
    from sqlalchemy import func, select

    from placement.store.tables import AuditRow

    with city.store.reading() as tx:
        query = select(func.count()).where(AuditRow.subject == f"job/{job.id}")
        assert tx.session.scalar(query) == 1


def test_only_ones_own_jobs_are_seen_without_further_rights(city):
    job = submit(city, caller=caller_of("issuer somebody"))
    for ask in (lambda: jobs.read(city, caller_of(), job.id), lambda: cancel(city, job)):
        with pytest.raises(NotFound):
            ask()
    assert jobs.list_jobs(city, caller_of()) == ()
    assert jobs.read(city, caller_of(sees_all=True), job.id).id == job.id
    assert [seen.id for seen in jobs.list_jobs(city, caller_of(sees_all=True))] == [job.id]


def test_a_worker_told_to_stop_gives_its_job_back(city):
    job, stop = submit(city), threading.Event()

    def waiting(_city, job, _report, wanted):
        stop.set()
        assert wanted.wait(60)
        return effect_of(job)

    run(city, job, waiting, stop)
    left = read(city.store, job.id)
    assert (left.state, left.attempt) == (JobState.QUEUED, 0)
    assert effects(city.store, job.id) == 0
    assert jobs.overdue(city) == (job.id,)


def test_defects_are_told(city):
    job = submit(city)
    run(city, job, raising(BadInput([Defect("catalog", "dataset a", "title", "is missing")])))
    failed = read(city.store, job.id)
    assert failed.state is JobState.FAILED
    assert failed.problem == {
        "code": "bad_input",
        "detail": "catalog: dataset a: title: is missing",
        "defects": [
            {
                "file": "catalog",
                "record": "dataset a",
                "field": "title",
                "message": "is missing",
            }
        ],
    }


def test_the_text_of_a_foreign_error_is_not_told(city):
    job = submit(city)
    run(city, job, raising(RuntimeError("password=hunter2")))
    problem = read(city.store, job.id).problem
    assert problem is not None
    assert problem["code"] == "internal"
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize("error", [PolicyEngineError("OPA is away"), StoreError("no database")])
def test_what_passes_is_tried_again_and_fails_in_the_end(city, error):
    job = submit(city)
    for attempt in range(1, MAX_ATTEMPTS):
        run(city, job, raising(error))
        waiting = read(city.store, job.id)
        assert (waiting.state, waiting.attempt) == (JobState.QUEUED, attempt)
        assert run(city, job, simply) is None
        age(city.store, job.id, due_at=1)
    run(city, job, raising(error))
    failed = read(city.store, job.id)
    assert failed.state is JobState.FAILED
    assert failed.problem == {"code": error.code, "detail": str(error)}


def test_an_ending_that_raises_leaves_nothing_but_the_failure(city):
    job = submit(city)

    def handler(_city, job, _report, _cancel):
        def ending(tx):
            effect_of(job)(tx)
            raise NotFound("the dataset is gone")

        return ending

    run(city, job, handler)
    failed = read(city.store, job.id)
    assert failed.problem == {"code": "not_found", "detail": "the dataset is gone"}
    assert effects(city.store, job.id) == 0


def test_an_ending_that_refuses_keeps_what_it_wrote(city):
    job = submit(city)

    def handler(_city, job, _report, _cancel):
        def ending(tx):
            effect_of(job)(tx)
            return Refused("conflict", "the policies were withdrawn")

        return ending

    run(city, job, handler)
    failed = read(city.store, job.id)
    assert failed.problem == {"code": "conflict", "detail": "the policies were withdrawn"}
    assert effects(city.store, job.id) == 1


def test_a_database_away_at_the_end_costs_no_work(city):
    job, worked, ended = submit(city), [], []

    def handler(_city, job, _report, _cancel):
        worked.append(job.attempt)

        def ending(tx):
            ended.append(job.attempt)
            result = effect_of(job)(tx)
            if len(ended) == 1:
                raise StoreError("away for a moment")
            return result

        return ending

    run(city, job, handler)
    assert (worked, ended) == ([1], [1, 1])
    assert read(city.store, job.id).state is JobState.DONE
    assert effects(city.store, job.id) == 1
