"""/v1/sites: where datasets can rest."""

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
from models import Site
from placement.service.catalogs import SITES

_TAGS = ["sites"]
_EXAMPLE: dict[str, Any] = {
    "id": "townhall",
    "title": "Computer room of the town hall",
    "operator": "soest",
    "kind": "on_premise",
    "country": "NL",
    "serves_roles": ["*"],
    "interfaces": ["s3", "ogc_api"],
    "capacity_gb": 20000,
    "object_price_eur_per_gb_month": "0.03",
    "egress_price_eur_per_gb": 0,
}


@get("/v1/sites", opt={"operation": "sites.list"}, tags=_TAGS)
async def list_sites(
    city: InjectedCity,
    caller: InjectedCaller,
    operator: Named = None,
    country: Named = None,
    q: Search = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[Site]]:
    """Sites that meet every filter."""
    asked = Asked(limit, cursor, sort, q=q, filters={"operator": operator, "country": country})
    return await list_response(city, caller, SITES, asked)


@post("/v1/sites", opt={"operation": "sites.create", "example": _EXAMPLE}, tags=_TAGS)
async def create_site(
    request: Request[Any, Any, Any],
    data: JSONBody[Site],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Site]:
    """Add one site."""
    return await create_response(request, city, caller, SITES, data)


@get("/v1/sites/{site:str}", opt={"operation": "sites.read"}, tags=_TAGS)
async def read_site(
    request: Request[Any, Any, Any],
    site: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Site]:
    """One site, as it is now."""
    return await read_response(request, city, caller, SITES, site)


@put(
    "/v1/sites/{site:str}",
    opt={
        "operation": "sites.update",
        "example": _EXAMPLE,
        "statuses": {201: "It was added."},
    },
    tags=_TAGS,
)
async def update_site(
    request: Request[Any, Any, Any],
    site: FromPath[str],
    data: JSONBody[Site],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Site]:
    """Replace one site; with `If-None-Match: *`, add it."""
    return await put_response(request, city, caller, SITES, site, data)


@delete("/v1/sites/{site:str}", opt={"operation": "sites.delete"}, tags=_TAGS, status_code=204)
async def delete_site(
    request: Request[Any, Any, Any],
    site: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Remove one site that nothing refers to."""
    return await delete_response(request, city, caller, SITES, site)


routes = (list_sites, create_site, read_site, update_site, delete_site)
