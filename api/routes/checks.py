"""/v1/checks: whether a dataset may rest at a site."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from litestar import Request, Response, post
from litestar.params import JSONBody

from api.injected import InjectedCaller, InjectedCity
from api.replies import idempotency_key, read, write
from api.threads import in_reader
from models import CheckAnswer
from models.base import Frozen, Identifier
from placement.errors import PolicyEngineError
from placement.service import checks
from placement.service.city import Caller, City


class Check(Frozen):
    """A question: one dataset, one site."""

    dataset: Identifier
    site: Identifier


@post(
    "/v1/checks",
    opt={"operation": "checks.ask", "example": {"dataset": "bomen", "site": "townhall"}},
    tags=["checks"],
    status_code=200,
)
async def ask_check(
    request: Request[Any, Any, Any],
    data: JSONBody[Check],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[CheckAnswer]:
    """Whether a dataset may rest at a site, and every obligation that stands against it.

    The check is recorded before it is answered; `record` is its place in the audit log.
    """
    if idempotency_key(request) is None:
        return read(request, await _checked(city, caller, data))
    # OPA is asked before the city is locked; a replayed answer needs no question at all.
    await in_reader(checks.prepare, city, caller, data.dataset, data.site)
    return await write(
        request,
        city,
        caller,
        lambda tx: checks.check_in(tx, city, caller, data.dataset, data.site),
    )


async def _checked(city: City, caller: Caller, asked: Check) -> CheckAnswer:
    """As `checks.check`, without a thread that waits for each."""
    for _ in range(checks.TRIES):
        with contextlib.suppress(checks.VerdictUnknown):
            return await asyncio.wrap_future(checks.submit(city, caller, asked.dataset, asked.site))
        await in_reader(checks.judge, city, caller, asked.dataset, asked.site)
    raise PolicyEngineError("the catalogue or the policies keep changing; ask again")


routes = (ask_check,)
