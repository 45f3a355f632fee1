"""From pydantic's findings to defects a clerk can act on."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models import Frozen
from placement.catalog.places import Path, place_of, shown
from placement.errors import Defect

_UNITS = {
    "_eur_per_gb_month": "EUR per GB and month",
    "_eur_per_dataset_month": "EUR per dataset and month",
    "_eur_per_gb": "EUR per GB",
    "_eur_per_dataset": "EUR per dataset",
    "_eur": "EUR",
    "_gb": "GB",
    "_days": "days",
    "_years": "years",
    "_s": "seconds",
}
"""Suffixes of field names, longest first, and the unit they promise."""


def validation_defects(
    error: ValidationError, model: type[Frozen], document: Any, file: str
) -> list[Defect]:
    """All of pydantic's findings on a document, as defects of its file."""
    return [
        Defect(file, *place_of(document, finding["loc"]), _message(finding, model))
        for finding in error.errors(include_url=False)
    ]


def _message(finding: ErrorDetails, model: type[Frozen]) -> str:
    kind, value = finding["type"], finding["input"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown_field(finding["loc"], model)
    if kind == "union_tag_not_found":
        return "the kind of relation is missing"
    if kind == "union_tag_invalid":
        given = shown(finding["ctx"]["tag"])
        return f"{given} is no kind of relation: {finding['ctx']['expected_tags']}"
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind](finding)} is expected, not {shown(value)}"
    if kind in ("value_error", "assertion_error"):
        text = str(finding["ctx"]["error"]) if "ctx" in finding else finding["msg"]
        return text if isinstance(value, dict | list) else f"{text} (found {shown(value)})"
    return f"{finding['msg']} (found {shown(value)})"


def _unknown_field(loc: Path, model: type[Frozen]) -> str:
    owners = _models_at(model, loc[:-1])
    known = sorted({name for owner in owners for name in owner.model_fields})
    close = difflib.get_close_matches(str(loc[-1]), known, n=1)
    if close:
        return f"unknown field; did you mean {close[0]}?"
    return f"unknown field; known fields are {', '.join(known)}"


def _models_at(model: type[Frozen], loc: Path) -> list[type[Frozen]]:
    """The models that may stand at `loc`; a union's tag narrows them to one."""
    found = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        below = [m for f in found if part in f.model_fields for m in _inside(f.model_fields[part])]
        found = below or [m for m in found if _tag(m) == part] or found
    return found


def _tag(model: type[Frozen]) -> Any:
    return model.model_fields["kind"].default if "kind" in model.model_fields else None


def _inside(field: Any) -> Iterator[type[Frozen]]:
    """Every model named in an annotation, however deep in optionals, tuples and unions."""
    annotation = getattr(field, "annotation", field)
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _inside(argument)


def _unit(finding: ErrorDetails) -> str:
    names = [part for part in finding["loc"] if isinstance(part, str)]
    name = names[-1] if names else ""
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), None)
    return f" of {unit}" if unit else ""


def _whole(finding: ErrorDetails) -> str:
    return f"a whole number{_unit(finding)}"


def _number(finding: ErrorDetails) -> str:
    return f"a number{_unit(finding)}"


def _words(text: str) -> Callable[[ErrorDetails], str]:
    return lambda finding: text.format(**finding.get("ctx", {}))


def _choices(finding: ErrorDetails) -> str:
    expected = finding.get("ctx", {}).get("expected", "")
    return f"one of {expected}"


def _decimals(finding: ErrorDetails) -> str:
    return f"{_number(finding)} with at most {finding['ctx']['decimal_places']} decimals"


def _pattern(finding: ErrorDetails) -> str:
    pattern = finding["ctx"]["pattern"]
    return _PATTERNS.get(pattern, f"a text like {pattern}")


_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$": (
        "an id of letters, digits and . _ : / - that starts with a letter or a digit"
    ),
    r"^[A-Z]{2}$": "a country code of two capital letters (ISO 3166-1)",
    r"^placement-catalog/1$": 'the format "placement-catalog/1"',
    r"^placement-sites/1$": 'the format "placement-sites/1"',
    r"^placement-plan/1$": 'the format "placement-plan/1"',
    r"^[0-9a-f]{64}$": "a SHA-256 digest in hexadecimal",
}

_EXPECTED: dict[str, Callable[[ErrorDetails], str]] = {
    "string_type": _words("a text"),
    "string_too_short": _words("a text of at least {min_length} character(s)"),
    "string_too_long": _words("a text of at most {max_length} characters"),
    "string_pattern_mismatch": _pattern,
    "string_unicode": _words("a text of whole Unicode characters"),
    "enum": _choices,
    "literal_error": _choices,
    "int_type": _whole,
    "int_parsing": _whole,
    "int_from_float": _whole,
    "float_type": _number,
    "float_parsing": _number,
    "decimal_type": _number,
    "decimal_parsing": _number,
    "finite_number": lambda finding: f"a finite number{_unit(finding)}",
    "decimal_max_places": _decimals,
    "greater_than_equal": lambda finding: f"{_number(finding)} not below {finding['ctx']['ge']}",
    "less_than_equal": lambda finding: f"{_number(finding)} not above {finding['ctx']['le']}",
    "bool_type": _words("true or false"),
    "bool_parsing": _words("true or false"),
    "date_type": _words("a day such as 2026-12-31"),
    "date_parsing": _words("a day such as 2026-12-31"),
    "date_from_datetime_parsing": _words("a day such as 2026-12-31"),
    "date_from_datetime_inexact": _words("a day such as 2026-12-31"),
    "datetime_type": _words("a moment such as 2026-12-31T12:00:00Z"),
    "datetime_parsing": _words("a moment such as 2026-12-31T12:00:00Z"),
    "datetime_from_date_parsing": _words("a moment such as 2026-12-31T12:00:00Z"),
    "tuple_type": _words("a list"),
    "too_short": _words("a list of at least {min_length} member(s)"),
    "model_type": _words("an object"),
    "model_attributes_type": _words("an object"),
    "dict_type": _words("an object"),
}
