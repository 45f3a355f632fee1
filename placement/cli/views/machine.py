"""JSON and CSV: always UTF-8, whatever the terminal's locale."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

from models import Frozen, decimal_text

# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection"); the last
# four are the full-width forms that some locales accept.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_json(value: Frozen | dict[str, Any]) -> bytes:
    """Indented JSON with a newline at the end; exact decimals as texts."""
    plain = value.model_dump() if isinstance(value, Frozen) else value
    text = json.dumps(plain, default=_plain, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Comma-separated values (RFC 4180) with a header; texts cannot be formulas."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue().encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case Enum():
            return str(value.value)
        case str():
            return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Frozen):
        return value.model_dump()
    raise TypeError(f"no JSON form for {type(value).__name__}")
