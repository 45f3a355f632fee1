"""Every operation, asked by every role with whatever its description allows and does not allow.

A real server with its own OPA, database and worker, and an example city in it. The bytes come from
schemathesis, with a fixed seed. Whatever is asked: no 5xx, and each answer as described.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks

from api.app import ROUTES
from models import CityRole
from placement.identity import LocalIssuer

PATIENCE_S = 120.0
EXAMPLES = 8
"""Of each operation and mode, on top of one by every role."""
SLOW = {
    "verifications.ask": 1,
    "policies.usage": 2,
    "policies.impact": 2,
    "policies.check": 2,
    "eligibility.read": 1,
    "procurement.report": 1,
    "procurement.clauses": 1,
    "catalogs.import": 4,
    "drills.ask": 2,
}
"""Operations that look at the whole city, and how many examples they get instead."""
EXAMPLE_CITY = Path(__file__).parents[2] / "placement" / "example"
NOBODY = "nobody"
STRANGER = "stranger"
CALLERS = (*(role.value for role in CityRole), NOBODY, STRANGER)
LONG = ("audit.export", "jobs.events")
"""Answers that are not one JSON document."""

load_all_checks()
CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]


@dataclass
class Service:
    """A service under test, and names of what is in it."""

    url: str
    tokens: dict[str, str]
    client: httpx.Client
    schema: Any = None
    document: dict[str, Any] = field(default_factory=dict)
    known: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        return self.client.request(method, path, headers=self.headers(who), **options)

    def headers(self, who: str) -> dict[str, str]:
        token = self.tokens.get(who)
        return {} if token is None else {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        found = Service(url, tokens(folder), client)
        until_ready(client)
        settle(found)
        found.document = client.get("/openapi.json").json()
        found.schema = schemathesis.openapi.from_dict(found.document)
        found.schema.config.update(base_url=url)
        yield found


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """`placement serve --dev` on a free port, until the block ends; its URL."""
    command = [sys.executable, "-m", "placement.cli", "serve", "--dev", "--port", "0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--data", str(folder)], stdout=log, stderr=log)
        try:
            yield address(process, folder / "log")
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        said = re.search(r"answers at (http://\S+)", log.read_text())
        if said:
            return said[1]
        time.sleep(0.05)
    raise AssertionError(f"the service did not start: {log.read_text()}")


def until_ready(client: httpx.Client) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the service did not get ready")


def tokens(folder: Path) -> dict[str, str]:
    issuer = LocalIssuer(folder / "keys" / "local-issuer.pem")
    issued = {
        role.value: issuer.issue(
            role.value, [role], departments=["Civil affairs"], reader_roles=["registrar"]
        )
        for role in CityRole
    }
    return {**issued, STRANGER: "not.a.token"}


def settle(service: Service) -> None:
    """The example city, a decision on it, a draft and a key: ids that reach further than 404."""
    office, reviewer = CityRole.DATA_MANAGEMENT_OFFICE.value, CityRole.SECURITY_REVIEWER.value
    catalog = json.loads((EXAMPLE_CITY / "catalog.json").read_text())
    sites = json.loads((EXAMPLE_CITY / "sites.json").read_text())
    brought = service.ask(office, "POST", "/v1/catalogs", json={"catalog": catalog, "sites": sites})
    assert brought.status_code == 201, brought.text
    job = service.ask(office, "POST", "/v1/decisions", json={}).json()["id"]
    until = time.monotonic() + PATIENCE_S
    while service.ask(office, "GET", f"/v1/jobs/{job}").json()["state"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.2)
    small = {"noise/noise.rego": "package noise\n\nlimit := 40\n"}
    body = {"title": "Noise", "files": small}
    draft = service.ask(reviewer, "POST", "/v1/policies/drafts", json=body)
    assert draft.status_code == 201, draft.text
    key = {"label": "Monitoring", "roles": ["provisioner"], "valid_days": 1}
    made = service.ask(office, "POST", "/v1/keys", json=key)
    assert made.status_code == 201, made.text
    service.known = {
        "dataset": [item["id"] for item in catalog["datasets"][:3]],
        "site": [item["id"] for item in sites["sites"][:3]],
        "operator": [item["id"] for item in sites["operators"][:2]],
        "role": [item["id"] for item in catalog["roles"][:2]],
        "number": ["1"],
        "version": ["1", "current"],
        "job": [job],
        "draft": [draft.json()["id"]],
        "key": [made.json()["key"]["id"]],
    }


def operations() -> list[tuple[str, str]]:
    """(method, path) of everything that is described, without a running service."""
    from types import SimpleNamespace

    from api.app import assemble
    from api.openapi import describe

    city: Any = SimpleNamespace()
    paths = describe(assemble(city, ROUTES))["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in item]


@pytest.mark.parametrize(("method", "path"), operations())
def test_whatever_is_asked_is_answered_as_described(service, method, path):
    operation = service.schema[path][method]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        fuzz(service, operation, mode)


@pytest.mark.parametrize("who", CALLERS)
def test_every_role_gets_an_answer_from_every_operation(service, who):
    for method, path in operations():
        target = path
        for name, values in service.known.items():
            target = target.replace(f"{{{name}}}", values[0].replace("/", "%2F"))
        target = re.sub(r"\{[^}]+\}", "unknown", target)
        described = service.document["paths"][path][method.lower()]
        body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
        if described["operationId"] in LONG:
            continue
        answer = service.ask(
            who, method, target, **({"json": body["example"]} if "example" in body else {})
        )
        place = f"{who} {method} {target}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, place
        assert str(answer.status_code) in described["responses"], place
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == problem_type(path), place
        if who in (NOBODY, STRANGER) and described.get("security") != []:
            assert answer.status_code == 401, place


def problem_type(path: str) -> str:
    """Of problem documents: NGSI-LD sends them as plain JSON."""
    return "application/json" if path.startswith("/ngsi-ld/") else "application/problem+json"


def fuzz(service: Service, operation: Any, mode: GenerationMode) -> None:
    """Ask one operation many things; mode: as described, or not."""
    name = operation.definition.raw["operationId"]
    if name in LONG:
        return

    @settings(
        max_examples=SLOW.get(name, EXAMPLES),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        who=st.sampled_from(CALLERS),
        real=st.booleans(),
        pick=st.integers(0, 2),
    )
    def ask(case: Any, who: str, real: bool, pick: int) -> None:
        if real:
            for parameter, drawn in (case.path_parameters or {}).items():
                values = service.known.get(parameter, [drawn])
                case.path_parameters[parameter] = values[pick % len(values)]
        answer = case.call(headers=service.headers(who), timeout=PATIENCE_S)
        if answer.status_code not in (400, 404, 405, 413, 415, 431):
            case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == [problem_type(operation.path)]

    ask()
