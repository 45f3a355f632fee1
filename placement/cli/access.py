"""Commands about who may: me, and API keys of machines."""

from __future__ import annotations

from typing import Annotated

import typer

from placement.cli.options import Format, FormatOption
from placement.cli.output import emit
from placement.cli.remote import Server, connected

DONE = 0

keys = typer.Typer(
    name="keys",
    no_args_is_help=True,
    help="API keys of a service: how machines prove who they are.",
)


def me(
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Whom a service takes you for, by which roles, and which datasets you may read."""
    from placement.cli.views import access as views

    with connected(server) as client:
        emit(views.render_me(client.me(), format))
    return DONE


@keys.command("list")
def list_keys(
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """All API keys, revoked and expired ones among them; never their secrets."""
    from placement.cli.views import access as views

    with connected(server) as client:
        emit(views.render_keys(client.keys.list(), format))
    return DONE


@keys.command()
def create(
    label: Annotated[
        str, typer.Option("--label", metavar="TEXT", help="Which machine will hold it.")
    ],
    role: Annotated[list[str], typer.Option("--role", metavar="ROLE", help="May be repeated.")],
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="How long it holds.")] = 90,
    operation: Annotated[
        list[str] | None,
        typer.Option(
            "--operation", metavar="NAME", help="The only operations it is for; may be repeated."
        ),
    ] = None,
    department: Annotated[
        list[str] | None,
        typer.Option("--department", metavar="NAME", help="A department of a steward."),
    ] = None,
    reader_role: Annotated[
        list[str] | None,
        typer.Option("--reader-role", metavar="ID", help="A catalogue role of a data user."),
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Make an API key and print its token, which is shown this once."""
    from pydantic import ValidationError

    from models import ApiKeyRequest
    from placement.cli.views import access as views

    try:
        asked = ApiKeyRequest.model_validate(
            {
                "label": label,
                "roles": role,
                "valid_days": days,
                "operations": operation or None,
                "departments": department or (),
                "reader_roles": reader_role or (),
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{first['loc'][0]}: {first['msg']}") from error
    with connected(server) as client:
        key, token = client.keys.create(asked)
    emit(views.render_issued(key, token, format))
    return DONE


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id of a key.")],
    server: Server = None,
) -> int:
    """End an API key at once."""
    with connected(server) as client:
        client.keys.revoke(key)
    emit(f"Key {key} is revoked.\n".encode())
    return DONE
