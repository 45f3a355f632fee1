"""Durable jobs on both databases: one claims, the others are fenced off, nothing happens twice."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from models import JobKind, JobProgress, JobState
from placement.errors import Conflict, JobAbandoned, NotFound
from placement.store import Store
from placement.store.jobs import MAX_ATTEMPTS, Jobs
from tests.job_cases import age, silence


def create(store, author="issuer planner", kind=JobKind.DECIDE, committed=None):
    with store.writing() as tx:
        return Jobs(tx).create(kind, author, {"title": "autumn"}, committed).id


def claim(store, job, worker):
    with store.noting() as tx:
        return Jobs(tx).claim(job, worker)


def read(store, job):
    with store.reading() as tx:
        return Jobs(tx).get(job)


def due(store):
    with store.reading() as tx:
        return Jobs(tx).due()


def finish(store, job, worker, **end):
    with store.writing() as tx:
        return Jobs(tx).finish(job, worker, **end)


def test_a_job_is_announced_after_its_commit_only(store):
    told: list[str] = []
    with store.writing() as tx:
        job = Jobs(tx).create(JobKind.DECIDE, "a", {}, told.append).id
        assert told == []
    assert told == [job]


def test_a_job_whose_transaction_fails_is_neither_there_nor_announced(store):
    told: list[str] = []
    with pytest.raises(RuntimeError), store.writing() as tx:  # noqa: PT012
        job = Jobs(tx).create(JobKind.DECIDE, "a", {}, told.append).id
        raise RuntimeError
    assert told == []
    with pytest.raises(NotFound):
        read(store, job)


def test_of_many_threads_one_claims(store):
    job, start = create(store), threading.Barrier(8)

    def race(number):
        start.wait()
        return claim(store, job, f"worker-{number}")

    with ThreadPoolExecutor(8) as pool:
        claims = [claimed for claimed in pool.map(race, range(8)) if claimed is not None]
    assert [claimed.attempt for claimed in claims] == [1]


def _claim_all(url, jobs, name, results):
    store = Store(url)
    results.put([job for job in jobs if claim(store, job, name) is not None])
    store.close()


def test_of_many_processes_one_claims_each_job(store, store_url):
    jobs = [create(store) for _ in range(20)]
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    racing = [
        spawn.Process(target=_claim_all, args=(store_url, jobs, f"process-{number}", results))
        for number in range(3)
    ]
    for process in racing:
        process.start()
    claimed = [job for _ in racing for job in results.get(timeout=60)]
    for process in racing:
        process.join()
    results.close()
    results.join_thread()
    assert sorted(claimed) == sorted(jobs)
    assert {read(store, job).attempt for job in jobs} == {1}


def test_a_living_worker_keeps_its_job(store):
    job = create(store)
    claim(store, job, "first")
    assert due(store) == ()
    assert claim(store, job, "second") is None


def test_a_silent_worker_is_fenced_off(store):
    job = create(store)
    claim(store, job, "first")
    silence(store, job)
    assert due(store) == (job,)
    second = claim(store, job, "second")
    assert second is not None
    assert second.attempt == 2
    with pytest.raises(Conflict):
        finish(store, job, "first", result={"decision": 1})
    with store.noting() as tx:
        assert not Jobs(tx).news(job, "first", JobProgress(phase="solve"))
        assert not Jobs(tx).release(job, "first")
        assert not Jobs(tx).hold(job, "first")
    assert read(store, job).progress.phase == ""
    assert finish(store, job, "second", result={"decision": 2}).result == {"decision": 2}


def test_what_a_fenced_transaction_wrote_is_undone(store):
    job = create(store)
    claim(store, job, "first")
    silence(store, job)
    claim(store, job, "second")
    other = []
    with pytest.raises(Conflict), store.writing() as tx:  # noqa: PT012
        other.append(Jobs(tx).create(JobKind.REPLAY, "a", {}).id)
        Jobs(tx).finish(job, "first", result={})
    with pytest.raises(NotFound):
        read(store, other[0])


def test_a_sign_of_life_renews_the_lease_and_counts_progress(store):
    job = create(store)
    claim(store, job, "first")
    silence(store, job)
    with store.noting() as tx:
        assert Jobs(tx).news(job, "first", JobProgress(phase="solve", gap=Decimal("0.25")))
    assert due(store) == ()
    now = read(store, job)
    assert (now.progress.phase, str(now.progress.gap), now.progress_sequence) == (
        "solve",
        "0.25",
        1,
    )


def test_a_job_that_kills_its_workers_fails_in_the_end(store):
    job = create(store)
    for number in range(MAX_ATTEMPTS):
        assert claim(store, job, f"worker-{number}") is not None
        silence(store, job)
    assert claim(store, job, "one more") is None
    failed = read(store, job)
    assert failed.state is JobState.FAILED
    assert failed.problem is not None
    assert failed.problem["code"] == JobAbandoned.code
    assert due(store) == ()


def test_a_job_given_back_waits_as_told(store):
    job = create(store)
    claim(store, job, "first")
    with store.noting() as tx:
        assert Jobs(tx).release(job, "first", after=timedelta(hours=1))
    assert due(store) == ()
    assert claim(store, job, "second") is None
    age(store, job, due_at=1)
    assert due(store) == (job,)
    second = claim(store, job, "second")
    assert second is not None
    assert second.attempt == 2


def test_an_attempt_that_was_only_interrupted_does_not_count(store):
    job = create(store)
    for _ in range(MAX_ATTEMPTS + 1):
        claimed = claim(store, job, "worker")
        assert claimed is not None
        assert claimed.attempt == 1
        with store.noting() as tx:
            assert Jobs(tx).release(job, "worker")


@pytest.mark.parametrize("claimed", [False, True])
def test_cancelling_ends_a_job_at_once_and_for_good(store, claimed):
    job = create(store)
    if claimed:
        claim(store, job, "worker")
    with store.writing() as tx:
        ended, changed = Jobs(tx).cancel(job)
    assert (ended.state, ended.cancel_requested, changed) == (JobState.CANCELLED, True, True)
    assert claim(store, job, "another") is None
    with pytest.raises(Conflict):
        finish(store, job, "worker", result={})
    with store.writing() as tx:
        again, changed = Jobs(tx).cancel(job)
    assert (again, changed) == (read(store, job), False)


def test_a_job_that_is_done_is_not_cancelled(store):
    job = create(store)
    claim(store, job, "worker")
    done = finish(store, job, "worker", result={"decision": 1})
    with store.writing() as tx:
        assert Jobs(tx).cancel(job) == (done, False)


def test_jobs_are_listed_by_page_the_latest_first(store):
    jobs = [create(store) for _ in range(5)][::-1]
    found, after = [], None
    while True:
        with store.reading() as tx:
            part = Jobs(tx).list(after=after, limit=2)
        if not part:
            break
        found += [job.id for job in part]
        after = part[-1].id
    assert found == jobs


def test_jobs_of_the_same_moment_are_all_listed(store):
    with store.writing() as tx:
        jobs = {Jobs(tx).create(JobKind.DECIDE, "a", {}).id for _ in range(5)}
    with store.reading() as tx:
        first = Jobs(tx).list(limit=2)
        rest = Jobs(tx).list(after=first[-1].id)
    assert [len(first), len(rest)] == [2, 3]
    assert {job.id for job in (*first, *rest)} == jobs


def test_filters_narrow_the_list(store):
    mine, theirs = create(store, "me"), create(store, "them", JobKind.REPLAY)
    claim(store, theirs, "worker")
    with store.reading() as tx:
        jobs = Jobs(tx)
        assert [job.id for job in jobs.list(author="me")] == [mine]
        assert [job.id for job in jobs.list(kind=JobKind.REPLAY)] == [theirs]
        assert [job.id for job in jobs.list(state=JobState.RUNNING)] == [theirs]
        assert jobs.list(author="me", state=JobState.RUNNING) == ()
        assert set(jobs.several([mine, theirs, "0" * 32])) == {mine, theirs}


def test_somebody_elses_job_does_not_exist(store):
    job = create(store, "them")
    with store.writing() as tx:
        for ask in (Jobs(tx).get, Jobs(tx).cancel):
            with pytest.raises(NotFound):
                ask(job, author="me")
        with pytest.raises(NotFound):
            Jobs(tx).list(author="me", after=job)
    assert read(store, job).state is JobState.QUEUED
