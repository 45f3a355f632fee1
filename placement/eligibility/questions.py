"""What is asked of OPA: the rule's path, and the document it sees as `input`."""

from __future__ import annotations

from datetime import date

from models import Frozen, PolicySite
from models.base import Identifier

VERDICT = "placement/verdict"
"""Answers a PolicyInput: one dataset at one site."""
BATCH = "placement/batch"
"""Answers a PolicyBatchInput: P profiles x S sites, and the duties each site keeps apart."""
SEGREGATED_DUTIES = "placement/segregated_duties"
"""Answers a SegregationInput: the duties one site keeps apart."""
PERMISSION = "authz/decision"
"""Answers a PermissionInput: may somebody do this, and on which records."""


class SegregationInput(Frozen):
    """`input` of the segregation query: the duties of which some must not meet at this site."""

    site: PolicySite
    duties: tuple[Identifier, ...]
    as_of: date
