"""A tiny city with a certified plan, to break in tests; and a second, naive reading of its costs.

The policies here are a stub: a pure function of the question, so that the certificate's own
questions decide the answer. The real OPA is asked in tests/integration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product
from typing import Any

from models import (
    Catalog,
    CoLocated,
    Cumulated,
    DerivedFrom,
    Digests,
    EffectiveClass,
    EligibilityTable,
    FlowPrice,
    GdprCategory,
    Inputs,
    Level,
    Obligation,
    Parameters,
    Placement,
    Plan,
    PolicyInput,
    PolicySite,
    Preference,
    RowPrice,
    SegregatedDuties,
    Separated,
    SeparationPrice,
    Severity,
    SiteRegister,
    SolverReport,
    Source,
    Termination,
    Verdict,
    Versions,
    Violation,
    sha256_of,
)
from placement.certificate import (
    Certified,
    Claims,
    certify,
    plan_digest,
    relative_gap,
    stated_bound,
)
from placement.certificate.city import City, read_city
from placement.certificate.verdicts import ask_everything
from tests import builders

POLICIES = "a" * 64
TRANSFER = "residency.special_category_stays_in_eea"
OBLIGATION = Obligation(
    code=TRANSFER,
    text="Special categories stay in the EEA.",
    severity=Severity.MANDATORY,
    sources=(Source(description="GDPR", ref="art. 44"),),
)


def ask(question: PolicyInput) -> Verdict:
    """Special categories and very high levels stay in the EEA; two soft things besides."""
    dataset, site = question.dataset, question.site
    outside = site.country not in ("NL", "DE")
    sensitive = dataset.gdpr_category in (GdprCategory.SPECIAL, None)
    sensitive = sensitive or dataset.confidentiality in (Level.VERY_HIGH, None)
    violations = (Violation(obligation=TRANSFER, message=f"rests in {site.country}"),)
    soft = Preference(code="transfer.near", message="far away", penalty_eur_per_year=7)
    return Verdict(
        violations=violations if outside and sensitive else (),
        host_obligations=(),
        preferences=(soft,) if outside else (),
        closed_stack=site.operator.id == "hyper",
    )


def closed_never(question: PolicyInput) -> Verdict:
    """Everything may rest everywhere."""
    return builders.ELIGIBLE


def closed_at(*names: str) -> Callable[[PolicyInput], Verdict]:
    """Everything may rest everywhere; at these sites on closed stacks."""

    def answer(question: PolicyInput) -> Verdict:
        closed = question.site.id in names
        return Verdict(violations=(), host_obligations=(), preferences=(), closed_stack=closed)

    return answer


def ask_segregated(
    site: PolicySite, duties: Sequence[str], as_of: date
) -> frozenset[tuple[str, str]]:
    """Who pays does not check, except in the city's own hall."""
    pair = ("audit", "payment")
    return frozenset({pair} if set(pair) <= set(duties) and site.operator.id != "city" else ())


@dataclass(frozen=True)
class Case:
    """Inputs, the policies' answers, and the prices of a solution."""

    catalog: Catalog
    register: SiteRegister
    parameters: Parameters
    placements: Mapping[str, tuple[str, ...]]
    prices: tuple[RowPrice, ...] = ()
    flow_prices: tuple[FlowPrice, ...] = ()
    separation_prices: tuple[SeparationPrice, ...] = ()
    ask: Callable[[PolicyInput], Verdict] = ask
    claimed: Mapping[str, Any] = field(default_factory=dict)
    """Fields of Claims to replace."""

    def city(self) -> City:
        return read_city(self.catalog, self.register, self.parameters)

    def table(self) -> EligibilityTable:
        return table_of(self)

    def effective(self) -> tuple[EffectiveClass, ...]:
        return tuple(self.city().classes.values())

    def but(self, **changes: Any) -> Case:
        return replace(self, **changes)

    def moved(self, **placements: str | tuple[str, ...]) -> Case:
        """With other sites for the datasets named."""
        given = {d: (s,) if isinstance(s, str) else s for d, s in placements.items()}
        return replace(self, placements={**self.placements, **given})

    def limited(self, **parameters: Any) -> Case:
        """With other parameters."""
        values = {**self.parameters.model_dump(), **parameters}
        return replace(self, parameters=Parameters(**values))


def table_of(case: Case) -> EligibilityTable:
    """The table a truthful eligibility room would give."""
    city = case.city()
    verdicts = ask_everything(city, case.ask, ask_segregated, builders.AS_OF)
    rows = tuple(tuple(row.values()) for row in verdicts.rows)
    named = {v.obligation for row in rows for verdict in row for v in verdict.violations}
    return EligibilityTable(
        datasets=tuple(city.datasets),
        sites=tuple(city.sites),
        profile_of=tuple(verdicts.profile_of.values()),
        verdicts=rows,
        obligations=tuple(o for o in (OBLIGATION,) if o.code in named),
        segregated_duties=tuple(
            SegregatedDuties(site=s, duty=a, other=b)
            for s, pairs in verdicts.segregated.items()
            for a, b in sorted(pairs)
        ),
        policy_revision=POLICIES,
        opa_version="1.22.2",
        as_of=builders.AS_OF,
    )


def judge(case: Case) -> Certified:
    """The certificate of a case whose solver adds up without error.

    Unless `claimed` says otherwise, the solver's bound is its objective.
    """
    claims = Claims(
        placements=tuple(case.placements.items()),
        objective_eur=Decimal(0),
        dual_bound_eur=Decimal(0),
        gap=Decimal(0),
        prices=case.prices,
        flow_prices=case.flow_prices,
        separation_prices=case.separation_prices,
        eligibility=case.table(),
        effective=case.effective(),
    )
    exact = certified(case, claims).objective
    honest = {"objective_eur": exact, "dual_bound_eur": exact, "gap": Decimal(0)}
    return certified(case, replace(claims, **{**honest, **case.claimed}))


def certified(case: Case, claims: Claims) -> Certified:
    return certify(case.catalog, case.register, case.parameters, claims, case.ask, ask_segregated)


def failures(case: Case) -> dict[str, tuple[str, ...]]:
    """Check name -> failures, for the checks that fail."""
    return {c.name: c.failures for c in judge(case).certificate.checks if not c.holds}


def release(case: Case) -> Plan:
    """The plan file of a case, put together as the service does it."""
    answer = judge(case)
    stated = answer.certificate
    table = case.table()
    dual = stated_bound(answer.objective, stated.price_bound_eur, stated.objective_eur)
    profile = dict(zip(table.datasets, table.profile_of, strict=True))
    plan = Plan(
        municipality=case.catalog.municipality,
        created_at=datetime(2026, 10, 1, 12, tzinfo=UTC),
        placements=tuple(
            Placement(
                dataset=d,
                sites=tuple(sorted(sites)),
                profile=profile[d],
                cost_eur_per_year=answer.costs[d].rounded(),
            )
            for d, sites in case.placements.items()
        ),
        costs_eur_per_year=answer.total.rounded(),
        objective_eur=stated.objective_eur,
        dual_bound_eur=dual,
        gap=relative_gap(stated.objective_eur, dual),
        termination=Termination.WITHIN_GAP,
        solver=SolverReport(
            solver="by hand", build_s=0.5, solve_s=1.5, variables=12, constraints=34
        ),
        prices=case.prices,
        flow_prices=case.flow_prices,
        separation_prices=case.separation_prices,
        certificate=stated,
        effective=case.effective(),
        eligibility=table,
        parameters=case.parameters,
        inputs=Inputs(catalog=case.catalog, sites=case.register),
        digests=Digests(
            catalog=sha256_of(case.catalog),
            sites=sha256_of(case.register),
            parameters=sha256_of(case.parameters),
            policies=POLICIES,
        ),
        versions=Versions(placement="0.1.0", python="3.11", opa="1.22.2", pulp="3", highs="1"),
        digest="0" * 64,
    )
    return plan.model_copy(update={"digest": plan_digest(plan)})


def town() -> Case:
    """Seven datasets, five sites, four operators; every family of constraints has work."""
    sites = (
        builders.site("hall", operator="city", capacity_gb=700),
        builders.site("annex", operator="city", capacity_gb=300, egress_price_eur_per_gb=0),
        _cloud("berlin", "nord", "DE", "0.012", "0.05", 30),
        _cloud("munich", "sued", "DE", "0.011", "0.04", 60),
        _cloud("ashburn", "hyper", "US", "0.004", "0.09", None),
    )
    datasets = (
        _data("registry", 100, gdpr_category=GdprCategory.SPECIAL, duties=("payment",)),
        _data("permits", 150, current_site="berlin"),
        _data("taxes", 50, availability=Level.HIGH, duties=("audit",)),
        _data("sensors", 200, replicas=2),
        _data("trips", 80, monthly_read_gb=Decimal("12.5"), readers=("registrar", "clerk")),
        _data("parking", 40, gdpr_category=GdprCategory.NONE, current_site="munich"),
        _data("archive", 60, readers=()),
    )
    relations = (
        DerivedFrom(derived="parking", source="trips", monthly_transfer_gb=Decimal("7.25")),
        DerivedFrom(derived="archive", source="sensors", monthly_transfer_gb=Decimal(3)),
        CoLocated(members=("permits", "taxes")),
        Separated(members=("registry", "trips"), level="operator"),
        Separated(members=("archive", "parking")),
        Cumulated(members=("trips", "permits", "archive")),
    )
    return Case(
        catalog=builders.catalog(
            *datasets,
            relations=relations,
            roles=(
                builders.role(),
                builders.role("clerk", workplace_sites=("berlin",)),
            ),
        ),
        register=builders.register(*sites),
        parameters=Parameters(
            as_of=builders.AS_OF,
            cumulation_datasets_min=3,
            exit_budget_eur=Decimal(6000),
            moves_max=1,
            alternatives_min=2,
        ),
        placements={
            "registry": ("hall",),
            "permits": ("berlin",),
            "taxes": ("berlin",),
            "sensors": ("hall", "munich"),
            "trips": ("munich",),
            "parking": ("munich",),
            "archive": ("ashburn",),
        },
        prices=(
            RowPrice(row="capacity[hall]", price=Decimal("0.01")),
            RowPrice(row="concentration_volume[sued]", price=Decimal("0.003")),
            RowPrice(row="concentration_critical[nord]", price=Decimal("1.5")),
            RowPrice(row="exit_budget", price=Decimal("0.0001")),
            RowPrice(row="closed_stack", price=Decimal("0.02")),
            RowPrice(row="moves", price=Decimal("2.5")),
        ),
        flow_prices=(
            FlowPrice(source="trips", derived="parking", site="munich", price=Decimal("3.4")),
        ),
    )


def _data(name: str, volume_gb: int, **changes: Any) -> Any:
    return builders.dataset(name, **{"volume_gb": volume_gb, **changes})


def _cloud(
    name: str, operator: str, country: str, storage: str, egress: str, notice: int | None
) -> Any:
    return builders.site(
        name,
        operator=operator,
        country=country,
        capacity_gb=600,
        object_price_eur_per_gb_month=Decimal(storage),
        egress_price_eur_per_gb=Decimal(egress),
        handling_price_eur_per_dataset_month=Decimal("1.5"),
        exit_notice_days=notice,
    )


# --- a naive second reading, for comparison ----------------------------------------------------


def naive_cost(case: Case, placed: Mapping[str, tuple[str, ...]]) -> Fraction:
    """The objective in EUR a year, straight from the text of `models.plan.Costs`."""
    sites = {s.id: s for s in case.register.sites}
    roles = {r.id: r for r in (*case.catalog.roles, *case.register.roles)}
    work = case.parameters
    city = case.city()
    total = Fraction(0)
    for d in case.catalog.datasets:
        for name in placed[d.id]:
            site = sites[name]
            price = (
                site.object_price_eur_per_gb_month
                if d.storage == "object"
                else site.block_price_eur_per_gb_month
            )
            assert price is not None
            egress = Fraction(site.egress_price_eur_per_gb)
            away = [
                all(sites[w].operator != site.operator for w in roles[r].workplace_sites)
                for r in d.readers
            ]
            share = Fraction(sum(away), len(away)) if away else Fraction(1)
            total += 12 * d.volume_gb * Fraction(price)
            total += 12 * Fraction(site.handling_price_eur_per_dataset_month)
            total += 12 * Fraction(d.monthly_egress_gb) * egress / d.replicas
            total += 12 * Fraction(d.monthly_read_gb) * egress * share / d.replicas
            question = PolicyInput(
                dataset=city.policy_datasets[d.id],
                site=city.policy_sites[name],
                as_of=builders.AS_OF,
            )
            total += case.ask(question).penalty_eur_per_year
            if d.current_site is not None and d.current_site != name:
                current = sites[d.current_site]
                leaving = current.egress_price_eur_per_gb
                if current.operator == site.operator:
                    leaving = Decimal(0)
                once = d.volume_gb * Fraction(work.migration_eur_per_gb + leaving)
                total += (once + Fraction(work.migration_eur_per_dataset)) / work.amortisation_years
    for relation in case.catalog.relations:
        if isinstance(relation, DerivedFrom):
            for name in placed[relation.derived]:
                total += (
                    12
                    * Fraction(relation.monthly_transfer_gb)
                    * min(
                        Fraction(0)
                        if sites[s].operator == sites[name].operator
                        else Fraction(sites[s].egress_price_eur_per_gb)
                        for s in placed[relation.source]
                    )
                )
    return total


def all_placements(case: Case) -> list[dict[str, tuple[str, ...]]]:
    """Every way to give each dataset as many distinct sites as it wants replicas."""
    names = [s.id for s in case.register.sites]
    choices = [list(combinations(names, d.replicas)) for d in case.catalog.datasets]
    ids = [d.id for d in case.catalog.datasets]
    return [dict(zip(ids, chosen, strict=True)) for chosen in product(*choices)]
