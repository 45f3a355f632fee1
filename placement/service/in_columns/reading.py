"""Reading a catalogue folder, a register and parameters, and what follows from them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from models import Parameters, SiteRegister
from models.columns import CatalogColumns, FactColumns
from placement.catalog import SitesFormat, load_parameters, load_register
from placement.catalog.columns import check_columns_references, load_catalog_columns
from placement.errors import BadInput, Defect
from placement.graph.columns import derive_fact_columns
from placement.reading import Request, overridden
from placement.steps import Report, Step


@dataclass
class Phases:
    """Seconds by phase, in the order in which they were entered."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Add the time spent inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


@dataclass(frozen=True)
class ColumnReading:
    """Inputs that were read and fit together, and what follows from them."""

    columns: CatalogColumns
    register: SiteRegister
    parameters: Parameters
    facts: FactColumns


def read_columns(
    request: Request,
    progress: Report,
    phases: Phases | None = None,
    plan: Parameters | None = None,
) -> ColumnReading:
    """Read a catalogue folder, a register and parameters, and derive what follows.

    Raises
    ------
    BadInput
    """
    phases = Phases() if phases is None else phases
    if request.current is not None:
        raise BadInput(
            [
                Defect(
                    str(request.current), "", "", "a catalogue folder says itself what rests where"
                )
            ]
        )
    progress(Step("read", "reading the catalogue, the sites and the parameters"))
    with phases.of("read"):
        register = load_register(request.sites, _sites_format(request))
        parameters = overridden(_parameters(request, plan), request, plan)
        columns = load_catalog_columns(request.catalog)
        check_columns_references(
            columns,
            register,
            catalog_file=str(request.catalog),
            register_file=str(request.sites),
        )
    with phases.of("facts"):
        facts = derive_fact_columns(columns, parameters)
    return ColumnReading(columns, register, parameters, facts)


def _sites_format(request: Request) -> SitesFormat:
    return cast("SitesFormat", request.sites_format)


def _parameters(request: Request, plan: Parameters | None) -> Parameters:
    if plan is not None and request.parameters is None:
        return plan
    return load_parameters(request.parameters)
