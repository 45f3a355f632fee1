"""Answers of the use cases, built by hand, for tests of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from models import (
    Catalog,
    Certificate,
    Check,
    Costs,
    Dataset,
    Decided,
    Digests,
    EffectiveClass,
    EligibilityReport,
    EligibilityTable,
    Explanation,
    GraphFacts,
    HostObligation,
    Infeasible,
    Inputs,
    NoEligibleSite,
    Obligation,
    Parameters,
    Placement,
    Plan,
    Preference,
    Severity,
    Site,
    SiteRegister,
    SiteVerdict,
    SolverReport,
    Source,
    SourcedViolation,
    Termination,
    Unplaceable,
    Verdict,
    Versions,
    Violation,
    WhyNot,
)
from tests import builders

AS_OF = date(2026, 10, 1)
ENCRYPTION = HostObligation(code="security.own_keys", requirement="encrypt with the city's keys")
EEA = Obligation(
    code="residency.stays_in_eea",
    text="Personal data rests in the EEA.",
    severity=Severity.MANDATORY,
    sources=(Source(description="GDPR, chapter V", ref="urn:celex:32016R0679"),),
)
MFA = Obligation(
    code="access.second_factor",
    text="Every role logs in with a second factor.",
    severity=Severity.MUNICIPAL,
    sources=(Source(description="BIO 9.4.2", ref="urn:bio:9.4.2"),),
)
ABROAD = Violation(obligation=EEA.code, message="the site is in US")
NO_MFA = Violation(obligation=MFA.code, message="mfa is false")
ALLOWED = Verdict(violations=(), host_obligations=(ENCRYPTION,), preferences=(), closed_stack=False)
DENIED = Verdict(violations=(ABROAD,), host_obligations=(), preferences=(), closed_stack=False)


@dataclass(frozen=True)
class Step:
    """A step of progress, as the service reports it."""

    phase: str
    message: str
    incumbent: float | None = None
    bound: float | None = None
    gap: float | None = None


def costs(storage: str) -> Costs:
    """Costs with one component."""
    zero = Decimal("0.00")
    return Costs(
        storage=Decimal(storage),
        handling=zero,
        delivery=zero,
        reading=zero,
        lineage=zero,
        migration=zero,
        preference=zero,
    )


def effective(dataset: Dataset, **changes: Any) -> EffectiveClass:
    """A class as declared."""
    fields: dict[str, Any] = {
        "dataset": dataset.id,
        "confidentiality": dataset.confidentiality,
        "gdpr_category": dataset.gdpr_category,
        "access_rights": dataset.access_rights,
        "non_publication_grounds": dataset.non_publication_grounds,
        "chain": (dataset.id,),
    }
    return EffectiveClass(**(fields | changes))


def table(datasets: Sequence[Dataset], sites: Sequence[Site]) -> EligibilityTable:
    """All allowed everywhere but at sites in the US."""
    row = tuple(DENIED if site.country == "US" else ALLOWED for site in sites)
    return EligibilityTable(
        datasets=tuple(d.id for d in datasets),
        sites=tuple(s.id for s in sites),
        profile_of=(0,) * len(datasets),
        verdicts=(row,),
        obligations=(EEA,),
        policy_revision="1" * 64,
        opa_version="1.22.2",
        as_of=AS_OF,
    )


def certificate(*failures: str, **changes: Any) -> Certificate:
    """A certificate that holds, unless failures of the capacity are named."""
    fields: dict[str, Any] = {
        "checks": (
            Check(name="assignment", holds=True, checked=2),
            Check(name="capacity", holds=not failures, checked=2, failures=failures),
        ),
        "objective_eur": Decimal("1234.50"),
        "price_bound_eur": Decimal("1230.00"),
        "price_gap": Decimal("0.003645201"),
    }
    return Certificate(**(fields | changes))


def catalog(*datasets: Dataset, **changes: Any) -> Catalog:
    """Two datasets, unless others are given."""
    return builders.catalog(
        *(datasets or (builders.dataset("permits"), builders.dataset("trips"))), **changes
    )


def sites() -> SiteRegister:
    """The town hall, a European cloud and an American one."""
    return builders.register(
        builders.site("townhall"),
        builders.site("eucloud", operator="euro", country="DE", capacity_gb=500),
        builders.site("uscloud", operator="acme", country="US"),
    )


def plan(source: Catalog | None = None, **changes: Any) -> Plan:
    """The first dataset at two sites, every other one at the town hall."""
    source = source or catalog()
    first, *others = source.datasets
    placements = [
        Placement(
            dataset=first.id,
            sites=("eucloud", "townhall"),
            profile=0,
            cost_eur_per_year=costs("1000.01"),
        )
    ]
    placements += [
        Placement(dataset=d.id, sites=("townhall",), profile=0, cost_eur_per_year=costs("234.49"))
        for d in others
    ]
    fields: dict[str, Any] = {
        "municipality": source.municipality,
        "created_at": datetime(2026, 10, 1, 12, 0, tzinfo=UTC),
        "placements": tuple(placements),
        "costs_eur_per_year": costs("1234.50"),
        "objective_eur": Decimal("1234.50"),
        "dual_bound_eur": Decimal("1234.00"),
        "gap": Decimal("0.000405023"),
        "termination": Termination.WITHIN_GAP,
        "solver": SolverReport(
            solver="HiGHS 1.15.1", build_s=0.1, solve_s=0.2, variables=6, constraints=7
        ),
        "prices": (),
        "flow_prices": (),
        "certificate": certificate(),
        "effective": tuple(effective(d) for d in source.datasets),
        "eligibility": table(source.datasets, sites().sites),
        "parameters": Parameters(as_of=AS_OF),
        "inputs": Inputs(catalog=source, sites=sites()),
        "digests": Digests(
            catalog="a" * 64, sites="b" * 64, parameters="c" * 64, policies="d" * 64
        ),
        "versions": Versions(
            placement="0.1.0", python="3.11.8", opa="1.22.2", pulp="3.3.2", highs="1.15.1"
        ),
        "digest": "e" * 64,
    }
    return Plan(**(fields | changes))


def decided(**changes: Any) -> Decided:
    """The answer with a plan."""
    return Decided(plan=plan(**changes))


def no_eligible_site() -> NoEligibleSite:
    """`trips` may rest nowhere: one site fails two obligations, the others one."""
    reasons = (
        SiteVerdict(site="townhall", violations=(NO_MFA,)),
        SiteVerdict(site="eucloud", violations=(NO_MFA,)),
        SiteVerdict(site="uscloud", violations=(ABROAD, NO_MFA)),
    )
    return NoEligibleSite(
        datasets=(Unplaceable(dataset="trips", reasons=reasons),), obligations=(EEA, MFA)
    )


def infeasible() -> Infeasible:
    """Too much data for the only site."""
    return Infeasible(
        core=("assignment[trips]", "capacity[townhall]"),
        explanation=("trips needs a site", "townhall holds 100 GB"),
    )


def report(*, unplaceable: bool = False) -> EligibilityReport:
    """The eligibility of two datasets at three sites."""
    source, register = catalog(), sites()
    return EligibilityReport(
        catalog=source,
        sites=register,
        facts=GraphFacts(
            effective=tuple(effective(d) for d in source.datasets),
            co_location=(),
            separations=(),
            flows=(),
        ),
        table=table(source.datasets, register.sites),
        unplaceable=no_eligible_site().datasets if unplaceable else (),
    )


def explanation(**changes: Any) -> Explanation:
    """`permits`, with one answer of each kind for another site."""
    dataset = builders.dataset("permits")
    fields: dict[str, Any] = {
        "dataset": dataset,
        "effective": effective(
            dataset, reasons=("inherits high from register",), chain=("permits", "register")
        ),
        "placement": plan().placements[0],
        "why": ("the town hall is the cheapest eligible site",),
        "host_obligations": (ENCRYPTION,),
        "preferences": (
            Preference(code="openness.open", message="closed tool", penalty_eur_per_year=5),
        ),
        "why_not": (
            WhyNot(
                site="uscloud",
                violations=(SourcedViolation(obligation=EEA, message=ABROAD.message),),
            ),
            WhyNot(site="full", blocked_by=("capacity[full]",)),
            WhyNot(site="alone", extra_eur_per_year=Decimal("12.30")),
            WhyNot(
                site="again",
                blocked_by=("capacity[again]",),
                others_stay=False,
                extra_eur_per_year=Decimal("4.00"),
            ),
            WhyNot(site="never", blocked_by=("capacity[never]",), others_stay=False),
        ),
    }
    return Explanation(**(fields | changes))
