"""Values as people read them. Whatever comes from a file is shown, never obeyed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

# Marks that reorder the text around them: a title could make a line read as something else.
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def shown(value: object) -> str:
    """The text on one line, with escape sequences for characters that would drive a terminal."""
    return "".join(_visible(char) for char in str(value))


def _visible(char: str) -> str:
    if char in "\n\r\t":
        return " "
    if char in _REORDERING or unicodedata.category(char) in _HIDDEN:
        return char.encode("unicode_escape", "backslashreplace").decode("ascii")
    return char


def eur(amount: Decimal) -> str:
    """Euro and cents: 1,234.50."""
    return f"{amount:,.2f}"


def whole(amount: Decimal | int) -> str:
    """A whole number with thousands separators."""
    return f"{amount:,.0f}"


def percent(share: Decimal) -> str:
    """A share in percent, rounded up to four decimals: a gap is never shown too small."""
    text = f"{(share * 100).quantize(Decimal('0.0001'), ROUND_CEILING):f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 dataset, 2 datasets."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Iterable[str]) -> str:
    """Names with commas between them."""
    return ", ".join(names)
