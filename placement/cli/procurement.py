"""Commands on contracts: what they must say, and which of them do not."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from placement.cli.options import (
    OUTPUT,
    CatalogFormat,
    CatalogFormatOption,
    CatalogPath,
    CurrentPlan,
    Format,
    FormatOption,
    ParametersFile,
    PoliciesFolder,
    Quiet,
    SitesFormat,
    SitesFormatOption,
    SitesPath,
)
from placement.cli.output import emit
from placement.cli.progress import reporting
from placement.cli.remote import Server, chosen_server, connected, require_files

SOUND = 0
MISSED = 1
LONGEST_DAYS = 3650

procurement = typer.Typer(
    name="procurement",
    no_args_is_help=True,
    help="Contracts: what the policies ask them to say, and which of the city's do not say it.",
)


class ClausesFormat(StrEnum):
    """How a checklist is written."""

    MARKDOWN = "md"
    JSON = "json"


@procurement.command()
def clauses(
    policies: PoliciesFolder = None,
    format: Annotated[  # noqa: A002
        ClausesFormat,
        typer.Option("--format", rich_help_panel=OUTPUT, help="A document, or data."),
    ] = ClausesFormat.MARKDOWN,
    server: Server = None,
) -> int:
    """The clauses that a tender needs, made from the rules of the policies: a checklist.

    A rule that a city adds to its policies is in it as soon as its METADATA states a clause.
    """
    from placement.cli.views import procurement as views

    url = chosen_server(server, policies=policies)
    if url is not None:
        with connected(url) as client:
            found = client.procurement.clauses()
    else:
        from placement.service.procurement import checklist
        from placement.settings import read_settings

        found = checklist(policies, read_settings())
    emit(views.render_clauses(found, markdown=format is ClausesFormat.MARKDOWN))
    return SOUND


@procurement.command()
def report(
    catalog: CatalogPath = None,
    sites: SitesPath = None,
    format_catalog: CatalogFormatOption = CatalogFormat.NATIVE,
    format_sites: SitesFormatOption = SitesFormat.NATIVE,
    parameters: ParametersFile = None,
    policies: PoliciesFolder = None,
    current: CurrentPlan = None,
    ending_within: Annotated[
        int | None,
        typer.Option(
            "--ending-within",
            metavar="DAYS",
            min=0,
            max=LONGEST_DAYS,
            help="List contracts that end so soon. Default: half a year.",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
    server: Server = None,
) -> int:
    """Every contract that misses a clause, and the datasets it endangers, derived ones included.

    Exit 1: some contract misses a clause.
    """
    from placement.cli.views import procurement as views
    from placement.service.procurement import ENDING_WITHIN_DAYS
    from placement.service.procurement import report as report_of

    days = ENDING_WITHIN_DAYS if ending_within is None else ending_within
    url = chosen_server(
        server,
        catalog=catalog,
        sites=sites,
        format_catalog=format_catalog is not CatalogFormat.NATIVE,
        format_sites=format_sites is not SitesFormat.NATIVE,
        parameters=parameters,
        policies=policies,
        current=current,
    )
    if url is not None:
        with connected(url) as client:
            found = client.procurement.report(days)
    else:
        catalog, sites = require_files(catalog, sites)
        if format_catalog is CatalogFormat.COLUMNS:
            raise typer.BadParameter(
                "a catalogue in columns knows no contracts in words", param_hint="--format-catalog"
            )
        from placement.service import Request
        from placement.settings import read_settings

        request = Request(
            catalog=catalog,
            sites=sites,
            catalog_format=format_catalog.value,
            sites_format=format_sites.value,
            parameters=parameters,
            policies=policies,
            current=current,
        )
        with reporting(quiet=quiet) as progress:
            found = report_of(request, read_settings(), progress, ending_within_days=days)
    emit(views.render_report(found, format))
    return MISSED if found.missed else SOUND
