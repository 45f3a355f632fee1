"""/v1/me: whom the service takes the caller for."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from api.injected import InjectedCaller, InjectedCity
from api.replies import read
from api.threads import in_reader
from models import Me
from placement.service.access import me


@get("/v1/me", opt={"operation": "me.read"}, tags=["access"])
async def read_me(
    request: Request[Any, Any, Any], city: InjectedCity, caller: InjectedCaller
) -> Response[Me]:
    """Who you are to the service, by which roles, and which datasets you may read."""
    return read(request, await in_reader(me, city, caller))


routes = (read_me,)
