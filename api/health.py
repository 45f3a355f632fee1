"""/health: this process lives. /ready: it can answer; otherwise 503, and what is missing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from litestar import Request, Response, get

from api.injected import InjectedCity
from api.replies import plain
from api.threads import in_reader
from models import Frozen
from placement.service.city import City
from placement.service.readiness import Readiness, readiness

KEPT_S = 0.5
"""Seconds that an answer is repeated: nobody loads the database by asking whether it lives."""
KEPT_UNREADY_S = 0.05
"""The same, while something is missing: whoever waits hears soon that it is there."""


class Health(Frozen):
    """The process lives."""

    status: str = "ok"


@get("/health", name="service.health", opt={"access": "public"})
async def health() -> Response[Health]:
    """Whether this process lives."""
    return plain(Health(), headers=_FRESH)


@get(
    "/ready",
    name="service.ready",
    opt={
        "access": "public",
        "statuses": {503: "Something needed does not answer yet."},
    },
)
async def ready(request: Request[Any, Any, Any], city: InjectedCity) -> Response[Readiness]:
    """Whether this process can answer: its database, its policies and OPA."""
    probe: Probe = request.app.state.probe
    found = await probe.look(city)
    headers = _FRESH if found.ready else {**_FRESH, "retry-after": "1"}
    return plain(found, 200 if found.ready else 503, headers)


class Probe:
    """One look at a time, and its answer for all who ask meanwhile."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._last: Readiness | None = None
        self._at = 0.0

    async def look(self, city: City) -> Readiness:
        """What is ready, at most KEPT_S seconds old."""
        async with self._lock:
            kept = KEPT_S if self._last is not None and self._last.ready else KEPT_UNREADY_S
            if self._last is None or time.monotonic() - self._at > kept:
                self._last = await in_reader(readiness, city)
                self._at = time.monotonic()
            return self._last


_FRESH = {"cache-control": "no-store"}

routes = (health, ready)
