"""A dataset's class in a few words."""

from __future__ import annotations

from models import EffectiveClass

RAISED = "*"


def class_text(effective: EffectiveClass) -> str:
    """Level, kind of personal data and access; `*` where it differs from what was declared."""
    level = effective.confidentiality
    if level is None:
        name = "level unknown"
    else:
        name = f"{level.name.lower()} {level.bbn}" if level.bbn != "-" else level.name.lower()
    parts = [name]
    if effective.gdpr_category is not None and effective.gdpr_category.rank:
        parts.append(str(effective.gdpr_category.value))
    if effective.access_rights is not None:
        parts.append(str(effective.access_rights.value).replace("_", " "))
    mark = RAISED if effective.reasons else ""
    return ", ".join(parts) + mark
