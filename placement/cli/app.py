"""The `placement` command and its sub-commands. Each calls one use case and renders its answer.

Services and models are imported when a command runs: help needs none of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from placement import __version__
from placement.cli import serving
from placement.cli.options import (
    CatalogFormat,
    CatalogFormatOption,
    CatalogPath,
    CurrentPlan,
    Document,
    Format,
    FormatOption,
    Gap,
    ImportKind,
    OutFile,
    ParametersFile,
    PlanFile,
    PoliciesFolder,
    Quiet,
    SitesFormat,
    SitesFormatOption,
    SitesPath,
    TimeLimit,
)
from placement.cli.outcome import Commands
from placement.cli.output import check_target, emit, file_bytes, staged
from placement.cli.progress import note, reporting

DECIDED = 0
NO_PLAN = 1
FAULT_FOUND = 1
SERVICE = "Service"

app = typer.Typer(
    name="placement",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Decides where each of a city's datasets should live, cloud or on-premise, and proves it.",
    epilog="Exit codes: 0 answered; 1 no plan, or a fault found; 2 bad input; 3 policy engine; "
    "4 solver; 5 answer not stored; 70 internal error; 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        emit(f"placement {__version__}\n".encode())
        raise typer.Exit


@app.callback()
def placement(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Decides where each of a city's datasets should live, cloud or on-premise, and proves it."""


@app.command()
def decide(
    catalog: CatalogPath,
    sites: SitesPath,
    format_catalog: CatalogFormatOption = CatalogFormat.NATIVE,
    format_sites: SitesFormatOption = SitesFormat.NATIVE,
    parameters: ParametersFile = None,
    policies: PoliciesFolder = None,
    current: CurrentPlan = None,
    time_limit: TimeLimit = None,
    gap: Gap = None,
    out: OutFile = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """Decide where every dataset should live: a certified plan, or why there is none.

    Exit 1: a dataset has no eligible site, or no plan meets all constraints. No file is written.
    """
    if out:
        check_target(out, inputs=(catalog, sites, parameters))

    from models import Decided
    from placement import service
    from placement.cli.views import no_plan, plan
    from placement.settings import read_settings

    request = service.Request(
        catalog=catalog,
        sites=sites,
        catalog_format=format_catalog.value,
        sites_format=format_sites.value,
        parameters=parameters,
        policies=policies,
        current=current,
        time_limit_s=time_limit,
        gap=gap,
    )
    with reporting(quiet=quiet) as progress:
        decision = service.decide(request, read_settings(), progress)
    if not isinstance(decision, Decided):
        emit(no_plan.render(decision, format))
        return NO_PLAN
    if out is None:
        emit(plan.render(decision.plan, format, lambda: file_bytes(decision.plan)))
        return DECIDED
    with staged(decision.plan, out) as content:
        emit(plan.render(decision.plan, format, lambda: content))
    note(f"plan written to {out}", quiet=quiet)
    return DECIDED


@app.command()
def check(
    catalog: CatalogPath,
    sites: SitesPath,
    format_catalog: CatalogFormatOption = CatalogFormat.NATIVE,
    format_sites: SitesFormatOption = SitesFormat.NATIVE,
    parameters: ParametersFile = None,
    policies: PoliciesFolder = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """Ask the policies alone: which dataset may rest at which site, and what rules out the rest.

    Exit 1: some dataset has no eligible site.
    """
    from placement import service
    from placement.cli.views import eligibility
    from placement.settings import read_settings

    request = service.Request(
        catalog=catalog,
        sites=sites,
        catalog_format=format_catalog.value,
        sites_format=format_sites.value,
        parameters=parameters,
        policies=policies,
    )
    with reporting(quiet=quiet) as progress:
        report = service.check(request, read_settings(), progress)
    emit(eligibility.render(report, format))
    return NO_PLAN if report.unplaceable else DECIDED


@app.command()
def verify(
    plan: PlanFile,
    catalog: CatalogPath,
    sites: SitesPath,
    format_catalog: CatalogFormatOption = CatalogFormat.NATIVE,
    format_sites: SitesFormatOption = SitesFormat.NATIVE,
    parameters: ParametersFile = None,
    policies: PoliciesFolder = None,
    current: CurrentPlan = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """Check a plan file again from the inputs themselves, without the solver.

    Exit 1: something does not hold. Without --parameters, those of the plan are not judged.
    """
    from placement import service
    from placement.cli.views import certificate
    from placement.settings import read_settings

    request = service.Request(
        catalog=catalog,
        sites=sites,
        catalog_format=format_catalog.value,
        sites_format=format_sites.value,
        parameters=parameters,
        policies=policies,
        current=current,
    )
    with reporting(quiet=quiet) as progress:
        proof = service.verify(plan, request, read_settings(), progress)
    emit(certificate.render(proof, format))
    return DECIDED if proof.holds else FAULT_FOUND


@app.command()
def explain(
    plan: PlanFile,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Id of a dataset.")],
    site: Annotated[
        str | None, typer.Option("--site", metavar="SITE", help="Ask about this site only.")
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
) -> int:
    """Explain why a dataset rests where it does, and why not elsewhere, or at what price."""
    from placement import service
    from placement.cli.views import explanation

    with reporting(quiet=quiet) as progress:
        answer = service.explain(service.read_plan(plan), dataset, site, progress)
    emit(explanation.render(answer, format))
    return DECIDED


@app.command("import")
def import_(
    kind: Annotated[ImportKind, typer.Argument(help="How the source is written.")],
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The file or folder to read.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Native file to write.")],
) -> int:
    """Turn another format into a native file, and list everything that had to be assumed."""
    check_target(out, inputs=(source,))

    from placement import service
    from placement.cli.views import imported

    assumptions = service.import_file(kind.value, source, out)
    emit(imported.render(out, assumptions))
    return DECIDED


for command in (serving.serve, serving.worker, serving.setup, serving.token, serving.health):
    app.command(rich_help_panel=SERVICE)(command)


@app.command()
def schema(
    document: Annotated[Document, typer.Argument(help="The file to describe.")],
) -> int:
    """Print the JSON Schema of a file that placement reads or writes."""
    from placement.cli.views import schemas

    emit(schemas.render(document))
    return DECIDED
