"""Entities as clients ask for them: some attributes only, and normalized, concise or simplified.

Source: ETSI GS CIM 009, clauses 4.5.3 (normalized), 4.5.4 (simplified) and 4.5.1 (concise).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from models.ngsi_ld import JsonEntity, Representation

_IDENTITY = ("id", "type")
SYSTEM = ("createdAt", "modifiedAt", "deletedAt")
"""Kept by the service; shown on demand."""


def attributes_of(entity: JsonEntity) -> list[str]:
    """Names of the attributes that an entity has."""
    return [name for name in entity if name not in _IDENTITY and name not in SYSTEM]


def with_attributes(entity: JsonEntity, names: Collection[str]) -> JsonEntity | None:
    """An entity with these attributes alone; none where it has none of them."""
    kept = [name for name in attributes_of(entity) if name in names]
    if not kept:
        return None
    return {
        name: value
        for name, value in entity.items()
        if name in _IDENTITY or name in SYSTEM or name in kept
    }


def represented(
    entity: JsonEntity,
    form: Representation = Representation.NORMALIZED,
    *,
    system: bool = False,
) -> JsonEntity:
    """A normalized entity in another representation.

    Parameters
    ----------
    system
        With what the service keeps of it: modifiedAt.
    """
    write = {
        Representation.NORMALIZED: lambda attribute: attribute,
        Representation.CONCISE: _concise,
        Representation.KEY_VALUES: _simplified,
        Representation.SIMPLIFIED: _simplified,
    }[form]
    return {
        name: value if name in _IDENTITY or name in SYSTEM else write(value)
        for name, value in entity.items()
        if system or name not in SYSTEM
    }


def _concise(attribute: dict[str, Any]) -> Any:
    shorter = {name: value for name, value in attribute.items() if name != "type"}
    # A value that is an object could be taken for an attribute itself.
    if shorter.keys() == {"value"} and not isinstance(shorter["value"], dict):
        return shorter["value"]
    return shorter


def _simplified(attribute: dict[str, Any]) -> Any:
    return attribute["value"] if "value" in attribute else attribute["object"]
