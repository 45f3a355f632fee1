"""/v1/procurement: what contracts must say, and which of the city's contracts do not."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from api.injected import InjectedCaller, InjectedCity
from api.replies import read
from api.slow import in_slow_reader
from models.procurement import ClauseChecklist, ProcurementReport
from placement.service import procurement

_TAGS = ["procurement"]
Days = Annotated[
    int,
    QueryParameter(ge=0, le=3650, description="Contracts that end within so many days are listed."),
]


@get("/v1/procurement/clauses", opt={"operation": "procurement.clauses"}, tags=_TAGS)
async def read_clauses(
    request: Request[Any, Any, Any], city: InjectedCity
) -> Response[ClauseChecklist]:
    """The clauses that a tender needs, made from the rules of the active policies."""
    found = await in_slow_reader(procurement.city_checklist, city)
    return read(request, found, version=found.policy_revision)


@get("/v1/procurement/report", opt={"operation": "procurement.report"}, tags=_TAGS)
async def read_report(
    request: Request[Any, Any, Any],
    city: InjectedCity,
    caller: InjectedCaller,
    ending_within_days: Days = procurement.ENDING_WITHIN_DAYS,
) -> Response[ProcurementReport]:
    """Every contract that misses a clause, and the datasets it endangers, derived ones included."""
    found = await in_slow_reader(
        procurement.city_report, city, caller, ending_within_days=ending_within_days
    )
    return read(request, found)


routes = (read_clauses, read_report)
