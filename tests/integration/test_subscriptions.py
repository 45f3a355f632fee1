"""Subscriptions over HTTP: made, changed, rotated, ended; and no secret is ever told twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from api.routes import subscriptions
from models import AuditAction, DeliveryState, NewSubscription, SubscriptionForm
from placement.provision.guard import Guard
from placement.store.dispatch import Dispatch, Settled
from placement.store.live import Expansion
from placement.store.subscriptions import Subscriptions
from tests.asking_cases import asking
from tests.decision_cases import (
    approve_it,
    city,
    make_city,
    propose,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

URL = "https://hooks.city.example/placement"
ALL = "/v1/subscriptions"


@pytest.fixture
def ask(city):
    city.guard = Guard(("hooks.city.example", "*.tools.city.example"))
    with asking(city, subscriptions.routes) as asked:

        def ask(method: str, path: str, who: str = "office", **more: Any) -> Any:
            return asked(who, method, path, **more)

        yield ask


def subscribe(ask, **more: Any) -> tuple[str, str]:
    answer = ask("POST", ALL, json={"url": URL} | more)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    return told["subscription"]["id"], told["secret"]


def audited(city, action: AuditAction) -> list[dict[str, Any]]:
    with city.store.reading() as tx:
        rows = tx.session.execute(
            text("SELECT body FROM audit WHERE action = :action ORDER BY sequence"),
            {"action": action.value},
        )
        return [json.loads(body)["event"] for (body,) in rows]


def everything(city) -> str:
    """Every text in the database."""
    with city.store.reading() as tx:
        tables = ("subscriptions", "subscription_secrets", "idempotency_keys", "audit")
        found = [tx.session.execute(text(f"SELECT * FROM {table}")).all() for table in tables]
    return repr(found)


def test_a_subscription_is_made_with_a_secret_that_is_told_once(ask, city):
    wanted: dict[str, Any] = {
        "url": URL,
        "description": "buckets",
        "filter": {"types": ["placement.dataset.moved"], "departments": ["Green"]},
    }
    made = ask("POST", ALL, json=wanted, headers={"idempotency-key": "once"})
    told = made.json()
    ident, secret = told["subscription"]["id"], told["secret"]
    assert secret.startswith("whsec_")
    assert made.headers["location"] == f"{ALL}/{ident}"
    assert made.headers["cache-control"] == "no-store"
    again = ask("POST", ALL, json=wanted, headers={"idempotency-key": "once"})
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == told | {"secret": None}
    read = ask("GET", f"{ALL}/{ident}")
    assert read.headers["etag"] == '"1"'
    assert read.json()["filter"] == {"sites": [], "operators": []} | wanted["filter"]
    assert ask("GET", ALL).json()["items"] == [read.json()]
    assert secret not in everything(city)
    assert secret.removeprefix("whsec_") not in everything(city)
    (event,) = audited(city, AuditAction.SUBSCRIPTION_CREATED)
    assert (event["subject"], event["detail"]["url"]) == (f"subscription/{ident}", URL)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.city.example/x",
        "https://other.example/x",
        "https://tools.city.example/x",
        "https://a@hooks.city.example/",
        "https://127.0.0.1/",
        "ftp://hooks.city.example/",
        "hooks.city.example",
        "",
    ],
)
def test_a_url_that_is_not_allowed_makes_no_subscription(ask, url):
    answer = ask("POST", ALL, json={"url": url})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "bad_input"
    assert ask("GET", ALL).json()["items"] == []


def test_a_change_names_the_version_it_is_meant_for(ask, city):
    ident, _ = subscribe(ask)
    to = {"url": "https://b.tools.city.example/", "filter": {"sites": ["hoster"]}}
    path = f"{ALL}/{ident}"
    assert ask("PUT", path, json=to).status_code == 428
    assert ask("PUT", path, json=to, headers={"if-match": '"7"'}).status_code == 412
    changed = ask("PUT", path, json=to | {"state": "paused"}, headers={"if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["state"], changed.json()["url"]) == ("paused", to["url"])
    elsewhere = {"url": "https://127.0.0.1/"}
    assert ask("PUT", path, json=elsewhere, headers={"if-match": '"2"'}).status_code == 422
    assert ask("DELETE", path, headers={"if-match": '"1"'}).status_code == 412
    assert ask("DELETE", path, headers={"if-match": '"2"'}).status_code == 204
    assert ask("GET", path).status_code == 404
    assert len(audited(city, AuditAction.SUBSCRIPTION_CHANGED)) == 1
    assert len(audited(city, AuditAction.SUBSCRIPTION_DELETED)) == 1


def test_a_secret_is_rotated_with_an_overlap(ask, city):
    ident, first = subscribe(ask)
    rotated = ask("POST", f"{ALL}/{ident}/secrets", json={"overlap_hours": 2})
    told = rotated.json()
    assert told["secret"] not in (first, None)
    former, current = sorted(told["subscription"]["secrets"], key=lambda one: one["number"])
    assert (former["number"], current["number"]) == (1, 2)
    assert (former["expires_at"] is None, current["expires_at"] is None) == (False, True)
    (event,) = audited(city, AuditAction.SECRET_ROTATED)
    assert told["secret"] not in repr(event)
    for wrong in ({"overlap_hours": -1}, {"overlap_hours": 400}, {"overlap_hours": "2"}):
        assert ask("POST", f"{ALL}/{ident}/secrets", json=wrong).status_code == 422


def test_deliveries_are_seen_redriven_and_discarded(ask, city):
    ident, _ = subscribe(ask)
    approve_it(city, propose(city).number)
    with city.store.noting() as tx:
        assert Expansion(tx).expand(ident, 100) == 5
        dispatch = Dispatch(tx, "tests")
        leased = dispatch.lease(ident, 2)
        dead = [
            Settled(one.event.sequence, DeliveryState.DEAD, 9, status=500, error="it answered 500")
            for one in leased
        ]
        dispatch.settle(ident, dead)
    shown = ask("GET", f"{ALL}/{ident}").json()
    assert (shown["waiting"], shown["dead"]) == (3, 2)
    listed = ask("GET", f"{ALL}/{ident}/deliveries?state=dead").json()["items"]
    assert [item["last_status"] for item in listed] == [500, 500]
    assert [item["last_error"] for item in listed] == ["it answered 500"] * 2
    first = ask("GET", f"{ALL}/{ident}/deliveries?limit=3").json()
    rest = ask("GET", f"{ALL}/{ident}/deliveries?limit=3&cursor={first['next']}").json()
    sequences = [item["sequence"] for item in (*first["items"], *rest["items"])]
    assert sequences == sorted(sequences)
    assert len(sequences) == 5
    again = ask("POST", f"{ALL}/{ident}/redrive", json={"events": [listed[0]["event"]]})
    assert (again.status_code, again.json()) == (200, {"deliveries": 1})
    given_up = ask("POST", f"{ALL}/{ident}/discards", json={"events": None})
    assert given_up.json() == {"deliveries": 1}
    states = [item["state"] for item in ask("GET", f"{ALL}/{ident}/deliveries").json()["items"]]
    assert sorted(states) == ["discarded", *["pending"] * 4]
    waiting = ask("GET", f"{ALL}/{ident}/deliveries?state=pending").json()["items"]
    last = waiting[-1]["event"]
    hurried = ask("POST", f"{ALL}/{ident}/redrive", json={"events": [last]})
    assert hurried.json() == {"deliveries": 1}
    event, _ = audited(city, AuditAction.DELIVERIES_REDRIVEN)
    assert event["detail"]["events"] == [listed[0]["event"]]
    assert len(audited(city, AuditAction.DELIVERIES_DISCARDED)) == 1


def test_events_are_listed_for_whoever_sees_every_record(ask, city):
    approve_it(city, propose(city).number)
    first = ask("GET", "/v1/events?limit=3").json()
    rest = ask("GET", f"/v1/events?limit=3&cursor={first['next']}").json()
    names = [item["dataset"] for item in (*first["items"], *rest["items"])]
    assert sorted(names) == ["bag", "bag/maps:v1", "secret-register", "trees", "zones"]
    (event,) = ask("GET", "/v1/events?dataset=bag%2Fmaps:v1").json()["items"]
    assert event["data"]["dataset"] == "bag/maps:v1"
    assert ask("GET", "/v1/events", "green").status_code == 403


def test_what_is_not_there_is_not_found(ask):
    nothing = f"{ALL}/sub_{'0' * 32}"
    for method, path, more in (
        ("GET", nothing, {}),
        ("GET", f"{nothing}/deliveries", {}),
        ("PUT", nothing, {"json": {"url": URL}, "headers": {"if-match": '"1"'}}),
        ("DELETE", nothing, {"headers": {"if-match": '"1"'}}),
        ("POST", f"{nothing}/secrets", {"json": {}}),
        ("POST", f"{nothing}/redrive", {"json": {}}),
        ("POST", f"{nothing}/discards", {"json": {}}),
    ):
        assert ask(method, path, **more).status_code == 404, path


def test_a_subscription_to_entities_is_paused_here_and_sent_elsewhere_there(ask, city):
    made = NewSubscription(url=URL, form=SubscriptionForm.NGSI_LD, ngsi_ld={"type": "Subscription"})
    ident = f"sub_{'a' * 32}"
    with city.store.writing() as tx:
        Subscriptions(tx).create(ident, made, "office", "sealed")
    to = {"url": URL, "state": "paused"}
    path, match = f"{ALL}/{ident}", {"if-match": '"1"'}
    elsewhere = to | {"url": "https://b.tools.city.example/"}
    assert ask("PUT", path, json=elsewhere, headers=match).status_code == 422
    assert ask("PUT", path, json=to, headers=match).json()["state"] == "paused"
    assert ask("POST", ALL, json={"url": URL, "form": "ngsi-ld"}).status_code == 422
