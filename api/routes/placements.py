"""/v1/placements: where each dataset is to rest, by the plan that a board stands behind."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page, page_response
from api.problems import BadRequest
from api.replies import read, write
from api.slow import in_slow_reader
from api.stored import raw, stored
from api.threads import in_reader
from models import (
    Explanation,
    GdprCategory,
    Level,
    NewObservation,
    NewProvisioningReport,
    Observation,
    PlacementStatus,
    ProvisioningReport,
    parse_level,
)
from placement.service import actual, placements
from placement.service.performing import Reply
from placement.store.placed import PlacedFilter

_TAGS = ["placements"]
_REPORT: dict[str, Any] = {
    "decision": 1,
    "site": "spui-dc",
    "state": "done",
    "evidence": {"summary": "bucket made", "reference": "https://ci.example/builds/17"},
}
_OBSERVATION: dict[str, Any] = {"found": ["spui-dc"], "looked_at": ["hexa-paris"]}


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
) -> Response[Page[PlacementStatus]]:
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
) -> Response[PlacementStatus]:
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


@post(
    "/v1/placements/{dataset:str}/reports",
    opt={"operation": "placements.report", "example": _REPORT},
    tags=_TAGS,
)
async def report_placement(
    request: Request[Any, Any, Any],
    dataset: FromPath[str],
    data: JSONBody[NewProvisioningReport],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[ProvisioningReport]:
    """Say how far a provisioner is with a dataset at one site."""
    return await write(
        request,
        city,
        caller,
        lambda tx: Reply.json(actual.report(tx, caller, dataset, data), 201),
    )


@get(
    "/v1/placements/{dataset:str}/reports", opt={"operation": "placements.list_reports"}, tags=_TAGS
)
async def list_reports(
    dataset: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[ProvisioningReport]]:
    """What provisioners said of a dataset, the latest first."""
    cursors, bound = Cursors(city.audit_key), {"dataset": dataset}
    after = int(cursors.read(cursor, "-number", bound)[0]) if cursor else None
    found = await in_reader(actual.reports, city, caller, dataset, limit + 1, after)
    items, following = page(
        found, limit, lambda last: cursors.make("-number", bound, [last.number])
    )
    return page_response(items, following)


@post(
    "/v1/placements/{dataset:str}/observations",
    opt={"operation": "placements.observe", "example": _OBSERVATION},
    tags=_TAGS,
)
async def observe_placement(
    request: Request[Any, Any, Any],
    dataset: FromPath[str],
    data: JSONBody[NewObservation],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Observation]:
    """Say where a dataset was found, and where it was looked for and is not."""
    return await write(
        request,
        city,
        caller,
        lambda tx: Reply.json(actual.observe(tx, caller, dataset, data), 201),
    )


def _level(text: str | None) -> Level | None:
    if text is None:
        return None
    try:
        return parse_level(int(text) if text.isascii() and text.isdigit() else text)
    except ValueError as error:
        raise BadRequest(f"classification: {error}") from error


routes = (
    list_placements,
    read_placement,
    explain_placement,
    report_placement,
    list_reports,
    observe_placement,
)
