"""/v1/policies: what is published, and drafts on their way through check, review and approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, get, post, put
from litestar.params import FromPath, JSONBody
from pydantic import ConfigDict

from api.conditional import precondition
from api.injected import InjectedCaller, InjectedCity
from api.paging import DEFAULT_LIMIT, Cursor, Cursors, Limit, Page, page, page_response
from api.replies import read, write
from api.slow import in_slow_reader
from api.threads import in_reader
from models import PolicyDraft, PolicyImpact, PolicyRevision, PolicyUsage
from placement.service import drafts, policies, reviewing
from placement.service.drafts import DraftRequest, DraftWithFiles, ReviewRequest
from placement.service.performing import Reply

_TAGS = ["policies"]
_FILES = {
    "noise/noise.rego": "# METADATA\n# description: An example.\npackage noise\n\nlimit := 40\n",
}
_DRAFT = {"title": "Noise data stays in the city", "files": _FILES}
_DRAFTS = "/v1/policies/drafts"
_ONE = "/v1/policies/drafts/{draft:str}"


class RevisionWithFiles(PolicyRevision):
    """A publication with what it holds."""

    # Files keep every byte.
    model_config = ConfigDict(str_strip_whitespace=False)

    contents: Mapping[str, str]
    """Path -> text."""


@get("/v1/policies", opt={"operation": "policies.list"}, tags=_TAGS)
async def list_revisions(
    city: InjectedCity, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Page[PolicyRevision]]:
    """Publications of the policies, the latest first."""
    cursors = Cursors(city.audit_key)
    before = int(cursors.read(cursor, "-number", {})[0]) if cursor else None
    rows = await in_reader(policies.list_revisions, city, before, limit + 1)
    items, following = page(rows, limit, lambda last: cursors.make("-number", {}, [last.number]))
    return page_response(items, following)


@get("/v1/policies/current", opt={"operation": "policies.read"}, tags=_TAGS)
async def read_current(
    request: Request[Any, Any, Any], city: InjectedCity
) -> Response[RevisionWithFiles]:
    """The active policies with their files."""
    return _with_files(request, *await in_reader(policies.read_files, city))


@get("/v1/policies/{number:int}", opt={"operation": "policies.read"}, tags=_TAGS)
async def read_revision(
    request: Request[Any, Any, Any], number: FromPath[int], city: InjectedCity
) -> Response[RevisionWithFiles]:
    """A publication with its files."""
    return _with_files(request, *await in_reader(policies.read_files, city, number))


@get("/v1/policies/usage", opt={"operation": "policies.usage"}, tags=_TAGS)
async def read_usage(request: Request[Any, Any, Any], city: InjectedCity) -> Response[PolicyUsage]:
    """How often each obligation bites on the current catalogue; which never fire."""
    return read(request, await in_slow_reader(reviewing.usage, city))


@post(
    "/v1/policies/{number:int}/rollback",
    opt={"operation": "policies.rollback"},
    tags=_TAGS,
    status_code=201,
)
async def roll_back(
    request: Request[Any, Any, Any],
    number: FromPath[int],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyRevision]:
    """Publish an earlier revision again, under a new number."""
    return await write(
        request, city, caller, lambda tx: _published(policies.roll_back(tx, caller, number))
    )


@get(_DRAFTS, opt={"operation": "policies.list_drafts"}, tags=_TAGS)
async def list_drafts(
    city: InjectedCity, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response[Page[PolicyDraft]]:
    """Drafts in their latest version, the youngest draft first."""
    cursors = Cursors(city.audit_key)
    before = str(cursors.read(cursor, "-id", {"drafts": True})[0]) if cursor else None
    rows = await in_reader(drafts.list_drafts, city, before, limit + 1)
    items, following = page(
        rows, limit, lambda last: cursors.make("-id", {"drafts": True}, [last.id])
    )
    return page_response(items, following)


@post(_DRAFTS, opt={"operation": "policies.draft", "example": _DRAFT}, tags=_TAGS, status_code=201)
async def begin_draft(
    request: Request[Any, Any, Any],
    data: JSONBody[DraftRequest],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyDraft]:
    """Begin a draft with all files of the policies, tests among them."""
    return await write(
        request, city, caller, lambda tx: _drafted(*drafts.begin(tx, caller, data), status=201)
    )


@get(_ONE, opt={"operation": "policies.read_draft"}, tags=_TAGS)
async def read_draft(
    request: Request[Any, Any, Any], draft: FromPath[str], city: InjectedCity
) -> Response[DraftWithFiles]:
    """A draft in its latest version, with its files and the last report."""
    found, etag = await in_reader(drafts.read, city, draft)
    return read(request, found, version=etag)


@put(_ONE, opt={"operation": "policies.redraft", "example": _DRAFT}, tags=_TAGS)
async def edit_draft(
    request: Request[Any, Any, Any],
    draft: FromPath[str],
    data: JSONBody[DraftRequest],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyDraft]:
    """The next version of a draft; checks, reviews and approvals begin anew. Needs If-Match."""
    seen = precondition(request)
    seen.require()
    return await write(
        request, city, caller, lambda tx: _drafted(*drafts.edit(tx, caller, draft, data, seen))
    )


@post(f"{_ONE}/check", opt={"operation": "policies.check"}, tags=_TAGS, status_code=200)
async def check_draft(
    request: Request[Any, Any, Any],
    draft: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyDraft]:
    """Check the latest version in a sandbox; `report` says what is wrong, at file:row:col."""
    examined, report = await in_slow_reader(drafts.examine, city, draft)
    return await write(
        request,
        city,
        caller,
        lambda tx: _drafted(*drafts.keep_report(tx, caller, examined, report)),
    )


@post(
    f"{_ONE}/review",
    opt={"operation": "policies.review", "example": {"accept": True, "comment": "As agreed"}},
    tags=_TAGS,
    status_code=200,
)
async def review_draft(
    request: Request[Any, Any, Any],
    draft: FromPath[str],
    data: JSONBody[ReviewRequest],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyDraft]:
    """Vouch for a draft, or reject it; never one's own."""
    match = precondition(request)
    route = f"{_DRAFTS}/{{draft}}/review"
    seen = await in_reader(drafts.prepare, city, caller, draft, "policies.review", route)
    return await write(
        request, city, caller, lambda tx: _drafted(*drafts.review(tx, caller, seen, data, match))
    )


@post(f"{_ONE}/approval", opt={"operation": "policies.approve"}, tags=_TAGS, status_code=200)
async def approve_draft(
    request: Request[Any, Any, Any],
    draft: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyDraft]:
    """Allow a reviewed draft to be published; never one's own."""
    match = precondition(request)
    route = f"{_DRAFTS}/{{draft}}/approval"
    seen = await in_reader(drafts.prepare, city, caller, draft, "policies.approve", route)
    return await write(
        request, city, caller, lambda tx: _drafted(*drafts.approve(tx, caller, seen, match))
    )


@post(f"{_ONE}/publication", opt={"operation": "policies.publish"}, tags=_TAGS, status_code=201)
async def publish_draft(
    request: Request[Any, Any, Any],
    draft: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyRevision]:
    """Offer an approved draft to OPA; it is active once OPA says that it runs it."""
    match = precondition(request)
    route = f"{_DRAFTS}/{{draft}}/publication"
    seen = await in_reader(drafts.prepare, city, caller, draft, "policies.publish", route)
    return await write(
        request, city, caller, lambda tx: _published(drafts.publish(tx, caller, seen, match))
    )


@get(f"{_ONE}/impact", opt={"operation": "policies.impact"}, tags=_TAGS)
async def read_impact(
    request: Request[Any, Any, Any],
    draft: FromPath[str],
    city: InjectedCity,
    caller: InjectedCaller,
) -> Response[PolicyImpact]:
    """What the draft would change: verdicts on the current catalogue that turn out otherwise."""
    return read(request, await in_slow_reader(drafts.impact, city, caller, draft))


def _drafted(draft: PolicyDraft, etag: str, status: int = 200) -> Reply:
    location = f"{_DRAFTS}/{draft.id}" if status == 201 else None
    return Reply.json(draft, status, etag=etag, location=location)


def _published(revision: PolicyRevision) -> Reply:
    return Reply.json(revision, 201, location=f"/v1/policies/{revision.number}")


def _with_files(
    request: Request[Any, Any, Any], revision: PolicyRevision, files: Any
) -> Response[Any]:
    found = RevisionWithFiles(**dict(revision), contents=files.files)
    return read(request, found, version=f"{revision.number}.{revision.state.value}")


routes = (
    list_revisions,
    read_current,
    read_revision,
    read_usage,
    roll_back,
    list_drafts,
    begin_draft,
    read_draft,
    edit_draft,
    check_draft,
    review_draft,
    approve_draft,
    publish_draft,
    read_impact,
)
