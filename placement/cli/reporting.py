"""Commands of whoever provisions: what was done, and where data was found."""

from __future__ import annotations

from typing import Annotated

import typer

from placement.cli.output import emit
from placement.cli.remote import Server, connected

DONE = 0

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="Id of a dataset.")]
Summary = Annotated[str, typer.Option("--summary", metavar="TEXT", help="What it rests on.")]
Reference = Annotated[
    str, typer.Option("--reference", metavar="TEXT", help="Such as the URL of a build.")
]


def report(
    dataset: Dataset,
    decision: Annotated[int, typer.Option("--decision", min=1, help="The plan acted on.")],
    site: Annotated[str, typer.Option("--site", metavar="ID", help="Where.")],
    state: Annotated[
        str, typer.Option("--state", metavar="STATE", help="pending, done or failed.")
    ],
    summary: Summary = "",
    reference: Reference = "",
    server: Server = None,
) -> int:
    """Say how far provisioning a dataset at a site is."""
    from models import Evidence, NewProvisioningReport, ProvisioningState

    if state not in list(ProvisioningState):
        raise typer.BadParameter(f"one of {', '.join(ProvisioningState)}", param_hint="--state")
    said = NewProvisioningReport(
        decision=decision,
        site=site,
        state=ProvisioningState(state),
        evidence=Evidence(summary=summary, reference=reference),
    )
    with connected(server) as client:
        kept = client.report(dataset, said)
    emit(f"Report {kept.number}: {dataset} at {site} is {state}.\n".encode())
    return DONE


def observe(
    dataset: Dataset,
    found: Annotated[
        list[str] | None,
        typer.Option("--found", metavar="SITE", help="It is there; may be repeated."),
    ] = None,
    not_found: Annotated[
        list[str] | None,
        typer.Option("--not-found", metavar="SITE", help="It is not there; may be repeated."),
    ] = None,
    summary: Summary = "",
    reference: Reference = "",
    server: Server = None,
) -> int:
    """Say where a dataset was found. Exit 1: that is not where it was decided to be."""
    from models import Evidence, NewObservation

    seen = NewObservation(
        found=tuple(found or ()),
        looked_at=tuple(not_found or ()),
        evidence=Evidence(summary=summary, reference=reference),
    )
    with connected(server) as client:
        kept = client.observe(dataset, seen)
        drift = client.placement(dataset).actual.drift
    emit(f"Observation {kept.number} of {dataset} is kept.\n".encode())
    for sentence in drift:
        emit(f"Not as decided: {sentence}.\n".encode())
    return 1 if drift else DONE
