"""Ordinals with unknown on top: one comparison for levels, GDPR categories and access rights."""

from __future__ import annotations

from models import AccessRights, GdprCategory, Level

UNKNOWN = 9
"""Rank of an attribute that the catalogue does not say: above every known one (fail closed)."""


def rank(value: Level | GdprCategory | AccessRights | None) -> int:
    """The ordinal of a value, 0 the least protected; UNKNOWN for none."""
    if value is None:
        return UNKNOWN
    return int(value) if isinstance(value, Level) else value.rank


def level_of(ordinal: int) -> Level | None:
    """The level of a rank."""
    return None if ordinal == UNKNOWN else Level(ordinal)


def category_of(ordinal: int) -> GdprCategory | None:
    """The GDPR category of a rank."""
    return None if ordinal == UNKNOWN else list(GdprCategory)[ordinal]


def rights_of(ordinal: int) -> AccessRights | None:
    """The access rights of a rank."""
    return None if ordinal == UNKNOWN else list(AccessRights)[ordinal]


def word(ordinal: int) -> str:
    """The level of a rank, as a reader says it."""
    level = level_of(ordinal)
    return "unknown" if level is None else level.name.lower().replace("_", " ")
