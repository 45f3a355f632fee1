"""Commands on drills: what leaving each operator, or each value of a limit, comes to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from placement.cli.options import Format, FormatOption, Quiet
from placement.cli.output import emit
from placement.cli.progress import note, reporting
from placement.cli.remote import Server, connected
from placement.errors import PlacementError, ServiceError

if TYPE_CHECKING:
    from pydantic import ValidationError

    from models import Drill, ExitDrill, FrontierDrill
    from placement.client import Client

DONE = 0
NO_PLAN = 1

drill = typer.Typer(
    name="drill",
    no_args_is_help=True,
    help="Many what-ifs at once: leaving each operator, or trying values of a limit.",
)
DrillArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of a drill.")]


@drill.command("exit")
def exit_drill(
    operator: Annotated[
        list[str] | None,
        typer.Option(
            "--operator",
            metavar="ID",
            help="Whom to leave; may be repeated. Default: everybody but the city itself.",
        ),
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """What leaving each operator costs a year, what moves, or what stands in the way.

    Exit 1: there is one that the city could not leave.
    """
    from pydantic import ValidationError

    from models import ExitDrill

    try:
        asked = ExitDrill(kind="exit", operators=tuple(operator or ()))
    except ValidationError as error:
        raise typer.BadParameter(_said(error), param_hint="--operator") from error
    return _drilled(asked, server, format, quiet=quiet)


@drill.command()
def frontier(
    parameter: Annotated[
        str,
        typer.Option(
            "--parameter",
            metavar="NAME",
            help="operator_volume_share_max, operator_critical_share_max, closed_stack_share_max, "
            "exit_budget_eur or moves_max.",
        ),
    ],
    value: Annotated[
        list[str],
        typer.Option("--value", metavar="VALUE", help="A value: 0.3, 30% or 5000; repeat it."),
    ],
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """What a limit costs: the best plan for each of its values.

    Exit 1: there is a value for which there is no plan.
    """
    from pydantic import ValidationError

    from models import FrontierDrill, FrontierParameter

    if parameter not in set(FrontierParameter):
        names = ", ".join(FrontierParameter)
        raise typer.BadParameter(f"it is one of {names}", param_hint="--parameter")
    try:
        asked = FrontierDrill(
            kind="frontier",
            parameter=FrontierParameter(parameter),
            values=tuple(map(number, value)),
        )
    except ValidationError as error:
        raise typer.BadParameter(_said(error), param_hint="--value") from error
    return _drilled(asked, server, format, quiet=quiet)


@drill.command("show")
def show_drill(
    ident: DrillArgument,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """How far a drill is, and what its parts came to. Exit codes are those of asking for it."""
    with connected(server) as client:
        return _shown(client.drills.read(ident), format)


@drill.command("list")
def list_drills(
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Drills, the latest first, and how far they are."""
    from placement.cli.views import drills as views

    with connected(server) as client:
        emit(views.render_drills(client.drills.list(), format))
    return DONE


@drill.command()
def cancel(
    ident: DrillArgument,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """End what has not ended; what the other parts came to stays."""
    from placement.cli.views import drills as views

    with connected(server) as client:
        emit(views.render_drill(client.drills.cancel(ident), format))
    return DONE


def number(text: str) -> Decimal:
    """Read a value: 0.3, 30% or 5000. Raises typer.BadParameter."""
    try:
        value = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise typer.BadParameter(
            f"a number from 0 is expected, such as 0.3, 30% or 5000, not {text}",
            param_hint="--value",
        )
    return value / 100 if text.endswith("%") else value


def _drilled(
    asked: ExitDrill | FrontierDrill, server: str | None, form: Format, *, quiet: bool
) -> int:
    with connected(server) as client:
        begun = client.drills.ask(asked)
        note(f"drill {begun.id}: {begun.parts_asked} what-ifs", quiet=quiet)
        return _shown(_ended(client, begun.id, quiet=quiet), form)


def _ended(client: Client, ident: str, *, quiet: bool) -> Drill:
    """The drill at its end, with progress on standard error. Whoever interrupts it cancels it."""
    with reporting(quiet=quiet) as progress:
        try:
            return client.drills.wait(ident, lambda now: progress(step_of(now)))
        except (KeyboardInterrupt, SystemExit):
            _cancel(client, ident)
            raise
        except ServiceError:
            note(f"drill {ident} may go on: placement drill show {ident}", quiet=False)
            raise


@dataclass(frozen=True)
class DrillStep:
    """How far a drill was when it was last heard of."""

    phase: str
    message: str


def step_of(now: Drill) -> DrillStep:
    """How far a drill is, as a step of a local use case would be told."""
    under_way = [part.name for part in now.parts if part.state.value == "running"]
    message = f"{now.parts_ended} of {now.parts_asked} ended"
    return DrillStep("drill", f"{message}; under way: {', '.join(under_way) or 'none'}")


def _cancel(client: Client, ident: str) -> None:
    try:
        client.drills.cancel(ident)
    except PlacementError as error:
        note(f"drill {ident} could not be cancelled: {error}", quiet=False)
    else:
        note(f"drill {ident} is cancelled", quiet=False)


def _shown(found: Drill, form: Format) -> int:
    from placement.cli.views import drills as views

    emit(views.render_drill(found, form))
    return exit_code_of(found)


def exit_code_of(found: Drill) -> int:
    """0, or 1 where a part has no plan, or that of the first part that failed or was cancelled."""
    from models import DecisionOutcome
    from placement.client.problems import error_named
    from placement.errors import JobCancelled

    for part in found.parts:
        if part.problem is not None:
            return error_named(part.problem).exit_code
    if any(part.state.value == "cancelled" for part in found.parts):
        return JobCancelled.exit_code
    without = {part.outcome for part in found.parts} - {None, DecisionOutcome.DECIDED}
    return NO_PLAN if without else DONE


def _said(error: ValidationError) -> str:
    """What is wrong with an argument, in the words of its model."""
    return "; ".join(f"{found['input']}: {found['msg']}" for found in error.errors())
