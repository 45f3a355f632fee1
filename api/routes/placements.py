"""/v1/placements: where each dataset is to rest, by the plan that a board stands behind."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page
from api.problems import BadRequest
from api.replies import read
from api.slow import in_slow_reader
from api.stored import raw, stored
from api.threads import in_reader
from models import ApprovedPlacement, Explanation, GdprCategory, Level, parse_level
from placement.service import placements
from placement.store.placed import PlacedFilter

_TAGS = ["placements"]


class By(StrEnum):
    """By which plan."""

    APPROVED = "approved"
    """The one approved last: where datasets are to rest."""
    IN_FORCE = "in_force"
    """The one in force: where they do."""


Classification = Annotated[
    str | None,
    QueryParameter(
        max_length=20, description="Effective confidentiality: 0 to 4, or a name such as high."
    ),
]
Named = Annotated[str | None, QueryParameter(max_length=500)]


@get("/v1/placements", opt={"operation": "placements.list"}, tags=_TAGS)
async def list_placements(
    city: InjectedCity,
    caller: InjectedCaller,
    classification: Classification = None,
    gdpr_category: FromQuery[GdprCategory | None] = None,
    department: Named = None,
    site: Named = None,
    operator: Named = None,
    role: Named = None,
    by: FromQuery[By] = By.APPROVED,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[ApprovedPlacement]]:
    """Placements that meet every filter, in order of dataset ids."""
    where = PlacedFilter(
        confidentiality=_level(classification),
        gdpr_category=gdpr_category,
        department=department,
        site=site,
        operator=operator,
        role=role,
    )
    filters = {**vars(where), "by": by}
    cursors = Cursors(city.audit_key)
    rows = await in_reader(
        placements.list_placements,
        city,
        caller,
        limit + 1,
        after=str(cursors.read(cursor, "dataset", filters)[0]) if cursor else "",
        where=where,
        in_force=by is By.IN_FORCE,
    )
    items, following = page(rows, limit, lambda last: cursors.make("dataset", filters, [last[0]]))
    bodies = ",".join(body for _, body in items)
    text = f'{{"items":[{bodies}],"next":{json.dumps(following)}}}'
    return raw(text)


@get("/v1/placements/{dataset:str}", opt={"operation": "placements.read"}, tags=_TAGS)
async def read_placement(
    request: Request[Any, Any, Any],
    dataset: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
    by: FromQuery[By] = By.APPROVED,
) -> Response[ApprovedPlacement]:
    """Where a dataset is to rest, and what its hosts must do for it."""
    body = await in_reader(placements.read, city, caller, dataset, in_force=by is By.IN_FORCE)
    return stored(request, body, version=hashlib.sha256(body.encode()).hexdigest())


@get(
    "/v1/placements/{dataset:str}/explanation", opt={"operation": "placements.explain"}, tags=_TAGS
)
async def explain_placement(
    request: Request[Any, Any, Any],
    dataset: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
    site: Named = None,
) -> Response[Explanation]:
    """Why a dataset is to rest there, and what any other site would cost or break.

    Asked about one site, the whole plan is decided again where that is needed.
    """
    found = await in_slow_reader(placements.explain_placement, city, caller, dataset, site)
    return read(request, found)


def _level(text: str | None) -> Level | None:
    if text is None:
        return None
    try:
        return parse_level(int(text) if text.isascii() and text.isdigit() else text)
    except ValueError as error:
        raise BadRequest(f"classification: {error}") from error


routes = (list_placements, read_placement, explain_placement)
