"""The arguments and options that commands share."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How an answer is written to standard output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class CatalogFormat(StrEnum):
    """How a catalogue is written."""

    NATIVE = "native"
    AMSTERDAM_SCHEMA = "amsterdam-schema"
    DCAT_AP = "dcat-ap"
    CKAN = "ckan"
    """What its API answers: packages in JSON."""
    MOBILITY = "mobility"
    """A folder with an operator's MDS and GBFS files and the city's agreement."""
    COLUMNS = "columns"
    """A folder of Parquet or JSON lines, for up to millions of datasets."""


class SitesFormat(StrEnum):
    """How a sites register is written."""

    NATIVE = "native"
    EU_CLOUD_PRICES = "eu-cloud-prices"


class ImportKind(StrEnum):
    """What can be imported."""

    AMSTERDAM_SCHEMA = "amsterdam-schema"
    DCAT_AP = "dcat-ap"
    CKAN = "ckan"
    MOBILITY = "mobility"
    EU_CLOUD_PRICES = "eu-cloud-prices"
    CATALOG = "catalog"
    """A native catalogue, for a service."""
    SITES = "sites"
    """Native sites, for a service."""


class Document(StrEnum):
    """A file with a published schema."""

    PLAN = "plan"
    CATALOG = "catalog"
    SITES = "sites"
    PARAMETERS = "parameters"


def share(text: str) -> Decimal:
    """Read a share: 0.001 or 0.1%."""
    try:
        value = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        value = Decimal("NaN")
    value = value / 100 if text.endswith("%") else value
    if not value.is_finite() or not 0 <= value <= 1:
        raise typer.BadParameter("a share from 0 to 1 is expected, such as 0.001 or 0.1%")
    return value


INPUT = "Input"
OUTPUT = "Output"
LIMITS = "Limits"

PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="Plan file, as `decide --out` wrote it.")
]
CatalogPath = Annotated[
    Path | None,
    typer.Option(
        "--catalog", metavar="PATH", rich_help_panel=INPUT, help="The datasets: a file or folder."
    ),
]
SitesPath = Annotated[
    Path | None,
    typer.Option(
        "--sites", metavar="PATH", rich_help_panel=INPUT, help="The sites: a file or folder."
    ),
]
CatalogFormatOption = Annotated[
    CatalogFormat,
    typer.Option("--format-catalog", rich_help_panel=INPUT, help="How the catalogue is written."),
]
SitesFormatOption = Annotated[
    SitesFormat,
    typer.Option("--format-sites", rich_help_panel=INPUT, help="How the register is written."),
]
ParametersFile = Annotated[
    Path | None,
    typer.Option(
        "--parameters",
        metavar="FILE",
        rich_help_panel=INPUT,
        help="The city's choices: caps, budgets, cost factors. Default: the documented defaults.",
    ),
]
PoliciesFolder = Annotated[
    Path | None,
    typer.Option(
        "--policies",
        metavar="DIR",
        rich_help_panel=INPUT,
        help="Policy bundle. Default: PLACEMENT_POLICIES, else the shipped one.",
        show_default=False,
    ),
]
CurrentPlan = Annotated[
    Path | None,
    typer.Option(
        "--current",
        metavar="PLAN",
        rich_help_panel=INPUT,
        help="Plan whose placements are where the datasets rest today.",
    ),
]
TimeLimit = Annotated[
    int | None,
    typer.Option(
        "--time-limit",
        min=1,
        max=86_400,
        metavar="SECONDS",
        rich_help_panel=LIMITS,
        help="Seconds the solver may take. Default: as in the parameters.",
    ),
]
Gap = Annotated[
    Decimal | None,
    typer.Option(
        "--gap",
        parser=share,
        metavar="SHARE",
        rich_help_panel=LIMITS,
        help="How far from the proven bound is good enough: 0.001 or 0.1%. "
        "Default: as in the parameters.",
    ),
]
OutFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", rich_help_panel=OUTPUT, help="Also write the plan file."),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        rich_help_panel=OUTPUT,
        help="How to write the answer. With json, an error is one line of JSON on standard error.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel=OUTPUT, help="No progress on standard error."),
]
