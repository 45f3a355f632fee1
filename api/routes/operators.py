"""/v1/operators: who runs sites, and whose law reaches them."""

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
from models import Operator
from placement.service.catalogs import OPERATORS

_TAGS = ["operators"]
_EXAMPLE: dict[str, Any] = {
    "id": "soest",
    "title": "Gemeente Soest",
    "country": "NL",
    "parent_jurisdiction": "NL",
    "extraterritorial_exposure": False,
    "foreign_ownership_share": 0,
    "municipal": True,
}


@get("/v1/operators", opt={"operation": "operators.list"}, tags=_TAGS)
async def list_operators(
    city: InjectedCity,
    caller: InjectedCaller,
    country: Named = None,
    q: Search = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[Operator]]:
    """Operators that meet every filter."""
    asked = Asked(limit, cursor, sort, q=q, filters={"country": country})
    return await list_response(city, caller, OPERATORS, asked)


@post("/v1/operators", opt={"operation": "operators.create", "example": _EXAMPLE}, tags=_TAGS)
async def create_operator(
    request: Request[Any, Any, Any],
    data: JSONBody[Operator],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Operator]:
    """Add one operator."""
    return await create_response(request, city, caller, OPERATORS, data)


@get("/v1/operators/{operator:str}", opt={"operation": "operators.read"}, tags=_TAGS)
async def read_operator(
    request: Request[Any, Any, Any],
    operator: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Operator]:
    """One operator, as it is now."""
    return await read_response(request, city, caller, OPERATORS, operator)


@put(
    "/v1/operators/{operator:str}",
    opt={
        "operation": "operators.update",
        "example": _EXAMPLE,
        "statuses": {201: "It was added."},
    },
    tags=_TAGS,
)
async def update_operator(
    request: Request[Any, Any, Any],
    operator: FromPath[str],
    data: JSONBody[Operator],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Operator]:
    """Replace one operator; with `If-None-Match: *`, add it."""
    return await put_response(request, city, caller, OPERATORS, operator, data)


@delete(
    "/v1/operators/{operator:str}",
    opt={"operation": "operators.delete"},
    tags=_TAGS,
    status_code=204,
)
async def delete_operator(
    request: Request[Any, Any, Any],
    operator: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Remove one operator that nothing refers to."""
    return await delete_response(request, city, caller, OPERATORS, operator)


routes = (list_operators, create_operator, read_operator, update_operator, delete_operator)
