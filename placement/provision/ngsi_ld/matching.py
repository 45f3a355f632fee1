"""Whether an entity meets a query: the semantics of clause 4.9 of ETSI GS CIM 009.

A term about something that an entity does not have is not met, whatever its operator. A value that
is a list equals whatever it holds. What is of another kind is unequal, and neither less nor more.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from models.ngsi_ld import JsonEntity
from placement.provision.ngsi_ld.patterns import Budget
from placement.provision.ngsi_ld.query import (
    AllOf,
    AnyOf,
    Moment,
    Query,
    Range,
    Term,
    Text,
    Value,
    moment_of,
)

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_MISSING = object()


def meets(entity: JsonEntity, query: Query, budget: Budget) -> bool:
    """Whether a normalized entity meets a query. Raises BadInput where the budget ends."""
    if isinstance(query, AllOf):
        return all(meets(entity, part, budget) for part in query.parts)
    if isinstance(query, AnyOf):
        return any(meets(entity, part, budget) for part in query.parts)
    target = _target(entity, query)
    if target is _MISSING:
        return False
    elements = target if isinstance(target, list) else [target]
    if query.pattern is not None:
        found = any(
            isinstance(one, str) and query.pattern.found_in(one, budget) for one in elements
        )
        return found == (query.operator == "~=")
    if query.operator in ("==", "!="):
        equal = any(_is(one, value) for one in elements for value in query.values)
        return equal == (query.operator == "==")
    if query.operator:
        return not isinstance(target, list) and _ordered(query, target)
    return True


def _target(entity: JsonEntity, term: Term) -> Any:
    """What a term is about: a value, where a relationship leads, or a part of these."""
    node: Any = entity
    for name in term.path:
        if not isinstance(node, dict) or name not in node or name in ("id", "type"):
            return _MISSING
        node = node[name]
    if isinstance(node, dict):
        node = node["value"] if "value" in node else node.get("object", _MISSING)
    for name in term.inside:
        if not isinstance(node, dict) or name not in node:
            return _MISSING
        node = node[name]
    return node


def _ordered(term: Term, target: Any) -> bool:
    (value,) = term.values
    if isinstance(value, Range):
        return False
    pair = _alike(target, value)
    return pair is not None and _ORDERS[term.operator](*pair)


def _is(target: Any, value: Value | Range) -> bool:
    if not isinstance(value, Range):
        pair = _alike(target, value)
        return pair is not None and bool(pair[0] == pair[1])
    low, high = _alike(target, value.low), _alike(target, value.high)
    return low is not None and high is not None and low[1] <= low[0] and high[0] <= high[1]


def _alike(target: Any, value: Value) -> tuple[Any, Any] | None:
    """Both as what can be compared; none where they are of different kinds."""
    if isinstance(value, bool) or isinstance(target, bool):
        return (target, value) if isinstance(value, bool) and isinstance(target, bool) else None
    if isinstance(value, Decimal):
        return (Decimal(str(target)), value) if isinstance(target, int | float) else None
    if not isinstance(target, str):
        return None
    if isinstance(value, Text):
        return target, value.text
    return _moments(target, value)


def _moments(target: str, value: Moment) -> tuple[Any, Any] | None:
    found = moment_of(target)
    if type(found) is not type(value):
        return None
    if isinstance(found, datetime) and isinstance(value, datetime):
        return found.timestamp(), value.timestamp()
    return found, value
