"""A city asked over HTTP, by whoever a test names; its jobs are done when the test says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import httpx
from litestar.testing import TestClient

from api.app import assemble
from models import Permission, Principal, PrincipalKind, RowFilter
from placement.service.city import City
from tests.decision_cases import Permitting


class Named:
    """The bearer token is the name of whoever asks."""

    def recognise(self, token: str) -> Principal:
        return Principal(subject=f"issuer {token}", kind=PrincipalKind.PERSON, roles=())


class Rows(Permitting):
    """Everything is allowed; `green` sees the rows of one department."""

    async def ask(self, question: Any) -> Permission:
        green = question.principal.subject == "issuer green"
        rows = RowFilter(departments=("Green",)) if green else RowFilter(all=True)
        return Permission(allow=True, reason="", rows=rows)


class Asking(Protocol):
    def __call__(self, who: str, method: str, path: str, **more: Any) -> httpx.Response: ...


@contextmanager
def asking(city: City, routes: Sequence[Any]) -> Iterator[Asking]:
    """Asks these routes alone: who, method, path."""
    city.tokens = cast("Any", Named())
    city.permissions = cast("Any", Rows())
    city.recorder = cast("Any", type("Silent", (), {"record": lambda self, events: None})())
    with TestClient(assemble(city, routes), raise_server_exceptions=False) as client:

        def ask(who: str, method: str, path: str, **more: Any) -> httpx.Response:
            headers = {"authorization": f"Bearer {who}", **more.pop("headers", {})}
            return client.request(method, path, headers=headers, **more)

        yield ask
