"""/v1/contracts: under which private parties collect data for the city."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from api.records import (
    Asked,
    Search,
    Sort,
    create_response,
    delete_response,
    list_response,
    put_response,
    read_response,
)
from models import CollectionContract
from placement.service.catalogs import CONTRACTS

_TAGS = ["contracts"]
_EXAMPLE: dict[str, Any] = {
    "id": "parkeren-2026",
    "contractor": "ParkeerData B.V.",
    "handover_format": "open_machine_readable",
    "handover_interval_days": 30,
    "public_ownership": True,
    "exit_terms": True,
    "end_date": "2028-12-31",
}


@get("/v1/contracts", opt={"operation": "contracts.list"}, tags=_TAGS)
async def list_contracts(
    city: InjectedCity,
    caller: InjectedCaller,
    q: Search = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[CollectionContract]]:
    """Collection contracts."""
    asked = Asked(limit, cursor, sort, q=q)
    return await list_response(city, caller, CONTRACTS, asked)


@post("/v1/contracts", opt={"operation": "contracts.create", "example": _EXAMPLE}, tags=_TAGS)
async def create_contract(
    request: Request[Any, Any, Any],
    data: JSONBody[CollectionContract],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[CollectionContract]:
    """Add one contract."""
    return await create_response(request, city, caller, CONTRACTS, data)


@get("/v1/contracts/{contract:str}", opt={"operation": "contracts.read"}, tags=_TAGS)
async def read_contract(
    request: Request[Any, Any, Any],
    contract: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[CollectionContract]:
    """One contract, as it is now."""
    return await read_response(request, city, caller, CONTRACTS, contract)


@put(
    "/v1/contracts/{contract:str}",
    opt={
        "operation": "contracts.update",
        "example": _EXAMPLE,
        "statuses": {201: "It was added."},
    },
    tags=_TAGS,
)
async def update_contract(
    request: Request[Any, Any, Any],
    contract: FromPath[str],
    data: JSONBody[CollectionContract],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[CollectionContract]:
    """Replace one contract; with `If-None-Match: *`, add it."""
    return await put_response(request, city, caller, CONTRACTS, contract, data)


@delete(
    "/v1/contracts/{contract:str}",
    opt={"operation": "contracts.delete"},
    tags=_TAGS,
    status_code=204,
)
async def delete_contract(
    request: Request[Any, Any, Any],
    contract: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Remove one contract that nothing refers to."""
    return await delete_response(request, city, caller, CONTRACTS, contract)


routes = (list_contracts, create_contract, read_contract, update_contract, delete_contract)
