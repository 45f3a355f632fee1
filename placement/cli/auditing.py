"""Commands for auditors: the audit log, and deciding again.

`audit verify` and `replay` work on the database itself, without any service, unless one is named:
whoever checks a service should not have to believe it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placement.cli.options import Format, FormatOption, Quiet
from placement.cli.output import emit
from placement.cli.progress import reporting
from placement.cli.remote import Server, connected, follow_replay

if TYPE_CHECKING:
    from placement.settings import Settings
    from placement.store import Store

DONE = 0
FAULT_FOUND = 1

audit = typer.Typer(
    name="audit",
    no_args_is_help=True,
    help="The audit log: verify it, keep its end, read and copy it.",
)
OwnServer = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        rich_help_panel="Service",
        help="Ask this service instead of the database.",
        show_default=False,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of the SQLite file and the keys. Default: PLACEMENT_DATA. "
        "DATABASE_URL names another database.",
        show_default=False,
    ),
]


@audit.command()
def verify(
    head: Annotated[
        Path | None,
        typer.Option(
            "--head", metavar="FILE", help="An end of the log that you kept: it must be in it."
        ),
    ] = None,
    data: Data = None,
    server: OwnServer = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Check every record and every signature of the log. Exit 1: it was tampered with.

    On the database itself, unless --server is given. Needed are the public halves of the audit
    keys, beside the keys; the private ones are not.
    """
    from placement.cli.views import audit as views

    if server is not None:
        if head is not None or data is not None:
            raise typer.BadParameter("--head and --data need the database", param_hint="--server")
        with connected(server) as client:
            report = client.audit_verification().report
    else:
        from placement.service.audit import verify_log

        with _database(data) as (store, settings):
            report = verify_log(store, settings, head)
    emit(views.render_report(report, format, by=server))
    return DONE if report.holds else FAULT_FOUND


@audit.command("head")
def show_head(
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """The signed end of the log. Keep it (--format json) for `verify --head`."""
    from placement.cli.views import audit as views

    with connected(server) as client:
        emit(views.render_head(client.audit_head(), format))
    return DONE


@audit.command("list")
def list_records(
    action: Annotated[
        str | None, typer.Option("--action", metavar="ACTION", help="Such as decision_approved.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="SUBJECT", help="Who did it.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="SUBJECT", help="To what, as decision/3.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="As 2026-12-01T00:00:00Z.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="This time is not among them.")
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Records of the log, the oldest first."""
    from placement.cli.views import audit as views

    with connected(server) as client:
        records = client.audit(
            action=action, actor=actor, subject=subject, since=since, until=until, limit=1000
        )
        emit(views.render_records(records, format))
    return DONE


@audit.command()
def export(
    after: Annotated[
        int, typer.Option("--after", metavar="SEQUENCE", min=0, help="Only what came later.")
    ] = 0,
    server: Server = None,
) -> int:
    """A copy of the log as JSON lines; the last one has its signed end. It is recorded."""
    from placement.errors import ServiceError

    last = ""
    with connected(server) as client:
        for last in client.audit_export(after):
            emit(f"{last}\n".encode())
    if not last.startswith('{"head":'):
        raise ServiceError("the copy is not whole: its last line, the signed end, is missing")
    return DONE


def replay(
    number: Annotated[int, typer.Argument(metavar="DECISION", min=1, help="Its number.")],
    policies: Annotated[
        int | None,
        typer.Option(
            "--policies",
            metavar="NUMBER",
            min=1,
            help="Judge by this revision of the policies instead of the decision's own.",
        ),
    ] = None,
    data: Data = None,
    server: OwnServer = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """Decide again on what a decision was decided on, and tell what differs.

    From the database itself, unless --server is given. Exit 1: by its own policies, it comes out
    otherwise.
    """
    from placement.cli.views import decisions as views

    if server is not None:
        if data is not None:
            raise typer.BadParameter("--data needs the database", param_hint="--server")
        with connected(server) as client:
            report = follow_replay(client, client.replay(number, policies), quiet=quiet)
    else:
        from placement.service.replay import replay as decide_again

        with _database(data) as (store, settings), reporting(quiet=quiet) as progress:
            report = decide_again(store, settings, number, policies=policies, progress=progress)
    emit(views.render_replay(report, format))
    return FAULT_FOUND if report.own_policies and not report.reproduced else DONE


@contextmanager
def _database(data: Path | None) -> Iterator[tuple[Store, Settings]]:
    """The database, to be read only; it is neither made nor migrated."""
    from dataclasses import replace

    from placement.settings import read_settings
    from placement.store import open_store

    settings = read_settings()
    settings = replace(settings, data=data) if data else settings
    store = open_store(settings.store_url)
    try:
        yield store, settings
    finally:
        store.close()
