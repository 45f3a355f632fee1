"""The HTTP application: every route, and what they share.

A route module in api/routes exports `routes`. A handler parses, calls one use case in a thread,
and renders::

    @get("/v1/things", opt={"operation": "things.list"}, tags=["things"])
    async def list_things(
        request: Request[Any, Any, Any],
        city: InjectedCity,
        caller: InjectedCaller,
        department: FromQuery[str | None] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        sort: FromQuery[str | None] = None,
    ) -> Response[Page[Thing]]:
        order = one_sort(sort, ("id", "title"), "id")
        filters = {"department": department}
        cursors = Cursors(city.audit_key)
        after = cursors.read(cursor, order, filters) if cursor else None
        rows = await in_reader(list_them, city, caller, filters, order, after, limit + 1)
        items, following = page(
            rows, limit, lambda last: cursors.make(order, filters, [last.title, last.id])
        )
        return page_response(items, following)

    @get("/v1/things/{thing:str}", opt={"operation": "things.read"}, tags=["things"])
    async def read_thing(
        request: Request[Any, Any, Any],
        thing: FromPath[str],
        city: InjectedCity,
        caller: InjectedCaller,
    ) -> Response[Thing]:
        found, digest = await in_reader(read_it, city, caller, thing)
        return read(request, found, version=digest)  # ETag, 304, If-Match

    @put("/v1/things/{thing:str}", opt={"operation": "things.update", "example": {...}},
         tags=["things"])
    async def update_thing(
        request: Request[Any, Any, Any],
        data: JSONBody[Thing],  # decoded strictly, defects with their places
        thing: FromPath[str],
        city: InjectedCity,
        caller: InjectedCaller,
    ) -> Response[Thing]:
        expected = precondition(request)  # If-Match; `.check(current digest)` inside the action
        return await write(
            request, city, caller, lambda tx: update_it(tx, caller, thing, data, expected)
        )  # the action gives Reply.json(model, 200, etag=digest)

`InjectedCity` and `InjectedCaller` come from api.injected, `in_reader` from api.threads, `read` and
`write` from api.replies, `precondition` from api.conditional, everything of lists from api.paging;
`FromPath`, `FromQuery` and `JSONBody` are Litestar's.

Path parameters are `{name:str}`, also in the middle of a path, and hold slashes where an id does.
Ids are unknown or invisible by raising NotFound. Nothing here catches an error to render it:
api/problems.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from api import docs, health, metrics
from api.envelope import Envelope
from api.guard import guard, note_denial, refuse_unguarded
from api.injected import PROVIDED
from api.ngsi_ld import errors as ngsi_ld_errors
from api.parameters import StrictParameters
from api.problems import HANDLERS
from api.requests import StrictRequest
from api.routes import (
    audit,
    bundles,
    catalogs,
    checks,
    contracts,
    datasets,
    decisions,
    drills,
    inspecting,
    jobs,
    keys,
    me,
    ngsi_ld,
    ngsi_ld_subscriptions,
    operators,
    parameters,
    placements,
    policies,
    procurement,
    relations,
    roles,
    schemas,
    sites,
    subscriptions,
    what_ifs,
)
from placement.service.city import City

MAX_CATALOG_BYTES = 64 * 2**20

ROUTES: tuple[Any, ...] = (
    *datasets.routes,
    *sites.routes,
    *operators.routes,
    *relations.routes,
    *roles.routes,
    *contracts.routes,
    *catalogs.routes,
    *parameters.routes,
    *checks.routes,
    *inspecting.routes,
    *procurement.routes,
    *decisions.routes,
    *what_ifs.routes,
    *drills.routes,
    *placements.routes,
    *ngsi_ld.routes,
    *ngsi_ld_subscriptions.routes,
    *jobs.routes,
    *policies.routes,
    *audit.routes,
    *keys.routes,
    *subscriptions.routes,
    *me.routes,
    *bundles.routes,
    *schemas.routes,
    *health.routes,
    *metrics.routes,
    *docs.routes,
)


class Application(Litestar):
    """Litestar inside of the envelope that every request and answer passes."""

    envelope: Envelope

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http":
            await self.envelope(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def serve_inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what the envelope let through."""
        await super().__call__(scope, receive, send)


def create_app(city: City) -> Application:
    """The application of one city. It starts nothing and stops nothing: the city is open already.

    Raises
    ------
    litestar.exceptions.ImproperlyConfiguredException
        When a route could run without a permission.
    """
    return assemble(city, ROUTES)


def assemble(city: City, routes: Sequence[ControllerRouterHandler]) -> Application:
    """An application of these routes alone, guarded like the whole one."""
    app = Application(
        route_handlers=list(routes),
        guards=[guard],
        dependencies=PROVIDED,
        exception_handlers=ngsi_ld_errors.spoken(HANDLERS),
        after_exception=[note_denial],
        middleware=[StrictParameters],
        request_class=StrictRequest,
        request_max_body_size=None,  # the envelope caps bodies
        openapi_config=None,
        logging_config=None,
    )
    refuse_unguarded(app)
    app.state.city = city
    app.state.metrics = metrics.Metrics()
    app.state.probe = health.Probe()
    app.envelope = Envelope(app.serve_inside, app.state.metrics, MAX_CATALOG_BYTES)
    return app
