"""Commands on a service's plans: placements, what-if, and the life of decisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placement.cli.options import Format, FormatOption, Gap, ParametersFile, Quiet, TimeLimit
from placement.cli.output import emit
from placement.cli.remote import Server, asked_parameters, connected, follow, told

if TYPE_CHECKING:
    from models import DecisionRecord, FixedPair
    from placement.client import Client

DONE = 0
NO_PLAN = 1

decisions = typer.Typer(
    name="decisions",
    no_args_is_help=True,
    help="Decisions of a service: list and compare them, bring them from a proposal into force.",
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Number of a decision.", min=1)]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for the record and the audit log.")
]


def _filter(name: str, what: str) -> object:
    return typer.Option(f"--{name}", metavar=name.upper(), help=what)


def placements(
    dataset: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="One dataset; default: all.")
    ] = None,
    classification: Annotated[
        str | None, _filter("classification", "Effective confidentiality: 0 to 4, or its name.")
    ] = None,
    gdpr_category: Annotated[
        str | None, typer.Option("--gdpr-category", metavar="CATEGORY", help="Such as personal.")
    ] = None,
    department: Annotated[str | None, _filter("department", "Owner of the data.")] = None,
    site: Annotated[str | None, _filter("site", "Where it rests.")] = None,
    operator: Annotated[str | None, _filter("operator", "With whom it rests.")] = None,
    role: Annotated[str | None, _filter("role", "A catalogue role that reads it.")] = None,
    in_force: Annotated[
        bool,
        typer.Option("--in-force", help="By the plan in force, not by the one approved last."),
    ] = False,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Where each dataset is to rest, by the plan that the board stands behind."""
    filters = {
        "classification": classification,
        "gdpr_category": gdpr_category,
        "department": department,
        "site": site,
        "operator": operator,
        "role": role,
    }
    if dataset is not None and any(filters.values()):
        raise typer.BadParameter("filters are for the list of all", param_hint="DATASET")
    by = "in_force" if in_force else None

    from placement.cli.views import decisions as views

    with connected(server) as client:
        if dataset is not None:
            emit(views.render_placement(client.placement(dataset, by), format))
        else:
            emit(views.render_placements(client.placements(**filters, by=by), format))
    return DONE


def what_if(
    parameters: ParametersFile = None,
    gap: Gap = None,
    time_limit: TimeLimit = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="SITE", help="A site that is not to be used."),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option("--require", metavar="DATASET=SITE", help="A replica that must rest there."),
    ] = None,
    forbid: Annotated[
        list[str] | None,
        typer.Option("--forbid", metavar="DATASET=SITE", help="A replica that must not."),
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """What would be decided with other parameters, without some sites, or with fixed pairs.

    Nothing of it can be approved. Exit 1: there would be no plan.
    """
    pairs = [_pair(text, "--require", allowed=True) for text in require or ()]
    pairs += [_pair(text, "--forbid", allowed=False) for text in forbid or ()]

    from models import WhatIf
    from placement.cli.views import decisions as views

    with connected(server) as client:
        asked = WhatIf(
            parameters=asked_parameters(client, parameters, gap, time_limit),
            sites_out=tuple(without or ()),
            fixed=tuple(pairs),
        )
        result = follow(client, client.what_if(asked), quiet=quiet)
        report = client.what_if_report(told(result, "what_if"))
    emit(views.render_what_if(report, format))
    return NO_PLAN if report.objective_eur is None else DONE


@decisions.command("list")
def list_decisions(
    state: Annotated[str | None, _filter("state", "Such as proposed or in_force.")] = None,
    outcome: Annotated[str | None, _filter("outcome", "Such as decided or infeasible.")] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Decisions, the newest first."""
    from placement.cli.views import decisions as views

    with connected(server) as client:
        emit(views.render_records(client.decisions(state=state, outcome=outcome), format))
    return DONE


@decisions.command("show")
def show_decision(
    number: Number,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """What a decision was made on, and who brought it into which state."""
    from placement.cli.views import decisions as views

    with connected(server) as client:
        record = client.decision(number)
        emit(views.render_record(record, client.events(number), format))
    return DONE


@decisions.command("plan")
def decision_plan(
    number: Number,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write the plan file.")
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """The answer of a decision, as `placement decide` shows it. Exit 1: there is no plan."""
    from placement.cli.deciding import show_answer
    from placement.cli.output import check_target

    if out:
        check_target(out, inputs=())
    with connected(server) as client:
        answer = client.answer(number)
    return show_answer(answer, out, format, quiet=False)


@decisions.command("diff")
def decision_diff(
    number: Number,
    since: Annotated[
        int | None,
        typer.Option(
            "--since", metavar="NUMBER", min=1, help="Default: the plan that stood behind it."
        ),
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """What approving a decision would change: moves, TB, EUR and risk."""
    from placement.cli.views import decisions as views

    with connected(server) as client:
        emit(views.render_diff(client.diff(number, since), format))
    return DONE


@decisions.command()
def approve(
    number: Number,
    reason: Reason = "",
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """The board stands behind a plan. Exit 7: what it was decided on changed since."""
    return _moved(server, format, lambda client: client.approve(number, reason))


@decisions.command()
def provision(
    number: Number,
    reason: Reason = "",
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Say that moving data has begun."""
    return _moved(server, format, lambda client: client.provision(number, reason))


@decisions.command()
def enforce(
    number: Number,
    reason: Reason = "",
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Say that data rests where the plan says."""
    return _moved(server, format, lambda client: client.enforce(number, reason))


@decisions.command()
def withdraw(
    number: Number,
    reason: Reason = "",
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Stand behind a plan no more."""
    return _moved(server, format, lambda client: client.withdraw(number, reason))


def _moved(server: str | None, form: Format, step: Callable[[Client], DecisionRecord]) -> int:
    from placement.cli.views import decisions as views

    with connected(server) as client:
        emit(views.render_moved(step(client), form))
    return DONE


def _pair(text: str, option: str, *, allowed: bool) -> FixedPair:
    """A dataset and a site; ids hold no equals sign."""
    from pydantic import ValidationError

    from models import FixedPair

    dataset, _, site = text.partition("=")
    try:
        return FixedPair(dataset=dataset, site=site, allowed=allowed)
    except ValidationError as error:
        raise typer.BadParameter(
            f"DATASET=SITE is expected, not {text}", param_hint=option
        ) from error
