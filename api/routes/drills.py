"""/v1/drills: many what-ifs asked for at once. Nothing of them can be approved."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page, page_response
from api.replies import read, write
from api.threads import in_reader
from models import Drill, DrillRequest, DrillSummary, sha256_of
from placement.service import drills
from placement.service.performing import Reply

_TAGS = ["drills"]
_ORDER = "-created_at"
_EXAMPLE = {
    "kind": "frontier",
    "parameter": "operator_volume_share_max",
    "values": ["0.2", "0.3", "0.5"],
}


@post(
    "/v1/drills",
    opt={"operation": "drills.ask", "example": _EXAMPLE, "body": DrillRequest, "answer": Drill},
    tags=_TAGS,
    status_code=202,
)
async def ask_drill(
    request: Request[Any, Any, Any],
    data: JSONBody[Any],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Any]:
    """Ask what leaving each operator would come to, or what each value of a limit would.

    Every operator, or value, is a what-if of its own, done by whichever worker is free.
    """
    asked = drills.request_of(data)
    await in_reader(city.snapshots.at_head)  # read here, where it keeps no writer waiting
    return await write(
        request, city, caller, lambda tx: _accepted(drills.ask(tx, city, caller, asked))
    )


@get("/v1/drills", opt={"operation": "drills.list"}, tags=_TAGS)
async def list_drills(
    city: InjectedCity,
    caller: InjectedCaller,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[DrillSummary]]:
    """Drills, the latest first, and how far they are."""
    cursors = Cursors(city.audit_key)
    after = cursors.read(cursor, _ORDER, {})[0] if cursor else None
    found = await in_reader(drills.list_drills, city, caller, after=after, limit=limit + 1)
    items, following = page(found, limit, lambda last: cursors.make(_ORDER, {}, [last.id]))
    return page_response(items, following)


@get("/v1/drills/{drill:str}", opt={"operation": "drills.read"}, tags=_TAGS)
async def read_drill(
    request: Request[Any, Any, Any],
    drill: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Drill]:
    """A drill: how far each part is, what it came to, and where its report is."""
    found = await in_reader(drills.read, city, caller, drill)
    return read(request, found, version=sha256_of(found))


@post(
    "/v1/drills/{drill:str}/cancellation",
    opt={"operation": "drills.cancel"},
    tags=_TAGS,
    status_code=200,
)
async def cancel_drill(
    request: Request[Any, Any, Any],
    drill: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Drill]:
    """End every part that has not ended; what the others came to stays."""
    return await write(
        request, city, caller, lambda tx: Reply.json(drills.cancel(tx, caller, drill))
    )


def _accepted(drill: Drill) -> Reply:
    return Reply.json(drill, 202, location=f"/v1/drills/{drill.id}")


routes = (ask_drill, list_drills, read_drill, cancel_drill)
