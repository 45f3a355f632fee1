"""Verdicts for datasets kept as columns: OPA is asked about profiles, however many datasets.

N datasets -> P profiles, P x S verdicts of which some may be known -> EligibilityColumns
"""

from placement.eligibility.columns.evaluating import evaluate_columns
from placement.eligibility.columns.known import KnownVerdicts
from placement.eligibility.columns.profiles import Profiles, find_profiles
from placement.eligibility.columns.unplaceable import unplaceable_columns

__all__ = [
    "evaluate_columns",
    "unplaceable_columns",
    "KnownVerdicts",
    "Profiles",
    "find_profiles",
]
