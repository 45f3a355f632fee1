"""The way of a policy change: drafted, checked, reviewed, approved, published.

Four eyes: nobody who wrote any version of a draft reviews, approves or publishes it. Reviewer and
approver may be the same person: a board that reads Rego need not send somebody else. Everything
that was said holds for one version; the next one begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field

from models import (
    AuditAction,
    AuditEvent,
    DraftReport,
    DraftState,
    PolicyDraft,
    PolicyFiles,
    PolicyImpact,
    PolicyRevision,
)
from models.base import Flag, Frozen
from placement.eligibility.bundle import MANIFEST, bundle_of
from placement.errors import BadInput, Conflict, Defect, NotAllowed, PolicyEngineError, StoreError
from placement.review.limits import limit_defects
from placement.service import reviewing
from placement.service.city import Caller, City
from placement.service.preconditions import Precondition
from placement.store import Transaction
from placement.store.drafts import DraftEvent, Drafts
from placement.store.policies import Policies


class DraftRequest(Frozen):
    """A draft, or its next version."""

    # Files keep every byte.
    model_config = ConfigDict(str_strip_whitespace=False)

    title: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    files: dict[str, str]
    """All files, with their paths below the root. Without .manifest the published one stays."""


class ReviewRequest(Frozen):
    """What a reviewer says of a draft."""

    accept: Flag
    comment: Annotated[str, Field(max_length=10_000)] = ""


class DraftWithFiles(PolicyDraft):
    """A draft with what it holds."""

    model_config = ConfigDict(str_strip_whitespace=False)

    contents: Mapping[str, str]
    """Path -> text."""


def list_drafts(city: City, before: str | None = None, limit: int = 100) -> tuple[PolicyDraft, ...]:
    """Drafts in their latest version, the youngest draft first."""
    with city.store.reading() as tx:
        return Drafts(tx).page(before, limit)


def read(city: City, ident: str) -> tuple[DraftWithFiles, str]:
    """A draft in its latest version, and its ETag. Raises NotFound."""
    with city.store.reading() as tx:
        drafts = Drafts(tx)
        draft = drafts.get(ident)
        files = Policies(tx).files(draft.files)
        etag = drafts.etag(draft)
    return DraftWithFiles(**dict(draft), contents=files.files), etag


def begin(tx: Transaction, caller: Caller, request: DraftRequest) -> tuple[PolicyDraft, str]:
    """A new draft on the basis of the published policies.

    Raises
    ------
    BadInput
        When it exceeds a limit (see review.limits); defects in its rules are found by `check`.
    Conflict
        When it changes nothing.
    """
    base = _base(tx)
    files, revision = _files(tx, request, base)
    digest = Policies(tx).keep_files(files)
    drafts = Drafts(tx)
    draft = drafts.begin(request.title, caller.subject, digest, revision, base.revision)
    _record(tx, AuditAction.POLICY_DRAFTED, caller, draft)
    return draft, drafts.etag(draft)


def edit(
    tx: Transaction, caller: Caller, ident: str, request: DraftRequest, seen: Precondition
) -> tuple[PolicyDraft, str]:
    """The next version, on the basis of what is published now.

    Raises
    ------
    NotFound, BadInput
    PreconditionRequired, PreconditionFailed
        When the caller did not see the latest state.
    Conflict
        When it was published already.
    """
    drafts = Drafts(tx)
    draft = drafts.get(ident)
    seen.check(drafts.etag(draft))
    if draft.state is DraftState.PUBLISHED:
        raise Conflict("this draft was published; begin another one")
    base = _base(tx)
    files, revision = _files(tx, request, base)
    digest = Policies(tx).keep_files(files)
    edited = drafts.edit(draft, request.title, caller.subject, digest, revision, base.revision)
    _record(tx, AuditAction.POLICY_DRAFTED, caller, edited)
    return edited, drafts.etag(edited)


def examine(city: City, ident: str) -> tuple[PolicyDraft, DraftReport]:
    """Check the latest version; nothing is recorded yet. Seconds; not in a transaction.

    Raises
    ------
    NotFound
    PolicyEngineError
        When there is no OPA to check it with.
    """
    draft, files = _load(city, ident)
    return draft, reviewing.examine(city.settings, files)


def keep_report(
    tx: Transaction, caller: Caller, examined: PolicyDraft, report: DraftReport
) -> tuple[PolicyDraft, str]:
    """Record what a check found. Raises Conflict when somebody edited the draft meanwhile."""
    drafts = Drafts(tx)
    draft = _same_version(drafts, examined)
    if draft.state is DraftState.PUBLISHED:
        raise Conflict("this draft was published")
    checked = drafts.note(draft, DraftEvent.CHECKED, caller.subject, report=report)
    detail = {"clean": report.clean, "defects": len(report.defects), "tests": report.tests}
    _record(tx, AuditAction.POLICY_CHECKED, caller, checked, detail)
    return checked, drafts.etag(checked)


def prepare(city: City, caller: Caller, ident: str, operation: str, route: str) -> PolicyDraft:
    """The draft, once the policies allow this caller to judge its authors' work.

    Raises
    ------
    NotFound
    NotAllowed
        When the caller wrote any version of it.
    PolicyEngineError
    """
    draft, _ = _load(city, ident)
    author = caller.subject if caller.subject in draft.authors else draft.author
    city.permissions.require(caller.principal, operation, "POST", route, author)
    return draft


def review(
    tx: Transaction, caller: Caller, seen: PolicyDraft, said: ReviewRequest, match: Precondition
) -> tuple[PolicyDraft, str]:
    """Vouch for a draft whose check is clean, or reject it.

    Raises
    ------
    NotAllowed
        When the caller wrote any version of it.
    Conflict
        When its state does not allow it, or somebody edited it since.
    """
    drafts, draft = _judged(tx, caller, seen, match)
    if draft.state not in (DraftState.DRAFT, DraftState.REVIEWED):
        raise Conflict(f"this draft is {draft.state.value}: it is not reviewed any more")
    if said.accept:
        _require_clean(draft)
    event = DraftEvent.REVIEWED if said.accept else DraftEvent.REJECTED
    reviewed = drafts.note(draft, event, caller.subject, comment=said.comment)
    detail = {"accept": said.accept, "comment": said.comment}
    _record(tx, AuditAction.POLICY_REVIEWED, caller, reviewed, detail)
    return reviewed, drafts.etag(reviewed)


def approve(
    tx: Transaction, caller: Caller, seen: PolicyDraft, match: Precondition
) -> tuple[PolicyDraft, str]:
    """Allow a reviewed draft to be published. Raises as `review` does."""
    drafts, draft = _judged(tx, caller, seen, match)
    if draft.state is not DraftState.REVIEWED:
        raise Conflict(f"this draft is {draft.state.value}; a reviewed one can be approved")
    _require_clean(draft)
    approved = drafts.note(draft, DraftEvent.APPROVED, caller.subject)
    _record(tx, AuditAction.POLICY_APPROVED, caller, approved)
    return approved, drafts.etag(approved)


def publish(
    tx: Transaction, caller: Caller, seen: PolicyDraft, match: Precondition
) -> PolicyRevision:
    """Offer an approved draft to OPA; it becomes active once OPA confirms it.

    Raises
    ------
    NotAllowed
        When the caller wrote any version of it.
    Conflict
        When it is not approved, or other policies were published since it was written.
    """
    drafts, draft = _judged(tx, caller, seen, match)
    if draft.state is not DraftState.APPROVED:
        raise Conflict(f"this draft is {draft.state.value}; an approved one can be published")
    _require_clean(draft)
    policies = Policies(tx)
    if _base(tx).revision != draft.base:
        raise Conflict(
            "other policies were published since this version was written; make a new version of "
            "it, so that nobody's change is undone by accident"
        )
    if bundle_of(policies.files(draft.files)).digest != draft.revision:
        raise StoreError("the draft's files are not those that were approved")
    published = policies.publish(draft.files, draft.revision, caller.subject, draft=draft.id)
    drafts.note(draft, DraftEvent.PUBLISHED, caller.subject)
    detail = {"number": published.number}
    _record(tx, AuditAction.POLICY_PUBLISHED, caller, draft, detail)
    return published


def impact(city: City, caller: Caller, ident: str) -> PolicyImpact:
    """What a draft would change on the current catalogue.

    Raises
    ------
    NotFound
    PolicyEngineError
        When the draft does not answer, or no policies are active.
    """
    draft, files = _load(city, ident)
    return reviewing.impact(city, caller, draft, files)


def _judged(
    tx: Transaction, caller: Caller, seen: PolicyDraft, match: Precondition
) -> tuple[Drafts, PolicyDraft]:
    drafts = Drafts(tx)
    draft = _same_version(drafts, seen)
    if match.stated:
        match.check(drafts.etag(draft))
    if caller.subject in draft.authors:
        raise NotAllowed("whoever wrote a draft needs somebody else to judge it")
    return drafts, draft


def _same_version(drafts: Drafts, seen: PolicyDraft) -> PolicyDraft:
    draft = drafts.get(seen.id)
    if draft.version != seen.version:
        raise Conflict("somebody made a new version of this draft meanwhile")
    return draft


def _require_clean(draft: PolicyDraft) -> None:
    report = draft.report
    if report is None or report.digest != draft.files:
        raise Conflict("this version was not checked yet")
    if not report.clean:
        raise Conflict(f"the last check found {len(report.defects)} defects")


def _load(city: City, ident: str) -> tuple[PolicyDraft, PolicyFiles]:
    with city.store.reading() as tx:
        draft = Drafts(tx).get(ident)
        return draft, Policies(tx).files(draft.files)


def _base(tx: Transaction) -> PolicyRevision:
    published = Policies(tx).published()
    if published is None:
        raise StoreError("no policies were published yet")
    return published


def _files(tx: Transaction, request: DraftRequest, base: PolicyRevision) -> tuple[PolicyFiles, str]:
    """The files of a request and the revision that they become. Raises BadInput."""
    files = dict(request.files)
    if MANIFEST not in files:
        files[MANIFEST] = Policies(tx).files(base.files).files[MANIFEST]
    try:
        policies = PolicyFiles(files=files)
    except ValueError as error:
        raise BadInput([Defect("files", "", "", "a path has at most 200 characters")]) from error
    defects = limit_defects(policies)
    if defects:
        raise BadInput([Defect(d.file, _place(d.row), "", d.message) for d in defects])
    try:
        return policies, bundle_of(policies).digest
    except PolicyEngineError as error:
        raise BadInput([Defect(MANIFEST, "", "", str(error))]) from error


def _place(row: int) -> str:
    return f"line {row}" if row else ""


def _record(
    tx: Transaction,
    action: AuditAction,
    caller: Caller,
    draft: PolicyDraft,
    detail: Mapping[str, object] | None = None,
) -> None:
    told = {"version": draft.version, "revision": draft.revision, "files": draft.files}
    tx.record(
        AuditEvent(
            action=action,
            actor=caller.subject,
            subject=f"policies/drafts/{draft.id}",
            detail={**told, **(detail or {})},
            request_id=caller.request_id,
        )
    )
