"""Machines' keys and who is let in, on both databases; then the same over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import text

from api.app import assemble
from api.routes import keys as key_routes
from api.routes import me as me_routes
from models import (
    ApiKeyRequest,
    AuditAction,
    CityRole,
    Permission,
    Principal,
    PrincipalKind,
    RowFilter,
)
from placement.errors import (
    IdentityProviderError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    StoreError,
)
from placement.identity import GENERIC, LOCAL_ISSUER, LocalIssuer, Tokens, open_tokens
from placement.service.access import (
    authenticate,
    create_key,
    list_keys,
    me,
    person_behind,
    recognise,
    revoke_key,
)
from placement.service.city import Caller
from placement.settings import Settings
from placement.store.api_keys import ApiKeys
from placement.store.recorder import Recorder
from tests.identity_cases import ISSUER, claims, header, signed, tokens

OFFICE = CityRole.DATA_MANAGEMENT_OFFICE


def caller(*roles: CityRole, subject: str = f"{ISSUER} anna", kind=PrincipalKind.PERSON) -> Caller:
    person = Principal(subject=subject, kind=kind, roles=roles or (OFFICE,))
    return Caller(person, RowFilter(all=True), "request-1")


def asked(**changes) -> ApiKeyRequest:
    fields = {"label": "Terraform", "roles": ["provisioner"], "valid_days": 30, **changes}
    return ApiKeyRequest.model_validate_json(json.dumps(fields))


class AllowingOpa:
    """Says yes to whatever is not in `denied`."""

    def __init__(self) -> None:
        self.denied: set[str] = set()

    async def ask(self, question) -> Permission:
        return self._answer(question.operation)

    def require(self, principal, operation, method, route, author=None) -> Permission:
        answer = self._answer(operation)
        if not answer.allow:
            raise NotAllowed(operation)
        return answer

    def _answer(self, operation: str) -> Permission:
        if operation in self.denied:
            return Permission(allow=False, reason="denied")
        return Permission(allow=True, reason="granted", rows=RowFilter(public=True))


@pytest.fixture
def city(store, store_key) -> Iterator[SimpleNamespace]:
    recorder = Recorder(store)
    yield SimpleNamespace(
        store=store,
        recorder=recorder,
        tokens=tokens(),
        audit_key=store_key,
        permissions=AllowingOpa(),
    )
    recorder.close()


def events(store) -> list[dict[str, Any]]:
    with store.reading() as tx:
        rows = tx.session.execute(text("SELECT body FROM audit ORDER BY sequence")).all()
    return [json.loads(row.body)["event"] for row in rows]


def new_token(city, **changes) -> str:
    with city.store.writing() as tx:
        token = create_key(tx, caller(), asked(**changes)).token
    assert token is not None
    return token


def refused(city, authorization: str | None) -> dict[str, Any]:
    """The record of a refusal, which tells its sender nothing."""
    assert recognise(city, authorization) is None
    with pytest.raises(NotAuthenticated) as caught:
        authenticate(city, authorization, "request-2")
    assert str(caught.value) == GENERIC
    assert caught.value.__cause__ is None
    event = events(city.store)[-1]
    assert event["action"] == "login_failed"
    assert event["request_id"] == "request-2"
    return event


def test_key_is_its_machine_with_its_scope(city):
    token = new_token(
        city,
        roles=["data_steward", "data_user", "data_steward"],
        departments=["Ruimte"],
        reader_roles=["planner"],
        operations=["datasets.list"],
    )
    machine = authenticate(city, f"Bearer {token}")
    assert machine.subject == f"key:{token.split('_')[1]}"
    assert machine.kind is PrincipalKind.MACHINE
    assert machine.roles == (CityRole.DATA_STEWARD, CityRole.DATA_USER)
    assert machine.departments == ("Ruimte",)
    assert machine.reader_roles == ("planner",)
    assert machine.operations == ("datasets.list",)
    assert recognise(city, f"Bearer {token}") is None, "looked up every time"


def test_creating_and_revoking_are_recorded_with_what_they_do_and_without_the_secret(city):
    token = new_token(city)
    id_ = token.split("_")[1]
    with city.store.writing() as tx:
        revoke_key(tx, caller(subject=f"{ISSUER} bob"), id_)
    created, revoked = events(city.store)
    assert created["action"] == AuditAction.API_KEY_CREATED
    assert (created["actor"], created["subject"]) == (f"{ISSUER} anna", f"key/{id_}")
    assert created["detail"]["principal"]["roles"] == ["provisioner"]
    assert (revoked["action"], revoked["actor"]) == (
        AuditAction.API_KEY_REVOKED,
        f"{ISSUER} bob",
    )
    assert revoked["request_id"] == "request-1"


def test_secret_is_nowhere_in_the_database(city):
    secret = new_token(city).split("_")[2]
    refused(city, f"Bearer plk_{'A' * 16}_{secret}")
    with city.store.reading() as tx:
        rows = tx.session.execute(text("SELECT * FROM api_keys")).all()
        records = tx.session.execute(text("SELECT * FROM audit")).all()
    assert rows
    assert secret not in repr([*rows, *records])


def test_key_that_was_not_recorded_does_not_exist(city):
    issued = []

    def die_before_the_commit() -> None:
        with city.store.writing() as tx:
            issued.append(create_key(tx, caller(), asked()))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        die_before_the_commit()
    assert refused(city, f"Bearer {issued[0].token}")["detail"] == {"reason": "unknown_key"}
    assert [event["action"] for event in events(city.store)] == ["login_failed"]


def test_revoked_key_is_refused_at_once_and_revoking_again_is_no_news(city):
    token = new_token(city)
    id_ = token.split("_")[1]
    assert authenticate(city, f"Bearer {token}").subject
    for _ in range(2):
        with city.store.writing() as tx:
            assert revoke_key(tx, caller(), id_).revoked_at is not None
    event = refused(city, f"Bearer {token}")
    assert event["detail"] == {"reason": "revoked_key"}
    assert event["actor"] == f"key:{id_}"
    assert [each["action"] for each in events(city.store)].count("api_key_revoked") == 1


def test_another_process_sees_a_revocation_at_once(city, make_store):
    token = new_token(city)
    other = make_store()
    replica = SimpleNamespace(store=other, recorder=city.recorder, tokens=tokens())
    assert authenticate(replica, f"Bearer {token}").subject
    with city.store.writing() as tx:
        revoke_key(tx, caller(), token.split("_")[1])
    with pytest.raises(NotAuthenticated):
        authenticate(replica, f"Bearer {token}")


def test_key_ends_when_its_days_are_over(city):
    token = new_token(city, valid_days=1)
    with city.store.reading() as tx:
        key = ApiKeys(tx).get(token.split("_")[1])
        assert key.expires_at - key.created_at == timedelta(days=1)
        assert abs(key.created_at - datetime.now(UTC)) < timedelta(minutes=5)
        digest = tx.session.execute(text("SELECT secret_sha256 FROM api_keys")).scalar_one()
        tx.now = key.expires_at - timedelta(seconds=1)
        assert ApiKeys(tx).find(key.id, digest).objection is None
        tx.now = key.expires_at
        assert ApiKeys(tx).find(key.id, digest).objection == "expired_key"


@pytest.mark.parametrize("days", [0, -1, 401, 10**9, None, "30", 1.5, True])
def test_days_of_a_key_are_mandatory_and_bounded(days):
    with pytest.raises(ValueError, match="valid_days"):
        asked(valid_days=days)
    with pytest.raises(ValueError, match="valid_days"):
        ApiKeyRequest.model_validate({"label": "x", "roles": ["auditor"]})


@pytest.mark.parametrize(
    "changes",
    [
        {"label": ""},
        {"label": "a\x00b"},
        {"roles": []},
        {"roles": ["root"]},
        {"operations": []},
        {"operations": ["*"]},
        {"operations": ["datasets"]},
        {"subject": "https://issuer.example boss"},
    ],
)
def test_request_that_does_not_fit_is_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        asked(**changes)


@pytest.mark.parametrize("place", [5, 30, -1])
def test_wrong_secret_or_id_is_refused_as_an_unknown_key(city, place):
    token = new_token(city)
    letter = "B" if token[place] == "A" else "A"
    spoilt = token[:place] + letter + token[place + 1 if place >= 0 else len(token) :]
    event = refused(city, f"Bearer {spoilt}")
    assert event["detail"] == {"reason": "unknown_key"}
    assert event["actor"] == f"key:{spoilt.split('_')[1]}", "the id it claims"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "no_token"),
        ("", "no_bearer_token"),
        ("Bearer", "no_bearer_token"),
        ("Bearer ", "no_bearer_token"),
        ("Basic YW5uYTpzZWNyZXQ=", "no_bearer_token"),
        ("Bearerx", "no_bearer_token"),
        ("Bearer\tabc", "no_bearer_token"),
        ("Bearer plk_", "malformed_key"),
        ("Bearer plk_a_b", "malformed_key"),
        ("Bearer é", "malformed"),
        ("Bearer a b", "malformed"),
        ("Bearer " + "A" * 100_000, "too_large"),
        ("Bearer " + signed(header(), claims(aud="other")), "wrong_audience"),
    ],
)
def test_refusal_is_recorded_with_its_reason_and_nothing_of_the_token(city, authorization, reason):
    event = refused(city, authorization)
    assert event["detail"] == {"reason": reason}
    assert event["actor"] == "anonymous"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR "])
def test_scheme_may_be_written_any_way(city, scheme):
    good = f"{scheme} {signed(header(), claims())}"
    assert recognise(city, good) is None
    assert authenticate(city, good).subject == f"{ISSUER} anna"
    assert recognise(city, good) is not None


def test_refusal_that_cannot_be_recorded_is_an_error_of_ours(city):
    city.recorder.close()
    with pytest.raises(StoreError):
        authenticate(city, "Bearer nonsense")


@pytest.mark.parametrize(
    ("own", "given", "allowed"),
    [
        ([OFFICE], OFFICE, True),
        ([OFFICE], CityRole.PROVISIONER, True),
        ([OFFICE], CityRole.DATA_STEWARD, True),
        ([OFFICE], CityRole.DATA_USER, True),
        ([OFFICE], CityRole.AUDITOR, False),
        ([OFFICE, CityRole.AUDITOR], CityRole.AUDITOR, True),
        ([OFFICE], CityRole.GOVERNANCE_BOARD, False),
        ([OFFICE, CityRole.GOVERNANCE_BOARD], CityRole.GOVERNANCE_BOARD, False),
        ([OFFICE, CityRole.SECURITY_REVIEWER], CityRole.SECURITY_REVIEWER, False),
        ([CityRole.AUDITOR], CityRole.PROVISIONER, False),
        ([CityRole.PROVISIONER], CityRole.PROVISIONER, True),
    ],
)
def test_nobody_passes_on_more_than_they_have_or_what_takes_a_person(city, own, given, allowed):
    with city.store.writing() as tx:
        if allowed:
            assert create_key(tx, caller(*own), asked(roles=[given])).key.principal.roles == (
                given,
            )
        else:
            with pytest.raises(NotAllowed, match=given):
                create_key(tx, caller(*own), asked(roles=["provisioner", given]))
            assert list_keys(tx, 10) == () or given is not CityRole.PROVISIONER


def test_machine_creates_no_keys(city):
    with pytest.raises(NotAllowed, match="only a person"), city.store.writing() as tx:
        create_key(tx, caller(subject="key:x", kind=PrincipalKind.MACHINE), asked())


def test_person_behind_a_key_is_whoever_created_it(city):
    id_ = new_token(city).split("_")[1]
    with city.store.reading() as tx:
        assert person_behind(tx, f"key:{id_}") == f"{ISSUER} anna"
        assert person_behind(tx, f"{ISSUER} bob") == f"{ISSUER} bob"
        assert person_behind(tx, id_) == id_
        assert person_behind(tx, "key:unknown") == "key:unknown"


def test_keys_of_a_development_server_end_with_it(city, tmp_path):
    with city.store.writing() as tx:
        token = create_key(tx, caller(subject=f"{LOCAL_ISSUER} anna"), asked()).token
    assert refused(city, f"Bearer {token}")["detail"] == {"reason": "development_key"}
    city.tokens = open_tokens(Settings(), LocalIssuer(tmp_path / "local.pem"))
    assert authenticate(city, f"Bearer {token}").subject


def test_keys_are_listed_page_by_page_and_unknown_ones_are_not_found(city):
    made = sorted(new_token(city).split("_")[1] for _ in range(3))
    with city.store.reading() as tx:
        assert [key.id for key in list_keys(tx, 2)] == made[:2]
        assert [key.id for key in list_keys(tx, 2, made[1])] == made[2:]
        for unknown in ("nobody", "", "a\x00b", "é", "' OR 1=1 --", "x" * 1000):
            with pytest.raises(NotFound):
                ApiKeys(tx).get(unknown)


def test_me_says_who_and_which_rows(city):
    asking = caller()
    assert me(city, asking).rows == RowFilter(public=True)
    city.permissions.denied.add("datasets.list")
    assert me(city, asking).rows == RowFilter()
    assert me(city, asking).principal == asking.principal


# -- over HTTP ---------------------------------------------------------------------------------

BODY = {"label": "Terraform", "roles": ["provisioner"], "valid_days": 30}


def fresh(**changes) -> str:
    now = time.time()
    stated = claims(iat=now, nbf=now, exp=now + 600, roles=[OFFICE], **changes)
    return f"Bearer {signed(header(), stated)}"


@pytest.fixture
def client(city) -> Iterator[TestClient[Any]]:
    city.tokens = tokens(clock=time.time)
    app = assemble(city, [*key_routes.routes, *me_routes.routes])
    with TestClient(app=app) as running:
        running.headers["authorization"] = fresh()
        yield running


def test_key_is_made_used_listed_and_revoked(client):
    made = client.post("/v1/keys", json=BODY)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    id_, token = made.json()["key"]["id"], made.json()["token"]
    assert made.headers["location"] == f"/v1/keys/{id_}"

    machine = {"authorization": f"Bearer {token}"}
    assert client.get("/v1/me", headers=machine).json()["principal"]["subject"] == f"key:{id_}"

    listed = client.get("/v1/keys")
    assert [item["id"] for item in listed.json()["items"]] == [id_]
    assert token.split("_")[2] not in listed.text
    assert "secret" not in listed.text

    assert client.delete(f"/v1/keys/{id_}").status_code == 204
    assert client.delete(f"/v1/keys/{id_}").status_code == 204
    assert client.delete("/v1/keys/nobody").status_code == 404
    assert client.get("/v1/me", headers=machine).status_code == 401


def test_repeated_request_gets_the_key_without_its_token(client, city):
    once = {"idempotency-key": "order-1"}
    first, second = (client.post("/v1/keys", json=BODY, headers=once) for _ in range(2))
    assert first.json()["token"].startswith("plk_")
    assert second.json() == {**first.json(), "token": None}
    assert second.headers["idempotent-replayed"] == "true"
    assert len(client.get("/v1/keys").json()["items"]) == 1
    with city.store.reading() as tx:
        stored = tx.session.execute(text("SELECT * FROM idempotency_keys")).all()
    assert stored
    assert first.json()["token"].split("_")[2] not in repr(stored)


def test_pages_of_keys(client):
    for _ in range(3):
        client.post("/v1/keys", json=BODY)
    first = client.get("/v1/keys?limit=2").json()
    second = client.get("/v1/keys", params={"limit": 2, "cursor": first["next"]}).json()
    assert len({item["id"] for item in first["items"] + second["items"]}) == 3
    assert second["next"] is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "Bearer nonsense")],
        [("authorization", "Basic YQ==")],
        [("cookie", "authorization=Bearer x")],
        [("authorization", "TOKEN"), ("authorization", "TOKEN")],
        [("authorization", "TOKEN"), ("authorization", "Bearer x")],
    ],
    ids=["none", "nonsense", "basic", "cookie", "twice", "two"],
)
def test_request_without_one_good_token_is_401_and_says_no_more(client, headers):
    del client.headers["authorization"]
    good = fresh()
    sent = [(name, value.replace("TOKEN", good)) for name, value in headers]
    answer = client.get("/v1/me", headers=sent)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.json()["code"] == "not_authenticated"
    assert answer.json()["detail"] == GENERIC


@pytest.mark.parametrize("name", ["access_token", "token"])
def test_token_in_the_query_is_not_looked_at(client, name):
    del client.headers["authorization"]
    token = fresh().removeprefix("Bearer ")
    assert client.get("/v1/me", params={name: token}).status_code in (400, 401)


def test_issuer_that_is_away_is_503_and_nobody_is_accused(client, city):
    class Away:
        def now(self):
            return None

        def find(self, kid):
            raise IdentityProviderError("https://10.0.0.7 is away")

    city.tokens = Tokens(city.tokens._oidc, Away())
    answer = client.get("/v1/me")
    assert answer.status_code == 503
    assert answer.json()["code"] == "identity_provider"
    assert "10.0.0.7" not in answer.text
    assert events(city.store) == []


def test_role_that_cannot_be_passed_on_is_403_and_recorded(client, city):
    answer = client.post("/v1/keys", json={**BODY, "roles": ["governance_board"]})
    assert answer.status_code == 403
    assert [event["action"] for event in events(city.store)] == ["denied"]
