"""Drills: one table of what leaving each operator, or each value of a limit, comes to."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from models import (
    DecisionOutcome,
    Drill,
    DrillPart,
    DrillSummary,
    ExitDrill,
    FrontierDrill,
)
from placement.cli.options import Format
from placement.cli.page import Column, Page
from placement.cli.text import count, eur, listed, whole
from placement.cli.views.listing import Field, render_list
from placement.cli.views.machine import as_csv, as_json

PART_COLUMNS = (
    "part",
    "state",
    "outcome",
    "objective_eur",
    "difference_eur",
    "datasets_moved",
    "why_not",
    "report",
)
SUMMARY_FIELDS = (
    Field("id", lambda d: d.id),
    Field("kind", lambda d: what(d.asked)),
    Field("state", lambda d: d.state),
    Field("created_at", lambda d: d.created_at),
    Field("ended", lambda d: f"{d.parts_ended} of {d.parts_asked}"),
    Field("author", lambda d: d.author),
)


def render_drills(drills: Iterable[DrillSummary], form: Format) -> bytes:
    """Drills below each other."""
    return render_list(drills, SUMMARY_FIELDS, form, "There are no drills.")


def render_drill(drill: Drill, form: Format) -> bytes:
    """What the parts of a drill came to, each on a line."""
    if form is Format.JSON:
        return as_json(drill)
    if form is Format.CSV:
        return as_csv(PART_COLUMNS, [_plain(part) for part in drill.parts])
    page = Page()
    page.say(_headline(drill), style="bold")
    _say_basis(page, drill)
    title = "Operator" if isinstance(drill.asked, ExitDrill) else "Value"
    columns = (
        Column(title, figures=isinstance(drill.asked, FrontierDrill)),
        Column("EUR/year", figures=True),
        Column("Difference", figures=True),
        Column("Moved", figures=True),
        Column("Why not"),
    )
    page.table(columns, [_row(part) for part in drill.parts])
    page.say("Nothing of a drill can be approved.")
    return page.content()


def what(asked: ExitDrill | FrontierDrill) -> str:
    """What a drill asks, in a word or two."""
    return asked.kind if isinstance(asked, ExitDrill) else f"{asked.kind}: {asked.parameter.value}"


def why_not(part: DrillPart) -> str:
    """Why a part has no plan; empty where it has one."""
    if part.problem is not None:
        return f"{part.problem.get('code')}: {part.problem.get('detail')}"
    match part.outcome:
        case None:
            return part.state.value
        case DecisionOutcome.INFEASIBLE:
            return f"cannot all hold: {listed(part.core)}"
        case DecisionOutcome.NO_ELIGIBLE_SITE:
            more = part.unplaceable_datasets - len(part.unplaceable)
            names = (*part.unplaceable, *([f"and {whole(more)} more"] if more > 0 else []))
            return f"no eligible site for {listed(names)}"
        case _:
            return ""


def _headline(drill: Drill) -> str:
    ended = f"{drill.parts_ended} of {drill.parts_asked} ended"
    parts = count(drill.parts_asked, "what-if")
    said = f"{parts}, {drill.state.value}"
    tail = "." if drill.state.final else f": {ended}."
    if isinstance(drill.asked, ExitDrill):
        return f"Leaving one operator at a time: {said}{tail}"
    return f"Values of {drill.asked.parameter.value}: {said}{tail}"


def _say_basis(page: Page, drill: Drill) -> None:
    bases = [part.basis for part in drill.parts if part.basis is not None]
    if bases and drill.one_basis:
        since = bases[0].standing
        against = "where data rests today" if since is None else f"decision {since}"
        page.say(f"Against {against}.")
    elif bases:
        page.say(
            "The records, the policies or the standing plan changed while it ran: "
            "its parts cannot be compared with each other.",
            style="bold red",
        )


def _row(part: DrillPart) -> tuple[str, str, str, str, str]:
    return (
        part.name,
        "" if part.objective_eur is None else eur(part.objective_eur),
        "" if part.difference_eur is None else _signed(part.difference_eur),
        "" if part.datasets_moved is None else whole(part.datasets_moved),
        why_not(part),
    )


def _signed(amount: Decimal) -> str:
    return f"+{eur(amount)}" if amount > 0 else eur(amount)


def _plain(part: DrillPart) -> tuple[object, ...]:
    return (
        part.name,
        part.state,
        part.outcome,
        part.objective_eur,
        part.difference_eur,
        part.datasets_moved,
        why_not(part),
        part.report,
    )
