"""Role x method x route x owner x token state, from the application's own routes.

The tables below say what must be; a route without a row fails. Everything is real: the server, its
database, its OPA with the shipped rights, its tokens.
"""

from __future__ import annotations

import base64
import json
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import AccessRights, CityRole
from placement.identity import LocalIssuer
from placement.settings import read_settings, shipped_policies
from tests import builders, permission_cases
from tests.rights_cases import town as a_town

ROLES = {
    "B": CityRole.GOVERNANCE_BOARD,
    "O": CityRole.DATA_MANAGEMENT_OFFICE,
    "S": CityRole.DATA_STEWARD,
    "R": CityRole.SECURITY_REVIEWER,
    "U": CityRole.DATA_USER,
    "P": CityRole.PROVISIONER,
    "A": CityRole.AUDITOR,
}
LETTERS = "BOSRUPA"

# Operation -> letters of the roles that may. Whatever is not here, nobody may.
RIGHTS = {
    # Read everything: board, office, reviewer, auditor. Records by rows: steward, data user.
    "datasets.list": "BOSRUA",
    "datasets.read": "BOSRUA",
    "sites.list": "BOSRUPA",
    "sites.read": "BOSRUPA",
    "operators.list": "BOSRUPA",
    "operators.read": "BOSRUPA",
    "relations.list": "BOSRA",
    "relations.read": "BOSRA",
    "roles.list": "BOSRA",
    "roles.read": "BOSRA",
    "contracts.list": "BOSRA",
    "contracts.read": "BOSRA",
    "parameters.read": "BOSRA",
    "catalogs.list": "BORA",
    "catalogs.read": "BORA",
    "placements.list": "BOSRUPA",
    "placements.read": "BOSRUPA",
    "placements.explain": "BOSRUPA",
    "placements.list_reports": "BOSRUPA",
    # Entities are of these records: of each, what listing the records would show.
    "entities.list": "BOSRUPA",
    "entities.read": "BOSRUPA",
    "entities.list_types": "BOSRUPA",
    "entities.read_type": "BOSRUPA",
    "entities.list_attributes": "BOSRUPA",
    "entities.list_subscriptions": "BORPA",
    "entities.read_subscription": "BORPA",
    "entities.subscribe": "O",
    "entities.update_subscription": "O",
    "entities.unsubscribe": "O",
    "decisions.list": "BORPA",
    "decisions.read": "BORPA",
    "decisions.plan": "BORPA",
    "decisions.diff": "BORPA",
    "decisions.answer": "BORA",
    "decisions.events": "BORA",
    "jobs.list": "BORA",
    "jobs.read": "BORA",
    "jobs.events": "BORA",
    "what_ifs.read": "BORA",
    "drills.list": "BORA",
    "drills.read": "BORA",
    "eligibility.read": "BORA",
    "procurement.report": "BORA",
    "procurement.clauses": "BOSRA",
    "verifications.ask": "BORA",
    "policies.list": "BORA",
    "policies.read": "BORA",
    "policies.usage": "BORA",
    "policies.impact": "BORA",
    "policies.list_drafts": "BORA",
    "policies.read_draft": "BORA",
    "keys.list": "BORA",
    # Who is told what to provision, and how far that is; events name every department's data.
    "subscriptions.list": "BORPA",
    "subscriptions.read": "BORPA",
    "subscriptions.deliveries": "BORPA",
    "events.list": "BORPA",
    "audit.list": "BA",
    "audit.head": "BA",
    "audit.verify": "BA",
    "audit.export": "BA",
    "me.read": "BOSRUPA",
    # Change the catalogue: the office; a steward the datasets of own departments.
    "datasets.create": "OS",
    "datasets.update": "OS",
    "datasets.delete": "OS",
    "sites.create": "O",
    "sites.update": "O",
    "sites.delete": "O",
    "operators.create": "O",
    "operators.update": "O",
    "operators.delete": "O",
    "relations.create": "O",
    "relations.update": "O",
    "relations.delete": "O",
    "roles.create": "O",
    "roles.update": "O",
    "roles.delete": "O",
    "contracts.create": "O",
    "contracts.update": "O",
    "contracts.delete": "O",
    "catalogs.import": "O",
    "parameters.update": "O",
    # Decide, approve, carry out: three different roles.
    "checks.ask": "OSRU",
    "what_ifs.ask": "O",
    "drills.ask": "O",
    "drills.cancel": "O",
    "decisions.request": "O",
    "decisions.replay": "O",
    "jobs.cancel": "O",
    "decisions.approve": "B",
    "decisions.withdraw": "B",
    "decisions.provision": "P",
    "decisions.enforce": "P",
    "placements.report": "P",
    "placements.observe": "P",
    # Policies: written and reviewed by reviewers, approved by the board.
    "policies.draft": "R",
    "policies.redraft": "R",
    "policies.check": "R",
    "policies.review": "R",
    "policies.approve": "B",
    "policies.rollback": "B",
    "policies.publish": "BR",
    # Webhooks.
    "subscriptions.create": "O",
    "subscriptions.update": "O",
    "subscriptions.delete": "O",
    "subscriptions.rotate": "O",
    "subscriptions.redrive": "O",
    "subscriptions.discard": "O",
    # Keys of machines.
    "keys.create": "O",
    "keys.revoke": "O",
}

# The one question that may be a POST and yet changes nothing.
READS = {"verifications.ask"}

PUBLIC = {
    "GET /docs",
    "GET /docs/docs.css",
    "GET /docs/docs.js",
    "GET /health",
    "GET /metrics",
    "GET /ngsi-ld/v1/jsonldContexts/placement.jsonld",
    "GET /openapi.json",
    "GET /v1/schemas/{document:str}",
    "GET /ready",
}
OPA_ALONE = {
    "GET /v1/bundles/authz.tar.gz",
    "GET /v1/bundles/policies.tar.gz",
    "POST /v1/opa/status",
}

# Dataset -> letters of those who see it: the steward of Ruimte, and a data user who is a planner.
OWNED: dict[str, dict[str, Any]] = {
    "own": {"owner_department": "Ruimte", "readers": ("planner",)},
    "own-unread": {"owner_department": "Ruimte", "readers": ("registrar",)},
    "others": {"owner_department": "Zorg", "readers": ("registrar",)},
    "others-read": {"owner_department": "Zorg", "readers": ("registrar", "planner")},
    "others-public": {
        "owner_department": "Zorg",
        "readers": ("registrar",),
        "access_rights": AccessRights.PUBLIC,
        "non_publication_grounds": (),
    },
    "nobodys": {"owner_department": None, "readers": ("registrar",)},
}
SEEN_BY = {
    "own": "BOSRUPA",
    "own-unread": "BOSRPA",
    "others": "BORPA",
    "others-read": "BORUPA",
    "others-public": "BORUPA",
    "nobodys": "BORPA",
}
KEPT_BY = {"own": "OS", "own-unread": "OS"}  # all others: O


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with a_town(tmp_path_factory.mktemp("town") / "data") as place:
        office = place.token(CityRole.DATA_MANAGEMENT_OFFICE, subject="office")
        for role in ("registrar", "planner"):
            stored(place, office, "roles", builders.role(role))
        for ident, fields in OWNED.items():
            stored(place, office, "datasets", builders.dataset(ident, **fields))
        yield place


def stored(place, token, kind, model):
    answer = place.request("POST", f"/v1/{kind}", token, json=model.model_dump(mode="json"))
    assert answer.status_code == 201, answer.text


def token_of(place, letter, **more):
    claims = {"departments": ["Ruimte"], "reader_roles": ["planner"]} | more
    return place.token(ROLES[letter], subject=f"somebody-{letter}", **claims)


@pytest.fixture(scope="module")
def everything(town):
    """A token of somebody with all roles."""
    return town.token(*CityRole, departments=["Ruimte"], reader_roles=["planner"])


def events(place, action):
    auditor = place.token(CityRole.AUDITOR)
    found = place.request("GET", f"/v1/audit?action={action}&sort=-sequence&limit=1000", auditor)
    assert found.status_code == 200, found.text
    return [item["event"] for item in found.json()["items"]]


# --- the tables are about this application -------------------------------------------------------


def test_every_route_has_a_row(town):
    assert {door.operation for door in town.guarded} - set(RIGHTS) == set()
    assert {str(d) for d in town.doors if d.access == "public"} == PUBLIC
    assert {str(d) for d in town.doors if d.access == "opa"} == OPA_ALONE


def test_every_row_has_a_route(town):
    assert set(RIGHTS) - {door.operation for door in town.guarded} == set()


def test_the_shipped_rights_name_these_operations_and_no_other():
    opa = read_settings().opa_bin or "opa"
    folder = Path(shipped_policies()) / "authz"
    asked = [opa, "eval", "--data", str(folder), "--format", "raw", "data.authz.rights.tasks"]
    tasks = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    assert sorted(name for names in tasks.values() for name in names) == sorted(RIGHTS)


# --- role x method x route -----------------------------------------------------------------------


@pytest.mark.parametrize("letter", LETTERS)
def test_a_role_may_do_its_rows_and_nothing_else(town, letter):
    wrong = []
    for door, answer in town.ask_all(token_of(town, letter)).items():
        status, may = answer.status_code, letter in RIGHTS[door.operation]
        reads = door.method == "GET" or door.operation in READS
        expected = may and (reads or letter != "A")
        right = status not in (401, 403, 405) and status < 500 if expected else status == 403
        if not right:
            wrong.append((str(door), door.operation, status, "may" if expected else "may not"))
    assert wrong == []


def test_who_has_no_role_may_see_oneself_alone(town):
    for door, answer in town.ask_all(town.token(subject="newcomer")).items():
        assert answer.status_code == (200 if door.operation == "me.read" else 403), door


def test_a_denial_says_what_was_denied_and_is_recorded(town):
    token = token_of(town, "U")
    answer = town.request("GET", "/v1/audit", token, headers={"x-request-id": "a-denial-of-ours"})
    assert answer.status_code == 403
    problem = answer.json()
    assert problem["code"] == "not_allowed"
    assert problem["detail"] == "audit.list: no role of this principal grants it"
    [event] = [
        event for event in events(town, "denied") if event["request_id"] == "a-denial-of-ours"
    ]
    assert event["actor"] == "urn:placement:dev somebody-U"
    assert event["subject"] == "/v1/audit"
    assert event["detail"] == {
        "method": "GET",
        "operation": "audit.list",
        "reason": "audit.list: no role of this principal grants it",
        "route": "/v1/audit",
    }


def test_methods_that_a_route_does_not_take_run_nothing(town, everything):
    offered: dict[str, set[str]] = {}
    for door in town.doors:
        offered.setdefault(door.path, set()).add(door.method)
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    doors = [
        replace(door, method=method)
        for door in {door.path: door for door in town.doors}.values()
        for method in methods
        if method not in offered[door.path]
    ]
    for door, answer in town.ask_all(everything, doors).items():
        assert answer.status_code == 405, door
        allowed = set(answer.headers["allow"].split(", ")) - {"OPTIONS"}
        assert allowed == offered[door.path], door


def test_head_needs_what_get_needs(town):
    for door in town.guarded:
        if door.method == "GET" and door.operation in ("datasets.list", "audit.list", "me.read"):
            assert town.request("HEAD", door.url(), None).status_code == 401
            status = town.request("HEAD", door.url(), token_of(town, "U")).status_code
            assert status == (200 if "U" in RIGHTS[door.operation] else 403)


# --- owners --------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", LETTERS)
def test_lists_show_the_rows_of_the_caller(town, letter):
    if letter not in RIGHTS["datasets.list"]:
        return
    answer = town.request("GET", "/v1/datasets?limit=1000", token_of(town, letter))
    seen = {item["id"] for item in answer.json()["items"]} & set(OWNED)
    assert seen == {name for name in OWNED if letter in SEEN_BY[name]}


@pytest.mark.parametrize("owner", OWNED)
@pytest.mark.parametrize("letter", LETTERS)
def test_one_dataset_is_read_by_whom_its_rows_admit(town, letter, owner):
    if letter not in RIGHTS["datasets.read"]:
        return
    answer = town.request("GET", f"/v1/datasets/{owner}", token_of(town, letter))
    assert answer.status_code == (200 if letter in SEEN_BY[owner] else 404)


@pytest.mark.parametrize("owner", [name for name in OWNED if "S" not in SEEN_BY[name]])
def test_what_may_not_be_seen_looks_like_what_is_not_there(town, owner):
    steward = token_of(town, "S")
    for door in town.guarded:
        if "{dataset:" not in door.path or "S" not in RIGHTS[door.operation]:
            continue
        body = {"json": builders.dataset("x").model_dump(mode="json")}
        more = body if door.method == "PUT" else {}
        more["headers"] = {"if-match": '"1"', "x-request-id": "same"}
        theirs = town.ask(door, steward, {"dataset": owner}, **dict(more))
        nothing = town.ask(door, steward, {"dataset": "nothing-here"}, **dict(more))
        assert theirs.status_code == nothing.status_code, door
        assert theirs.text.replace(owner, "...") == nothing.text.replace("nothing-here", "...")


@pytest.mark.parametrize("owner", OWNED)
@pytest.mark.parametrize("letter", LETTERS)
def test_a_dataset_is_changed_by_its_keepers_alone(town, letter, owner):
    token, office = token_of(town, letter), token_of(town, "O")
    url = f"/v1/datasets/{owner}"
    before = town.request("GET", url, office)
    match = {"if-match": before.headers["etag"]}
    changed = before.json() | {"title": f"Changed by {letter}"}
    answer = town.request("PUT", url, token, json=changed, headers=match)
    keeps = letter in KEPT_BY.get(owner, "O")
    if keeps:
        assert answer.status_code == 200, answer.text
        restored = {"if-match": answer.headers["etag"]}
        town.request("PUT", url, office, json=before.json(), headers=restored)
    else:
        assert answer.status_code == (404 if letter == "S" else 403)
        removal = town.request("DELETE", url, token, headers=match)
        assert removal.status_code == (404 if letter == "S" else 403)
    assert town.request("GET", url, office).json() == before.json()


def test_a_steward_adds_and_removes_in_own_departments_alone(town):
    steward = token_of(town, "S")
    for department, fits in (("Ruimte", True), ("Zorg", False), (None, False)):
        new = builders.dataset("new", owner_department=department).model_dump(mode="json")
        answer = town.request("POST", "/v1/datasets", steward, json=new)
        assert (answer.status_code == 201) is fits, (department, answer.text)
        assert answer.status_code < 500
    etag = town.request("GET", "/v1/datasets/new", steward).headers["etag"]
    given_away = builders.dataset("new", owner_department="Zorg").model_dump(mode="json")
    answer = town.request(
        "PUT", "/v1/datasets/new", steward, json=given_away, headers={"if-match": etag}
    )
    assert 400 <= answer.status_code < 500
    gone = town.request("DELETE", "/v1/datasets/new", steward, headers={"if-match": etag})
    assert gone.status_code == 204


def test_a_steward_cannot_take_a_dataset_over(town):
    theirs = town.request("GET", "/v1/datasets/others", token_of(town, "O"))
    taken = theirs.json() | {"owner_department": "Ruimte"}
    for match in ({"if-match": theirs.headers["etag"]}, {"if-none-match": "*"}):
        answer = town.request(
            "PUT", "/v1/datasets/others", token_of(town, "S"), json=taken, headers=match
        )
        assert 400 <= answer.status_code < 500
    again = town.request("POST", "/v1/datasets", token_of(town, "S"), json=taken)
    assert 400 <= again.status_code < 500
    assert town.request("GET", "/v1/datasets/others", token_of(town, "O")).json() == theirs.json()


@pytest.mark.parametrize("claims", [{"departments": []}, {"departments": ["ruimte", "Ruimte "]}])
def test_departments_are_compared_exactly(town, claims):
    answer = town.request("GET", "/v1/datasets?limit=1000", token_of(town, "S", **claims))
    seen = {item["id"] for item in answer.json()["items"]} & set(OWNED)
    # Blanks around a name are not part of it.
    assert seen == ({"own", "own-unread"} if claims["departments"] else set())


# --- token states --------------------------------------------------------------------------------


def b64(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def changed_claims(token, **changes):
    head, claims, signature = token.split(".")
    stated = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return ".".join((head, b64(stated | changes), signature))


@pytest.fixture(scope="module")
def api_keys(town):
    """Makes keys for machines; answers with the id and the token."""
    office = town.token(CityRole.DATA_MANAGEMENT_OFFICE, subject="office")

    def make(roles, **more):
        asked = {"label": "a machine", "roles": roles, "valid_days": 1} | more
        answer = town.request("POST", "/v1/keys", office, json=asked)
        assert answer.status_code == 201, answer.text
        issued = answer.json()
        return issued["key"]["id"], issued["token"]

    return make


@pytest.fixture(scope="module")
def bad_tokens(town, everything, api_keys, tmp_path_factory):
    office = town.token(CityRole.DATA_MANAGEMENT_OFFICE, subject="office")
    revoked_id, revoked = api_keys(["provisioner"])
    assert town.request("GET", "/v1/placements", revoked).status_code == 200
    assert town.request("DELETE", f"/v1/keys/{revoked_id}", office).status_code < 300
    stranger = LocalIssuer(tmp_path_factory.mktemp("stranger") / "dev.pem")
    _, claims, signature = everything.split(".")
    unsigned = b64({"alg": "none", "typ": "at+jwt"})
    return {
        "none": None,
        "garbage": "let-me-in",
        "expired": town.token(*CityRole, ttl_s=-3600),
        "wrong audience": changed_claims(everything, aud="another"),
        "wrong issuer": changed_claims(everything, iss="https://login.example"),
        "later expiry": changed_claims(everything, exp=4_000_000_000),
        "another subject": changed_claims(everything, sub="somebody else"),
        "forged": stranger.issue("anna", tuple(CityRole)),
        "unsigned": f"{unsigned}.{claims}.",
        "unsigned, with a signature": f"{unsigned}.{claims}.{signature}",
        "cut off": everything[:-2],
        "revoked key": revoked,
        "key with another secret": revoked[:-4] + ("AAAA" if revoked[-4:] != "AAAA" else "BBBB"),
    }


BAD_TOKENS = (
    *("none", "garbage", "expired", "wrong audience", "wrong issuer", "later expiry"),
    *("another subject", "forged", "unsigned", "unsigned, with a signature", "cut off"),
    *("revoked key", "key with another secret"),
)


@pytest.mark.parametrize("state", BAD_TOKENS)
def test_without_a_token_that_holds_no_route_does_anything(town, bad_tokens, state):
    for door, answer in town.ask_all(bad_tokens[state]).items():
        assert answer.status_code == 401, door
        assert answer.json()["code"] == "not_authenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("state", BAD_TOKENS)
def test_opas_routes_take_no_token_of_anybody_else(town, bad_tokens, state, everything):
    for door in town.doors:
        if door.access == "opa":
            assert town.ask(door, bad_tokens[state]).status_code == 401
            assert town.ask(door, everything).status_code == 401


def test_opas_token_opens_no_other_route(town):
    for door, answer in town.ask_all(town.city.opa.feed.token).items():
        assert answer.status_code == 401, door


def test_a_token_is_looked_for_in_its_header_alone(town, everything):
    for more in (
        {"params": {"access_token": everything}},
        {"headers": {"cookie": f"access_token={everything}; token={everything}"}},
        {"headers": {"authorization": f"Basic {everything}"}},
        {"headers": {"x-authorization": f"Bearer {everything}"}},
    ):
        answer = town.request("GET", "/v1/datasets", None, **more)
        assert answer.status_code in (400, 401)


def test_a_key_does_what_it_is_for_and_nothing_else(town, api_keys):
    _, token = api_keys(["data_steward"], departments=["Ruimte"], operations=["datasets.list"])
    for door, answer in town.ask_all(token).items():
        assert answer.status_code == (200 if door.operation == "datasets.list" else 403), door


@pytest.mark.parametrize("letter", "SUP")
def test_a_key_does_what_its_role_may(town, api_keys, letter):
    _, token = api_keys([ROLES[letter].value], departments=["Ruimte"], reader_roles=["planner"])
    for door, answer in town.ask_all(token).items():
        status, expected = answer.status_code, letter in RIGHTS[door.operation]
        assert (status != 403) is expected, (door, status)
        assert status not in (401, 405)
        assert status < 500, (door, status)


# --- without OPA ---------------------------------------------------------------------------------


def test_without_opa_no_route_does_anything(town, everything, monkeypatch):
    nobody = permission_cases.closed_endpoint()
    monkeypatch.setattr(town.city.permissions, "_asking", lambda: nullcontext(nobody))
    before = permission_cases.database_text(town.folder)
    for door, answer in town.ask_all(everything).items():
        assert answer.status_code == 503, door
        assert answer.json()["code"] == "policy_engine"
    assert town.client.get("/health").status_code == 200
    assert changes(before, permission_cases.database_text(town.folder)) == []


def changes(before, after):
    """Lines that differ, but for those that tell how the service's own OPA is."""
    differing = set(before.splitlines()) ^ set(after.splitlines())
    return sorted(line for line in differing if 'INTO "opa_status"' not in line)
