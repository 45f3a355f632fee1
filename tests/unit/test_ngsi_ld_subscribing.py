"""Notifications of entities: who hears of which event, and what they are told."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rdflib import URIRef

from models.ngsi_ld import NgsiLdSubscription
from models.provisioning import EventType, OutboxEvent
from placement.errors import BadInput
from placement.provision.ngsi_ld import (
    changes_of,
    check_subscription,
    notification,
    stored_subscription,
)
from placement.provision.ngsi_ld.vocabulary import NGSI_LD, OWN
from tests.ngsi_ld_cases import graph_of

AT = datetime(2026, 3, 1, 10, 30, 5, 123456, tzinfo=UTC)
SITES = [
    {
        "site": "townhall",
        "operator": "soest",
        "host_obligations": [{"code": "enc-1", "requirement": "Encrypt at rest."}],
    }
]


def event(kind=EventType.DATASET_MOVED, **changes):
    data = {
        "decision": 7,
        "dataset": "bomen",
        "title": "Trees",
        "department": "Public space",
        "sites": [] if kind is EventType.DATASET_RETIRED else SITES,
        "from_sites": ["old"],
        "storage": "object",
        "volume_gb": 40,
        "confidentiality": 1,
        "gdpr_category": "none",
        "access_rights": "public",
        "grants": [{"role": "gardener", "level": "read"}, {"role": "registrar", "level": "write"}],
        "plan": "0" * 64,
        "certificate": "1" * 64,
        "policies": "2" * 64,
        "approved_at": AT.isoformat(),
        "expires_at": (AT + timedelta(days=7)).isoformat(),
        **changes,
    }
    return OutboxEvent(
        sequence=12,
        id="evt_" + "a" * 32,
        type=kind,
        at=AT,
        dataset="bomen",
        decision=7,
        sites=("townhall", "old"),
        operators=("soest",),
        department="Public space",
        data=data,
    )


def subscription(**members):
    params = members.pop("notification", {})
    endpoint = {"uri": "https://broker.example/notify", **params.pop("endpoint", {})}
    document = {
        "type": "Subscription",
        "entities": [{"type": "Dataset"}],
        "notification": {"endpoint": endpoint, **params},
        **members,
    }
    return stored_subscription(document)


def told(asked, happened):
    return notification(asked, happened, subscription_id="sub_1", public_url="https://city.example")


def test_a_move_is_told_as_an_entity_that_changed():
    body = told(subscription(), event())
    assert body == {
        "id": "urn:ngsi-ld:Notification:evt_" + "a" * 32,
        "type": "Notification",
        "subscriptionId": "urn:ngsi-ld:Subscription:sub_1",
        "notifiedAt": "2026-03-01T10:30:05.123Z",
        "data": [
            {
                "id": "urn:ngsi-ld:Dataset:bomen",
                "type": "Dataset",
                "title": {"type": "Property", "value": "Trees"},
                "publisher": {"type": "Property", "value": "Public space"},
                "ownedBy": {
                    "type": "Relationship",
                    "object": "urn:ngsi-ld:Department:Public%20space",
                },
                "placedAt": {
                    "type": "Relationship",
                    "object": "urn:ngsi-ld:Site:townhall",
                    "observedAt": "2026-03-01T10:30:05.123Z",
                },
            }
        ],
    }
    assert body == told(subscription(), event())


def test_both_entities_in_the_form_asked_for_and_with_the_attributes_asked_for():
    asked = subscription(
        entities=[{"type": "Placement"}, {"id": "urn:ngsi-ld:Dataset:bomen"}],
        notification={
            "format": "keyValues",
            "attributes": ["placedAt", OWN + "volume", "readers"],
            "endpoint": {"accept": "application/ld+json"},
        },
    )
    body = told(asked, event())
    assert body["data"] == [
        {
            "id": "urn:ngsi-ld:Placement:bomen",
            "type": "Placement",
            "placedAt": "urn:ngsi-ld:Site:townhall",
            "volume": 40,
            "readers": ["gardener"],
        },
        {
            "id": "urn:ngsi-ld:Dataset:bomen",
            "type": "Dataset",
            "placedAt": "urn:ngsi-ld:Site:townhall",
        },
    ]
    assert body["@context"][0] == (
        "https://city.example/ngsi-ld/v1/jsonldContexts/placement.jsonld"
    )


@pytest.mark.parametrize(
    ("members", "kind", "hears"),
    [
        ({}, EventType.DATASET_PLACED, True),
        ({}, EventType.DATASET_MOVED, True),
        ({}, EventType.DATASET_RETIRED, False),  # by the standard's default triggers
        ({"notificationTrigger": ["attributeDeleted"]}, EventType.DATASET_RETIRED, True),
        ({"notificationTrigger": ["attributeDeleted"]}, EventType.DATASET_MOVED, False),
        ({}, EventType.OBLIGATIONS_CHANGED, False),
        ({"entities": [{"type": "Placement"}]}, EventType.OBLIGATIONS_CHANGED, True),
        ({}, EventType.DATASET_DRIFTED, False),
        ({}, EventType.PLAN_SUPERSEDED, False),
        ({"isActive": False}, EventType.DATASET_MOVED, False),
        ({"entities": [{"type": "http://www.w3.org/ns/dcat#Dataset"}]}, EventType.DATASET_MOVED, 1),
        ({"entities": [{"idPattern": "bom"}]}, EventType.DATASET_MOVED, True),
        ({"entities": [{"idPattern": "^bom"}]}, EventType.DATASET_MOVED, False),
        ({"entities": [{"id": "urn:ngsi-ld:Dataset:wegen"}]}, EventType.DATASET_MOVED, False),
        ({"watchedAttributes": ["placedAt"]}, EventType.DATASET_MOVED, True),
        ({"watchedAttributes": [OWN + "placedAt"]}, EventType.DATASET_MOVED, True),
        ({"watchedAttributes": ["title"]}, EventType.DATASET_MOVED, False),
        ({"q": "placedAt==urn:ngsi-ld:Site:townhall"}, EventType.DATASET_MOVED, True),
        ({"q": "placedAt==urn:ngsi-ld:Site:old"}, EventType.DATASET_MOVED, False),
        ({"q": 'publisher=="Public space";title~="^T"'}, EventType.DATASET_MOVED, True),
        (
            {"entities": [{"type": "Placement"}], "watchedAttributes": ["hostObligations"]},
            EventType.OBLIGATIONS_CHANGED,
            True,
        ),
    ],
)
def test_who_hears_of_what(members, kind, hears):
    body = told(subscription(**members), event(kind) if kind in TOLD else other(kind))
    assert (body is not None) is bool(hears)


TOLD = {
    EventType.DATASET_PLACED,
    EventType.DATASET_MOVED,
    EventType.DATASET_RETIRED,
    EventType.OBLIGATIONS_CHANGED,
}


def other(kind):
    return event().model_copy(update={"type": kind, "data": {"decision": 7}})


def test_a_retirement_tells_that_the_placement_is_deleted_and_the_attribute_null():
    triggers = ["entityDeleted", "attributeDeleted"]
    asked = subscription(
        entities=[{"type": "Placement"}, {"type": "Dataset"}], notificationTrigger=triggers
    )
    placement, dataset = told(asked, event(EventType.DATASET_RETIRED))["data"]
    assert placement == {
        "id": "urn:ngsi-ld:Placement:bomen",
        "type": "Placement",
        "deletedAt": "2026-03-01T10:30:05.123Z",
    }
    assert dataset["placedAt"] == {"type": "Relationship", "object": "urn:ngsi-ld:null"}


def test_notifications_are_linked_data():
    body = told(subscription(entities=[{"type": "Placement"}]), event())
    graph = graph_of(body)
    subject = URIRef("urn:ngsi-ld:Placement:bomen")
    node = graph.value(subject, URIRef(OWN + "placedAt"))
    assert graph.value(node, URIRef(NGSI_LD + "hasObject")) == URIRef("urn:ngsi-ld:Site:townhall")
    assert (URIRef(body["id"]), URIRef(NGSI_LD + "data"), subject) in graph


def test_changes_name_what_changed():
    placement, dataset = changes_of(event())
    assert {"placedAt", "operatedBy"} <= placement.changed
    assert dataset.changed == {"placedAt"}
    assert changes_of(other(EventType.PLAN_WITHDRAWN)) == ()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"entities": []}, "or watchedAttributes is needed"),
        ({"entities": [{}]}, "names no type and no id"),
        ({"entities": [{"type": "a b"}]}, "neither a name nor an IRI"),
        ({"entities": [{"idPattern": "("}]}, "leaves a group open"),
        ({"entities": [{"id": "bomen"}]}, "should match pattern"),
        ({"q": "a=="}, "at character 4"),
        ({"q": "volume>1"}, "volume is not told: ownedBy, placedAt, publisher, title are"),
        ({"watchedAttributes": ["confidentiality"]}, "confidentiality is not told"),
        ({"entities": [{"type": "Site"}]}, "changes of Dataset and Placement alone are told"),
        ({"entities": [{"type": "http://x/Dataset"}]}, "alone are told"),
        ({"entities": [{"id": "urn:x:y"}], "q": "state"}, "state is not told"),
        ({"watchedAttributes": ["1x"]}, "neither a name nor an IRI"),
        ({"notificationTrigger": ["sometimes"]}, "Input should be"),
        ({"throttling": 5}, "Extra inputs are not permitted"),
        ({"geoQ": {}}, "Extra inputs are not permitted"),
        ({"type": "Subscribe"}, "Input should be 'Subscription'"),
        ({"@context": "https://example.org/c.jsonld"}, "others' are not fetched"),
        ({"notification": {"format": "xml"}}, "Input should be"),
        ({"notification": {"endpoint": {"accept": "text/html"}}}, "Input should be"),
        ({"isActive": "yes"}, "valid boolean"),
    ],
)
def test_subscriptions_that_cannot_be_understood_are_refused(members, words):
    with pytest.raises(BadInput, match=words.replace("(", r"\(")):
        subscription(**members)


def test_a_subscription_survives_being_kept():
    asked = subscription(q="title", watchedAttributes=["placedAt"], isActive=False)
    kept = asked.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert stored_subscription(kept) == asked
    check_subscription(NgsiLdSubscription.model_validate(kept))


def test_ten_thousand_broken_subscriptions_are_refused_or_understood():
    chance, understood = random.Random(44), 0
    leaves: tuple[Any, ...] = (
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "Dataset",
        "a b",
        [],
        {},
        ["x"],
        [{"type": "Site"}],
        "(",
    )
    names = (
        *("type", "id", "entities", "watchedAttributes", "q", "isActive", "@context"),
        *("notificationTrigger", "notification", "description", "throttling", "__proto__"),
    )
    for _ in range(10_000):
        document: dict[str, Any] = {
            "type": "Subscription",
            "entities": [{"type": "Dataset"}],
            "notification": {"endpoint": {"uri": "https://broker.example/"}},
        }
        for _ in range(chance.randint(0, 3)):
            document[chance.choice(names)] = chance.choice(leaves)
        try:
            asked = stored_subscription(document)
        except BadInput:
            continue
        understood += 1
        told(asked, event())
    assert understood > 500
