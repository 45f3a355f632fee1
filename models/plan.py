"""A plan: a complete set of placements with its proof, as it is written to a file."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from models.base import Frozen, Identifier, Title
from models.catalog import Catalog
from models.dataset import EffectiveClass
from models.parameters import Parameters
from models.site import SiteRegister
from models.solution import FlowPrice, RowPrice, SeparationPrice, SolverReport, Termination
from models.verdict import EligibilityTable

Cents = Annotated[Decimal, Field(decimal_places=2, max_digits=40)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Costs(Frozen):
    """Components of the objective, EUR a year, each rounded half-even to cents.

    With x the replicas' sites, v volume_gb, n replicas, p the site's price for the dataset's
    storage kind, g the site's egress price:

    - storage: sum of 12 v p
    - handling: sum of 12 times the site's handling price
    - delivery: sum of 12 monthly_egress_gb g / n
    - reading: sum of 12 monthly_read_gb g r / n, with r the share of the dataset's reader roles
      that have no workplace at a site of the same operator (1 where no reader is named)
    - lineage: for each flow and each site of the derived dataset, 12 monthly_transfer_gb times
      the least egress price among the source's sites, 0 where one has the same operator
    - migration: for each replica at a site that holds none today (none without a current
      site): (v (migration_eur_per_gb + g of the current site, 0 within one operator)
      + migration_eur_per_dataset) / amortisation_years
    - preference: sum of the penalties of the preferences that are not met; not money spent
    """

    storage: Cents
    handling: Cents
    delivery: Cents
    reading: Cents
    lineage: Cents
    migration: Cents
    preference: Cents


class Placement(Frozen):
    """Where one dataset rests."""

    dataset: Identifier
    sites: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """Sorted site ids, as many as replicas."""
    profile: int
    """Row of the eligibility table that holds its verdicts."""
    cost_eur_per_year: Costs
    """The dataset's own share; lineage is counted with the derived dataset."""


class Check(Frozen):
    """One thing the certificate looked at."""

    name: str
    """Constraint, obligation or statement, such as capacity or objective."""
    holds: bool
    checked: int
    """How many instances were looked at."""
    failures: tuple[str, ...] = ()
    """What does not hold and by how much, naming datasets and sites."""


class Certificate(Frozen):
    """The solver-free re-check of a plan."""

    checks: tuple[Check, ...]
    objective_eur: Cents
    """Exact cost of the placements, rounded to cents."""
    price_bound_eur: Cents
    """No plan costs less: re-computed from the prices alone, in exact fractions."""
    price_gap: Annotated[Decimal, Field(max_digits=40)]
    """(objective - price bound) / objective, rounded up to nine decimals: proven without a
    solver."""

    @property
    def holds(self) -> bool:
        """Every check holds."""
        return all(check.holds for check in self.checks)


class Digests(Frozen):
    """SHA-256 of the canonical JSON of what was decided on."""

    catalog: Sha256
    sites: Sha256
    parameters: Sha256
    policies: Sha256


class Versions(Frozen):
    """What made the plan."""

    placement: str
    python: str
    opa: str
    pulp: str
    highs: str


class Inputs(Frozen):
    """The inputs themselves, in native form: a plan can be explained and replayed by itself."""

    catalog: Catalog
    sites: SiteRegister


class Plan(Frozen):
    """The plan file, format placement-plan/1."""

    format: Annotated[str, Field(pattern=r"^placement-plan/1$")] = "placement-plan/1"
    municipality: Title
    created_at: datetime
    placements: tuple[Placement, ...]
    """One for each dataset, in catalogue order."""
    costs_eur_per_year: Costs
    objective_eur: Cents
    dual_bound_eur: Cents
    """Proven by the solver, rounded down to cents."""
    gap: Annotated[Decimal, Field(max_digits=40)]
    """(objective - dual bound) / objective, rounded up to nine decimals."""
    termination: Termination
    solver: SolverReport
    prices: tuple[RowPrice, ...]
    flow_prices: tuple[FlowPrice, ...]
    separation_prices: Annotated[
        tuple[SeparationPrice, ...], Field(exclude_if=lambda prices: not prices)
    ] = ()
    """Left out where there are none, as in plans of before: their digests hold."""
    certificate: Certificate
    effective: tuple[EffectiveClass, ...]
    eligibility: EligibilityTable
    parameters: Parameters
    inputs: Inputs
    digests: Digests
    versions: Versions
    digest: Sha256
    """SHA-256 of the canonical JSON of everything else in the file."""
