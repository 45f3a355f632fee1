"""The `placement` command and its sub-commands. Each calls one use case and renders its answer.

Services and models are imported when a command runs: help needs none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from placement import __version__
from placement.cli import (
    access,
    auditing,
    deciding,
    drilling,
    exporting,
    files,
    jobs,
    lifecycle,
    policing,
    procurement,
    reporting,
    serving,
    subscribing,
)
from placement.cli.outcome import Commands
from placement.cli.output import emit

SERVICE = "Service"
RUNNING = "Running the service"

app = typer.Typer(
    name="placement",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Decides where each of a city's datasets should live, cloud or on-premise, and proves it.",
    epilog="Exit codes: 0 answered; 1 no plan, or a fault found; 2 bad input; 3 policy engine; "
    "4 solver; 5 answer not stored; 6 not allowed; 7 not as the request was put; 8 no service; "
    "70 internal error; 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        emit(f"placement {__version__}\n".encode())
        raise typer.Exit


@app.callback()
def placement(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Decides where each of a city's datasets should live, cloud or on-premise, and proves it."""


def _offer(panel: str | None, *commands: Callable[..., int]) -> None:
    for command in commands:
        app.command(rich_help_panel=panel)(command)


_offer(None, deciding.decide, deciding.check, deciding.verify, deciding.explain)
app.command("import")(files.import_)
_offer(None, files.schema, exporting.export)
app.add_typer(procurement.procurement)
_offer(SERVICE, lifecycle.placements, lifecycle.what_if, auditing.replay, access.me)
_offer(SERVICE, subscribing.events, reporting.report, reporting.observe)
for group in (
    lifecycle.decisions,
    drilling.drill,
    jobs.jobs,
    policing.policies,
    auditing.audit,
    access.keys,
    subscribing.subscriptions,
):
    app.add_typer(group, rich_help_panel=SERVICE)
_offer(RUNNING, serving.serve, serving.worker, serving.setup, serving.token, serving.health)
