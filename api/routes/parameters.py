"""/v1/parameters: what the city asks of every plan."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, put
from litestar.params import JSONBody

from api.conditional import precondition
from api.injected import InjectedCaller, InjectedCity
from api.replies import read, write
from api.threads import in_reader
from models import Parameters
from placement.service import catalogs

_TAGS = ["parameters"]


@get("/v1/parameters", opt={"operation": "parameters.read"}, tags=_TAGS)
async def read_parameters(
    request: Request[Any, Any, Any], city: InjectedCity
) -> Response[Parameters]:
    """The city's choices, and the documented defaults where it made none."""
    parameters, digest = await in_reader(catalogs.read_parameters, city)
    return read(request, parameters, version=digest)


@put(
    "/v1/parameters",
    opt={
        "operation": "parameters.update",
        "example": {"alternatives_min": 1, "operator_volume_share_max": "0.6"},
    },
    tags=_TAGS,
)
async def update_parameters(
    request: Request[Any, Any, Any],
    data: JSONBody[Parameters],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Parameters]:
    """Replace all of the city's choices; what is left out takes its default."""
    expected = precondition(request)
    return await write(
        request,
        city,
        caller,
        lambda tx: catalogs.put_parameters(tx, city, caller, data, expected),
    )


routes = (read_parameters, update_parameters)
