"""/v1/what-ifs: deciding on the city as it might be. Nothing of it can be approved."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.replies import read, write
from api.threads import in_reader
from models import Job, WhatIf, WhatIfReport
from placement.service import what_ifs
from placement.service.performing import Reply

_EXAMPLE = {
    "parameters": {"operator_volume_share_max": "0.25"},
    "sites_out": ["us-east"],
    "fixed": [{"dataset": "civil-registry", "site": "townhall", "allowed": True}],
}


@post(
    "/v1/what-ifs",
    opt={"operation": "what_ifs.ask", "example": _EXAMPLE},
    tags=["decisions"],
    status_code=202,
)
async def ask_what_if(
    request: Request[Any, Any, Any],
    data: JSONBody[WhatIf],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Job]:
    """Ask what would be decided with other parameters, without some sites, or with fixed pairs.

    A job answers; its result names the report.
    """
    await in_reader(what_ifs.require_possible, city, data)
    return await write(
        request, city, caller, lambda tx: _accepted(what_ifs.ask(tx, city, caller, data))
    )


@get("/v1/what-ifs/{digest:str}", opt={"operation": "what_ifs.read"}, tags=["decisions"])
async def read_what_if(
    request: Request[Any, Any, Any],
    digest: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[WhatIfReport]:
    """What a what-if came to, compared with the plan that stood."""
    report = await in_reader(what_ifs.read, city, caller, digest)
    return read(request, report, version=digest)


def _accepted(job: Job) -> Reply:
    return Reply.json(job, 202, location=f"/v1/jobs/{job.id}")


routes = (ask_what_if, read_what_if)
