"""Workers as real processes: killed, stopped, and beside each other, on both databases."""

from __future__ import annotations

import signal

import pytest

from models import JobState
from tests import job_cases
from tests.job_cases import city_of, effects, read, submit, until, until_state, worker_process


@pytest.fixture
def key_file(tmp_path, store_key):
    return tmp_path / "keys" / "audit.pem"


def test_a_worker_process_does_what_was_committed(store, store_url, key_file):
    job = submit(city_of(store), {"seconds": 0.2})
    with worker_process(store_url, key_file):
        done = until_state(store, job.id, JobState.DONE)
    assert done.result == {"attempt": 1}
    assert effects(store, job.id) == 1


def test_a_job_of_a_killed_worker_is_done_once_by_another(store, store_url, key_file, tmp_path):
    begun = tmp_path / "begun"
    job = submit(city_of(store), {"seconds": 2, "begun": str(begun)})
    with worker_process(store_url, key_file) as first:
        until(begun.exists, "the first worker begins")
        first.send_signal(signal.SIGKILL)
        first.wait(job_cases.PATIENCE_S)
    assert read(store, job.id).state is JobState.RUNNING
    with worker_process(store_url, key_file):
        done = until_state(store, job.id, JobState.DONE)
    assert done.result == {"attempt": 2}
    assert begun.read_text().split() == [job.id, "1", job.id, "2"]
    assert effects(store, job.id) == 1


def test_a_stopped_worker_gives_its_job_back_and_ends(store, store_url, key_file, tmp_path):
    begun = tmp_path / "begun"
    job = submit(city_of(store), {"seconds": 60, "begun": str(begun), "stubborn": True})
    with worker_process(store_url, key_file) as worker:
        until(begun.exists, "the worker begins")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(job_cases.PATIENCE_S) == 0
    left = read(store, job.id)
    assert (left.state, left.attempt) == (JobState.QUEUED, 0)
    assert effects(store, job.id) == 0


def test_a_stopped_worker_ends_a_short_job_first(store, store_url, key_file, tmp_path):
    begun = tmp_path / "begun"
    job = submit(city_of(store), {"seconds": 1, "begun": str(begun)})
    with worker_process(store_url, key_file) as worker:
        until(begun.exists, "the worker begins")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(job_cases.PATIENCE_S) == 0
    assert read(store, job.id).state is JobState.DONE
    assert effects(store, job.id) == 1


def test_two_workers_beside_each_other_do_every_job_once(store, store_url, key_file, tmp_path):
    city, begun = city_of(store), tmp_path / "begun"
    jobs = [submit(city, {"seconds": 0.1, "begun": str(begun)}).id for _ in range(20)]
    with worker_process(store_url, key_file), worker_process(store_url, key_file):
        for job in jobs:
            until_state(store, job, JobState.DONE)
    assert sorted(begun.read_text().splitlines()) == sorted(f"{job} 1" for job in jobs)
    assert [effects(store, job) for job in jobs] == [1] * len(jobs)
