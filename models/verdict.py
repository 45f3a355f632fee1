"""What the policies say: obligations, violations and the eligibility table."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.base import Frozen, Identifier


class Severity(StrEnum):
    """What kind of requirement was failed.

    Both make a site ineligible; the word tells the reader whether a board could lift it by
    changing a threshold.
    """

    MANDATORY = "mandatory"
    """Law or binding standard."""
    MUNICIPAL = "municipal"
    """The city's own rule."""


class Source(Frozen):
    """Where an obligation comes from."""

    description: str
    ref: str


class Obligation(Frozen):
    """A sourced requirement, as its Rego METADATA states it."""

    code: Identifier
    """family.name, such as residency.special_category_stays_in_eea."""
    text: str
    severity: Severity
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]


class Violation(Frozen):
    """One obligation failed by one (dataset, site) pair."""

    obligation: Identifier
    message: str
    """What is the case, with the values that fail."""


class HostObligation(Frozen):
    """What the host must do for this dataset, such as encryption with the city's keys."""

    code: Identifier
    requirement: str


class Preference(Frozen):
    """A soft rule that this pair does not meet, and what that weighs."""

    code: Identifier
    message: str
    penalty_eur_per_year: Annotated[int, Field(ge=0, le=10**9)]


class Verdict(Frozen):
    """The answer for one (profile, site) pair. Eligible exactly when nothing is violated."""

    violations: tuple[Violation, ...]
    host_obligations: tuple[HostObligation, ...]
    preferences: tuple[Preference, ...]
    closed_stack: bool
    """The dataset would rest on a closed stack here (lock-in)."""

    @property
    def eligible(self) -> bool:
        """No obligation is violated."""
        return not self.violations

    @property
    def penalty_eur_per_year(self) -> int:
        """Sum of the weights of the preferences that are not met."""
        return sum(p.penalty_eur_per_year for p in self.preferences)


class SegregatedDuties(Frozen):
    """Two duties whose datasets must not meet at a site."""

    site: Identifier
    duty: Identifier
    other: Identifier


class EligibilityTable(Frozen):
    """Verdicts of all datasets at all sites, kept once a profile."""

    datasets: tuple[Identifier, ...]
    """N dataset ids, in catalogue order."""
    sites: tuple[Identifier, ...]
    """S site ids, in register order."""
    profile_of: tuple[int, ...]
    """N indices: the profile of each dataset."""
    verdicts: tuple[tuple[Verdict, ...], ...]
    """P x S verdicts."""
    obligations: tuple[Obligation, ...]
    """Every obligation that some verdict names, by code."""
    segregated_duties: tuple[SegregatedDuties, ...] = ()
    policy_revision: str
    """SHA-256 over the policy bundle, as OPA's provenance reported it."""
    opa_version: str
    as_of: date

    def verdict(self, dataset_index: int, site_index: int) -> Verdict:
        """The verdict for a dataset (0..N-1) at a site (0..S-1)."""
        return self.verdicts[self.profile_of[dataset_index]][site_index]
