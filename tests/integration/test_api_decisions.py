"""Decisions and placements over HTTP, by a city whose jobs are done when the test says so."""

from __future__ import annotations

import pytest

from api.routes import decisions, placements, what_ifs
from models import Job, PlacementStatus
from tests.asking_cases import asking
from tests.decision_cases import (
    city,
    keep,
    make_city,
    propose,
    register,
    run,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
NUMBER = "/v1/decisions/1"


@pytest.fixture
def ask(city):
    with asking(city, [*decisions.routes, *placements.routes, *what_ifs.routes]) as ask:
        yield ask


def done(city, reply):
    """The job that was accepted, done."""
    assert reply.status_code == 202, reply.text
    job = Job.model_validate(reply.json())
    assert reply.headers["location"] == f"/v1/jobs/{job.id}"
    return run(city, job)


def test_the_way_of_a_decision(ask, city):
    asked = ask("office", "POST", "/v1/decisions", json={"title": "Plan for 2027"})
    assert done(city, asked).result == {"decision": 1, "outcome": "decided", "state": "proposed"}
    read = ask("board", "GET", NUMBER)
    assert (read.json()["state"], read.headers["etag"]) == ("proposed", '"1.1"')
    assert ask("board", "GET", NUMBER, headers={"if-none-match": '"1.1"'}).status_code == 304
    diff = ask("board", "GET", f"{NUMBER}/diff").json()
    assert (diff["since"], len(diff["moves"])) == (None, 4)
    own = ask("office", "POST", f"{NUMBER}/approval")
    assert (own.status_code, own.json()["code"]) == (403, "not_allowed")
    approved = ask(
        "board",
        "POST",
        f"{NUMBER}/approval",
        json={"reason": "agreed"},
        headers={"if-match": '"1.1"'},
    )
    assert (approved.status_code, approved.headers["etag"]) == (200, '"1.2"')
    again = ask("board", "POST", f"{NUMBER}/approval")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    for step, state in (
        ("provisioning", "provisioning"),
        ("in-force", "in_force"),
        ("withdrawal", "withdrawn"),
    ):
        moved = ask("machine", "POST", f"{NUMBER}/{step}")
        assert (moved.status_code, moved.json()["state"]) == (200, state), moved.text
    events = ask("board", "GET", f"{NUMBER}/events").json()["items"]
    assert [event["state"] for event in events] == [
        "proposed",
        "approved",
        "provisioning",
        "in_force",
        "withdrawn",
    ]
    assert events[1]["reason"] == "agreed"


def test_the_plan_file_is_the_stored_one(ask, city):
    record = propose(city)
    plan = ask("board", "GET", f"{NUMBER}/plan")
    assert (plan.status_code, plan.json()["digest"]) == (200, record.plan)
    assert plan.headers["etag"] == f'"{record.plan}"'
    assert ask("board", "GET", f"{NUMBER}/answer").json() == {
        "answer": "decided",
        "plan": plan.json(),
    }
    assert ask("green", "GET", f"{NUMBER}/plan").status_code == 403


@pytest.mark.parametrize("step", ["approval", "provisioning", "in-force", "withdrawal"])
def test_bodies_are_optional_and_strict(ask, city, step):
    propose(city)
    unknown = ask("board", "POST", f"{NUMBER}/{step}", json={"reasons": "typo"})
    assert unknown.status_code in (400, 422), unknown.text
    assert unknown.json()["defects"][0]["field"] == "reasons"
    broken = ask(
        "board",
        "POST",
        f"{NUMBER}/{step}",
        content=b'{"reason": "a", "reason": "b"}',
        headers={"content-type": "application/json"},
    )
    assert broken.status_code == 400, broken.text
    assert ask("board", "GET", NUMBER).json()["state"] == "proposed"


def test_a_repeated_approval_gets_the_same_reply(ask, city):
    propose(city)
    key = {"idempotency-key": "once"}
    first = ask("board", "POST", f"{NUMBER}/approval", headers=key)
    second = ask("board", "POST", f"{NUMBER}/approval", headers=key)
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"


def test_a_stale_proposal_is_a_conflict_that_names_what_changed(ask, city):
    propose(city)
    keep(city, register_given=register(capacity_gb=9_999))
    refused = ask("board", "POST", f"{NUMBER}/approval")
    assert (refused.status_code, refused.json()["code"]) == (409, "stale_proposal")
    (change,) = refused.json()["changes"]
    assert (change["what"], change["decided_on"]) == ("sites", "version 1")
    assert "hoster" in change["now"]


def test_lists_are_paged_filtered_and_sorted(ask, city):
    for _ in range(3):
        propose(city)
    first = ask("board", "GET", "/v1/decisions?limit=2&state=proposed").json()
    assert [item["number"] for item in first["items"]] == [3, 2]
    rest = ask("board", "GET", f"/v1/decisions?limit=2&state=proposed&cursor={first['next']}")
    assert [item["number"] for item in rest.json()["items"]] == [1]
    assert rest.json()["next"] is None
    up = ask("board", "GET", "/v1/decisions?sort=number&outcome=decided").json()["items"]
    assert [item["number"] for item in up] == [1, 2, 3]
    assert ask("board", "GET", "/v1/decisions?state=nonsense").status_code == 400
    assert ask("board", "GET", "/v1/decisions/9").status_code == 404


def test_placements_are_read_listed_and_explained(ask, city):
    propose(city)
    assert ask("board", "GET", "/v1/placements").json() == {"items": [], "next": None}
    assert ask("board", "POST", f"{NUMBER}/approval").status_code == 200
    path = "/v1/placements/bag%2Fmaps:v1"
    one = ask("green", "GET", path)
    assert PlacementStatus.model_validate(one.json()).dataset == "bag/maps:v1"
    assert (
        ask("green", "GET", path, headers={"if-none-match": one.headers["etag"]}).status_code == 304
    )
    assert ask("green", "GET", "/v1/placements/secret-register").status_code == 404
    assert ask("green", "GET", f"{path}?by=in_force").status_code == 404
    told = ask("green", "GET", f"{path}/explanation")
    assert told.status_code == 200
    assert "secret-register" not in told.text
    assert ask("green", "GET", f"{path}/explanation?site=nowhere").status_code == 422
    page = ask("board", "GET", "/v1/placements?limit=3").json()
    following = ask("board", "GET", f"/v1/placements?limit=3&cursor={page['next']}").json()
    names = [item["dataset"] for item in (*page["items"], *following["items"])]
    assert names == ["bag", "bag/maps:v1", "secret-register", "trees", "zones"]
    for query, found in (
        ("classification=normal&department=Green", ["bag/maps:v1", "trees"]),
        ("classification=2&operator=city", ["bag/maps:v1", "zones"]),
        ("gdpr_category=special", []),
        ("site=townhall&role=registrar", ["bag/maps:v1", "zones"]),
    ):
        items = ask("board", "GET", f"/v1/placements?{query}").json()["items"]
        assert [item["dataset"] for item in items] == found, query
    assert ask("board", "GET", "/v1/placements?classification=topmost").status_code == 400


def test_replays_and_what_ifs_are_jobs(ask, city):
    propose(city)
    replayed = done(city, ask("office", "POST", f"{NUMBER}/replay"))
    assert replayed.result is not None
    assert replayed.result["exact"]
    asked = {"fixed": [{"dataset": "trees", "site": "archive", "allowed": True}]}
    answered = done(city, ask("office", "POST", "/v1/what-ifs", json=asked))
    assert answered.result is not None
    report = ask("office", "GET", f"/v1/what-ifs/{answered.result['what_if']}").json()
    assert report["asked"]["fixed"] == asked["fixed"]
    wrong = ask("office", "POST", "/v1/what-ifs", json={"sites_out": ["nowhere"]})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_input")
