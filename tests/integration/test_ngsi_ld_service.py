"""The NGSI-LD interface over HTTP: entities of a real city, by whoever asks."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, urlencode

import pytest
from litestar.testing import TestClient
from rdflib import RDF, URIRef

from api.app import assemble
from api.ngsi_ld.replies import public_url
from api.routes import ngsi_ld
from models import Permission, Principal, PrincipalKind, RowFilter
from placement.provision.ngsi_ld.vocabulary import CONTEXT_PATH
from tests.decision_cases import (
    approve_it,
    city,
    make_city,
    propose,
    shipped_engine,
)
from tests.ngsi_ld_cases import graph_of

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

ENTITIES = "/ngsi-ld/v1/entities"
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
LINK = "http://www.w3.org/ns/json-ld#context"
ALL = RowFilter(all=True)
GREEN = RowFilter(departments=("Green",))
SEEN: dict[str, dict[str, RowFilter]] = {
    "office": dict.fromkeys(
        ("datasets.list", "placements.list", "relations.list", "sites.list", "operators.list"), ALL
    ),
    "green": {"datasets.list": GREEN, "placements.list": GREEN, "sites.list": GREEN},
    "machine": {"placements.list": ALL, "sites.list": ALL},
    "nobody": {},
}


class Named:
    """The bearer token is the name of whoever asks."""

    def recognise(self, token: str) -> Principal:
        return Principal(subject=f"issuer {token}", kind=PrincipalKind.PERSON, roles=())


class Tables:
    """Everybody may use the interface; what is behind it, as in the table above."""

    async def ask(self, question: Any) -> Permission:
        rows = SEEN[question.principal.subject.removeprefix("issuer ")]
        if question.operation.startswith("entities."):
            return Permission(allow=True, reason="")
        found = rows.get(question.operation)
        return Permission(allow=found is not None, reason="", rows=found or RowFilter())


@pytest.fixture
def ask(city):
    city.tokens = cast("Any", Named())
    permitting, city.permissions = city.permissions, cast("Any", Tables())
    city.recorder = cast("Any", type("Silent", (), {"record": lambda self, events: None})())
    with TestClient(
        assemble(city, ngsi_ld.routes), raise_server_exceptions=False, base_url="http://city.test"
    ) as client:

        def ask(path: str, who: str = "office", method: str = "GET", **more: Any) -> Any:
            headers = {"authorization": f"Bearer {who}", **more.pop("headers", {})}
            return client.request(method, path, headers=headers, **more)

        ask.permitting = permitting  # type: ignore[attr-defined]
        yield ask


@pytest.fixture
def placed(ask, city):
    """A plan stands behind the datasets."""
    asked, city.permissions = city.permissions, ask.permitting
    record = approve_it(city, propose(city).number)
    city.permissions = asked
    return record


def query(**parameters):
    return f"{ENTITIES}?{urlencode(parameters)}"


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [each["id"].split(":", 3)[3] for each in answer.json()]


def refused(answer, status, kind):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["type"] == ERRORS + kind
    assert document["status"] == status
    assert document["instance"] == answer.headers["x-request-id"]
    return document


# -- finding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"type": "Dataset"}, ["bag", "bag/maps:v1", "secret-register", "trees", "zones"]),
        ({"type": "http://www.w3.org/ns/dcat#Dataset", "q": "volume<100"}, ["zones"]),
        ({"type": "Site,Operator"}, ["city", "hoster", "archive", "hoster", "townhall"]),
        ({"type": "Site|Operator", "limit": 2, "offset": 1}, ["hoster", "archive"]),
        ({"type": "Site;Operator"}, []),
        ({"type": "Unknown"}, []),
        ({"id": "urn:ngsi-ld:Dataset:bag,urn:ngsi-ld:Site:archive,urn:x:y"}, ["bag", "archive"]),
        ({"type": "Site", "id": "urn:ngsi-ld:Dataset:bag"}, []),
        ({"idPattern": "Dataset:(bag|zones)$"}, ["bag", "zones"]),
        ({"q": 'publisher=="Green"', "type": "Dataset"}, ["bag/maps:v1", "trees"]),
        ({"q": "restsAt==urn:ngsi-ld:Site:archive"}, ["trees"]),
        ({"q": "derivedFrom"}, ["bag/maps:v1"]),
        ({"attrs": "sealLevel"}, ["archive", "hoster", "townhall"]),
        ({"attrs": "http://example.org/none"}, []),
        ({"q": "modifiedAt>2020-01-01T00:00:00Z", "type": "Operator"}, ["city", "hoster"]),
        ({"q": "modifiedAt<2020-01-01T00:00:00Z"}, []),
        ({"type": "Placement"}, []),
    ],
)
def test_entities_are_found(ask, parameters, found):
    assert ids(ask(query(**parameters))) == found


def test_what_is_placed_says_where(ask, placed):
    answer = ask(query(type="Placement", options="keyValues"))
    assert ids(answer) == ["bag", "bag/maps:v1", "secret-register", "trees", "zones"]
    for placement in answer.json():
        path = f"{ENTITIES}/{quote(placement['ofDataset'], safe='')}"
        dataset = ask(f"{path}?format=simplified").json()
        assert dataset["placedAt"] == placement["placedAt"]
        assert placement["state"] == "approved"
        assert placement["decision"] == placed.number
    site = answer.json()[0]["placedAt"]
    assert "bag" in ids(ask(query(type="Dataset", q=f"placedAt=={site}")))
    since = ask(query(type="Placement", q="state.observedAt>2020-01-01T00:00:00Z", count="true"))
    assert since.headers["ngsild-results-count"] == "5"


def test_pages_lead_to_one_another_and_are_counted(ask):
    first = ask(query(type="Dataset", limit=2, count="true", options="keyValues"))
    assert first.headers["ngsild-results-count"] == "5"
    assert 'rel="next"' in first.headers["link"]
    assert 'rel="prev"' not in first.headers["link"]
    found, path = ids(first), query(type="Dataset", limit=2)
    while True:
        links = ask(path).headers["link"].split(", ")
        following = [link for link in links if 'rel="next"' in link]
        if not following:
            break
        path = following[0].split(">")[0].lstrip("<")
        found += ids(ask(path))
    assert found == ["bag", "bag/maps:v1", "secret-register", "trees", "zones"]
    alone = ask(query(type="Dataset", limit=0, count="true"))
    assert (alone.json(), alone.headers["ngsild-results-count"]) == ([], "5")


# -- one entity ----------------------------------------------------------------------------------


def test_one_entity_in_each_representation(ask):
    path = f"{ENTITIES}/urn:ngsi-ld:Dataset:{quote('bag/maps:v1', safe='')}"
    entity = ask(path).json()
    assert entity["restsAt"] == {"type": "Relationship", "object": "urn:ngsi-ld:Site:townhall"}
    assert "modifiedAt" not in entity
    assert ask(f"{path}?options=keyValues,sysAttrs&attrs=title").json() == {
        "id": "urn:ngsi-ld:Dataset:bag/maps:v1",
        "type": "Dataset",
        "modifiedAt": ask(f"{path}?options=sysAttrs").json()["modifiedAt"],
        "title": "Bag/Maps:V1",
    }
    assert ask(f"{path}?format=concise").json()["volume"] == {"value": 100, "unitCode": "E34"}


def test_json_links_to_the_context_and_json_ld_holds_it(ask):
    path = f"{ENTITIES}/urn:ngsi-ld:Site:archive"
    plain = ask(path)
    url = f"http://city.test{CONTEXT_PATH}"
    assert plain.headers["content-type"] == "application/json"
    assert plain.headers["link"] == f'<{url}>; rel="{LINK}"; type="application/ld+json"'
    linked = ask(path, headers={"accept": "application/ld+json"})
    assert linked.headers["content-type"] == "application/ld+json"
    assert "link" not in linked.headers
    assert linked.json()["@context"][0] == url
    assert {**linked.json(), "@context": None} == {**plain.json(), "@context": None}
    assert "Accept" in plain.headers["vary"]


def test_the_served_context_expands_what_is_served(ask, placed):
    context = ask(CONTEXT_PATH)
    assert context.headers["content-type"] == "application/ld+json"
    assert "immutable" in context.headers["cache-control"]
    accept = {"accept": "application/ld+json"}
    for entity in ask(query(type="Dataset,Site,Operator,Placement"), headers=accept).json():
        graph = graph_of(entity, context.json())
        subject = URIRef(entity["id"])
        assert graph.value(subject, RDF.type) is not None
        # Two triples say what it is; every attribute has a node of its own.
        attributes = {name for name in entity if name not in ("id", "type", "@context")}
        assert len(set(graph.predicates(subject)) - {RDF.type}) == len(attributes)


def test_a_version_the_client_has_is_not_sent_again(ask):
    path = f"{ENTITIES}/urn:ngsi-ld:Site:archive"
    etag = ask(path).headers["etag"]
    again = ask(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert ask(path, headers={"if-match": '"other"'}).status_code == 412


# -- who sees what -------------------------------------------------------------------------------


def test_an_entity_is_seen_by_whoever_may_list_its_record(ask, placed):
    everything = "Dataset,Operator,Placement,Site"
    green = ids(ask(query(type=everything), "green"))
    assert green == [
        "bag/maps:v1",
        "trees",
        "bag/maps:v1",
        "trees",
        "archive",
        "hoster",
        "townhall",
    ]
    machine = ask(query(type=everything), "machine")
    assert {each["type"] for each in machine.json()} == {"Placement", "Site"}
    assert ids(ask(query(type=everything), "nobody")) == []


def test_what_is_not_seen_looks_like_what_is_not_there(ask, placed):
    for who, uri in (
        ("green", "urn:ngsi-ld:Dataset:bag"),
        ("green", "urn:ngsi-ld:Placement:bag"),
        ("machine", "urn:ngsi-ld:Dataset:trees"),
        ("machine", "urn:ngsi-ld:Operator:city"),
        ("nobody", "urn:ngsi-ld:Site:archive"),
    ):
        theirs = refused(ask(f"{ENTITIES}/{uri}", who), 404, "ResourceNotFound")
        nothing = refused(ask(f"{ENTITIES}/{uri}x", who), 404, "ResourceNotFound")
        assert theirs["detail"].replace(uri, "...") == nothing["detail"].replace(f"{uri}x", "...")
        counted = ask(query(id=uri, count="true"), who)
        assert counted.headers["ngsild-results-count"] == "0"


def test_a_dataset_says_of_others_only_what_may_be_seen(ask, placed):
    path = f"{ENTITIES}/urn:ngsi-ld:Dataset:bag%2Fmaps:v1"
    assert ask(path).json()["derivedFrom"]["object"] == "urn:ngsi-ld:Dataset:secret-register"
    assert "derivedFrom" not in ask(path, "green").json()
    assert ids(ask(query(q="derivedFrom"), "green")) == []
    assert "placedAt" in ask(path, "green").json()


def test_types_and_attributes_are_those_that_are_seen(ask, placed):
    assert ask("/ngsi-ld/v1/types").json()["typeList"] == [
        "Dataset",
        "Operator",
        "Placement",
        "Site",
    ]
    assert ask("/ngsi-ld/v1/types", "machine").json()["typeList"] == ["Placement", "Site"]
    assert ask("/ngsi-ld/v1/types", "nobody").json()["typeList"] == []
    details = ask("/ngsi-ld/v1/types?details=true", "machine").json()
    assert "placedAt" in details[0]["attributeNames"]
    info = ask("/ngsi-ld/v1/types/Dataset", "green").json()
    assert (info["entityCount"], info["id"]) == (2, "http://www.w3.org/ns/dcat#Dataset")
    iri = quote("http://www.w3.org/ns/dcat#Dataset", safe="")
    assert ask(f"/ngsi-ld/v1/types/{iri}", "green").json() == info
    assert ask("/ngsi-ld/v1/types/Placement").json()["entityCount"] == 5
    refused(ask("/ngsi-ld/v1/types/Operator", "machine"), 404, "ResourceNotFound")
    refused(ask("/ngsi-ld/v1/types/Unknown"), 404, "ResourceNotFound")
    names = ask("/ngsi-ld/v1/attributes", "machine").json()["attributeList"]
    assert "sealLevel" in names
    assert "derivedFrom" not in names
    told = {each["attributeName"]: each for each in ask("/ngsi-ld/v1/attributes?details=1").json()}
    assert told["placedAt"]["typeNames"] == ["Dataset", "Placement"]


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "type"),
        ({"limit": "5"}, "type"),
        ({"type": "("}, "type"),
        ({"type": "a" * 2001}, "type"),
        ({"id": "bomen"}, "id"),
        ({"idPattern": "(a"}, "idPattern"),
        ({"idPattern": r"(a)\1"}, "idPattern"),
        ({"attrs": "a,,b"}, "attrs"),
        ({"q": "a=="}, "q"),
        ({"q": 'a~="("'}, "q"),
        ({"type": "Site", "limit": "-1"}, "limit"),
        ({"type": "Site", "limit": "1001"}, "limit"),
        ({"type": "Site", "offset": "x"}, "offset"),
        ({"type": "Site", "count": "maybe"}, "count"),
        ({"type": "Site", "georel": "near"}, "georel"),
        ({"type": "Site", "lang": "nl"}, "lang"),
    ],
)
def test_parameters_that_are_not_understood_are_bad_request_data(ask, parameters, field):
    document = refused(ask(f"{ENTITIES}?{urlencode(parameters)}"), 400, "BadRequestData")
    assert document["defects"][0]["field"] == field, document


def test_what_else_is_refused(ask):
    site = f"{ENTITIES}/urn:ngsi-ld:Site:archive"
    refused(ask(query(type="Site", limit=0)), 400, "BadRequestData")
    refused(ask(query(type="Site", options="xml")), 400, "BadRequestData")
    refused(ask(query(type="Site", options="concise", format="keyValues")), 400, "BadRequestData")
    refused(ask(f"{ENTITIES}/archive"), 400, "BadRequestData")
    refused(ask(f"{site}?attrs=none"), 404, "ResourceNotFound")
    refused(ask(site, headers={"accept": "text/html"}), 406, "InvalidRequest")
    refused(ask(site, headers={"ngsild-tenant": "soest"}), 404, "NonexistentTenant")
    foreign = {"link": f'<https://example.org/c.jsonld>; rel="{LINK}"'}
    refused(ask(site, headers=foreign), 422, "OperationNotSupported")
    for target in (f"{ENTITIES}/%00", f"{ENTITIES}?type=%ff", f"{ENTITIES}/{'a' * 9000}"):
        refused(ask(target), 400, "BadRequestData")
    ours = {"link": f'<http://city.test{CONTEXT_PATH}>; rel="{LINK}"; type="application/ld+json"'}
    assert ask(site, headers=ours).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_is_written(ask, method):
    body = {"id": "urn:ngsi-ld:Dataset:x", "type": "Dataset"}
    for path in (ENTITIES, f"{ENTITIES}/urn:ngsi-ld:Dataset:bag"):
        answer = ask(path, method=method, json=body)
        refused(answer, 405, "OperationNotSupported")
        assert "GET" in answer.headers["allow"]
    refused(ask("/ngsi-ld/v1/csourceRegistrations"), 404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/ld+json, */*;q=0.1", "application/ld+json"),
        ("application/json;q=0.4, application/ld+json;q=0.5", "application/ld+json"),
        ("application/ld+json;q=0, application/json", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
        ("application/json; q=x", "application/json"),
        (";;,,", None),
        ("application/geo+json", None),
    ],
)
def test_the_media_type_that_the_client_prefers(ask, accept, media_type):
    headers = {"accept": accept or ""}
    answer = ask(f"{ENTITIES}/urn:ngsi-ld:Site:archive", headers=headers)
    if media_type is None:
        refused(answer, 406, "InvalidRequest")
    else:
        assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("city.test", "http://city.test"),
        ("city.test:8000", "http://city.test:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ('x">; rel="evil', ""),
        ("city.test/path", ""),
        ("", ""),
    ],
)
def test_hosts_that_are_none_are_not_repeated(host, url):
    request: Any = SimpleNamespace(headers={"host": host}, scope={"scheme": "http"})
    nowhere: Any = SimpleNamespace(settings=SimpleNamespace(public_url=None))
    somewhere: Any = SimpleNamespace(settings=SimpleNamespace(public_url="https://city.example/"))
    assert public_url(request, nowhere) == url
    assert public_url(request, somewhere) == "https://city.example"


def test_four_hundred_broken_requests_get_a_clear_answer(ask, placed):
    chance = random.Random(45)
    names = ("type", "id", "idPattern", "attrs", "q", "options", "format", "limit", "offset", "x")
    pieces = (
        *("Dataset", "Site", "title", "==", '"', "~=", "(", ")", "[", "..", ";", "|", ",", "1"),
        *("urn:ngsi-ld:Dataset:bag", "http://x/y", "^", "$", "*", "{2,}", "\\", "é", "true"),
        *("\x00", "\n", "%", "&", "keyValues", "999999999999999999999", "-1", "'", "<script>"),
    )
    for _ in range(400):
        pairs = [
            (chance.choice(names), "".join(chance.choices(pieces, k=chance.randint(0, 5))))
            for _ in range(chance.randint(0, 4))
        ]
        path = chance.choice(
            (ENTITIES, f"{ENTITIES}/{quote(''.join(chance.choices(pieces, k=2)))}")
        )
        answer = ask(f"{path}?{urlencode(pairs)}")
        assert answer.status_code < 500, (pairs, answer.text)
        if answer.status_code >= 400:
            document = answer.json()
            assert document["detail"]
            assert "Traceback" not in answer.text
