"""What the certificate of columns answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from models import Certificate, Check, Costs
from placement.certificate.costs import ExactCosts
from placement.certificate.exact import cents, cents_below, relative_gap


@dataclass(frozen=True)
class RowTotal:
    """A coupling row under the plan, in the unit of its price: GB, replicas, EUR or moves."""

    load: Fraction
    limit: Fraction


@dataclass(frozen=True)
class ColumnCertificate:
    """The solver-free re-check of a plan in columns. Amounts are EUR a year."""

    checks: tuple[Check, ...]
    exact: ExactCosts
    """Components of the objective, without rounding."""
    price_bound: Fraction
    """No plan costs less."""
    tolerance: Fraction
    """The bound that the prices prove in exact numbers is at most this much above `price_bound`.
    The objective and the totals of rows are exact."""
    rows: Mapping[str, RowTotal]
    """Every coupling row, by name."""

    @property
    def holds(self) -> bool:
        """Every check holds."""
        return all(check.holds for check in self.checks)

    @property
    def objective(self) -> Fraction:
        """Exact cost of the plan."""
        return self.exact.objective

    @property
    def objective_cents(self) -> int:
        """Half-even."""
        return round(self.objective * 100)

    @property
    def price_bound_cents(self) -> int:
        """Rounded down."""
        return int(self.price_bound * 100 // 1)

    @property
    def costs(self) -> Costs:
        """Components half-even to cents."""
        return self.exact.rounded()

    @property
    def price_gap(self) -> Decimal:
        """(objective - price bound) / objective, rounded up to nine decimals."""
        return relative_gap(self.objective, self.price_bound)

    @property
    def certificate(self) -> Certificate:
        """As a plan states it."""
        return Certificate(
            checks=self.checks,
            objective_eur=cents(self.objective),
            price_bound_eur=cents_below(self.price_bound),
            price_gap=self.price_gap,
        )
