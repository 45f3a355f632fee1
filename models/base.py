"""Building bricks shared by every model: a frozen base and the checked scalar types.

Everything in this package is immutable, refuses unknown fields, and refuses the values that
JSON readers let through by accident: NaN, infinities, booleans for numbers, floats for money.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Frozen(BaseModel):
    """A value object: immutable, no unknown fields, no NaN, no infinity."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        str_strip_whitespace=True,
        use_attribute_docstrings=True,
    )


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(  # noqa: TRY004  pydantic reports only ValueError as a defect of the field
            "a number is expected, not true or false"
        )
    return value


def _exact_decimal(value: Any) -> Any:
    """Floats become the decimal a person wrote (0.1 is 0.1), never their binary expansion."""
    if isinstance(value, float):
        return Decimal(repr(value))
    return _no_bool(value)


def _no_timestamp(value: Any) -> Any:
    if isinstance(value, int | float | Decimal):
        raise ValueError("a day such as 2026-12-31 is expected")  # noqa: TRY004
    return value


Flag = Annotated[bool, Field(strict=True)]
"""True or false; never "yes", "0" or 1."""

Day = Annotated[date, BeforeValidator(_no_timestamp)]
"""A calendar day in ISO 8601; never a count of seconds."""

Identifier = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=200),
]
"""A stable name: letters, digits and . _ : / - ; it starts with a letter or a digit."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=500)]

CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2, upper case."""

WholeGb = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=10**12, strict=True)]
"""A volume in whole gigabytes (10^9 bytes), rounded up: whole numbers add up exactly."""

MonthlyGb = Annotated[
    Decimal, BeforeValidator(_exact_decimal), Field(ge=0, le=10**12, decimal_places=6)
]
"""Gigabytes a month; at most six decimals."""

Eur = Annotated[Decimal, BeforeValidator(_exact_decimal), Field(ge=0, le=10**12, decimal_places=9)]
"""Euro, or euro per unit where the name says so; exact decimal, at most nine decimals."""

Share = Annotated[Decimal, BeforeValidator(_exact_decimal), Field(ge=0, le=1, decimal_places=9)]
"""A share between 0 and 1."""

WholeDays = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=36_500, strict=True)]
Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=10**9, strict=True)]
