"""Commands on events: who gets them, and what could not be delivered."""

from __future__ import annotations

from typing import Annotated

import typer

from placement.cli.options import Format, FormatOption
from placement.cli.output import emit
from placement.cli.remote import Server, connected

DONE = 0

subscriptions = typer.Typer(
    name="subscriptions",
    no_args_is_help=True,
    help="Webhooks of a service: who is told what to provision, and what could not be delivered.",
)

Ident = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Id of a subscription.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="ID", help="Of these events alone; may be repeated."),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="TYPE", help="Such as placement.dataset.moved; may be repeated."
    ),
]
Sites = Annotated[list[str] | None, typer.Option("--site", metavar="ID", help="May be repeated.")]
Operators = Annotated[
    list[str] | None, typer.Option("--operator", metavar="ID", help="May be repeated.")
]
Departments = Annotated[
    list[str] | None, typer.Option("--department", metavar="NAME", help="May be repeated.")
]


@subscriptions.command("list")
def list_subscriptions(
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Who gets events, and how many wait for each."""
    from placement.cli.views import subscriptions as views

    with connected(server) as client:
        emit(views.render_subscriptions(client.subscriptions.list(), format))
    return DONE


@subscriptions.command()
def show(
    ident: Ident,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """One subscription."""
    from placement.cli.views import subscriptions as views

    with connected(server) as client:
        emit(views.render_subscription(client.subscriptions.read(ident), format))
    return DONE


@subscriptions.command()
def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where events are posted to.")],
    description: Annotated[
        str, typer.Option("--description", metavar="TEXT", help="Who answers there.")
    ] = "",
    type_: Types = None,
    site: Sites = None,
    operator: Operators = None,
    department: Departments = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Send events to a URL; prints the secret that they are signed with, this once."""
    from pydantic import ValidationError

    from models import NewSubscription
    from placement.cli.views import subscriptions as views

    try:
        asked = NewSubscription.model_validate(
            {
                "url": url,
                "description": description,
                "filter": {
                    "types": type_ or (),
                    "sites": site or (),
                    "operators": operator or (),
                    "departments": department or (),
                },
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    with connected(server) as client:
        made, secret = client.subscriptions.create(asked)
    emit(views.render_secret(made, secret, format))
    return DONE


@subscriptions.command()
def pause(ident: Ident, server: Server = None) -> int:
    """Let events wait."""
    return _set(server, ident, "paused")


@subscriptions.command()
def resume(ident: Ident, server: Server = None) -> int:
    """Deliver what waits, and what comes."""
    return _set(server, ident, "active")


@subscriptions.command()
def delete(ident: Ident, server: Server = None) -> int:
    """Send nothing any more, not even what waits."""
    with connected(server) as client:
        found = client.subscriptions.read(ident)
        client.subscriptions.delete(ident, found.version)
    emit(f"{ident} is deleted.\n".encode())
    return DONE


@subscriptions.command()
def rotate(
    ident: Ident,
    overlap_hours: Annotated[
        int,
        typer.Option(
            "--overlap-hours", min=0, max=336, help="How long the former secret signs, too."
        ),
    ] = 24,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Sign with another secret; prints it, this once."""
    from placement.cli.views import subscriptions as views

    with connected(server) as client:
        changed, secret = client.subscriptions.rotate(ident, overlap_hours)
    emit(views.render_secret(changed, secret, format))
    return DONE


@subscriptions.command()
def deliveries(
    ident: Ident,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="pending, delivered, dead or discarded."),
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """What was, is or could not be delivered, in the order of events."""
    from models import DeliveryState
    from placement.cli.views import subscriptions as views

    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"one of {', '.join(DeliveryState)}", param_hint="--state")
    with connected(server) as client:
        wanted = None if state is None else DeliveryState(state)
        emit(views.render_deliveries(client.subscriptions.deliveries(ident, wanted), format))
    return DONE


@subscriptions.command()
def redrive(ident: Ident, event: Events = None, server: Server = None) -> int:
    """Try dead deliveries again at once; named ones (--event) also when they only wait."""
    with connected(server) as client:
        moved = client.subscriptions.redrive(ident, event)
    emit(f"{moved} deliveries are tried again.\n".encode())
    return DONE


@subscriptions.command()
def discard(ident: Ident, event: Events = None, server: Server = None) -> int:
    """Give dead deliveries up: what follows for the same datasets goes on."""
    with connected(server) as client:
        moved = client.subscriptions.discard(ident, event)
    emit(f"{moved} deliveries are given up.\n".encode())
    return DONE


def events(
    dataset: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="One dataset; default: all.")
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """What was told to subscribers, in order: placed, moved, retired, drifted, superseded."""
    from placement.cli.views import subscriptions as views

    with connected(server) as client:
        emit(views.render_events(client.subscriptions.events(dataset), format))
    return DONE


def _set(server: str | None, ident: str, state: str) -> int:
    from models import SubscriptionChange, SubscriptionState

    with connected(server) as client:
        found = client.subscriptions.read(ident)
        change = SubscriptionChange(
            url=found.url,
            filter=found.filter,
            description=found.description,
            state=SubscriptionState(state),
        )
        client.subscriptions.change(ident, found.version, change)
    emit(f"{ident} is {state}.\n".encode())
    return DONE
