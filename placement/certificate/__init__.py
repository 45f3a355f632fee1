"""The certificate: a solver-free second opinion on a plan, in exact numbers.

It reads the raw catalogue and register, asks the raw policies by single queries, and computes
classes, constraints, costs and the price bound again. It shares no code with the rooms whose
work it judges: no optimizer, no eligibility, no graph.
"""

from placement.certificate.certify import certify
from placement.certificate.claims import Certified, Claims, claims_of
from placement.certificate.costs import ExactCosts
from placement.certificate.exact import cents, relative_gap, stated_bound
from placement.certificate.verdicts import Ask, AskSegregated
from placement.certificate.verify import plan_digest, verify_plan

__all__ = [
    "certify",
    "verify_plan",
    "plan_digest",
    "Ask",
    "AskSegregated",
    "Certified",
    "Claims",
    "claims_of",
    "ExactCosts",
    "cents",
    "relative_gap",
    "stated_bound",
]
