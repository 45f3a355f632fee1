"""Commands on a service's jobs: list, show, cancel."""

from __future__ import annotations

from typing import Annotated

import typer

from placement.cli.options import Format, FormatOption, Quiet
from placement.cli.output import emit
from placement.cli.progress import reporting
from placement.cli.remote import Server, connected, tell

DONE = 0

jobs = typer.Typer(
    name="jobs",
    no_args_is_help=True,
    help="Jobs of a service: what takes longer than a request.",
)
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job.")]


@jobs.command("list")
def list_jobs(
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Such as running or failed.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Such as decide or replay.")
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Jobs, the latest first: your own, or everybody's where you may see them."""
    from placement.cli.views import jobs as views

    with connected(server) as client:
        emit(views.render_jobs(client.jobs(state=state, kind=kind), format))
    return DONE


@jobs.command("show")
def show_job(
    job: JobArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it until it has ended.")] = False,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """How far a job is, and what it came to."""
    from placement.cli.views import jobs as views

    with connected(server) as client:
        if wait:
            with reporting(quiet=quiet) as progress:
                found = client.wait(job, lambda now: tell(now, progress))
        else:
            found = client.job(job)
    emit(views.render_job(found, format))
    return DONE


@jobs.command()
def cancel(
    job: JobArgument,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """End a job at once; it takes no effect any more."""
    from placement.cli.views import jobs as views

    with connected(server) as client:
        emit(views.render_job(client.cancel(job), format))
    return DONE
