"""From a request to inputs that were read, checked against each other, and joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar, cast

from models import Catalog, GraphFacts, Parameters, Plan, SiteRegister
from placement.catalog import (
    CatalogFormat,
    SitesFormat,
    check_references,
    load_catalog,
    load_parameters,
    load_plan,
    load_register,
)
from placement.errors import BadInput, Defect
from placement.graph import derive_facts
from placement.settings import Settings, shipped_policies
from placement.steps import Report, Step

_T = TypeVar("_T")


@dataclass(frozen=True)
class Request:
    """What to decide on, as files, and the choices that override the parameters file."""

    catalog: Path
    sites: Path
    catalog_format: str = "native"
    sites_format: str = "native"
    parameters: Path | None = None
    policies: Path | None = None
    current: Path | None = None
    """A plan whose placements are where datasets rest today."""
    time_limit_s: int | None = None
    gap: Decimal | None = None


@dataclass(frozen=True)
class Reading:
    """Inputs that were read and fit together, and what follows from them."""

    catalog: Catalog
    register: SiteRegister
    parameters: Parameters
    facts: GraphFacts


def read_inputs(request: Request, progress: Report, plan: Parameters | None = None) -> Reading:
    """Read and join everything a request names.

    Parameters
    ----------
    request
        The files and choices.
    progress
        Told once.
    plan
        The parameters of a plan to judge: they stand in where the request names no file, and
        give the day where the file names none.

    Raises
    ------
    BadInput
        With the defects of all files.
    """
    progress(Step("read", "reading the catalogue, the sites and the parameters"))
    catalog, register, parameters = _all_or_defects(
        lambda: load_catalog(request.catalog, cast("CatalogFormat", request.catalog_format)),
        lambda: load_register(request.sites, cast("SitesFormat", request.sites_format)),
        lambda: load_parameters(request.parameters),
    )
    if plan is not None and request.parameters is None:
        parameters = plan
    if request.current is not None:
        catalog = _resting_as_in(load_plan(request.current), catalog, str(request.current))
    return join(
        catalog,
        register,
        overridden(parameters, request, plan),
        catalog_name=str(request.catalog),
        register_name=str(request.sites),
    )


def policies_of(request: Request, settings: Settings) -> Path:
    """The folder of the policies to judge by."""
    return request.policies or settings.policies or shipped_policies()


def join(
    catalog: Catalog,
    register: SiteRegister,
    parameters: Parameters,
    *,
    catalog_name: str = "",
    register_name: str = "",
) -> Reading:
    """Inputs that fit together, with what follows from them.

    Parameters
    ----------
    catalog, register, parameters
        The inputs; without a day the parameters mean today.
    catalog_name, register_name
        What to call them in defects: a file, or nothing for the city's own records.

    Raises
    ------
    BadInput
        With every reference that leads nowhere, or every knot of derivations.
    """
    check_references(catalog, register, catalog_file=catalog_name, register_file=register_name)
    if parameters.as_of is None:
        parameters = parameters.model_copy(update={"as_of": datetime.now(UTC).date()})
    facts = _derived(catalog, parameters, catalog_name)
    return Reading(catalog, register, parameters, facts)


def _derived(catalog: Catalog, parameters: Parameters, file: str) -> GraphFacts:
    try:
        return derive_facts(catalog, parameters)
    except BadInput as error:  # the graph knows records, not files
        raise BadInput(
            [Defect(file, d.record, d.field, d.message) for d in error.defects]
        ) from None


def _all_or_defects(
    catalog: Callable[[], Catalog],
    register: Callable[[], SiteRegister],
    parameters: Callable[[], Parameters],
) -> tuple[Catalog, SiteRegister, Parameters]:
    """All three, or the defects of all three."""
    defects: list[Defect] = []

    def attempt(read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except BadInput as error:
            defects.extend(error.defects)
            return None

    found = attempt(catalog), attempt(register), attempt(parameters)
    if found[0] is None or found[1] is None or found[2] is None:
        raise BadInput(defects)
    return found[0], found[1], found[2]


def overridden(parameters: Parameters, request: Request, plan: Parameters | None) -> Parameters:
    """The parameters with a request's own choices, and with a day."""
    today = datetime.now(UTC).date()
    changes: dict[str, object] = {
        "as_of": parameters.as_of or (plan.as_of if plan else None) or today
    }
    if request.time_limit_s is not None:
        changes["time_limit_s"] = request.time_limit_s
    if request.gap is not None:
        changes["gap"] = request.gap
    return Parameters.model_validate(parameters.model_dump() | changes)


def _resting_as_in(plan: Plan, catalog: Catalog, file: str) -> Catalog:
    """The catalogue with the plan's placements as today's sites; other datasets stay new."""
    sites = {placed.dataset: placed.sites for placed in plan.placements}
    unknown = sorted(sites.keys() - {dataset.id for dataset in catalog.datasets})
    if unknown:
        raise BadInput(
            [Defect(file, f"dataset {name}", "", "not in the catalogue") for name in unknown]
        )
    return catalog.model_copy(
        update={
            "datasets": tuple(
                dataset.model_copy(
                    update={
                        "current_site": sites[dataset.id][0],
                        "further_current_sites": sites[dataset.id][1:],
                    }
                )
                if dataset.id in sites
                else dataset
                for dataset in catalog.datasets
            )
        }
    )
