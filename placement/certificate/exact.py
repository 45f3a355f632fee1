"""Exact numbers: fractions in, cents and nine-decimal gaps out, with the direction stated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

CENT = Fraction(1, 100)
RELATIVE_TOLERANCE = Fraction(1, 1_000_000)
"""Solvers add up floats; this much of the exact objective is what they may be off."""

MOST_DIGITS = 60
"""Digits, before or behind the point, beyond which a number is refused rather than computed."""


def exact(value: float | Decimal | int | Fraction) -> Fraction | None:
    """The value itself as a fraction; none for NaN, infinities and absurdly long numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Decimal) and not _reasonable(value):
        return None
    return Fraction(value) if value else Fraction(0)


def _reasonable(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):  # NaN and the infinities have a letter there
        return False
    return value == 0 or (exponent >= -MOST_DIGITS and value.adjusted() <= MOST_DIGITS)


def common_denominator(values: Iterable[Fraction]) -> int:
    """The smallest whole number that makes every value whole."""
    return math.lcm(1, *{value.denominator for value in values})


def whole(value: Fraction) -> int:
    """A value that is known to be whole, as an integer.

    Raises
    ------
    ValueError
        When it is not: a unit was chosen too coarse, and rounding would hide it.
    """
    if value.denominator != 1:
        raise ValueError(f"{value} is not whole")
    return value.numerator


def cents(value: Fraction) -> Decimal:
    """EUR rounded half-even to cents."""
    return _cents(round(value / CENT))


def cents_below(value: Fraction) -> Decimal:
    """EUR rounded down to cents: what is proven as a lower bound stays one."""
    return _cents(math.floor(value / CENT))


def _cents(count: int) -> Decimal:
    return Decimal(count).scaleb(-2)


def relative_gap(objective: Fraction | Decimal, bound: Fraction | Decimal) -> Decimal:
    """(objective - bound) / objective, rounded up to nine decimals, never negative.

    It is 0 where the objective is 0. The plan file states the gap of its own two amounts in
    cents, so that any reader can compute it again.
    """
    if objective == 0:
        return Decimal(0)
    ratio = (Fraction(objective) - Fraction(bound)) / Fraction(objective)
    billionths = math.ceil(ratio * 10**9)
    return Decimal(billionths).scaleb(-9) if billionths > 0 else Decimal(0)


def stated_bound(
    dual_bound: Fraction | Decimal | float, price_bound_eur: Decimal, objective_eur: Decimal
) -> Decimal:
    """The bound a plan file states, EUR a year in cents.

    The solver's bound rounded down to cents, but not below what the prices prove, and not above
    the objective, where float noise may put it.
    """
    return min(max(cents_below(Fraction(dual_bound)), price_bound_eur), objective_eur)


def tolerance_eur(objective: Fraction) -> Fraction:
    """How far a solver's sum may be from the exact one: 1e-6 of it, or one cent."""
    return max(CENT, RELATIVE_TOLERANCE * abs(objective))
