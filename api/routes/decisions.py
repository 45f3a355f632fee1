"""/v1/decisions: asked for, read, compared, replayed, and brought from a proposal into force."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.conditional import precondition
from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, one_sort, page, page_response
from api.replies import read, write
from api.slow import in_slow_reader
from api.stored import stored
from api.threads import in_reader
from models import (
    Decision,
    DecisionEvent,
    DecisionOutcome,
    DecisionRecord,
    DecisionState,
    Job,
    Plan,
    PlanDiff,
)
from models.base import Frozen
from placement.service import approving, decisions, outbox, proposing, replay
from placement.service.decisions import Transition
from placement.service.performing import Reply

_TAGS = ["decisions"]
_REASON = {"reason": "Approved in the board's meeting of 3 December"}


class Events(Frozen):
    """The transitions of a decision, oldest first."""

    items: tuple[DecisionEvent, ...]


@get("/v1/decisions", opt={"operation": "decisions.list"}, tags=_TAGS)
async def list_decisions(
    city: InjectedCity,
    in_state: Annotated[DecisionState | None, QueryParameter(name="state")] = None,
    outcome: FromQuery[DecisionOutcome | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    sort: FromQuery[str | None] = None,
) -> Response[Page[DecisionRecord]]:
    """Decisions, the newest first."""
    order = one_sort(sort, ("number",), "-number")
    filters = {"state": in_state, "outcome": outcome}
    cursors = Cursors(city.audit_key)
    rows = await in_reader(
        decisions.list_decisions,
        city,
        limit + 1,
        after=int(cursors.read(cursor, order, filters)[0]) if cursor else None,
        oldest_first=order == "number",
        state=in_state,
        outcome=outcome,
    )
    items, following = page(rows, limit, lambda last: cursors.make(order, filters, [last.number]))
    return page_response(items, following)


@post(
    "/v1/decisions",
    opt={"operation": "decisions.request", "example": {"title": "Plan for 2027"}},
    tags=_TAGS,
    status_code=202,
)
async def request_decision(
    request: Request[Any, Any, Any],
    data: JSONBody[proposing.DecisionRequest],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Job]:
    """Ask for a decision on the city's records; a job makes it."""
    return await write(
        request, city, caller, lambda tx: _accepted(proposing.request(tx, city, caller, data))
    )


@get("/v1/decisions/{number:int}", opt={"operation": "decisions.read"}, tags=_TAGS)
async def read_decision(
    request: Request[Any, Any, Any], number: FromPath[int], city: InjectedCity
) -> Response[DecisionRecord]:
    """A decision: what it was made on, and where it stands."""
    record = await in_reader(decisions.read, city, number)
    return read(request, record, version=decisions.etag(record))


@get("/v1/decisions/{number:int}/plan", opt={"operation": "decisions.plan"}, tags=_TAGS)
async def read_plan(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Plan]:
    """The plan file: complete, with its inputs and its proof."""
    record, text = await in_reader(decisions.plan_file, city, caller, number)
    return stored(request, text, version=record.plan or record.answer)


@get("/v1/decisions/{number:int}/answer", opt={"operation": "decisions.answer"}, tags=_TAGS)
async def read_answer(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Decision]:
    """What deciding came to: a plan, or why there is none."""
    record, text = await in_reader(decisions.answer, city, caller, number)
    return stored(request, text, version=record.answer)


@get("/v1/decisions/{number:int}/diff", opt={"operation": "decisions.diff"}, tags=_TAGS)
async def read_diff(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
    since: FromQuery[int | None] = None,
) -> Response[PlanDiff]:
    """What the plan changes: datasets that move, TB, EUR and risk.

    By default it is compared with the plan in force, or with where the catalogue says data rests.
    """
    found = await in_slow_reader(decisions.compare, city, caller, number, since)
    return read(request, found)


@get("/v1/decisions/{number:int}/events", opt={"operation": "decisions.events"}, tags=_TAGS)
async def read_events(
    request: Request[Any, Any, Any], number: FromPath[int], city: InjectedCity
) -> Response[Events]:
    """Who brought the decision into which state, and when."""
    found = await in_reader(decisions.events, city, number)
    return read(request, Events(items=found), version=f"{number}.{len(found)}")


@post(
    "/v1/decisions/{number:int}/replay",
    opt={"operation": "decisions.replay", "example": {}},
    tags=_TAGS,
    status_code=202,
)
async def replay_decision(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
    data: JSONBody[replay.ReplayRequest | None] = None,
) -> Response[Job]:
    """Decide again on the stored inputs; the job's report says what differs."""
    asked = data or replay.ReplayRequest()
    return await write(
        request,
        city,
        caller,
        lambda tx: _accepted(replay.request(tx, city, caller, number, asked)),
    )


@post(
    "/v1/decisions/{number:int}/approval",
    opt={"operation": "decisions.approve", "example": _REASON},
    tags=_TAGS,
    status_code=200,
)
async def approve_decision(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
    data: JSONBody[Transition | None] = None,
) -> Response[DecisionRecord]:
    """The board stands behind the plan. 409 with `changes` where what it was decided on changed."""
    seen, reason = precondition(request), _reason(data)
    ready = await in_slow_reader(approving.prepare, city, caller, number)
    return await write(
        request,
        city,
        caller,
        lambda tx: _moved(approving.approve(tx, caller, number, seen, ready, reason)),
    )


@post(
    "/v1/decisions/{number:int}/provisioning",
    opt={"operation": "decisions.provision", "example": _REASON},
    tags=_TAGS,
    status_code=200,
)
async def provision_decision(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
    data: JSONBody[Transition | None] = None,
) -> Response[DecisionRecord]:
    """Somebody begins to move data."""
    seen, reason = precondition(request), _reason(data)
    return await write(
        request,
        city,
        caller,
        lambda tx: _moved(decisions.provision(tx, caller, number, seen, reason)),
    )


@post(
    "/v1/decisions/{number:int}/in-force",
    opt={"operation": "decisions.enforce", "example": _REASON},
    tags=_TAGS,
    status_code=200,
)
async def enforce_decision(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
    data: JSONBody[Transition | None] = None,
) -> Response[DecisionRecord]:
    """Data rests where the plan says; the plan that was in force is superseded."""
    seen, reason = precondition(request), _reason(data)
    return await write(
        request,
        city,
        caller,
        lambda tx: _moved(decisions.enforce(tx, caller, number, seen, reason)),
    )


@post(
    "/v1/decisions/{number:int}/withdrawal",
    opt={"operation": "decisions.withdraw", "example": _REASON},
    tags=_TAGS,
    status_code=200,
)
async def withdraw_decision(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
    data: JSONBody[Transition | None] = None,
) -> Response[DecisionRecord]:
    """The board does not stand behind the plan any more."""
    seen, reason = precondition(request), _reason(data)
    telling = await in_slow_reader(outbox.before_withdrawing, city, number)
    return await write(
        request,
        city,
        caller,
        lambda tx: _moved(decisions.withdraw(tx, caller, number, seen, reason, telling)),
    )


def _reason(data: Transition | None) -> str:
    return "" if data is None else data.reason


def _accepted(job: Job) -> Reply:
    return Reply.json(job, 202, location=f"/v1/jobs/{job.id}")


def _moved(record: DecisionRecord) -> Reply:
    return Reply.json(record, etag=decisions.etag(record))


routes = (
    list_decisions,
    request_decision,
    read_decision,
    read_plan,
    read_answer,
    read_diff,
    read_events,
    replay_decision,
    approve_decision,
    provision_decision,
    enforce_decision,
    withdraw_decision,
)
