"""Commands that ask a service: which one, as whom, and how to follow what it does.

`--server` names the service; without it PLACEMENT_SERVER does, unless files are given to work on.
The token stands in PLACEMENT_TOKEN and never on the command line, where other users could read it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from placement.cli.progress import Reporter, note, reporting
from placement.errors import PlacementError, ServiceError

if TYPE_CHECKING:
    from models import Job, Parameters, ReplayReport
    from placement.client import Client

SERVER = "PLACEMENT_SERVER"
TOKEN = "PLACEMENT_TOKEN"  # noqa: S105  the name of a variable
CA_FILE = "PLACEMENT_CA_FILE"

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        rich_help_panel="Service",
        help=f"Ask this service, with the token in {TOKEN}. Default: {SERVER}.",
        show_default=False,
    ),
]


def chosen_server(server: str | None, **local: object) -> str | None:
    """The service to ask; none: everything that is needed was given here.

    Parameters
    ----------
    server
        What --server says.
    local
        Options for working without a service, by name: whether one was given says its truth value.

    Raises
    ------
    typer.BadParameter
        When --server and one of the others are both given.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in local.items() if value]
    if server and given:
        raise typer.BadParameter(
            f"a service works on its own records: leave out {', '.join(given)}",
            param_hint="--server",
        )
    return None if given else server or os.environ.get(SERVER) or None


def require_files(catalog: Path | None, sites: Path | None) -> tuple[Path, Path]:
    """Both inputs. Raises typer.BadParameter where one is missing, and no service is named."""
    if catalog is None or sites is None:
        raise typer.BadParameter(
            f"give --catalog and --sites, or name a service with --server or {SERVER}"
        )
    return catalog, sites


@contextmanager
def connected(server: str | None) -> Iterator[Client]:
    """The service that --server or PLACEMENT_SERVER names.

    Raises
    ------
    typer.BadParameter
        When neither does.
    BadInput
        When the URL, the token or the certificates cannot be used.
    """
    url = server or os.environ.get(SERVER)
    if not url:
        raise typer.BadParameter(f"name a service with --server or {SERVER}")

    from placement.client import Client

    ca_file = os.environ.get(CA_FILE)
    token = os.environ.get(TOKEN) or None
    with Client(url, token, Path(ca_file) if ca_file else None) as client:
        yield client


def follow(client: Client, job: Job, *, quiet: bool) -> dict[str, Any]:
    """What a job comes to, with its progress on standard error.

    Whoever interrupts the command cancels the job.

    Raises
    ------
    PlacementError
        Why it came to nothing.
    """
    with reporting(quiet=quiet) as progress:
        try:
            return client.result(job.id, lambda now: tell(now, progress))
        except (KeyboardInterrupt, SystemExit):
            _cancel(client, job.id)
            raise
        except ServiceError:
            note(f"job {job.id} may go on: placement jobs show {job.id}", quiet=False)
            raise


def follow_replay(client: Client, job: Job, *, quiet: bool) -> ReplayReport:
    """What deciding again comes to. Raises as `follow`."""
    from placement.client.client import replay_report_of

    return replay_report_of(follow(client, job, quiet=quiet))


def tell(job: Job, progress: Reporter) -> None:
    """The news of a job, as a step of a local use case would be told."""
    if job.state.final:
        return
    said = job.progress
    progress(
        JobStep(
            phase=said.phase or job.state.value,
            message=said.message or "waiting for a worker",
            incumbent=said.incumbent_eur,
            bound=said.bound_eur,
            gap=said.gap,
        )
    )


@dataclass(frozen=True)
class JobStep:
    """What a job was doing when it was last heard of."""

    phase: str
    message: str
    incumbent: Decimal | None
    bound: Decimal | None
    gap: Decimal | None


def told(result: dict[str, Any], name: str) -> Any:
    """A field of a job's result. Raises ServiceError where it is missing."""
    if name not in result:
        raise ServiceError(f"a result without {name} came: are versions alike?")
    return result[name]


def asked_parameters(
    client: Client, file: Path | None, gap: Decimal | None, time_limit: int | None
) -> Parameters | None:
    """Parameters to decide by instead of the city's own; none: by those.

    A gap or a time limit alone changes nothing else of the city's own.

    Raises
    ------
    BadInput
        With all defects of the file.
    """
    from placement.catalog import load_parameters

    limits = {"gap": gap, "time_limit_s": time_limit}
    changes = {name: value for name, value in limits.items() if value is not None}
    if file is None and not changes:
        return None
    base = client.parameters() if file is None else load_parameters(file)
    return base.model_copy(update=changes)


def _cancel(client: Client, job: str) -> None:
    try:
        client.cancel(job)
    except PlacementError as error:
        note(f"job {job} could not be cancelled: {error}", quiet=False)
    else:
        note(f"job {job} is cancelled", quiet=False)
