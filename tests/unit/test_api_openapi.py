"""The description of the API: complete, valid, true to the models, and shown without a network."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from litestar.testing import TestClient

from api.app import ROUTES, assemble
from api.documented import TAGS
from api.openapi import PROBLEM_SCHEMA, describe
from placement.errors import PlacementError
from placement.provision.ngsi_ld.vocabulary import CONTEXT_PATH

CITY: Any = SimpleNamespace(settings=SimpleNamespace(metrics_token=None))
WEB = Path(__file__).parents[2] / "api" / "web"


@pytest.fixture(scope="module")
def app():
    return assemble(CITY, ROUTES)


@pytest.fixture(scope="module")
def document(app):
    return describe(app)


@pytest.fixture(scope="module")
def operations(document):
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app) as running:
        yield running


def test_operations_have_one_name_a_summary_and_a_described_tag(operations):
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names) > 60
    for _, path, operation in operations:
        assert operation["summary"], path
        assert operation["tags"][0] in TAGS, path


def test_every_body_has_an_example_that_its_schema_allows(document, operations):
    bodies = [
        (path, operation["requestBody"]["content"]["application/json"])
        for _, path, operation in operations
        if "requestBody" in operation
    ]
    assert len(bodies) > 20
    for path, content in bodies:
        if "examples" in content:
            continue  # too long to stand here: its place is named
        assert "example" in content, path
        schema = {**content["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(content["example"])


def test_every_reference_leads_somewhere(document):
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [ref for value in part.values() for ref in references(value)]
        return (
            [ref for value in part for ref in references(value)] if isinstance(part, list) else []
        )

    found = set(references(document))
    assert len(found) > 50
    for reference in found:
        at = document
        for key in reference.removeprefix("#/").split("/"):
            at = at[key]
        assert at


def test_schemas_are_json_schema(document):
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_problems_are_described_where_they_can_happen(operations):
    for method, path, operation in operations:
        responses = operation["responses"]
        assert "400" in responses
        assert any(status.startswith("2") for status in responses)
        if operation.get("security") == []:
            assert path in ("/health", "/ready", "/v1/schemas/{document}", CONTEXT_PATH)
        else:
            assert {"401", "403", "503"} <= responses.keys(), path
        if "requestBody" in operation:
            assert {"413", "415", "422"} <= responses.keys(), path
        if "{" in path:
            assert "404" in responses, path
        if method in ("put", "delete"):
            assert {"412", "428"} <= responses.keys(), path
        if method == "post" and path.startswith("/v1/"):
            names = {parameter["name"] for parameter in operation["parameters"]}
            assert "Idempotency-Key" in names, path


def test_path_parameters_are_described(operations):
    for _, path, operation in operations:
        described = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert described == set(re.findall(r"\{(\w+)\}", path)), path


@pytest.mark.parametrize("path", ["/nothing", "/health?x=1", "/v1/datasets/%ff"])
def test_problems_are_what_the_schema_says(client, path):
    jsonschema.Draft202012Validator(PROBLEM_SCHEMA).validate(client.get(path).json())


def test_codes_of_errors_fit_the_schema():
    def below(kind: type[PlacementError]) -> list[type[PlacementError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    pattern = PROBLEM_SCHEMA["properties"]["code"]["pattern"]
    assert all(re.search(pattern, kind.code) for kind in below(PlacementError))


def test_the_document_is_served_with_a_version(client):
    first = client.get("/openapi.json")
    assert first.headers["content-type"] == "application/json"
    assert first.json()["openapi"] == "3.1.0"
    again = client.get("/openapi.json", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
    ],
)
def test_pages_come_from_here_alone(client, path, media_type):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", answer.text)


def test_everything_the_page_names_is_served(client):
    page = (WEB / "docs.html").read_text()
    named = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert {"/docs/docs.css", "/docs/docs.js", "/openapi.json"} <= set(named)
    for path in named:
        assert client.get(path).status_code == 200, path
    assert "<style" not in page
    assert re.findall(r"<script(?![^>]*src=)", page) == []


def test_texts_never_become_markup():
    script = (WEB / "docs.js").read_text()
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert unsafe not in script
