"""Asks OPA which site may hold which dataset: profiles x sites -> verdicts."""

from placement.eligibility.bundle import policy_digest
from placement.eligibility.engine import PolicyEngine, open_engine

__all__ = ["PolicyEngine", "open_engine", "policy_digest"]
