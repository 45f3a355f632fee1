"""/v1/datasets: what is placed."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from api.records import (
    Asked,
    LevelText,
    Named,
    Search,
    Sort,
    create_response,
    delete_response,
    level_of,
    list_response,
    put_response,
    read_response,
)
from models import AccessRights, Dataset, GdprCategory
from placement.service.catalogs import DATASETS

_TAGS = ["datasets"]
_EXAMPLE: dict[str, Any] = {
    "id": "bomen",
    "title": "Trees",
    "owner_department": "Public space",
    "steward": "trees@soest.example",
    "confidentiality": "basic",
    "integrity": "normal",
    "availability": "basic",
    "gdpr_category": "none",
    "access_rights": "public",
    "collected_by": "municipality",
    "volume_gb": 40,
    "monthly_read_gb": 8,
    "monthly_egress_gb": 2,
    "interfaces": ["ogc_api"],
}


@get("/v1/datasets", opt={"operation": "datasets.list"}, tags=_TAGS)
async def list_datasets(
    city: InjectedCity,
    caller: InjectedCaller,
    department: Named = None,
    confidentiality: LevelText = None,
    gdpr_category: FromQuery[GdprCategory | None] = None,
    access_rights: FromQuery[AccessRights | None] = None,
    current_site: Named = None,
    q: Search = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[Dataset]]:
    """Datasets that the caller may see and that meet every filter."""
    asked = Asked(
        limit,
        cursor,
        sort,
        q=q,
        filters={
            "department": department,
            "confidentiality": level_of(confidentiality),
            "gdpr_category": gdpr_category,
            "access_rights": access_rights,
            "current_site": current_site,
        },
    )
    return await list_response(city, caller, DATASETS, asked)


@post("/v1/datasets", opt={"operation": "datasets.create", "example": _EXAMPLE}, tags=_TAGS)
async def create_dataset(
    request: Request[Any, Any, Any],
    data: JSONBody[Dataset],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Dataset]:
    """Add one dataset."""
    return await create_response(request, city, caller, DATASETS, data)


@get("/v1/datasets/{dataset:str}", opt={"operation": "datasets.read"}, tags=_TAGS)
async def read_dataset(
    request: Request[Any, Any, Any],
    dataset: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Dataset]:
    """One dataset, as it is now."""
    return await read_response(request, city, caller, DATASETS, dataset)


@put(
    "/v1/datasets/{dataset:str}",
    opt={
        "operation": "datasets.update",
        "example": _EXAMPLE,
        "statuses": {201: "It was added."},
    },
    tags=_TAGS,
)
async def update_dataset(
    request: Request[Any, Any, Any],
    dataset: FromPath[str],
    data: JSONBody[Dataset],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Dataset]:
    """Replace one dataset; with `If-None-Match: *`, add it."""
    return await put_response(request, city, caller, DATASETS, dataset, data)


@delete(
    "/v1/datasets/{dataset:str}", opt={"operation": "datasets.delete"}, tags=_TAGS, status_code=204
)
async def delete_dataset(
    request: Request[Any, Any, Any],
    dataset: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Remove one dataset that nothing refers to."""
    return await delete_response(request, city, caller, DATASETS, dataset)


routes = (list_datasets, create_dataset, read_dataset, update_dataset, delete_dataset)
