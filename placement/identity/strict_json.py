"""JSON objects read strictly: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any


def strict_object(body: bytes) -> dict[str, Any]:
    """Decode one JSON object.

    Raises
    ------
    ValueError
        For a repeated key at any depth, NaN or an infinity, bytes that are not UTF-8, a byte order
        mark, anything after the document, nesting deeper than the interpreter takes, and for
        anything but an object.
    """
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_distinct,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004  one kind of error for one reader
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        raise ValueError("a key is repeated")
    return decoded


def _no_constant(_text: str) -> float:
    raise ValueError("not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
