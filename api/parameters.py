"""Parameters as documented, or 400: a misspelt filter must not silently show everything."""

from __future__ import annotations

from collections import Counter
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from api.paths import query_pairs, segment
from api.problems import BadRequest
from placement.errors import Defect, NotFound

SHOWN = 80
"""Characters of a name that a defect repeats."""
LARGEST_NUMBER = 2**31 - 1
"""Of anything counted: decisions, versions, revisions."""


class StrictParameters:
    """Runs between routing and the guard: decodes path parameters, refuses unknown queries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: dict[Any, frozenset[str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises BadRequest."""
        # The router keeps the dictionary of a path it has seen: never change it in place.
        scope["path_params"] = {
            name: _path_value(value) for name, value in scope["path_params"].items()
        }
        given = [name for name, _ in query_pairs(scope.get("query_string", b""))]
        if given:
            self._check(given, scope)
        await self._app(scope, receive, send)

    def _check(self, given: list[str], scope: Scope) -> None:
        handler = scope["route_handler"]
        if handler not in self._known:
            self._known[handler] = query_names(scope["litestar_app"]).get(handler, frozenset())
        known = self._known[handler]
        counted = Counter(given)
        unknown = [
            _wrong(name, "is not a parameter of this path") for name in counted.keys() - known
        ]
        twice = [
            _wrong(name, "is given more than once")
            for name, times in counted.items()
            if times > 1 and name in known
        ]
        if unknown or twice:
            raise BadRequest("A parameter is not as documented.", defects=unknown + twice)


def _path_value(value: Any) -> Any:
    """A text as the client meant it; a number as the database can hold it. Raises NotFound."""
    if isinstance(value, int) and not 0 <= value <= LARGEST_NUMBER:
        raise NotFound("there is no such number")
    return segment(value) if isinstance(value, str) else value


def query_names(app: Litestar) -> dict[Any, frozenset[str]]:
    """The query parameters of each handler, those of its dependencies among them."""
    return {
        handler: frozenset(parameter.field_alias for parameter in model.expected_query_params)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler, model in route.route_handler_map.values()
    }


def _wrong(name: str, message: str) -> Defect:
    return Defect("query", "", name[:SHOWN], message)
