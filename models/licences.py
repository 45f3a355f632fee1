"""Is software under an open licence? Read from SPDX licence expressions.

The library `license-expression` carries the SPDX ids with the category that ScanCode's reviewers
gave each licence. Open is what they call permissive, copyleft, limited copyleft or public domain:
anyone may use, change and pass on the software for any purpose. Not open are free for some
purposes (free restricted, proprietary free), source-available, commercial and unstated terms, and
whatever the list does not know: LicenseRef-... and DocumentRef-... name a vendor's own terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

OPEN_CATEGORIES = frozenset({"Permissive", "Copyleft", "Copyleft Limited", "Public Domain"})
"""Categories of ScanCode's licence database under which software is open."""
LENGTH_MAX = 200
"""Longest expression, as a stack component may state it."""

_OWN_TERMS = ("licenseref-", "documentref-")


@lru_cache(maxsize=4096)
def is_open(expression: str | None) -> bool:
    """Whether an SPDX expression lets one use the software under open licences alone.

    Parameters
    ----------
    expression
        As SPDX 2.3, Annex D, has it: with OR one open side is enough, with AND both are needed.
        WITH needs an open licence and an open exception; a "+" after an id means that version or
        any later one. Ids and operators are read in any case.

    Returns
    -------
    bool
        False for what is missing, no expression, or names a licence nobody knows.
    """
    if expression is None or not expression.strip() or len(expression) > LENGTH_MAX:
        return False
    parsed = _parsed(expression)
    return parsed is not None and _open(parsed)


def _parsed(expression: str) -> Any:
    """The expression as a tree; None where it is none."""
    try:
        return _grammar().parse(expression, validate=False, strict=False)
    except Exception:  # noqa: BLE001  the parser also raises IndexError, AttributeError and its like
        return None


@cache
def _grammar() -> Any:
    from license_expression import Licensing

    return Licensing()


def _open(part: Any) -> bool:
    from license_expression import LicenseWithExceptionSymbol

    if isinstance(part, LicenseWithExceptionSymbol):
        licence, exception = part.license_symbol.key, part.exception_symbol.key
        return _open_id(licence, exception=False) and _open_id(exception, exception=True)
    operator = getattr(part, "operator", "")
    if operator.strip() == "AND":
        return all(_open(side) for side in part.args)
    if operator.strip() == "OR":
        return any(_open(side) for side in part.args)
    return _open_id(part.key, exception=False)


def _open_id(name: str, *, exception: bool) -> bool:
    index = _index()
    found = index.get(name.lower())
    if found is None and not exception:
        found = index.get(name.lower().removesuffix("+"))
    return found is not None and found == (found[0], exception) and found[0] in OPEN_CATEGORIES


@cache
def _index() -> Mapping[str, tuple[str, bool]]:
    """Category, and whether it is an exception, of each SPDX id in lower case."""
    from license_expression import get_license_index

    found: dict[str, tuple[str, bool]] = {}
    for licence in get_license_index():
        named = [licence.get("spdx_license_key"), *(licence.get("other_spdx_license_keys") or ())]
        for name in named:
            if name and not name.lower().startswith(_OWN_TERMS):
                # Ids that SPDX retired for "licence WITH exception" stand alone, as licences do.
                joined = bool(licence["is_exception"]) and "-with-" not in name.lower()
                found[name.lower()] = licence["category"], joined
    return found
