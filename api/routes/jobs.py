"""Jobs: what was asked for and takes longer than a request."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from api import guard
from api.injected import InjectedCaller, InjectedCity
from api.job_events import JobFeed, job_events
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page, page_response
from api.problems import BadRequest
from api.replies import read, write
from api.threads import in_reader
from models import Job, JobKind, JobState
from placement.service import jobs
from placement.service.city import City
from placement.service.performing import Reply

_ORDER = "-created_at"


@get("/v1/jobs", opt={"operation": "jobs.list"}, tags=["jobs"])
async def list_jobs(
    city: InjectedCity,
    caller: InjectedCaller,
    in_state: Annotated[JobState | None, QueryParameter(name="state")] = None,
    kind: FromQuery[JobKind | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[Job]]:
    """Jobs, the latest first: one's own, or everybody's for who may see them."""
    filters = {"state": in_state, "kind": kind}
    cursors = Cursors(city.audit_key)
    after = cursors.read(cursor, _ORDER, filters)[0] if cursor else None
    found = await in_reader(
        jobs.list_jobs, city, caller, state=in_state, kind=kind, after=after, limit=limit + 1
    )
    items, following = page(found, limit, lambda last: cursors.make(_ORDER, filters, [last.id]))
    return page_response(items, following)


@get("/v1/jobs/{job:str}", opt={"operation": "jobs.read"}, tags=["jobs"])
async def read_job(
    request: Request[Any, Any, Any],
    job: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Job]:
    """One job, with its progress, and its result or problem once it has ended."""
    return read(request, await in_reader(jobs.read, city, caller, job))


@post(
    "/v1/jobs/{job:str}/cancellation",
    opt={"operation": "jobs.cancel"},
    tags=["jobs"],
    status_code=200,
)
async def cancel_job(
    request: Request[Any, Any, Any],
    job: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[Job]:
    """End a job at once: it takes no effect any more. One that has ended stays as it is."""
    return await write(request, city, caller, lambda tx: Reply.json(jobs.cancel(tx, caller, job)))


@get(
    "/v1/jobs/{job:str}/events",
    opt={"operation": "jobs.events"},
    tags=["jobs"],
    media_type="text/event-stream",
)
async def job_stream(
    request: Request[Any, Any, Any],
    job: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Stream:
    """Progress as server-sent events; `done`, `failed` or `cancelled` is the last one.

    `progress` carries phase, message, incumbent_eur, bound_eur and gap; its id counts the news.
    With Last-Event-ID, what the client has seen is not told again.
    """
    seen = _last_seen(request)
    feed = _feed(request, city)
    feed.require_room()
    found = await in_reader(jobs.read, city, caller, job)

    async def still_theirs() -> None:
        await in_reader(jobs.read, city, await guard.admit(request, "jobs.events"), job)

    return Stream(
        job_events(feed, found, seen, still_theirs),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def _feed(request: Request[Any, Any, Any], city: City) -> JobFeed:
    """The one feed of this process."""
    state = request.app.state
    if "job_feed" not in state:
        state["job_feed"] = JobFeed(lambda wanted: jobs.several(city, wanted))
    feed: JobFeed = state["job_feed"]
    return feed


def _last_seen(request: Request[Any, Any, Any]) -> int | None:
    text = request.headers.get("last-event-id", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise BadRequest("Last-Event-ID is the id of an event of this stream")
    return int(text)


routes = (list_jobs, read_job, cancel_job, job_stream)
