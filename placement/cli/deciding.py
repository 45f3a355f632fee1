"""Commands about plans: decide, check, verify, explain. From files, or by a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from placement.cli.options import (
    CatalogFormat,
    CatalogFormatOption,
    CatalogPath,
    CurrentPlan,
    Format,
    FormatOption,
    Gap,
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
from placement.cli.output import check_target, emit, file_bytes, staged
from placement.cli.progress import note, reporting
from placement.cli.remote import (
    Server,
    asked_parameters,
    chosen_server,
    connected,
    follow,
    require_files,
    told,
)

if TYPE_CHECKING:
    from models import Certificate, Decision
    from placement.service import Request

ANSWERED = 0
NO_PLAN = 1
FAULT_FOUND = 1


def decide(
    catalog: CatalogPath = None,
    sites: SitesPath = None,
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
    server: Server = None,
    title: Annotated[
        str | None,
        typer.Option(
            "--title", metavar="TEXT", rich_help_panel="Service", help="What the decision is for."
        ),
    ] = None,
) -> int:
    """Decide where every dataset should live: a certified plan, or why there is none.

    A service decides on its own records and proposes the plan to the board.
    Exit 1: a dataset has no eligible site, or no plan meets all constraints. No file is written.
    """
    if out:
        check_target(out, inputs=(catalog, sites, parameters))
    files = _Files(catalog, sites, format_catalog, format_sites)
    url = chosen_server(server, **files.given, policies=policies, current=current)
    if url is not None:
        answer = _decided_there(url, title, parameters, gap, time_limit, quiet=quiet)
        return show_answer(answer, out, format, quiet=quiet)
    if title:
        raise typer.BadParameter("titles are for decisions of a service", param_hint="--title")
    limits = {"time_limit_s": time_limit, "gap": gap}
    request = files.request(parameters=parameters, policies=policies, current=current, **limits)
    if files.in_columns:
        from placement.cli.columns import decide_columns

        return decide_columns(request, out, format, quiet=quiet)

    from placement import service
    from placement.settings import read_settings

    with reporting(quiet=quiet) as progress:
        answer = service.decide(request, read_settings(), progress)
    return show_answer(answer, out, format, quiet=quiet)


def check(
    catalog: CatalogPath = None,
    sites: SitesPath = None,
    format_catalog: CatalogFormatOption = CatalogFormat.NATIVE,
    format_sites: SitesFormatOption = SitesFormat.NATIVE,
    parameters: ParametersFile = None,
    policies: PoliciesFolder = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
    server: Server = None,
) -> int:
    """Ask the policies alone: which dataset may rest at which site, and what rules out the rest.

    Exit 1: some dataset has no eligible site.
    """
    from placement.cli.views import eligibility

    files = _Files(catalog, sites, format_catalog, format_sites)
    url = chosen_server(server, **files.given, parameters=parameters, policies=policies)
    if url is not None:
        with connected(url) as client:
            report = client.eligibility()
    else:
        request = files.request(parameters=parameters, policies=policies)
        if files.in_columns:
            raise typer.BadParameter(
                "a catalogue in columns is judged by decide", param_hint="--format-catalog"
            )

        from placement import service
        from placement.settings import read_settings

        with reporting(quiet=quiet) as progress:
            report = service.check(request, read_settings(), progress)
    emit(eligibility.render(report, format))
    return NO_PLAN if report.unplaceable else ANSWERED


def verify(
    plan: PlanFile,
    catalog: CatalogPath = None,
    sites: SitesPath = None,
    format_catalog: CatalogFormatOption = CatalogFormat.NATIVE,
    format_sites: SitesFormatOption = SitesFormat.NATIVE,
    parameters: ParametersFile = None,
    policies: PoliciesFolder = None,
    current: CurrentPlan = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
    server: Server = None,
) -> int:
    """Check a plan file again from the inputs themselves, without the solver.

    A service judges a plan that it recorded by what that was decided on, and any other by its
    present records. Exit 1: something does not hold. Without --parameters, those of the plan are
    not judged.
    """
    from placement.cli.views import certificate

    files = _Files(catalog, sites, format_catalog, format_sites)
    own = {"parameters": parameters, "policies": policies, "current": current}
    url = chosen_server(server, **files.given, **own)
    from placement import service

    if url is not None:
        from models import canonical_json

        with connected(url) as client:
            proof = client.verify(canonical_json(service.read_plan(plan)))
    else:
        request = files.request(**own)

        from placement.settings import read_settings

        with reporting(quiet=quiet) as progress:
            judge = columns_verifier() if files.in_columns else service.verify
            proof = judge(plan, request, read_settings(), progress)
    emit(certificate.render(proof, format))
    return ANSWERED if proof.holds else FAULT_FOUND


def explain(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[PLAN] DATASET",
            help="A plan file and the id of a dataset; of a service, the id alone.",
        ),
    ],
    site: Annotated[
        str | None, typer.Option("--site", metavar="SITE", help="Ask about this site only.")
    ] = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    quiet: Quiet = False,
    server: Server = None,
) -> int:
    """Explain why a dataset rests where it does, and why not elsewhere, or at what price.

    Of a plan file; or, by a service, of the plan that the board approved.
    """
    *plan, dataset = names
    if len(plan) > 1:
        raise typer.BadParameter(f"one plan and one dataset are expected, not {len(names)} names")
    if server and plan:
        raise typer.BadParameter(
            "a service explains the approved plan: name the dataset alone", param_hint="--server"
        )
    if not plan and chosen_server(server) is None:
        raise typer.BadParameter("a plan file and a dataset are expected, or a service: --server")

    from placement.cli.views import explanation

    if not plan:
        with connected(server) as client:
            answer = client.explanation(dataset, site)
    else:
        from placement import service

        with reporting(quiet=quiet) as progress:
            answer = service.explain(service.read_plan(Path(plan[0])), dataset, site, progress)
    emit(explanation.render(answer, format))
    return ANSWERED


@dataclass(frozen=True)
class _Files:
    """The city's files, where they are given."""

    catalog: Path | None
    sites: Path | None
    format_catalog: CatalogFormat
    format_sites: SitesFormat

    @property
    def given(self) -> dict[str, bool]:
        """Which options of these were used."""
        return {
            "catalog": self.catalog is not None,
            "sites": self.sites is not None,
            "format_catalog": self.format_catalog is not CatalogFormat.NATIVE,
            "format_sites": self.format_sites is not SitesFormat.NATIVE,
        }

    @property
    def in_columns(self) -> bool:
        """Whether the catalogue is a folder of columns."""
        return self.format_catalog is CatalogFormat.COLUMNS

    def request(self, **more: Any) -> Request:
        """What the use cases are asked. Raises typer.BadParameter where a file is missing."""
        catalog, sites = require_files(self.catalog, self.sites)

        from placement import service

        return service.Request(
            catalog=catalog,
            sites=sites,
            catalog_format=self.format_catalog.value,
            sites_format=self.format_sites.value,
            **more,
        )


def columns_verifier() -> Callable[..., Certificate]:
    """The use case that verifies plans of columns."""
    from placement.service import in_columns

    return in_columns.verify


def _decided_there(
    url: str,
    title: str | None,
    parameters: Path | None,
    gap: Decimal | None,
    time_limit: int | None,
    *,
    quiet: bool,
) -> Decision:
    """What a service decides; which decision that is, is said on standard error."""
    with connected(url) as client:
        asked = asked_parameters(client, parameters, gap, time_limit)
        result = follow(client, client.decide(title, asked), quiet=quiet)
        number = told(result, "decision")
        answer = client.answer(number)
    note(f"decision {number}: {told(result, 'state')}", quiet=False)
    return answer


def show_answer(answer: Decision, out: Path | None, form: Format, *, quiet: bool) -> int:
    """Print an answer; the plan's file appears whole, after it was printed."""
    from models import Decided
    from placement.cli.views import no_plan, plan

    if not isinstance(answer, Decided):
        emit(no_plan.render(answer, form))
        return NO_PLAN
    if out is None:
        emit(plan.render(answer.plan, form, lambda: file_bytes(answer.plan)))
        return ANSWERED
    with staged(answer.plan, out) as content:
        emit(plan.render(answer.plan, form, lambda: content))
    note(f"plan written to {out}", quiet=quiet)
    return ANSWERED
