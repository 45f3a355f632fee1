"""One byte form for each value, so that equal inputs have equal digests.

JSON with sorted keys and no blanks; decimals without trailing zeros, so that 1.50 and 1.5 are
the same price; dates as ISO 8601.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

from models.base import Frozen


def canonical_json(value: Any) -> bytes:
    """The canonical UTF-8 JSON of a model, or of plain data.

    Raises
    ------
    TypeError, ValueError
        For values JSON has no exact form for, NaN among them.
    """
    plain = value.model_dump() if isinstance(value, Frozen) else value
    text = json.dumps(
        plain,
        default=_plain,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text.encode()


def sha256_of(value: Any) -> str:
    """Hexadecimal SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def decimal_text(value: Decimal) -> str:
    """Shortest plain notation of an exact decimal: 0.10 is 0.1, 1E+2 is 100."""
    if value == 0:
        return "0"  # also 0E-999999999, which has a billion digits in plain notation
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, date):  # a datetime is a date, too
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Frozen):
        return value.model_dump()
    raise TypeError(f"no canonical form for {type(value).__name__}")
