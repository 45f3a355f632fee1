"""/v1/roles: who works with data: the city's roles, and those of operators' own staff."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from api.records import (
    Asked,
    Named,
    Search,
    Sort,
    create_response,
    delete_response,
    list_response,
    put_response,
    read_response,
)
from models import Role
from placement.service.catalogs import ROLES

_TAGS = ["roles"]
_EXAMPLE: dict[str, Any] = {
    "id": "groen",
    "title": "Green space managers",
    "department": "Public space",
    "country": "NL",
    "clearance": "normal",
}


@get("/v1/roles", opt={"operation": "roles.list"}, tags=_TAGS)
async def list_roles(
    city: InjectedCity,
    caller: InjectedCaller,
    department: Named = None,
    country: Named = None,
    q: Search = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[Role]]:
    """Roles that meet every filter."""
    asked = Asked(limit, cursor, sort, q=q, filters={"department": department, "country": country})
    return await list_response(city, caller, ROLES, asked)


@post("/v1/roles", opt={"operation": "roles.create", "example": _EXAMPLE}, tags=_TAGS)
async def create_role(
    request: Request[Any, Any, Any],
    data: JSONBody[Role],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Role]:
    """Add one role."""
    return await create_response(request, city, caller, ROLES, data)


@get("/v1/roles/{role:str}", opt={"operation": "roles.read"}, tags=_TAGS)
async def read_role(
    request: Request[Any, Any, Any],
    role: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Role]:
    """One role, as it is now."""
    return await read_response(request, city, caller, ROLES, role)


@put(
    "/v1/roles/{role:str}",
    opt={
        "operation": "roles.update",
        "example": _EXAMPLE,
        "statuses": {201: "It was added."},
    },
    tags=_TAGS,
)
async def update_role(
    request: Request[Any, Any, Any],
    role: FromPath[str],
    data: JSONBody[Role],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Role]:
    """Replace one role; with `If-None-Match: *`, add it."""
    return await put_response(request, city, caller, ROLES, role, data)


@delete("/v1/roles/{role:str}", opt={"operation": "roles.delete"}, tags=_TAGS, status_code=204)
async def delete_role(
    request: Request[Any, Any, Any],
    role: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Remove one role that nothing refers to."""
    return await delete_response(request, city, caller, ROLES, role)


routes = (list_roles, create_role, read_role, update_role, delete_role)
