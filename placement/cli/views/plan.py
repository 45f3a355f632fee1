"""A plan: what was decided, what it costs, how far it is proven, and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from models import HostObligation, Plan, SiteKind, Termination
from placement.cli.options import Format
from placement.cli.page import Column, Page
from placement.cli.text import count, eur, listed, percent, whole
from placement.cli.views.certificate import summary
from placement.cli.views.classes import DERIVED, DERIVED_MEANS, class_text
from placement.cli.views.machine import as_csv
from placement.cli.views.tally import (
    host_obligations,
    site_shares,
    tally_departments,
    tally_sites,
    total,
)

# On a terminal a longer list would push the answer out of sight; a pipe gets every row.
LONGEST_ON_TERMINAL = 40
ASSUMPTIONS_SHOWN = 10
UNUSED_NAMED = 15
KINDS = {
    SiteKind.ON_PREMISE: "on premise",
    SiteKind.PRIVATE_CLOUD: "private",
    SiteKind.PUBLIC_CLOUD: "public",
}


def render(plan: Plan, form: Format, plan_file: Callable[[], bytes]) -> bytes:
    """The plan; in JSON it is the plan file itself, byte for byte."""
    if form is Format.JSON:
        return plan_file()
    if form is Format.CSV:
        return _csv(plan)
    page = Page()
    _say_decision(page, plan)
    _say_sites(page, plan)
    _say_departments(page, plan)
    _say_costs(page, plan)
    _say_proof(page, plan)
    _say_duties(page, plan)
    _say_placements(page, plan)
    _say_warnings(page, plan)
    return page.content()


def _say_decision(page: Page, plan: Plan) -> None:
    used = {site for placement in plan.placements for site in placement.sites}
    page.say(
        f"{plan.municipality}: {count(len(plan.placements), 'dataset')} placed at {len(used)} of "
        f"{count(len(plan.inputs.sites.sites), 'site')}",
        style="bold",
    )
    best = (
        "the cheapest that any plan can be"
        if plan.gap == 0
        else "within " + percent(plan.gap) + " of the cheapest that any plan can be"
    )
    page.say(f"EUR {eur(plan.objective_eur)} a year, {best}.")
    wishes = plan.costs_eur_per_year.preference
    if wishes:
        page.say(
            f"EUR {eur(plan.objective_eur - wishes)} of it is money; EUR {eur(wishes)} weighs the "
            "preferences that are not met."
        )
    page.say(f"No policy is broken, as judged for {plan.eligibility.as_of}.")
    if plan.termination is Termination.TIME_LIMIT:
        page.say("The time limit ended the search for a cheaper one.", style="yellow")


def _say_sites(page: Page, plan: Plan) -> None:
    tallies = tally_sites(plan)
    volume = sum(tally.volume_gb for tally in tallies) or 1
    money = sum((tally.eur_per_year for tally in tallies), Decimal(0)) or Decimal(1)
    page.heading("Sites")
    columns = [
        Column("Site"),
        Column("Operator"),
        Column("Kind"),
        *(
            Column(title, figures=True)
            for title in ("Datasets", "GB", "GB %", "full %", "EUR/year", "EUR %")
        ),
    ]
    rows = [
        (
            tally.site.id,
            tally.site.operator,
            f"{KINDS[tally.site.kind]}, {tally.site.country}",
            whole(tally.datasets),
            whole(tally.volume_gb),
            f"{100 * tally.volume_gb / volume:.1f}",
            f"{100 * tally.volume_gb / (tally.site.capacity_gb or 1):.1f}",
            whole(tally.eur_per_year),
            f"{100 * tally.eur_per_year / money:.1f}",
        )
        for tally in tallies
        if tally.datasets
    ]
    page.table(columns, rows)
    unused = [tally.site.id for tally in tallies if not tally.datasets]
    if unused:
        names = listed(unused) if len(unused) <= UNUSED_NAMED else f"{len(unused)} other sites"
        page.say(f"Not used: {names}", style="dim", indent=2)


def _say_departments(page: Page, plan: Plan) -> None:
    tallies = tally_departments(plan)
    if len(tallies) < 2:
        return
    page.heading("Departments")
    figures = (Column("Datasets", figures=True), Column("EUR/year", figures=True))
    rows = [
        (tally.department, whole(tally.datasets), whole(tally.eur_per_year), listed(tally.sites))
        for tally in tallies
    ]
    page.table((Column("Department"), *figures, Column("Sites")), rows)


def _say_costs(page: Page, plan: Plan) -> None:
    page.heading("Costs")
    costs = plan.costs_eur_per_year.model_dump()
    notes = {"migration": "spread over the years", "preference": "weights, not money"}
    rows = [(name, eur(amount), notes.get(name, "")) for name, amount in costs.items()]
    rows.append(("total", eur(plan.objective_eur), ""))
    page.table((Column("Component"), Column("EUR/year", figures=True), Column("")), rows)


def _say_proof(page: Page, plan: Plan) -> None:
    certificate = plan.certificate
    page.heading("Proof")
    rows = [
        ("Objective", eur(plan.objective_eur), "what this plan costs, EUR a year"),
        ("Dual bound", eur(plan.dual_bound_eur), "no plan costs less, says the solver"),
        ("Gap", percent(plan.gap), f"asked for: {percent(plan.parameters.gap)}"),
        ("Price bound", eur(certificate.price_bound_eur), "no plan costs less, proven without it"),
        ("Price gap", percent(certificate.price_gap), "what that proof leaves open"),
    ]
    page.table((Column(""), Column("", figures=True), Column("")), rows)
    page.say(f"Certificate: {summary(certificate)}", indent=2)
    page.say(
        f"{plan.solver.solver}, {plan.solver.solve_s:.1f} s; OPA {plan.versions.opa}; "
        f"policies {plan.digests.policies[:12]}; plan {plan.digest[:12]}",
        style="dim",
        indent=2,
    )


def _say_duties(page: Page, plan: Plan) -> None:
    duties = host_obligations(plan)
    if not duties:
        return
    page.heading("What the hosts must do, and for how many datasets")
    for duty in sorted(duties, key=lambda duty: duty.code):
        page.items([f"{duty.requirement} ({duty.code})"])
        numbers = (
            f"{site.id} ({duties[duty][site.id]})"
            for site in plan.inputs.sites.sites
            if site.id in duties[duty]
        )
        page.say(listed(numbers), style="dim", indent=4)


def _say_placements(page: Page, plan: Plan) -> None:
    effective = {item.dataset: item for item in plan.effective}
    rows = [
        (
            placement.dataset,
            class_text(effective[placement.dataset]),
            listed(placement.sites),
            eur(total(placement.cost_eur_per_year)),
        )
        for placement in plan.placements
    ]
    page.heading("Placements")
    columns = (Column("Dataset"), Column("Class"), Column("Site"), Column("EUR/year", figures=True))
    hidden = max(len(rows) - LONGEST_ON_TERMINAL, 0) if page.interactive else 0
    page.table(columns, rows[: len(rows) - hidden])
    if hidden:
        more = f"{hidden:,} more: pipe the answer into a pager, or ask for --format csv"
        page.say(more, style="yellow", indent=2)
    if any(item.reasons for item in plan.effective):
        page.say(f"{DERIVED} {DERIVED_MEANS}", style="dim", indent=2)


def _say_warnings(page: Page, plan: Plan) -> None:
    catalog, sites = plan.inputs.catalog, plan.inputs.sites
    made_up = Counter(name for dataset in catalog.datasets for name in dataset.synthetic)
    assumptions = [*catalog.assumptions, *sites.assumptions]
    if not made_up and not assumptions:
        return
    page.heading("Take care")
    if made_up:
        fields = listed(f"{name} ({count(n, 'dataset')})" for name, n in sorted(made_up.items()))
        page.say(f"Synthetic values, made up from a seed: {fields}", style="yellow", indent=2)
    if assumptions:
        page.say("Assumed on import:", style="yellow", indent=2)
        page.items(assumptions[:ASSUMPTIONS_SHOWN], indent=4)
    if len(assumptions) > ASSUMPTIONS_SHOWN:
        page.say(f"and {len(assumptions) - ASSUMPTIONS_SHOWN} more in the plan file", indent=4)


COLUMNS = (
    "dataset",
    "title",
    "owner_department",
    "site",
    "operator",
    "site_kind",
    "country",
    "replicas",
    "volume_gb",
    "confidentiality",
    "gdpr_category",
    "access_rights",
    "eur_per_year",
    "host_obligations",
    "synthetic",
)


def _csv(plan: Plan) -> bytes:
    """One row for each dataset at each of its sites; a replicated dataset's cost is split."""
    datasets = {dataset.id: dataset for dataset in plan.inputs.catalog.datasets}
    sites = {site.id: site for site in plan.inputs.sites.sites}
    effective = {item.dataset: item for item in plan.effective}
    rows = []
    for placement in plan.placements:
        dataset, its_class = datasets[placement.dataset], effective[placement.dataset]
        for site, amount, duties in site_shares(plan, placement):
            rows.append(
                (
                    dataset.id,
                    dataset.title,
                    dataset.owner_department,
                    site,
                    sites[site].operator,
                    sites[site].kind,
                    sites[site].country,
                    len(placement.sites),
                    dataset.volume_gb,
                    its_class.confidentiality,
                    its_class.gdpr_category,
                    its_class.access_rights,
                    amount,
                    _codes(duties),
                    " ".join(dataset.synthetic),
                )
            )
    return as_csv(COLUMNS, rows)


def _codes(duties: tuple[HostObligation, ...]) -> str:
    return " ".join(duty.code for duty in duties)
