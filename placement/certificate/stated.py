"""What a plan file states, compared with what the certificate computes: to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from models import Certificate, Check, Costs, Plan, Termination
from placement.certificate.checks import check
from placement.certificate.claims import Certified
from placement.certificate.exact import relative_gap


def placements(plan: Plan, certified: Certified) -> Check:
    """One placement for each dataset, in catalogue order; sites sorted; profiles as tabled."""
    failures = []
    if [p.dataset for p in plan.placements] != list(certified.costs):
        failures.append("placements: not one for each dataset, in catalogue order")
    profile = dict(zip(plan.eligibility.datasets, plan.eligibility.profile_of, strict=False))
    for placement in plan.placements:
        if list(placement.sites) != sorted(placement.sites):
            failures.append(f"{placement.dataset}: sites are not sorted")
        if placement.profile != profile.get(placement.dataset):
            failures.append(
                f"{placement.dataset}: profile is stated {placement.profile}, the table has"
                f" {profile.get(placement.dataset, 'none')}"
            )
    return check("placements", len(plan.placements), failures)


def costs(plan: Plan, certified: Certified) -> Check:
    """Every component, for each dataset and in total, and the objective."""
    failures: list[str] = []
    for placement in plan.placements:
        own = certified.costs.get(placement.dataset)
        if own is not None:
            failures += _cost_failures(
                placement.dataset, placement.cost_eur_per_year, own.rounded()
            )
    failures += _cost_failures("total", plan.costs_eur_per_year, certified.total.rounded())
    failures += _unequal("objective", plan.objective_eur, certified.certificate.objective_eur)
    return check("costs", len(plan.placements) + 1, failures)


def _cost_failures(name: str, stated: Costs, own: Costs) -> Iterator[str]:
    for component in Costs.model_fields:
        yield from _unequal(
            f"{name}: {component}", getattr(stated, component), getattr(own, component)
        )


def _unequal(name: str, stated: Decimal, own: Decimal) -> Iterator[str]:
    if stated != own:
        yield f"{name} is stated EUR {stated:,}, it is EUR {own:,}: EUR {abs(stated - own):,} apart"


def proof(plan: Plan, certified: Certified) -> Check:
    """The stated amounts agree: price bound <= dual bound <= objective, gap, termination."""
    failures = []
    least = certified.certificate.price_bound_eur
    if plan.dual_bound_eur > plan.objective_eur:
        failures.append(f"dual bound EUR {plan.dual_bound_eur:,} is above the objective")
    if plan.dual_bound_eur < least:
        failures.append(
            f"dual bound EUR {plan.dual_bound_eur:,} is below EUR {least:,}, which the prices prove"
        )
    own = relative_gap(plan.objective_eur, plan.dual_bound_eur)
    if plan.gap != own:
        failures.append(f"gap is stated {plan.gap}, objective and dual bound make it {own}")
    if plan.termination is not Termination.WITHIN_GAP:
        failures.append(
            f"termination is {plan.termination}: only a plan within its gap is released"
        )
    return check("proof", 4, failures)


def certificate(plan: Plan, certified: Certified) -> Check:
    """The certificate in the file is the one that is computed now."""
    stated, own = plan.certificate, certified.certificate
    failures = [
        f"{field} is stated {getattr(stated, field)}, it is {getattr(own, field)}"
        for field in ("objective_eur", "price_bound_eur", "price_gap")
        if getattr(stated, field) != getattr(own, field)
    ]
    failures += _check_failures(stated, own)
    return check("certificate", len(own.checks), failures)


def _check_failures(stated: Certificate, own: Certificate) -> Iterator[str]:
    if [c.name for c in stated.checks] != [c.name for c in own.checks]:
        yield f"the checks stated are not: {', '.join(c.name for c in own.checks)}"
        return
    for said, true in zip(stated.checks, own.checks, strict=True):
        if said.holds != true.holds:
            yield f"{said.name}: stated that it {_word(said)}, it {_word(true)}"
        elif said != true:
            yield f"{said.name}: the instances checked or the failures are stated otherwise"


def _word(check_: Check) -> str:
    return "holds" if check_.holds else "fails"
