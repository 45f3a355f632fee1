"""Decisions, what they change, what-ifs and replays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from models import (
    Actual,
    DecisionEvent,
    DecisionRecord,
    PlacementStatus,
    PlanDiff,
    ReplayReport,
    WhatIfReport,
)
from placement.cli.options import Format
from placement.cli.page import Column, Page
from placement.cli.text import count, eur, listed, percent, whole
from placement.cli.views.listing import Fact, Field, digest, render_list, say_facts, say_list
from placement.cli.views.machine import as_csv, as_json
from placement.cli.views.tally import total

RECORD_FIELDS = (
    Field("number", lambda r: r.number, figures=True),
    Field("state", lambda r: r.state),
    Field("outcome", lambda r: r.outcome),
    Field("created_at", lambda r: r.created_at),
    Field("datasets", lambda r: r.datasets, figures=True),
    Field("objective_eur", lambda r: r.objective_eur, figures=True),
    Field("author", lambda r: r.author),
    Field("title", lambda r: r.title),
)
EVENT_FIELDS = (
    Field("at", lambda e: e.at),
    Field("state", lambda e: e.state),
    Field("actor", lambda e: e.actor),
    Field("reason", lambda e: e.reason),
)
PLACED_FIELDS = (
    Field("dataset", lambda p: p.dataset),
    Field("title", lambda p: p.title),
    Field("department", lambda p: p.department),
    Field("sites", lambda p: tuple(hosted.site for hosted in p.sites)),
    Field("from_sites", lambda p: p.from_sites),
    Field("confidentiality", lambda p: p.confidentiality),
    Field("gdpr_category", lambda p: p.gdpr_category),
    Field("volume_gb", lambda p: p.volume_gb, figures=True),
    Field("eur_per_year", lambda p: total(p.cost_eur_per_year), figures=True),
    Field("decision", lambda p: p.decision, figures=True),
    Field("actual", lambda p: _actual(p.actual)),
)


ACTUAL_FIELDS = (
    Field("site", lambda s: s.site),
    Field("decided", lambda s: s.desired),
    Field("provisioned", lambda s: s.state),
    Field("found", lambda s: s.found),
    Field("reported_at", lambda s: s.reported_at),
    Field("observed_at", lambda s: s.observed_at),
)


def render_records(records: Iterable[DecisionRecord], form: Format) -> bytes:
    """Decisions below each other."""
    return render_list(records, RECORD_FIELDS, form, "There are no such decisions.")


def render_placements(placements: Iterable[PlacementStatus], form: Format) -> bytes:
    """Approved placements below each other."""
    return render_list(
        placements, PLACED_FIELDS, form, "No approved plan that you may see places any."
    )


def render_placement(placed: PlacementStatus, form: Format) -> bytes:
    """Where one dataset is to rest, and what its hosts must do."""
    if form is not Format.TABLE:
        return as_json(placed) if form is Format.JSON else render_placements([placed], form)
    page = Page()
    page.say(f"{placed.dataset} rests at {listed(h.site for h in placed.sites)}", style="bold")
    say_facts(page, [(field.name, field.of(placed)) for field in PLACED_FIELDS[1:]])
    for hosted in placed.sites:
        if hosted.host_obligations:
            page.heading(f"What {hosted.operator} must do at {hosted.site}")
            page.items(f"{duty.requirement} ({duty.code})" for duty in hosted.host_obligations)
    _say_actual(page, placed.actual)
    return page.content()


def _say_actual(page: Page, actual: Actual) -> None:
    """What is known of each site, on what that rests, and how it differs from what was decided."""
    if any(site.state or site.found is not None for site in actual.sites):
        page.heading("Where it is, as far as anybody said")
        say_list(page, actual.sites, ACTUAL_FIELDS)
    told = [(site.site, site.evidence) for site in actual.sites]
    told = [(site, said) for site, said in told if said.summary or said.reference]
    if told:
        page.heading("Evidence")
        page.items(
            f"{site}: {' | '.join(filter(None, (said.reference, said.summary)))}"
            for site, said in told
        )
    if actual.drift:
        page.heading("Not as decided")
        page.items(actual.drift)


def _actual(actual: Actual) -> str:
    """What is known of each site, in a few words."""
    said = []
    for site in actual.sites:
        words = [] if site.state is None else [site.state.value]
        if site.found is not None:
            words.append("found" if site.found else "not found")
        if words:
            said.append(f"{site.site}: {', '.join(words)}")
    return ("drifted; " if actual.drifted else "") + "; ".join(said)


def render_record(record: DecisionRecord, events: Sequence[DecisionEvent], form: Format) -> bytes:
    """A decision: what it was made on, and who brought it where."""
    if form is Format.JSON:
        return as_json({**record.model_dump(), "events": [event.model_dump() for event in events]})
    if form is Format.CSV:
        return render_list(events, EVENT_FIELDS, form, "")
    page = Page()
    page.say(_headline(record), style="bold")
    basis = record.basis
    facts: list[Fact] = [
        *((field.name, field.of(record)) for field in RECORD_FIELDS[3:]),
        ("gap", None if record.gap is None else percent(record.gap)),
        ("judged as of", basis.as_of),
        ("catalogue version", basis.catalog_version),
        ("policies", digest(basis.policies)),
        ("own parameters", basis.own_parameters),
        ("plan", digest(record.plan)),
        ("job", record.job),
    ]
    say_facts(page, facts)
    page.heading("What happened to it")
    say_list(page, events, EVENT_FIELDS)
    return page.content()


def render_moved(record: DecisionRecord, form: Format) -> bytes:
    """A decision after it was brought into another state."""
    if form is Format.JSON:
        return as_json(record)
    if form is Format.CSV:
        return render_records([record], form)
    page = Page()
    page.say(_headline(record), style="bold")
    return page.content()


def render_diff(diff: PlanDiff, form: Format) -> bytes:
    """What approving a plan would change."""
    if form is Format.JSON:
        return as_json(diff)
    if form is Format.CSV:
        rows = [
            (move.dataset, " ".join(move.from_sites), " ".join(move.to_sites), move.volume_gb)
            for move in diff.moves
        ]
        return as_csv(("dataset", "from_sites", "to_sites", "volume_gb"), rows)
    page = Page()
    _say_diff(page, diff)
    return page.content()


def render_what_if(report: WhatIfReport, form: Format) -> bytes:
    """What a what-if came to."""
    if form is Format.JSON:
        return as_json(report)
    if form is Format.CSV:
        empty = (("dataset", "from_sites", "to_sites", "volume_gb"), ())
        return as_csv(*empty) if report.diff is None else render_diff(report.diff, form)
    page = Page()
    if report.objective_eur is None:
        page.say(f"No plan: {report.outcome.value.replace('_', ' ')}.", style="bold red")
        page.say("Nothing of a what-if can be approved.")
        return page.content()
    page.say(f"EUR {eur(report.objective_eur)} a year. It cannot be approved.", style="bold")
    if report.diff is not None:
        _say_diff(page, report.diff)
    return page.content()


def render_replay(report: ReplayReport, form: Format) -> bytes:
    """What deciding again came to."""
    if form is Format.JSON:
        concluded = {"reproduced": report.reproduced, "exact": report.exact}
        return as_json({**concluded, **report.model_dump()})
    every = (*report.differences, *report.versions)
    if form is Format.CSV:
        rows = [(found.what, found.decided, found.replayed) for found in every]
        return as_csv(("what", "decided", "replayed"), rows)
    page = Page()
    page.say(_replayed(report), style="bold green" if report.reproduced else "bold red")
    which = "its own policies" if report.own_policies else "other policies"
    page.say(f"Judged by {which}, revision {digest(report.policies)}: {report.outcome.value}.")
    if every:
        page.heading("What differs")
        titles = (Column("What"), Column("Decided"), Column("Replayed"))
        page.table(titles, [(found.what, found.decided, found.replayed) for found in every])
    if report.differing > len(report.differences):
        page.say(f"and {report.differing - len(report.differences):,} more", indent=2)
    return page.content()


def _replayed(report: ReplayReport) -> str:
    if not report.reproduced:
        number = count(report.differing, "difference")
        return f"Decision {report.decision} comes out otherwise: {number}."
    same = f"Decision {report.decision} is reproduced to the last digit"
    return f"{same}." if report.exact else f"{same}, with other versions of software."


def _headline(record: DecisionRecord) -> str:
    return f"Decision {record.number} is {record.state.value.replace('_', ' ')}."


def _say_diff(page: Page, diff: PlanDiff) -> None:
    since = "where data rests today" if diff.since is None else f"decision {diff.since}"
    moves = count(len(diff.moves), "dataset")
    page.say(f"Against {since}: {moves} would rest elsewhere, {diff.moved_tb:,f} TB are copied.")
    before, after = diff.risk_before, diff.risk_after
    rows = [("EUR/year", _euro(diff.eur_per_year_before), eur(diff.eur_per_year_after))]
    for title, name in _RISKS:
        old = None if before is None else getattr(before, name)
        rows.append((title, _risk(name, old), _risk(name, getattr(after, name))))
    page.heading("Before and after")
    page.table((Column(""), Column("Before", figures=True), Column("After", figures=True)), rows)
    if diff.moves:
        page.heading("What moves")
    columns = (Column("Dataset"), Column("From"), Column("To"), Column("GB", figures=True))
    moved = [
        (move.dataset, listed(move.from_sites), listed(move.to_sites), whole(move.volume_gb))
        for move in diff.moves
    ]
    if moved:
        page.table(columns, moved)


_RISKS = (
    ("Largest operator's share", "largest_operator_volume_share"),
    ("Share on closed stacks", "closed_stack_volume_share"),
    ("Datasets under foreign law", "foreign_jurisdiction_datasets"),
    ("Exit cost, EUR", "exit_cost_eur"),
)


def _risk(name: str, value: Decimal | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return whole(value)
    return percent(value) if name.endswith("share") else eur(value)


def _euro(amount: Decimal | None) -> str:
    return "" if amount is None else eur(amount)
