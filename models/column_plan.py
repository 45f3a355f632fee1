"""A plan of columns: the header of a plan file that holds millions of placements.

The placements stand in the file's rows; this header says what they cost, how far they are
proven, and on what they were decided.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from models.base import Frozen, Identifier, Title
from models.columns import ProfileTable
from models.parameters import Parameters
from models.plan import Cents, Certificate, Costs, Digests, Sha256, Versions
from models.site import SiteRegister
from models.solution import RowPrice, SolverReport, Termination


class SiteTally(Frozen):
    """What rests at one site."""

    site: Identifier
    replicas: int
    volume_gb: int


class ColumnPlan(Frozen):
    """The header, format placement-plan-columns/1."""

    format: Annotated[str, Field(pattern=r"^placement-plan-columns/1$")] = (
        "placement-plan-columns/1"
    )
    municipality: Title
    created_at: datetime
    datasets: int
    """Rows of placements, in the order of ids."""
    sites: tuple[SiteTally, ...]
    """Every site of the register, in its order."""
    costs_eur_per_year: Costs
    objective_eur: Cents
    dual_bound_eur: Cents
    """Rounded down to cents."""
    gap: Annotated[Decimal, Field(max_digits=40)]
    """(objective - dual bound) / objective, rounded up to nine decimals."""
    termination: Termination
    solver: SolverReport
    prices: tuple[RowPrice, ...]
    certificate: Certificate
    eligibility: ProfileTable
    """Verdicts by profile; each row of the file names its profile."""
    parameters: Parameters
    site_register: SiteRegister
    placements_digest: Sha256
    """SHA-256 over dataset ids, sites, profiles and the prices of flows and separated pairs."""
    digests: Digests
    versions: Versions
    digest: Sha256
    """SHA-256 of the canonical JSON of everything else in the header."""
