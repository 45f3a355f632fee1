"""What the routes of all catalogue records share: lists, single records, and changes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import QueryParameter

from api.conditional import precondition
from api.paging import Cursors, one_sort, page
from api.problems import BadRequest
from api.replies import write
from api.stored import raw, stored
from api.threads import in_reader
from models import Frozen, Level, parse_level
from placement.service import catalogs
from placement.service.catalogs import Resource, body_of, list_of
from placement.service.city import Caller, City
from placement.store.catalog_pages import RecordQuery

Search = Annotated[
    str | None,
    QueryParameter(
        min_length=1, max_length=200, description="Part of the id or the title, in either case."
    ),
]
Sort = Annotated[
    str | None, QueryParameter(max_length=20, description="Field to sort by; -FIELD: descending.")
]
Named = Annotated[str | None, QueryParameter(min_length=1, max_length=500)]
LevelText = Annotated[
    str | None,
    QueryParameter(max_length=20, description="0 to 4, or a name such as high."),
]


@dataclass(frozen=True)
class Asked:
    """What a list was asked for."""

    limit: int
    cursor: str | None
    sort: str | None = None
    q: str | None = None
    filters: Mapping[str, Any] | None = None
    dataset: str | None = None


async def list_response(
    city: City, caller: Caller, resource: Resource, asked: Asked
) -> Response[Any]:
    """One page, of records as they are stored.

    Raises
    ------
    BadRequest
        For an order or a cursor that is not offered.
    """
    order = one_sort(asked.sort, resource.sorts, "id")
    filters = {name: value for name, value in (asked.filters or {}).items() if value is not None}
    bound = {**filters, "q": asked.q, "dataset": asked.dataset, "of": resource.name}
    cursors = Cursors(city.audit_key)
    query = RecordQuery(
        kinds=resource.kinds,
        rows=caller.rows,
        filters=filters,
        q=asked.q,
        dataset=asked.dataset,
        sort=order.removeprefix("-"),
        descending=order.startswith("-"),
        after=cursors.read(asked.cursor, order, bound) if asked.cursor else None,
        limit=asked.limit + 1,
    )
    rows = await in_reader(list_of, city, query)
    items, following = page(rows, asked.limit, lambda last: cursors.make(order, bound, last.key))
    bodies = ",".join(body_of(item.record) for item in items)
    return raw(f'{{"items":[{bodies}],"next":{json.dumps(following)}}}')


async def read_response(
    request: Request[Any, Any, Any], city: City, caller: Caller, resource: Resource, ident: str
) -> Response[Any]:
    """One record, with its digest as ETag. Raises NotFound."""
    found = await in_reader(catalogs.read, city, caller, resource, ident)
    return stored(request, body_of(found), version=found.digest)


async def create_response(
    request: Request[Any, Any, Any], city: City, caller: Caller, resource: Resource, model: Frozen
) -> Response[Any]:
    """Add a record: 201 with its place."""
    return await write(
        request, city, caller, lambda tx: catalogs.create(tx, city, caller, resource, model)
    )


async def put_response(
    request: Request[Any, Any, Any],
    city: City,
    caller: Caller,
    resource: Resource,
    ident: str,
    model: Frozen,
) -> Response[Any]:
    """Replace a record, or add it."""
    expected = precondition(request)
    return await write(
        request,
        city,
        caller,
        lambda tx: catalogs.put(tx, city, caller, resource, ident, model, expected),
    )


async def delete_response(
    request: Request[Any, Any, Any], city: City, caller: Caller, resource: Resource, ident: str
) -> Response[Any]:
    """Remove a record."""
    expected = precondition(request)
    return await write(
        request,
        city,
        caller,
        lambda tx: catalogs.delete(tx, city, caller, resource, ident, expected),
    )


def level_of(text: str | None) -> int | None:
    """The ordinal of a level in a query. Raises BadRequest."""
    if text is None:
        return None
    try:
        level: Level = parse_level(int(text) if text.isascii() and text.isdigit() else text)
    except ValueError as error:
        raise BadRequest(f"confidentiality: {error}") from error
    return int(level)
