"""A dataset's class in a few words."""

from __future__ import annotations

from models import EffectiveClass

DERIVED = "*"
DERIVED_MEANS = "inherited, cumulated or released along its lineage: `explain` says how"


def class_text(effective: EffectiveClass) -> str:
    """Level, kind of personal data and access; `*` where lineage has a say."""
    level = effective.confidentiality
    if level is None:
        name = "level unknown"
    else:
        words = level.name.lower().replace("_", " ")
        name = words if level.bbn == "-" else f"{words} {level.bbn}"
    parts = [name]
    if effective.gdpr_category is not None and effective.gdpr_category.rank:
        parts.append(str(effective.gdpr_category.value))
    if effective.access_rights is not None:
        parts.append(str(effective.access_rights.value).replace("_", " "))
    mark = DERIVED if effective.reasons else ""
    return ", ".join(parts) + mark
