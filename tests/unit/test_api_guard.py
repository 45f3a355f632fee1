"""Nothing of a request is seen before its permission is there, and no route is left open."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from litestar import Controller, Litestar, Request, get, post, route
from litestar.exceptions import ImproperlyConfiguredException
from litestar.testing import TestClient

from api.app import assemble
from api.guard import guard, refuse_unguarded
from api.injected import InjectedCaller
from models import AuditAction, CityRole, Permission, Principal, PrincipalKind, RowFilter
from placement.errors import NotAllowed, PolicyEngineError, StoreError

ANNA = Principal(subject="issuer anna", kind=PrincipalKind.PERSON, roles=(CityRole.DATA_STEWARD,))
ROWS = RowFilter(departments=("Ruimte",))


class City:
    """As much of a city as the guard asks."""

    def __init__(self) -> None:
        self.tokens = self.permissions = self.recorder = self
        self.store = None
        self.answer: Any = Permission(allow=True, reason="granted", rows=ROWS)
        self.record_error: Exception | None = None
        self.questions: list[Any] = []
        self.events: list[Any] = []

    def recognise(self, token: str) -> Principal:
        return ANNA

    async def ask(self, question: Any) -> Permission:
        self.questions.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def record(self, events: Any) -> None:
        if self.record_error is not None:
            raise self.record_error
        self.events += events


RAN: list[str] = []


@get("/things/{thing:str}", opt={"operation": "things.read"})
async def read(caller: InjectedCaller) -> dict[str, Any]:
    RAN.append("read")
    return {"subject": caller.subject, "rows": caller.rows.model_dump(), "id": caller.request_id}


@post("/things", opt={"operation": "things.create"})
async def create(request: Request[Any, Any, Any]) -> None:
    RAN.append((await request.body()).decode())


@post("/denied", opt={"operation": "things.approve"})
async def deny_within() -> None:
    raise NotAllowed("whoever made it needs somebody else")


@get("/open", opt={"access": "public"})
async def is_open() -> None:
    RAN.append("open")


@pytest.fixture
def city():
    RAN.clear()
    return City()


@pytest.fixture
def client(city):
    whole: Any = city
    app = assemble(whole, [read, create, deny_within, is_open])
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers = {"authorization": "Bearer x", "x-request-id": "r1"}
        yield client


def test_whoever_may_gets_in_with_the_rows_of_the_permission(city, client):
    answer = client.get("/things/a")
    assert answer.json() == {
        "subject": "issuer anna",
        "rows": {"all": False, "departments": ["Ruimte"], "reader_roles": [], "public": False},
        "id": "r1",
    }
    [question] = city.questions
    assert (question.principal, question.operation) == (ANNA, "things.read")
    assert (question.method, question.route) == ("GET", "/things/{thing}")
    assert question.author is None
    assert city.events == []


def test_each_request_asks_anew(city, client):
    assert client.get("/things/a").status_code == 200
    city.answer = Permission(allow=False, reason="no more")
    assert client.get("/things/a").status_code == 403


def test_a_denial_is_recorded_before_it_is_told(city, client):
    city.answer = Permission(allow=False, reason="no role of this principal grants it")
    answer = client.get("/things/a")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert RAN == []
    [event] = city.events
    assert (event.action, event.actor) == (AuditAction.DENIED, "issuer anna")
    assert (event.subject, event.request_id) == ("/things/a", "r1")
    assert event.detail == {
        "method": "GET",
        "operation": "things.read",
        "reason": "things.read: no role of this principal grants it",
        "route": "/things/{thing}",
    }


def test_a_use_case_that_denies_is_recorded_too(city, client):
    assert client.post("/denied").status_code == 403
    [event] = city.events
    assert event.detail["reason"] == "whoever made it needs somebody else"


def test_a_denial_that_cannot_be_recorded_is_503(city, client):
    city.answer = Permission(allow=False, reason="no")
    city.record_error = StoreError("disk full")
    answer = client.get("/things/a")
    assert (answer.status_code, answer.json()["code"]) == (503, "store")


@pytest.mark.parametrize("error", [PolicyEngineError("late"), RuntimeError("bug")])
def test_without_an_answer_nothing_runs_and_nothing_is_recorded(city, client, error):
    city.answer = error
    assert client.post("/things", content=b"x").status_code >= 500
    assert (RAN, city.events) == ([], [])


def test_public_routes_ask_nobody(city, client):
    assert client.get("/open").status_code == 200
    assert (RAN, city.questions) == (["open"], [])


def test_options_is_not_taken_and_asks_nobody(city, client):
    answer = client.options("/things")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert city.questions == []


@pytest.mark.parametrize("permission", [Permission(allow=False, reason="no"), PolicyEngineError()])
def test_the_body_is_not_read_before_the_permission_is_there(city, permission):
    city.answer = permission
    whole: Any = city
    app = assemble(whole, [create])
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/things",
        "raw_path": b"/things",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"authorization", b"Bearer x"), (b"content-length", b"5")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] in (403, 503)


# --- at start-up ---------------------------------------------------------------------------------


@get("/nameless")
async def nameless() -> None: ...


@get("/both", opt={"operation": "things.read", "access": "public"})
async def both() -> None: ...


@get("/misspelt", opt={"access": "pubic"})
async def misspelt() -> None: ...


@route("/several", http_method=["GET", "DELETE"])
async def several() -> None: ...


class Nameless(Controller):
    path = "/controlled"
    opt = {"other": True}  # noqa: RUF012

    @get("/")
    async def nobody_named_it(self) -> None: ...


@pytest.mark.parametrize("handler", [nameless, both, misspelt, several, Nameless])
def test_an_application_with_an_open_route_is_not_made(handler):
    city: Any = SimpleNamespace()
    with pytest.raises(ImproperlyConfiguredException, match="routes without a permission"):
        assemble(city, [is_open, handler])


def test_an_application_without_the_guard_is_refused():
    app = Litestar([is_open], openapi_config=None)
    with pytest.raises(ImproperlyConfiguredException, match="is not guarded"):
        refuse_unguarded(app)


def test_a_route_added_later_does_not_run(city):
    whole: Any = city
    app = assemble(whole, [is_open])
    app.register(nameless)
    assert guard in app.guards
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/nameless", headers={"authorization": "Bearer x"}).status_code == 405
