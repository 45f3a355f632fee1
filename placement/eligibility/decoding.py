"""JSON read strictly: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any


def strict_json(body: bytes) -> Any:
    """Decode one JSON document.

    Raises
    ------
    ValueError
        For a repeated key, NaN or an infinity, bytes that are not UTF-8, a byte order mark,
        anything after the document, or nesting deeper than the interpreter takes.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_distinct,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated[:80]!r} is repeated")
    return decoded


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number
