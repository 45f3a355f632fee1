"""Commands on contracts: what they must say, and which of them do not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from models.procurement import ProcurementReport
    from placement.service import Request

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

    files = _Files(catalog, sites, format_catalog, format_sites, parameters, policies, current)
    url = chosen_server(server, **files.given)
    found = _here(files, ending_within, quiet=quiet) if url is None else _there(url, ending_within)
    emit(views.render_report(found, format))
    return MISSED if found.missed else SOUND


@dataclass(frozen=True)
class _Files:
    """The city's files, where they are given."""

    catalog: Path | None
    sites: Path | None
    format_catalog: CatalogFormat
    format_sites: SitesFormat
    parameters: Path | None
    policies: Path | None
    current: Path | None

    @property
    def given(self) -> dict[str, bool]:
        """Which options of these were used."""
        return {
            "catalog": self.catalog is not None,
            "sites": self.sites is not None,
            "format_catalog": self.format_catalog is not CatalogFormat.NATIVE,
            "format_sites": self.format_sites is not SitesFormat.NATIVE,
            "parameters": self.parameters is not None,
            "policies": self.policies is not None,
            "current": self.current is not None,
        }

    def request(self) -> Request:
        """What the use case is asked. Raises typer.BadParameter where a file is missing."""
        catalog, sites = require_files(self.catalog, self.sites)
        if self.format_catalog is CatalogFormat.COLUMNS:
            raise typer.BadParameter(
                "contracts of a catalogue in columns are not reported on",
                param_hint="--format-catalog",
            )
        from placement.service import Request

        return Request(
            catalog=catalog,
            sites=sites,
            catalog_format=self.format_catalog.value,
            sites_format=self.format_sites.value,
            parameters=self.parameters,
            policies=self.policies,
            current=self.current,
        )


def _here(files: _Files, days: int | None, *, quiet: bool) -> ProcurementReport:
    """The report on files."""
    request = files.request()
    from placement.service.procurement import ENDING_WITHIN_DAYS
    from placement.service.procurement import report as report_on_files
    from placement.settings import read_settings

    within = ENDING_WITHIN_DAYS if days is None else days
    with reporting(quiet=quiet) as progress:
        return report_on_files(request, read_settings(), progress, ending_within_days=within)


def _there(url: str, days: int | None) -> ProcurementReport:
    """The report of a service on its own records."""
    with connected(url) as client:
        return client.procurement.report(days)
