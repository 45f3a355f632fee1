"""Commands that run the service: serve, worker, setup, token, health."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placement.cli.output import emit
from placement.cli.progress import note
from placement.cli.remote import SERVER, Server

if TYPE_CHECKING:
    from placement.settings import Settings

DONE = 0
FAULT_FOUND = 1

Host = Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0: any free one.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of the SQLite file and the keys. Default: PLACEMENT_DATA.",
        show_default=False,
    ),
]
Dev = Annotated[
    bool,
    typer.Option("--dev", help="Accept local tokens (`placement token`); loopback only."),
]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data: Data = None,
    dev: Dev = False,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Do jobs in this process, too.")
    ] = True,
) -> int:
    """Serve the API, with a database, an OPA and a worker of its own unless told otherwise."""
    from api.serving import serve as serve_api
    from placement.service.opening import local_issuer

    settings = _settings(data)

    def started(url: str) -> None:
        note(f"placement answers at {url} (API pages: {url}/docs)", quiet=False)
        if dev:
            note("for a token: placement token --role data_management_office", quiet=False)

    local = local_issuer(settings) if dev else None
    serve_api(settings, host, port, works=worker, local=local, started=started)
    return DONE


def worker(data: Data = None) -> int:
    """Do jobs until told to stop; as many of these as you like, on one database."""
    from api.worker import run_worker
    from placement.errors import BadInput, Defect
    from placement.service.handlers import HANDLERS
    from placement.service.opening import open_city

    settings = _settings(data)
    if settings.public_url is None:
        message = "a worker's OPA pulls its policies from the API: say where it answers"
        raise BadInput([Defect("", "PLACEMENT_PUBLIC_URL", "", message)])
    with open_city(settings, settings.public_url) as city:
        note("placement does jobs", quiet=False)
        run_worker(city, HANDLERS)
    return DONE


def setup(
    opa_config: Annotated[
        Path | None,
        typer.Option(
            "--opa-config", metavar="DIR", help="Also write what a shared OPA needs to this folder."
        ),
    ] = None,
    data: Data = None,
) -> int:
    """Bring the database up to date and make the keys; `serve` does the same by itself."""
    from placement.service.opening import prepare

    written = prepare(_settings(data), opa_config)
    lines = ["The database is up to date, and the keys are there."]
    lines += [f"written: {path}" for path in written]
    emit("".join(f"{line}\n" for line in lines).encode())
    return DONE


def token(
    role: Annotated[
        list[str], typer.Option("--role", metavar="ROLE", help="A role; may be repeated.")
    ],
    subject: Annotated[
        str, typer.Option("--subject", metavar="NAME", help="Who it is. Default: the first role.")
    ] = "",
    department: Annotated[
        list[str] | None,
        typer.Option("--department", metavar="NAME", help="A department of a steward."),
    ] = None,
    reader_role: Annotated[
        list[str] | None,
        typer.Option("--reader-role", metavar="ID", help="A catalogue role of a data user."),
    ] = None,
    hours: Annotated[int, typer.Option("--hours", min=1, max=24, help="How long it holds.")] = 8,
    data: Data = None,
) -> int:
    """Print a local token, which a server started with --dev on the same folder accepts."""
    from models import CityRole
    from placement.service.opening import local_issuer

    known = [member.value for member in CityRole]
    for name in role:
        if name not in known:
            raise typer.BadParameter(f"no such role: {name}. There are: {', '.join(known)}")
    issued = local_issuer(_settings(data)).issue(
        subject or role[0],
        [CityRole(name) for name in role],
        departments=department or (),
        reader_roles=reader_role or (),
        ttl_s=hours * 3600,
    )
    emit(f"{issued}\n".encode())
    return DONE


def health(
    server: Server = None,
) -> int:
    """Ask a service, by default the one on this machine, whether it is ready. Exit 1: it is not."""
    import httpx

    server = server or os.environ.get(SERVER) or "http://127.0.0.1:8000"
    try:
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            answer = client.get(f"{server.rstrip('/')}/ready")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        emit(f"no answer: {type(error).__name__}\n".encode())
        return FAULT_FOUND
    emit(answer.content.rstrip(b"\n") + b"\n")
    return DONE if answer.status_code == httpx.codes.OK else FAULT_FOUND


def _settings(data: Path | None) -> Settings:
    from dataclasses import replace

    from placement.settings import read_settings

    settings = read_settings()
    return replace(settings, data=data) if data else settings
