"""/v1/eligibility and /v1/verifications: the whole table of verdicts, and plans judged again."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import JSONBody

from api.injected import InjectedCity
from api.replies import read
from api.slow import in_slow_reader
from models import Certificate, EligibilityReport, Plan
from placement.service import inspecting


@get("/v1/eligibility", opt={"operation": "eligibility.read"}, tags=["checks"])
async def read_eligibility(
    request: Request[Any, Any, Any], city: InjectedCity
) -> Response[EligibilityReport]:
    """Which dataset may rest at which site, by the active policies."""
    return read(request, await in_slow_reader(inspecting.eligibility, city))


@post(
    "/v1/verifications",
    opt={"operation": "verifications.ask", "example_at": "/v1/decisions/1/plan"},
    tags=["decisions"],
    status_code=200,
)
async def verify_plan(
    request: Request[Any, Any, Any], data: JSONBody[Plan], city: InjectedCity
) -> Response[Certificate]:
    """The certificate of a plan file, worked out again from the city's records.

    Nothing is kept: asking twice is asking twice, whatever the Idempotency-Key.
    """
    return read(request, await in_slow_reader(inspecting.verify, city, data))


routes = (read_eligibility, verify_plan)
