"""What was provisioned and found, over HTTP: shown, told as events, refused when stale."""

from __future__ import annotations

from typing import Any

import pytest

from api.routes import decisions, placements
from models import EventType
from placement.store.outbox import Outbox
from tests.asking_cases import asking
from tests.decision_cases import (
    approve_it,
    city,
    enforce_it,
    keep,
    make_city,
    propose,
    register,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

TREES = "/v1/placements/trees"


@pytest.fixture
def ask(city):
    with asking(city, [*decisions.routes, *placements.routes]) as asked:

        def ask(method: str, path: str, who: str = "machine", **more: Any) -> Any:
            return asked(who, method, path, **more)

        yield ask


def events(city, *kinds: EventType) -> list[Any]:
    with city.store.reading() as tx:
        return [event for event in Outbox(tx).list(1000) if event.type in kinds]


def site_of(ask, dataset: str = "trees") -> str:
    return ask("GET", f"/v1/placements/{dataset}").json()["sites"][0]["site"]


def elsewhere(ask) -> str:
    told = ask("GET", TREES).json()
    taken = {host["site"] for host in told["sites"]} | set(told["from_sites"])
    return next(site for site in ("hoster", "townhall", "archive") if site not in taken)


def test_a_report_stands_beside_what_was_decided(ask, city):
    approve_it(city, propose(city).number)
    site = site_of(ask)
    before = ask("GET", TREES)
    assert before.json()["actual"]["sites"][0]["state"] is None
    evidence = {"summary": "bucket made", "reference": "https://ci.example/17", "sha256": "0" * 64}
    said = {"decision": 1, "site": site, "state": "done", "evidence": evidence}
    assert ask("POST", f"{TREES}/reports", json=said).status_code == 201
    after = ask("GET", TREES)
    (shown,) = after.json()["actual"]["sites"]
    assert (shown["state"], shown["reported_by"]) == ("done", "issuer machine")
    assert shown["evidence"] == evidence
    assert after.headers["etag"] != before.headers["etag"]
    listed = ask("GET", "/v1/placements?limit=1000").json()["items"]
    assert next(item for item in listed if item["dataset"] == "trees") == after.json()
    (kept,) = ask("GET", f"{TREES}/reports").json()["items"]
    assert kept["report"] == said | {"event": None}


def test_reports_are_listed_page_by_page_the_latest_first(ask, city):
    approve_it(city, propose(city).number)
    site = site_of(ask)
    for state in ("pending", "failed", "done"):
        said = {"decision": 1, "site": site, "state": state}
        assert ask("POST", f"{TREES}/reports", json=said).status_code == 201
    first = ask("GET", f"{TREES}/reports?limit=2").json()
    rest = ask("GET", f"{TREES}/reports?limit=2&cursor={first['next']}").json()
    states = [item["report"]["state"] for item in (*first["items"], *rest["items"])]
    assert states == ["done", "failed", "pending"]


def test_data_found_elsewhere_is_drift_told_once_and_its_end_too(ask, city):
    approve_it(city, propose(city).number)
    enforce_it(city, 1)
    wrong, right = elsewhere(ask), site_of(ask)
    for _ in range(2):
        seen = ask("POST", f"{TREES}/observations", json={"found": [wrong, right]})
        assert seen.status_code == 201
    told = ask("GET", TREES).json()["actual"]
    assert told["drifted"] is True
    (sentence,) = told["drift"]
    assert sentence.startswith(f"it was found at {wrong} on ")
    explained = ask("GET", f"{TREES}/explanation").json()
    assert explained["drift"] == [sentence]
    (drifted,) = events(city, EventType.DATASET_DRIFTED)
    assert drifted.dataset == "trees"
    assert drifted.data["found"] == sorted([wrong, right])
    assert drifted.data["desired"] == [right]
    assert (drifted.department, drifted.data["observed_by"]) == ("Green", "issuer machine")
    gone = {"found": [right], "looked_at": [wrong]}
    assert ask("POST", f"{TREES}/observations", json=gone).status_code == 201
    assert ask("GET", TREES).json()["actual"]["drifted"] is False
    assert len(events(city, EventType.DATASET_SETTLED)) == 1
    assert len(events(city, EventType.DATASET_DRIFTED)) == 1


def test_where_it_rested_is_tolerated_until_the_plan_is_in_force(ask, city):
    cheap = {"object_price_eur_per_gb_month": "0.0001", "egress_price_eur_per_gb": "0"}
    keep(city, register_given=register(**cheap))
    approve_it(city, propose(city).number)
    placed = ask("GET", TREES).json()
    (before,) = placed["from_sites"]
    assert before not in [host["site"] for host in placed["sites"]], "the case needs a move"
    ask("POST", f"{TREES}/observations", json={"found": [before]})
    assert ask("GET", TREES).json()["actual"]["drifted"] is False
    assert events(city, EventType.DATASET_DRIFTED) == []
    enforce_it(city, 1)
    assert ask("GET", TREES).json()["actual"]["drifted"] is True
    assert len(events(city, EventType.DATASET_DRIFTED)) == 1


def test_data_that_was_provisioned_and_is_gone_is_drift(ask, city):
    approve_it(city, propose(city).number)
    site = site_of(ask)
    missing = {"found": [], "looked_at": [site]}
    assert ask("POST", f"{TREES}/observations", json=missing).status_code == 201
    assert ask("GET", TREES).json()["actual"]["drifted"] is False  # not there yet
    done = {"decision": 1, "site": site, "state": "done"}
    assert ask("POST", f"{TREES}/reports", json=done).status_code == 201
    assert ask("POST", f"{TREES}/observations", json=missing).status_code == 201
    (sentence,) = ask("GET", TREES).json()["actual"]["drift"]
    assert sentence.startswith(f"it was not found at {site} on ")


def test_another_plan_asks_for_reports_anew_and_refuses_old_ones(ask, city):
    approve_it(city, propose(city).number)
    site = site_of(ask)
    said = {"decision": 1, "site": site, "state": "done"}
    assert ask("POST", f"{TREES}/reports", json=said).status_code == 201
    dearer = {"object_price_eur_per_gb_month": "0.9"}
    keep(city, register_given=register(**dearer))
    approve_it(city, propose(city).number)
    assert site_of(ask) != site
    states = {one["site"]: one["state"] for one in ask("GET", TREES).json()["actual"]["sites"]}
    assert states == {site: None, site_of(ask): None}
    stale = ask("POST", f"{TREES}/reports", json=said)
    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
    assert "decision 2 does" in stale.json()["detail"]
    removed = {"decision": 2, "site": site, "state": "done"}
    assert ask("POST", f"{TREES}/reports", json=removed).status_code == 201


@pytest.mark.parametrize(
    ("where", "body", "status"),
    [
        ("reports", {"decision": 1, "site": "hoster-of-nobody", "state": "done"}, 422),
        ("reports", {"decision": 7, "site": "hoster", "state": "done"}, 409),
        ("reports", {"decision": 1, "site": "hoster", "state": "finished"}, 422),
        ("reports", {"decision": 1, "site": "hoster", "state": "done", "event": "evt_1"}, 422),
        ("observations", {"found": []}, 422),
        ("observations", {"found": ["hoster", "hoster"]}, 422),
        ("observations", {"found": ["hoster"], "looked_at": ["hoster"]}, 422),
        ("observations", {"found": "hoster"}, 422),
    ],
)
def test_what_cannot_be_said_is_refused_and_nothing_is_kept(ask, city, where, body, status):
    approve_it(city, propose(city).number)
    answer = ask("POST", f"{TREES}/{where}", json=body)
    assert answer.status_code == status, answer.text
    assert all(
        one["state"] is None and one["found"] is None
        for one in ask("GET", TREES).json()["actual"]["sites"]
    )


def test_others_records_are_not_spoken_of(ask, city):
    approve_it(city, propose(city).number)
    path = "/v1/placements/secret-register"
    for who, dataset in (("green", path), ("machine", "/v1/placements/nothing")):
        seen = ask("POST", f"{dataset}/observations", who, json={"found": ["hoster"]})
        assert seen.status_code == 404
        assert ask("GET", f"{dataset}/reports", who).status_code == 404


def test_nothing_is_said_of_a_city_without_a_plan(ask, city):
    assert ask("POST", f"{TREES}/observations", json={"found": ["hoster"]}).status_code == 404
