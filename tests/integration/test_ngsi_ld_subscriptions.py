"""NGSI-LD subscriptions over HTTP: kept with all others, and what a delivery would say."""

from __future__ import annotations

import json
import random
from typing import Any, cast

import pytest
from litestar.testing import TestClient

from api.app import assemble
from api.routes import ngsi_ld, ngsi_ld_subscriptions
from models import Permission, RowFilter, SubscriptionForm, SubscriptionState
from placement.provision.guard import Guard
from placement.provision.ngsi_ld import message, subscription_uri
from placement.store.audit_log import AuditFilter, AuditLog
from placement.store.subscriptions import Subscriptions
from tests.decision_cases import city, make_city, shipped_engine
from tests.integration.test_ngsi_ld_service import Named, refused
from tests.unit.test_ngsi_ld_subscribing import event

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

PATH = "/ngsi-ld/v1/subscriptions"
HOST = "broker.city.example"
LD = {"content-type": "application/ld+json"}


class Anything:
    async def ask(self, question: Any) -> Permission:
        some = question.principal.subject == "issuer steward"
        rows = RowFilter(departments=("Green",)) if some else RowFilter(all=True)
        return Permission(allow=True, reason="", rows=rows)


@pytest.fixture
def ask(city):
    city.tokens, city.permissions = cast("Any", Named()), cast("Any", Anything())
    city.recorder = cast("Any", type("Silent", (), {"record": lambda self, events: None})())
    city.guard = Guard((HOST,))
    routes = [*ngsi_ld.routes, *ngsi_ld_subscriptions.routes]
    with TestClient(assemble(city, routes), raise_server_exceptions=False) as client:

        def ask(method: str, path: str = PATH, **more: Any) -> Any:
            headers = {"authorization": "Bearer office", **more.pop("headers", {})}
            return client.request(method, path, headers=headers, **more)

        yield ask


def subscription(**members):
    return {
        "type": "Subscription",
        "entities": [{"type": "Dataset"}],
        "notification": {"endpoint": {"uri": f"https://{HOST}/notify"}},
        **members,
    }


def made(ask, **members):
    answer = ask("POST", json=subscription(**members))
    assert (answer.status_code, answer.content) == (201, b""), answer.text
    return answer.headers["location"]


def stored(city, location):
    with city.store.reading() as tx:
        return Subscriptions(tx).get(location.rpartition(":")[2])


# -- keeping -------------------------------------------------------------------------------------


def test_a_subscription_is_made_read_changed_and_ended(ask, city):
    location = made(ask, description="For the broker", q='publisher=="Public space"')
    told = ask("GET", location).json()
    assert told["id"] == location.removeprefix(f"{PATH}/")
    assert told["status"] == "active"
    assert told["q"] == 'publisher=="Public space"'
    assert told["notification"]["endpoint"] == {"uri": f"https://{HOST}/notify"}
    assert told["notification"]["status"] == "ok"
    kept = stored(city, location)
    assert (kept.form, kept.state) == (SubscriptionForm.NGSI_LD, SubscriptionState.ACTIVE)
    assert subscription_uri(kept.id) == told["id"]

    changed = ask("PATCH", location, json={"isActive": False, "q": None, "@context": None})
    assert (changed.status_code, changed.content) == (204, b""), changed.text
    told = ask("GET", location).json()
    assert (told["status"], "q" in told, told["description"]) == ("paused", False, "For the broker")

    assert ask("DELETE", location).status_code == 204
    refused(ask("GET", location), 404, "ResourceNotFound")
    refused(ask("DELETE", location), 404, "ResourceNotFound")
    refused(ask("PATCH", location, json={}), 404, "ResourceNotFound")


def test_what_was_done_stands_in_the_audit_log(ask, city):
    location = made(ask)
    ask("PATCH", location, json={"description": "Another"})
    ask("DELETE", location)
    with city.store.reading() as tx:
        subject = "subscription/" + location.rpartition(":")[2]
        mine = [record.event for record in AuditLog(tx).list(AuditFilter(subject=subject))]
    assert [one.action.value for one in mine] == [
        "subscription_created",
        "subscription_changed",
        "subscription_deleted",
    ]
    assert {one.actor for one in mine} == {"issuer office"}
    assert mine[0].detail["ngsi_ld"]["entities"] == [{"type": "Dataset"}]


def test_lists_are_paged_and_counted(ask):
    locations = sorted(made(ask, description=str(number)) for number in range(3))
    first = ask("GET", f"{PATH}?limit=2&count=true")
    assert first.headers["ngsild-results-count"] == "3"
    assert 'rel="next"' in first.headers["link"]
    second = ask("GET", f"{PATH}?limit=2&offset=2")
    assert 'rel="prev"' in second.headers["link"]
    found = [each["id"] for each in (*first.json(), *second.json())]
    assert [f"{PATH}/{one}" for one in found] == locations


def test_bodies_may_be_json_ld_and_say_our_context(ask):
    context = "http://testserver.local/ngsi-ld/v1/jsonldContexts/placement.jsonld"
    body = json.dumps(subscription(**{"@context": [context]}))
    answer = ask("POST", content=body, headers=LD)
    assert answer.status_code == 201, answer.text
    read = ask("GET", answer.headers["location"], headers={"accept": "application/ld+json"})
    assert read.json()["@context"][0].endswith("placement.jsonld")


def test_a_repeated_request_makes_one_subscription(ask):
    once = {"idempotency-key": "the-same"}
    first = ask("POST", json=subscription(), headers=once)
    again = ask("POST", json=subscription(), headers=once)
    assert again.headers["location"] == first.headers["location"]
    assert len(ask("GET").json()) == 1


# -- what a delivery says ------------------------------------------------------------------------


def sent(subscription):
    told = message(subscription, event(), "https://city.example")
    assert told is not None
    return told


def test_a_delivery_of_a_kept_subscription(ask, city):
    body, headers = sent(stored(city, made(ask)))
    assert headers == {
        "content-type": "application/json",
        "link": "<https://city.example/ngsi-ld/v1/jsonldContexts/placement.jsonld>; "
        'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
    }
    told = json.loads(body)
    assert told["type"] == "Notification"
    assert told["data"][0]["placedAt"]["object"] == "urn:ngsi-ld:Site:townhall"
    endpoint = {"uri": f"https://{HOST}/notify", "accept": "application/ld+json"}
    linked = stored(city, made(ask, notification={"endpoint": endpoint}))
    body, headers = sent(linked)
    assert headers == {"content-type": "application/ld+json"}
    assert len(json.loads(body)["@context"]) == 2
    silent = stored(city, made(ask, entities=[{"type": "Dataset", "idPattern": "wegen"}]))
    assert message(silent, event(), "https://city.example") is None


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"type": None}, "type"),
        ({"id": "urn:ngsi-ld:Subscription:mine"}, "id"),
        ({"q": "a=="}, "q"),
        ({"entities": [{"idPattern": "(a"}]}, "entities.idPattern"),
        ({"throttling": 5}, "throttling"),
        ({"geoQ": {}}, "geoQ"),
        ({"notification": {}}, "notification.endpoint"),
        ({"@context": "https://example.org/context.jsonld"}, "@context"),
    ],
)
def test_what_cannot_be_understood_is_bad_request_data(ask, members, field):
    document = refused(ask("POST", json=subscription(**members)), 400, "BadRequestData")
    assert field in {defect["field"] for defect in document["defects"]}
    location = made(ask)
    before = ask("GET", location).json()
    wrong = {**members, "id": "urn:ngsi-ld:Subscription:other"} if "id" in members else members
    if None not in wrong.values():
        refused(ask("PATCH", location, json=wrong), 400, "BadRequestData")
    assert ask("GET", location).json() == before


@pytest.mark.parametrize(
    "uri", ["https://169.254.169.254/", "https://example.org/", f"http://{HOST}/", "file:///etc"]
)
def test_endpoints_that_the_guard_refuses_are_refused_here_too(ask, uri):
    members = {"notification": {"endpoint": {"uri": uri}}}
    refused(ask("POST", json=subscription(**members)), 400, "BadRequestData")
    location = made(ask)
    refused(ask("PATCH", location, json=members), 400, "BadRequestData")
    assert ask("GET", location).json()["notification"]["endpoint"]["uri"].endswith("/notify")


def test_who_sees_some_records_alone_is_not_told_of_all(ask):
    steward = {"authorization": "Bearer steward"}
    location = made(ask)
    assert ask("POST", json=subscription(), headers=steward).status_code == 403
    assert ask("PATCH", location, json={"q": "volume>1"}, headers=steward).status_code == 403
    assert len(ask("GET").json()) == 1


def test_bodies_that_are_no_json_object(ask):
    for content in (b"", b"{", b"\xff", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 5000):
        refused(ask("POST", content=content, headers=LD), 400, "InvalidRequest")
    for content in (b"[]", b"null", b'"x"', b"1"):
        refused(ask("POST", content=content, headers=LD), 400, "BadRequestData")
    plain = ask("POST", content=b"{}", headers={"content-type": "text/plain"})
    assert plain.status_code == 415


def test_three_hundred_broken_bodies_get_a_clear_answer(ask):
    chance = random.Random(46)
    leaves: tuple[Any, ...] = (
        None,
        True,
        0,
        -1.5,
        "",
        "a b",
        "(",
        [],
        {},
        [[]],
        [{}],
        {"a": {}},
        "\x00",
        "\ud800x",
    )
    names = (
        *("type", "id", "entities", "watchedAttributes", "q", "isActive", "notification"),
        *("notificationTrigger", "@context", "description", "expiresAt", "", "\x00"),
    )
    location = made(ask)
    for _ in range(300):
        body = subscription() if chance.random() < 0.5 else {}
        body |= {chance.choice(names): chance.choice(leaves) for _ in range(chance.randint(1, 3))}
        method, path = chance.choice((("POST", PATH), ("PATCH", location)))
        answer = ask(method, path, content=json.dumps(body), headers=LD)
        assert answer.status_code < 500, (body, answer.text)
        if answer.status_code >= 400:
            assert answer.json()["detail"]
            assert "Traceback" not in answer.text
