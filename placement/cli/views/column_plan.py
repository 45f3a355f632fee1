"""A plan of columns: what it costs, how far it is proven, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from models.column_plan import ColumnPlan
from placement.cli.options import Format
from placement.cli.page import Column, Page
from placement.cli.text import count, eur, whole
from placement.cli.views.certificate import summary
from placement.cli.views.machine import as_json


def render(plan: ColumnPlan, phases: Mapping[str, float], form: Format) -> bytes:
    """The header of the plan; its placements are the rows of its file."""
    if form is Format.JSON:
        return as_json({"answer": "decided", "phases": dict(phases), "plan": plan.model_dump()})
    page = Page()
    used = [tally for tally in plan.sites if tally.replicas]
    page.say(
        f"{plan.municipality}: {count(plan.datasets, 'dataset')} placed at {len(used)} of "
        f"{count(len(plan.sites), 'site')}",
        style="bold",
    )
    page.say(
        f"EUR {eur(plan.objective_eur)} a year, within {small(plan.gap)} of the cheapest that any "
        "plan can be."
    )
    page.say(f"No policy is broken, as judged for {plan.eligibility.as_of}.")
    _say_sites(page, plan)
    _say_costs(page, plan)
    _say_proof(page, plan)
    _say_phases(page, phases)
    return page.content()


def small(share: Decimal) -> str:
    """A gap as a power of ten: shares of millions of datasets are too small for percent."""
    return "0" if share == 0 else f"{share:.1e}"


def _say_sites(page: Page, plan: ColumnPlan) -> None:
    sites = {site.id: site for site in plan.site_register.sites}
    page.heading("Sites")
    figures = (Column(title, figures=True) for title in ("Replicas", "GB", "full %"))
    rows = [
        (
            tally.site,
            sites[tally.site].operator,
            whole(tally.replicas),
            whole(tally.volume_gb),
            f"{100 * tally.volume_gb / (sites[tally.site].capacity_gb or 1):.1f}",
        )
        for tally in plan.sites
        if tally.replicas
    ]
    page.table((Column("Site"), Column("Operator"), *figures), rows)


def _say_costs(page: Page, plan: ColumnPlan) -> None:
    page.heading("Costs")
    costs = plan.costs_eur_per_year.model_dump()
    rows = [(name, eur(amount)) for name, amount in costs.items()]
    rows.append(("total", eur(plan.objective_eur)))
    page.table((Column("Component"), Column("EUR/year", figures=True)), rows)


def _say_proof(page: Page, plan: ColumnPlan) -> None:
    proof = plan.certificate
    page.heading("Proof")
    rows = [
        ("Objective", eur(plan.objective_eur), "what this plan costs, EUR a year"),
        ("Dual bound", eur(plan.dual_bound_eur), "no plan costs less, says the solver"),
        ("Gap", small(plan.gap), f"asked for: {small(plan.parameters.gap)}"),
        ("Price bound", eur(proof.price_bound_eur), "no plan costs less, proven without it"),
        ("Price gap", small(proof.price_gap), "what that proof leaves open"),
    ]
    page.table((Column(""), Column("", figures=True), Column("")), rows)
    page.say(f"Certificate: {summary(proof)}", indent=2)
    page.say(
        f"{plan.solver.solver}; OPA {plan.versions.opa}; "
        f"policies {plan.digests.policies[:12]}; plan {plan.digest[:12]}",
        style="dim",
        indent=2,
    )


def _say_phases(page: Page, phases: Mapping[str, float]) -> None:
    total = sum(phases.values()) or 1.0
    page.heading("Time")
    rows = [
        (name, f"{seconds:.2f}", f"{100 * seconds / total:.1f}") for name, seconds in phases.items()
    ]
    rows.append(("all", f"{total:.2f}", "100.0"))
    columns = (Column("Phase"), Column("Seconds", figures=True), Column("%", figures=True))
    page.table(columns, rows)
