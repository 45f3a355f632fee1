"""Whatever answers in OPA's place, nobody is let in unless it is exactly a permission."""

from __future__ import annotations

import asyncio
import threading

import pytest
from litestar import post
from litestar.testing import TestClient

from api.app import assemble
from api.injected import InjectedCity
from models import AuditAction, AuditEvent, CityRole, RowFilter
from placement.errors import NotAllowed, PolicyEngineError, PolicyRevisionMismatch
from placement.identity import LocalIssuer
from tests import permission_cases as cases
from tests.opa_fakes import fake_server, http


def ask(permissions, question=None):
    async def run():
        try:
            return await permissions.ask(question or cases.question())
        finally:
            await permissions.hang_up()

    return asyncio.run(run())


def require(permissions):
    asked = cases.question()
    try:
        return permissions.require(asked.principal, asked.operation, asked.method, asked.route)
    finally:
        permissions.close()


ways = pytest.mark.parametrize("way", [ask, require])


@ways
def test_an_exact_answer_counts(way):
    with fake_server(http(cases.answer())) as server:
        permission = way(cases.permissions_at(cases.endpoint_of(server)))
    assert permission.allow
    assert permission.rows == RowFilter(all=True)


@ways
@pytest.mark.parametrize("fault", cases.FAULTS)
def test_nothing_else_counts(way, fault):
    with fake_server(cases.FAULTS[fault]) as server:
        permissions = cases.permissions_at(cases.endpoint_of(server), cases.patience(fault))
        with pytest.raises(PolicyEngineError):
            way(permissions)
    assert len(server.requests) == 1  # and it is not asked again


@ways
def test_a_closed_port_lets_nobody_in(way):
    with pytest.raises(PolicyEngineError, match="the connection to OPA failed"):
        way(cases.permissions_at(cases.closed_endpoint()))


@ways
def test_a_redirect_is_not_followed(way):
    with fake_server(http(cases.answer())) as other:
        for status in ("301 Moved Permanently", "302 Found", "303 See Other", "308 Permanent"):
            redirect = http(b"", status, f"Location: {other.url}/v1/data/authz/decision")
            with fake_server(redirect) as server, pytest.raises(PolicyEngineError):
                way(cases.permissions_at(cases.endpoint_of(server)))
        assert other.requests == []


@ways
def test_proxies_of_the_environment_are_not_used(way, monkeypatch):
    with fake_server(http(cases.answer())) as proxy, fake_server(http(b"{}")) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(PolicyEngineError):
            way(cases.permissions_at(cases.endpoint_of(server)))
        assert proxy.requests == []


@ways
def test_another_revision_is_named(way):
    mismatch = pytest.raises(PolicyRevisionMismatch, match="not the policies asked about")
    with fake_server(cases.with_bundles(authz="7" * 64)) as server, mismatch:
        way(cases.permissions_at(cases.endpoint_of(server)))


def test_what_is_asked():
    with fake_server(http(cases.answer())) as server:
        ask(cases.permissions_at(cases.endpoint_of(server)))
    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == (
        b"post /v1/data/authz/decision?provenance=true&strict-builtin-errors=true http/1.1"
    )
    assert b"authorization: bearer opa-token" in lines
    assert b"accept-encoding: identity" in lines
    assert body == b'{"input":' + cases.question().model_dump_json().encode() + b"}"


def test_the_token_is_in_no_error():
    echo = http(b'{"code": "x", "message": "Bearer opa-token"}', "401 Unauthorized")
    with fake_server(echo) as server, pytest.raises(PolicyEngineError) as caught:
        ask(cases.permissions_at(cases.endpoint_of(server)))
    assert "opa-token" not in str(caught.value)
    assert "401" in str(caught.value)


def test_connections_are_used_again_and_permissions_are_not():
    denied = cases.with_result(allow=False, rows=cases.ROWS | {"all": False})
    with fake_server(http(cases.answer()), denied) as server:
        permissions = cases.permissions_at(cases.endpoint_of(server))

        async def twice():
            try:
                return [(await permissions.ask(cases.question())).allow for _ in range(2)]
            finally:
                await permissions.hang_up()

        assert asyncio.run(twice()) == [True, False]
        assert len(server.requests) == 2
        assert len(server.threads) == 2  # one that listens, one for the one connection


def test_nobody_hears_the_answer_to_a_question_that_was_cancelled():
    asked, go_on = threading.Event(), threading.Event()

    def late(connection):
        asked.set()
        go_on.wait(cases.PATIENCE_S)
        connection.sendall(http(cases.answer()))

    denied = cases.with_result(allow=False, rows=cases.ROWS | {"all": False})
    with fake_server(late, denied) as server:
        permissions = cases.permissions_at(cases.endpoint_of(server))

        async def cancel_then_ask():
            first = asyncio.create_task(permissions.ask(cases.question()))
            await asyncio.to_thread(asked.wait, cases.PATIENCE_S)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            go_on.set()
            try:
                return [await permissions.ask(cases.question()) for _ in range(3)]
            finally:
                await permissions.hang_up()

        assert [found.allow for found in asyncio.run(cancel_then_ask())] == [False] * 3


def test_one_late_answer_does_not_spoil_the_next():
    with fake_server(cases.SLOW["half an answer, then silence"], http(cases.answer())) as server:
        permissions = cases.permissions_at(cases.endpoint_of(server), 1.0)

        async def twice():
            try:
                with pytest.raises(PolicyEngineError, match="did not answer within"):
                    await permissions.ask(cases.question())
                return await permissions.ask(cases.question())
            finally:
                await permissions.hang_up()

        assert asyncio.run(twice()).allow


def test_closing_ends_a_question_of_a_thread():
    asked = threading.Event()

    def silent(connection):
        asked.set()
        connection.recv(1)

    with fake_server(silent) as server:
        permissions = cases.permissions_at(cases.endpoint_of(server), 3600.0)
        outcome = []

        def wait():
            try:
                permissions.require(cases.question().principal, "datasets.list", "GET", "/")
            except PolicyEngineError as error:
                outcome.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert asked.wait(cases.PATIENCE_S)
        permissions.close()
        waiting.join(cases.PATIENCE_S)
        assert outcome == ["the service is stopping"]
        permissions.close()


# --- over HTTP -----------------------------------------------------------------------------------


class Harness:
    """An application of one writing route, whose OPA is whatever a test puts there."""

    def __init__(self, folder, client, switch, token):
        self.folder = folder
        self.client = client
        self.switch = switch
        self.headers = {"authorization": f"Bearer {token}"}

    def write(self):
        return self.client.post("/v1/things", json={}, headers=self.headers)

    def refused(self):
        """The answer, having left nothing behind."""
        before = cases.database_text(self.folder)
        response = self.write()
        assert cases.database_text(self.folder) == before
        return response


@post("/v1/things", opt={"operation": "datasets.create"}, sync_to_thread=True)
def write_thing(city: InjectedCity) -> dict[str, str]:
    with city.store.writing() as tx:
        tx.record(AuditEvent(action=AuditAction.EXPORTED, actor="somebody"))
    return {}


class Switch:
    """Permissions from the server of the moment."""

    def __init__(self):
        self.to = cases.permissions_at(cases.closed_endpoint())

    async def ask(self, question):
        try:
            return await self.to.ask(question)
        finally:
            await self.to.hang_up()


@pytest.fixture(scope="module")
def harness(tmp_path_factory, sqlite_template):
    folder, switch = tmp_path_factory.mktemp("city"), Switch()
    with cases.small_city(folder, sqlite_template, switch) as city:
        app = assemble(city, [write_thing])
        token = LocalIssuer(folder / "keys" / "dev.pem").issue(
            "anna", [CityRole.DATA_MANAGEMENT_OFFICE]
        )
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Harness(folder, client, switch, token)


def test_a_permission_lets_in(harness):
    before = cases.database_text(harness.folder)
    with fake_server(http(cases.answer())) as server:
        harness.switch.to = cases.permissions_at(cases.endpoint_of(server))
        assert harness.write().status_code == 201
    assert cases.database_text(harness.folder) != before


@pytest.mark.parametrize("fault", [*cases.FAULTS, "nobody there"])
def test_without_one_it_is_503_and_nothing_was_done(harness, fault):
    with fake_server(cases.FAULTS.get(fault, b"")) as server:
        endpoint = cases.endpoint_of(server) if fault in cases.FAULTS else cases.closed_endpoint()
        harness.switch.to = cases.permissions_at(endpoint, cases.patience(fault))
        response = harness.refused()
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] in ("policy_engine", "policy_revision")
    assert "OPA" not in response.json()["detail"]


# --- the real OPA ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opa():
    with cases.opa_with_rights() as child:
        yield child


def test_the_real_opa_grants_and_filters(opa):
    asked = cases.question()
    assert ask(cases.permissions_at(opa.endpoint)).rows == RowFilter(all=True)
    steward = asked.principal.model_copy(
        update={"roles": (CityRole.DATA_STEWARD,), "departments": ("Ruimte",)}
    )
    permission = ask(cases.permissions_at(opa.endpoint), cases.question(principal=steward))
    assert permission.rows == RowFilter(departments=("Ruimte",))


def test_the_real_opa_denies_with_its_reason(opa):
    permissions = cases.permissions_at(opa.endpoint)
    principal = cases.question().principal
    try:
        with pytest.raises(NotAllowed, match=r"^audit\.list: no role of this principal grants it"):
            permissions.require(principal, "audit.list", "GET", "/v1/audit")
        board = principal.model_copy(update={"roles": (CityRole.GOVERNANCE_BOARD,)})
        path = "/v1/decisions/{number}/approval"
        with pytest.raises(NotAllowed, match="whoever made it needs somebody else"):
            permissions.require(board, "decisions.approve", "POST", path, board.subject)
        permission = permissions.require(board, "decisions.approve", "POST", path, "i bert")
        assert permission.allow
    finally:
        permissions.close()
