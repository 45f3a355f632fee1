"""/v1/relations: what ties datasets to one another."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from api.records import (
    Asked,
    Named,
    Sort,
    create_response,
    delete_response,
    list_response,
    put_response,
    read_response,
)
from models import KeptRelation, Relation
from placement.service import catalogs
from placement.service.catalogs import RELATIONS

_TAGS = ["relations"]
_EXAMPLE: dict[str, Any] = {
    "kind": "derived_from",
    "derived": "bomen-kaart",
    "source": "bomen",
    "monthly_transfer_gb": 1,
}


@get("/v1/relations", opt={"operation": "relations.list", "answer": Page[KeptRelation]}, tags=_TAGS)
async def list_relations(
    city: InjectedCity,
    caller: InjectedCaller,
    dataset: Named = None,
    sort: Sort = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Any]:
    """Relations between datasets that the caller may see; of one dataset, with `dataset`."""
    asked = Asked(limit, cursor, sort, dataset=dataset)
    return await list_response(city, caller, RELATIONS, asked)


@post(
    "/v1/relations",
    opt={
        "operation": "relations.create",
        "example": _EXAMPLE,
        "body": Relation,
        "answer": KeptRelation,
    },
    tags=_TAGS,
)
async def create_relation(
    request: Request[Any, Any, Any],
    data: JSONBody[Any],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Any]:
    """Add one relation."""
    return await create_response(request, city, caller, RELATIONS, catalogs.relation_of(data))


@get(
    "/v1/relations/{relation:str}",
    opt={"operation": "relations.read", "answer": KeptRelation},
    tags=_TAGS,
)
async def read_relation(
    request: Request[Any, Any, Any],
    relation: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Any]:
    """One relation, as it is now."""
    return await read_response(request, city, caller, RELATIONS, relation)


@put(
    "/v1/relations/{relation:str}",
    opt={
        "operation": "relations.update",
        "example": _EXAMPLE,
        "statuses": {201: "It was added."},
        "body": Relation,
        "answer": KeptRelation,
    },
    tags=_TAGS,
)
async def update_relation(
    request: Request[Any, Any, Any],
    relation: FromPath[str],
    data: JSONBody[Any],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Any]:
    """Replace one relation; with `If-None-Match: *`, add it. A changed relation has a new id."""
    return await put_response(
        request, city, caller, RELATIONS, relation, catalogs.relation_of(data, relation)
    )


@delete(
    "/v1/relations/{relation:str}",
    opt={"operation": "relations.delete"},
    tags=_TAGS,
    status_code=204,
)
async def delete_relation(
    request: Request[Any, Any, Any],
    relation: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[None]:
    """Remove one relation that nothing refers to."""
    return await delete_response(request, city, caller, RELATIONS, relation)


routes = (list_relations, create_relation, read_relation, update_relation, delete_relation)
