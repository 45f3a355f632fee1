"""What is claimed of a solution, what the certificate asks, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from models import (
    Certificate,
    EffectiveClass,
    EligibilityTable,
    FlowPrice,
    RowPrice,
    SeparationPrice,
    Solution,
)
from placement.certificate.costs import ExactCosts
from placement.errors import SolverError

Amount = float | Decimal


@dataclass(frozen=True)
class Claims:
    """A solution, and everything the solver says it stood on."""

    placements: tuple[tuple[str, tuple[str, ...]], ...]
    """(dataset, its sites), as claimed: nothing is taken for granted."""
    objective_eur: Amount
    dual_bound_eur: Amount
    gap: Amount
    prices: tuple[RowPrice, ...]
    flow_prices: tuple[FlowPrice, ...]
    eligibility: EligibilityTable
    """The table the solver worked on."""
    effective: tuple[EffectiveClass, ...]
    """The classes that table was asked for."""
    separation_prices: tuple[SeparationPrice, ...] = ()


def claims_of(
    solution: Solution, eligibility: EligibilityTable, effective: tuple[EffectiveClass, ...]
) -> Claims:
    """The claims a solver's answer makes about a plan.

    Raises
    ------
    SolverError
        When the solution holds no plan, or no objective, bound or gap for it.
    """
    amounts = (solution.objective_eur, solution.dual_bound_eur, solution.gap)
    objective, dual_bound, gap = amounts
    if objective is None or dual_bound is None or gap is None:
        raise SolverError("the solver gave a plan without an objective, a bound or a gap")
    if len(solution.placements) != len(eligibility.datasets):
        raise SolverError(
            f"the solver placed {len(solution.placements)} of {len(eligibility.datasets)} datasets"
        )
    return Claims(
        placements=tuple(zip(eligibility.datasets, solution.placements, strict=True)),
        objective_eur=objective,
        dual_bound_eur=dual_bound,
        gap=gap,
        prices=solution.prices,
        flow_prices=solution.flow_prices,
        separation_prices=solution.separation_prices,
        eligibility=eligibility,
        effective=effective,
    )


@dataclass(frozen=True)
class Certified:
    """The certificate with the exact numbers behind it, EUR a year."""

    certificate: Certificate
    costs: Mapping[str, ExactCosts]
    """For each dataset of the catalogue."""
    total: ExactCosts
    """Exact sums; rounded to cents they may differ from the sum of rounded shares."""
    price_bound: Fraction

    @property
    def objective(self) -> Fraction:
        """Exact cost of the placements, EUR a year."""
        return self.total.objective
