"""What the use cases answer. *Ineligible* and *infeasible* are answers like any other."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from models.base import Flag, Frozen, Identifier
from models.catalog import Catalog
from models.dataset import Dataset, EffectiveClass
from models.plan import Placement, Plan, Sha256
from models.problem import GraphFacts
from models.site import SiteRegister
from models.verdict import EligibilityTable, HostObligation, Obligation, Preference, Violation


class SiteVerdict(Frozen):
    """Why one site may not hold a dataset."""

    site: Identifier
    violations: tuple[Violation, ...]


class Unplaceable(Frozen):
    """A dataset that no site may hold, with the reason for each."""

    dataset: Identifier
    reasons: tuple[SiteVerdict, ...]


class Decided(Frozen):
    """There is a plan, and it is certified."""

    answer: Literal["decided"] = "decided"
    plan: Plan


class NoEligibleSite(Frozen):
    """Some datasets have no eligible site, or fewer than they need; nothing was solved."""

    answer: Literal["no_eligible_site"] = "no_eligible_site"
    datasets: tuple[Unplaceable, ...]
    obligations: tuple[Obligation, ...]


class Infeasible(Frozen):
    """Each dataset has a site, but no plan meets all constraints at once."""

    answer: Literal["infeasible"] = "infeasible"
    core: tuple[str, ...]
    """Named constraints that cannot all hold; taking any of them away may help."""
    explanation: tuple[str, ...]
    """One sentence for each of them."""


Decision = Decided | NoEligibleSite | Infeasible


class EligibilityReport(Frozen):
    """Which datasets may rest where, without choosing."""

    catalog: Catalog
    sites: SiteRegister
    facts: GraphFacts
    table: EligibilityTable
    unplaceable: tuple[Unplaceable, ...]


class SourcedViolation(Frozen):
    """A violation with the obligation it fails."""

    obligation: Obligation
    message: str


class CheckAnswer(Frozen):
    """Whether a dataset may rest at a site: the answer to a check, and what it was judged by."""

    dataset: Identifier
    site: Identifier
    eligible: Flag
    violations: tuple[SourcedViolation, ...]
    """Every obligation that fails; empty exactly where the site is eligible."""
    host_obligations: tuple[HostObligation, ...]
    """What must be arranged at the site if the dataset rests there."""
    preferences: tuple[Preference, ...]
    policy_revision: Sha256
    catalog_version: Annotated[int, Field(ge=0)]
    as_of: date
    """The day the policies were asked about."""
    record: Annotated[int, Field(ge=1)] | None = None
    """Its place in the audit log, where known."""


class WhyNot(Frozen):
    """The answer for a site that was not chosen: a violation, a constraint, or a price."""

    site: Identifier
    violations: tuple[SourcedViolation, ...] = ()
    blocked_by: tuple[str, ...] = ()
    """Constraints that stand in the way of this choice."""
    others_stay: bool = True
    """True: every other dataset stays where the plan has it. False: the whole plan was solved
    again with a replica required here."""
    extra_eur_per_year: Decimal | None = None
    """What the plan would cost more with a replica here, in EUR a year; none where it cannot be.
    Where the whole plan was solved again it is exact up to the plan's gap, and can be negative
    within it."""


class Explanation(Frozen):
    """Why a dataset rests where it does."""

    dataset: Dataset
    effective: EffectiveClass
    placement: Placement
    why: tuple[str, ...]
    host_obligations: tuple[HostObligation, ...]
    preferences: tuple[Preference, ...]
    why_not: tuple[WhyNot, ...]
    drift: tuple[str, ...] = ()
    """How it is not where it was decided, as far as anybody said; one sentence each."""
