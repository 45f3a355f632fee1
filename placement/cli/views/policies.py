"""Policies: publications, drafts, how often rules bite, what a draft changes."""

from __future__ import annotations

from collections.abc import Iterable

from models import DraftReport, PolicyDraft, PolicyImpact, PolicyRevision, PolicyUsage
from placement.cli.options import Format
from placement.cli.page import Page
from placement.cli.text import count, listed, whole
from placement.cli.views.listing import (
    Field,
    digest,
    render_list,
    render_one,
    say_facts,
    say_list,
)
from placement.cli.views.machine import as_csv, as_json

REVISION_FIELDS = (
    Field("number", lambda r: r.number, figures=True),
    Field("state", lambda r: r.state),
    Field("revision", lambda r: digest(r.revision)),
    Field("published_at", lambda r: r.published_at),
    Field("published_by", lambda r: r.published_by),
    Field("activated_at", lambda r: r.activated_at),
    Field("draft", lambda r: r.draft),
    Field("rollback_of", lambda r: r.rollback_of),
)
DRAFT_FIELDS = (
    Field("id", lambda d: d.id),
    Field("version", lambda d: d.version, figures=True),
    Field("state", lambda d: d.state),
    Field("title", lambda d: d.title),
    Field("author", lambda d: d.author),
    Field("created_at", lambda d: d.created_at),
    Field("check", lambda d: _found(d.report)),
    Field("reviewer", lambda d: d.reviewer),
    Field("approver", lambda d: d.approver),
)
USE_FIELDS = (
    Field("obligation", lambda rule: rule.obligation),
    Field("violations", lambda rule: rule.violations, figures=True),
    Field("never_fires", lambda rule: rule.never_fires),
)
SHIFT_FIELDS = (
    Field("obligation", lambda shift: shift.obligation),
    Field("gained", lambda shift: shift.gained, figures=True),
    Field("lost", lambda shift: shift.lost, figures=True),
)
CHANGE_FIELDS = (
    Field("dataset", lambda change: change.dataset),
    Field("site", lambda change: change.site),
    Field("eligible_before", lambda change: change.eligible_before),
    Field("eligible_after", lambda change: change.eligible_after),
    Field("gained", lambda change: change.gained),
    Field("lost", lambda change: change.lost),
)


def render_revisions(revisions: Iterable[PolicyRevision], form: Format) -> bytes:
    """Publications below each other."""
    return render_list(revisions, REVISION_FIELDS, form, "Nothing was published yet.")


def render_revision(revision: PolicyRevision, form: Format) -> bytes:
    """One publication."""
    return render_one(revision, [(f.name, f.of(revision)) for f in REVISION_FIELDS], form)


def render_drafts(drafts: Iterable[PolicyDraft], form: Format) -> bytes:
    """Drafts below each other."""
    return render_list(drafts, DRAFT_FIELDS, form, "There are no drafts.")


def render_draft(draft: PolicyDraft, form: Format) -> bytes:
    """One draft, with what its check found."""
    if form is Format.JSON:
        return as_json(draft)
    defects = draft.report.defects if draft.report is not None else ()
    if form is Format.CSV:
        rows = [(d.check, d.file, d.row, d.column, d.message) for d in defects]
        return as_csv(("check", "file", "row", "column", "message"), rows)
    page = Page()
    say_facts(page, [(field.name, field.of(draft)) for field in DRAFT_FIELDS])
    if defects:
        page.heading("What is wrong with it")
    page.items(str(defect) for defect in defects)
    return page.content()


def render_usage(usage: PolicyUsage, form: Format) -> bytes:
    """How often each obligation bites."""
    if form is not Format.TABLE:
        return (
            as_json(usage)
            if form is Format.JSON
            else render_list(usage.rules, USE_FIELDS, form, "")
        )
    page = Page()
    never = sum(rule.never_fires for rule in usage.rules)
    page.say(
        f"{whole(usage.pairs)} pairs of version {usage.catalog_version} of the catalogue, judged "
        f"as of {usage.as_of}: {count(never, 'obligation')} of {len(usage.rules)} never fire."
    )
    say_list(page, usage.rules, USE_FIELDS)
    return page.content()


def render_impact(impact: PolicyImpact, form: Format) -> bytes:
    """What a draft would change."""
    if form is not Format.TABLE:
        return (
            as_json(impact)
            if form is Format.JSON
            else render_list(impact.examples, CHANGE_FIELDS, form, "")
        )
    page = Page()
    page.say(
        f"Of {whole(impact.pairs)} pairs, {whole(impact.becomes_ineligible)} become ineligible, "
        f"{whole(impact.becomes_eligible)} become eligible, and {whole(impact.fails_otherwise)} "
        "fail otherwise."
    )
    lost = sorted(set(impact.unplaceable_after) - set(impact.unplaceable_before))
    if lost:
        page.say(f"Without any eligible site then: {listed(lost)}", style="bold red")
    if impact.obligations:
        page.heading("By obligation")
        say_list(page, impact.obligations, SHIFT_FIELDS)
    if impact.examples:
        page.heading("Pairs")
        say_list(page, impact.examples, CHANGE_FIELDS)
    return page.content()


def _found(report: DraftReport | None) -> str:
    if report is None:
        return "not checked"
    if report.clean:
        return f"clean, {count(report.tests, 'test')}"
    return count(len(report.defects), "defect")
