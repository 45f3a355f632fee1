"""The city's choices for a decision, in one typed file.

Policy thresholds are not here: they stand in the policies' own data.json.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from models.base import Count, Day, Eur, Frozen, Share
from models.levels import ClassificationLevel, Level


class Parameters(Frozen):
    """Every field has a default; a decision stores the values it used."""

    as_of: Day | None = None
    """The day policies are judged for (validity of certifications). Default: today."""

    gap: Share = Decimal("0.001")
    """Largest (objective - dual bound) / objective that counts as decided."""
    time_limit_s: Annotated[int, Field(ge=1, le=86_400, strict=True)] = 120
    """Seconds the solver may take."""

    critical_level: ClassificationLevel = Level.HIGH
    """Datasets whose availability is at least this are critical."""
    operator_volume_share_max: Share = Decimal("0.5")
    """[concentration_volume] largest share of all placed GB with one non-municipal operator."""
    operator_critical_share_max: Share = Decimal("0.5")
    """[concentration_critical] largest share of critical placements with one such operator."""
    closed_stack_share_max: Share = Decimal("0.3")
    """[closed_stack] largest share of all placed GB that rests on closed stacks."""
    alternatives_min: Count = 2
    """[alternatives] eligible operators besides the chosen one that a critical dataset needs."""
    exit_budget_eur: Eur | None = None
    """[exit_budget] most that leaving every non-municipal site may cost; none: no limit."""
    moves_max: Count | None = None
    """[moves] most datasets that may leave their current site; none: no limit."""

    amortisation_years: Annotated[int, Field(ge=1, le=50, strict=True)] = 5
    """Years over which the one-off cost of a move is spread."""
    migration_eur_per_gb: Eur = Decimal("0.02")
    """Work of moving a gigabyte, on top of the egress price of the site it leaves."""
    migration_eur_per_dataset: Eur = Decimal(250)
    """Work of moving one dataset, whatever its volume."""
    closed_rework_eur_per_dataset: Eur = Decimal(5000)
    """Exit cost of a dataset that rests on a closed stack: it has to be rebuilt elsewhere."""
    cumulation_datasets_min: Count = 5
    """Personal datasets of one level that, used together, raise each other by one level."""
