"""Jobs over a real server: lists, cancellation, and server-sent events, on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from api import job_events
from models import JobState
from placement.service.working import execute
from tests.job_cases import (
    DISMISSED,
    HANDLERS,
    caller_of,
    city_of,
    effects,
    read,
    serving,
    submit,
    until,
    until_state,
)


@pytest.fixture
def city(store, store_key):
    return city_of(store, store_key)


@pytest.fixture
def served(city):
    """A server whose jobs wait for other processes to do them."""
    with serving(city, works=False) as served:
        yield served


@pytest.fixture
def client(served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


def events_of(response):
    """(id, event, data) of each server-sent event; comments are left out."""
    for block in "".join(response.iter_text()).split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if "event" in fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])


def listen(client, job, **headers):
    with client.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(events_of(response))


def test_a_job_is_done_in_process_and_its_progress_told(city):
    with serving(city) as served, httpx.Client(base_url=served.url, timeout=60) as client:
        job = submit(city, {"seconds": 2})
        told = listen(client, job.id)
    *progress, (_, last, ended) = told
    assert last == "done"
    assert ended["result"] == {"attempt": 1}
    assert progress
    assert {event for _, event, _ in progress} == {"progress"}
    assert [number for number, _, _ in told] == sorted(number for number, _, _ in told)
    assert set(progress[0][2]) == {"phase", "message", "incumbent_eur", "bound_eur", "gap"}
    assert effects(city.store, job.id) == 1


def test_another_process_work_is_told(city, client, served):
    job = submit(city, {"seconds": 2})
    elsewhere = threading.Thread(target=execute, args=(city, job.id, HANDLERS))
    elsewhere.start()
    told = listen(client, job.id)
    elsewhere.join()
    assert [event for _, event, _ in told][-1] == "done"


def test_what_was_seen_is_not_told_again(city, client):
    job = submit(city, {"seconds": 1.5})
    execute(city, job.id, HANDLERS)
    sequence = read(city.store, job.id).progress_sequence
    for seen in (None, "", "0", str(sequence), "9999999999"):
        headers = {} if seen is None else {"last-event-id": seen}
        told = listen(client, job.id, **headers)
        assert [event for _, event, _ in told] == ["done"]
    for wrong in ("-1", "x", "1" * 11):
        response = client.get(f"/v1/jobs/{job.id}/events", headers={"last-event-id": wrong})
        assert response.status_code == 400


def test_cancelling_is_told_at_once_and_may_be_repeated(city, client):
    job = submit(city)
    with client.stream("GET", f"/v1/jobs/{job.id}/events") as response:
        first = client.post(f"/v1/jobs/{job.id}/cancellation")
        told = list(events_of(response))
    assert first.status_code == 200
    assert first.json()["state"] == "cancelled"
    assert [event for _, event, _ in told] == ["cancelled"]
    again = client.post(f"/v1/jobs/{job.id}/cancellation")
    assert again.json() == first.json()


def test_cancelling_stops_the_worker(city, tmp_path):
    begun = tmp_path / "begun"
    with serving(city) as served, httpx.Client(base_url=served.url, timeout=60) as client:
        job = submit(city, {"seconds": 3600, "begun": str(begun)})
        until(begun.exists, "the worker begins")
        assert client.post(f"/v1/jobs/{job.id}/cancellation").json()["state"] == "cancelled"
        after = submit(city)
        until_state(city.store, after.id, JobState.DONE)
    assert effects(city.store, job.id) == 0


def test_a_client_that_leaves_frees_everything(city, client, served):
    job = submit(city)
    with client.stream("GET", f"/v1/jobs/{job.id}/events"):
        feed = served.app.state["job_feed"]
        until(lambda: feed.streams == 1, "somebody listens")
        assert feed.looks
    until(lambda: feed.streams == 0, "nobody listens")
    until(lambda: not feed.looks, "nobody looks")
    with client.stream("GET", f"/v1/jobs/{job.id}/events"):
        until(lambda: feed.streams == 1 and feed.looks, "somebody listens again")


def test_streams_are_bounded(city, client, served, monkeypatch):
    monkeypatch.setattr(job_events, "MOST_STREAMS", 1)
    job = submit(city)
    with client.stream("GET", f"/v1/jobs/{job.id}/events"):
        until(lambda: served.app.state["job_feed"].streams == 1, "somebody listens")
        refused = client.get(f"/v1/jobs/{job.id}/events")
    assert refused.status_code == 503
    assert refused.json()["code"] == "overloaded"


def test_a_long_stream_ends_so_that_the_client_asks_again(city, client, monkeypatch):
    monkeypatch.setattr(job_events, "LONGEST_S", 0.5)
    monkeypatch.setattr(job_events, "QUIET_S", 0.1)
    job = submit(city)
    with client.stream("GET", f"/v1/jobs/{job.id}/events") as response:
        text = "".join(response.iter_text())
    assert text.startswith("retry: ")
    assert ": still here" in text
    assert "event:" not in text


def test_whoever_may_no_longer_listen_is_told_nothing_more(city, client, monkeypatch):
    monkeypatch.setattr(job_events, "QUIET_S", 0.2)
    job = submit(city)
    with client.stream("GET", f"/v1/jobs/{job.id}/events") as response:
        DISMISSED.add("planner")
        text = "".join(response.iter_text())
    assert "event:" not in text
    assert read(city.store, job.id).state is JobState.QUEUED


def test_jobs_of_others_do_not_exist(city, client):
    job = submit(city, caller=caller_of("issuer other"))
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancellation")):
        response = client.request(method, f"/v1/jobs/{job.id}{path}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        unknown = client.request(method, f"/v1/jobs/{'0' * 32}{path}")
        assert unknown.json()["detail"] == response.json()["detail"]
    assert client.get("/v1/jobs").json()["items"] == []
    board = {"as": "board"}
    assert client.get(f"/v1/jobs/{job.id}", headers=board).json()["id"] == job.id
    assert [item["id"] for item in client.get("/v1/jobs", headers=board).json()["items"]] == [
        job.id
    ]


def test_jobs_are_listed_by_page(city, client):
    jobs = [submit(city).id for _ in range(5)][::-1]
    found, query = [], {"limit": "2", "state": "queued"}
    while True:
        page = client.get("/v1/jobs", params=query).json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == jobs
    query["state"] = "done"
    assert client.get("/v1/jobs", params=query).status_code == 400
    assert client.get("/v1/jobs", params={"state": "odd"}).status_code == 400
    assert client.get("/v1/jobs", params={"kind": "replay"}).json()["items"] == []


def test_a_repeated_cancellation_gets_the_same_reply(city, client):
    job = submit(city)
    key = {"idempotency-key": "once"}
    first = client.post(f"/v1/jobs/{job.id}/cancellation", headers=key)
    again = client.post(f"/v1/jobs/{job.id}/cancellation", headers=key)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
