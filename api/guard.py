"""Nobody passes without a permission, asked before a handler sees anything of the request.

    route found -> who asks -> may they do this operation -> the caller, and the rows they may touch

A handler names its operation: `opt={"operation": "datasets.update"}`. Only two kinds have none:
`{"access": "public"}` asks nobody, and `{"access": "opa"}` is for OPA, which the handler knows by
its token. The body is not read before all that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException, MethodNotAllowedException
from litestar.handlers.base import BaseRouteHandler
from litestar.routes import ASGIRoute, BaseRoute, HTTPRoute, WebSocketRoute
from litestar.types import Scope

from api.authentication import principal_of
from api.threads import in_reader
from models import AuditAction, AuditEvent, PermissionInput, Principal
from placement.eligibility.permissions import refuse_unless_allowed
from placement.errors import NotAllowed
from placement.service.access import ANONYMOUS
from placement.service.city import Caller, City

OPEN_ACCESS = frozenset({"public", "opa"})
_LONGEST_PATH = 500

Connection = ASGIConnection[Any, Any, Any, Any]


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let a request through to its handler, or raise.

    Raises
    ------
    NotAuthenticated
        When nobody has proven who asks.
    NotAllowed
        When the policies say no; `note_denial` records it.
    PolicyEngineError, IdentityProviderError, StoreError
        When it cannot be told whether they may.
    MethodNotAllowedException
        For OPTIONS, which no route of ours takes: pages of other sites have no business here.
    """
    if handler.opt.get("access") in OPEN_ACCESS:
        return
    operation = handler.opt.get("operation")
    if operation is None:
        raise MethodNotAllowedException(headers={"allow": ", ".join(_methods(connection))})
    connection.scope["state"]["caller"] = await admit(connection, operation)


async def admit(connection: Connection, operation: str) -> Caller:
    """Who asks, once they may do the operation. A long answer asks again while it lasts.

    Raises
    ------
    NotAuthenticated, NotAllowed
    PolicyEngineError, IdentityProviderError, StoreError
    """
    city: City = connection.app.state.city
    state: dict[str, Any] = connection.scope["state"]
    principal = await principal_of(connection, city)
    state["principal"] = principal
    question = PermissionInput(
        principal=principal,
        operation=operation,
        method=str(connection.scope.get("method", "WEBSOCKET")),
        route=connection.scope["path_template"],
    )
    with connection.app.state.metrics.asking_opa():
        permission = await city.permissions.ask(question)
    refuse_unless_allowed(question, permission)
    return Caller(principal, permission.rows, str(state.get("request_id", "")))


async def note_denial(error: Exception, scope: Scope) -> None:
    """Record that the policies said no, to the guard or to a use case, before the answer is sent.

    A hook of Litestar's (`after_exception`). Whatever a use case did was undone when it raised.

    Raises
    ------
    StoreError
        When it cannot be recorded; that is the answer, then.
    """
    if not isinstance(error, NotAllowed):
        return
    city: City = scope["litestar_app"].state.city
    principal: Principal | None = scope["state"].get("principal")
    event = AuditEvent(
        action=AuditAction.DENIED,
        actor=principal.subject if principal else ANONYMOUS,
        subject=scope["path"][:_LONGEST_PATH],
        detail={
            "method": str(scope.get("method", "")),
            "operation": str(scope["route_handler"].opt.get("operation", "")),
            "reason": str(error),
            "route": scope["path_template"],
        },
        request_id=str(scope["state"].get("request_id", "")),
    )
    await in_reader(city.recorder.record, [event])


def refuse_unguarded(app: Litestar) -> None:
    """Check, before it serves, that no handler of an application can run without a permission.

    Raises
    ------
    ImproperlyConfiguredException
        Naming each route that has no operation, or that the guard does not stand before.
    """
    wrong = sorted({f"{route.path}: {flaw}" for route, flaw in _flaws(app)})
    if wrong:
        raise ImproperlyConfiguredException("routes without a permission: " + "; ".join(wrong))


def handlers_of(route: BaseRoute) -> tuple[BaseRouteHandler, ...]:
    """The handlers of a route, without the one that Litestar makes for OPTIONS."""
    if isinstance(route, HTTPRoute):
        return tuple(each for each in route.route_handlers if each.http_methods != {"OPTIONS"})
    if isinstance(route, WebSocketRoute | ASGIRoute):
        return (route.route_handler,)
    raise ImproperlyConfiguredException(f"{route.path}: a kind of route that nobody guards")


def _flaws(app: Litestar) -> Iterator[tuple[BaseRoute, str]]:
    for route in app.routes:
        for handler in handlers_of(route):
            access, operation = handler.opt.get("access"), handler.opt.get("operation")
            if (access is None) == (operation is None):
                yield route, f"{handler} needs one of `access` and `operation`"
            if access is not None and access not in OPEN_ACCESS:
                yield route, f"{handler}: {access!r} is no kind of access"
            if guard not in handler.resolve_guards():
                yield route, f"{handler} is not guarded"


def _methods(connection: Connection) -> list[str]:
    template = connection.scope["path_template"]
    routes = [route for route in connection.app.routes if route.path_format == template]
    methods = {method for route in routes for each in handlers_of(route) for method in _of(each)}
    return sorted(methods)


def _of(handler: BaseRouteHandler) -> set[str]:
    return {str(method) for method in getattr(handler, "http_methods", ())}
