"""Sums over a plan: what rests at each site, and what its host owes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from models import Costs, HostObligation, Placement, Plan, Site

CENT = Decimal("0.01")


@dataclass(frozen=True)
class SiteTally:
    """What rests at one site."""

    site: Site
    datasets: int
    volume_gb: int
    eur_per_year: Decimal


@dataclass(frozen=True)
class DepartmentTally:
    """What was decided for one department."""

    department: str
    datasets: int
    eur_per_year: Decimal
    sites: tuple[str, ...]
    """Sites that hold its data, the most used first."""


def total(costs: Costs) -> Decimal:
    """All components together, EUR a year."""
    return sum(costs.model_dump().values(), Decimal(0))


def tally_sites(plan: Plan) -> list[SiteTally]:
    """All sites of the register in its order."""
    volumes = {dataset.id: dataset.volume_gb for dataset in plan.inputs.catalog.datasets}
    datasets: Counter[str] = Counter()
    volume_gb: Counter[str] = Counter()
    money: dict[str, Decimal] = defaultdict(Decimal)
    for placement in plan.placements:
        for site, amount, _ in site_shares(plan, placement):
            datasets[site] += 1
            volume_gb[site] += volumes[placement.dataset]
            money[site] += amount
    return [
        SiteTally(site, datasets[site.id], volume_gb[site.id], money[site.id])
        for site in plan.inputs.sites.sites
    ]


def tally_departments(plan: Plan) -> list[DepartmentTally]:
    """All departments that own a dataset, by name; datasets without an owner come last."""
    owners = {dataset.id: dataset.owner_department for dataset in plan.inputs.catalog.datasets}
    placements: dict[str | None, list[Placement]] = defaultdict(list)
    for placement in plan.placements:
        placements[owners[placement.dataset]].append(placement)
    tallies = []
    for owner in sorted(placements, key=lambda name: (name is None, name)):
        sites = Counter(site for placement in placements[owner] for site in placement.sites)
        money = sum((total(item.cost_eur_per_year) for item in placements[owner]), Decimal(0))
        name, number = owner or "(no owner named)", len(placements[owner])
        tallies.append(DepartmentTally(name, number, money, tuple(dict(sites.most_common()))))
    return tallies


def site_shares(
    plan: Plan, placement: Placement
) -> Iterator[tuple[str, Decimal, tuple[HostObligation, ...]]]:
    """Each site of a placement with its even share of the cost, and what the host owes there.

    The shares add up to the dataset's cost: odd cents go to the first sites.
    """
    cents = int(total(placement.cost_eur_per_year) / CENT)
    share, odd = divmod(cents, len(placement.sites))
    for position, site in enumerate(placement.sites):
        row = plan.eligibility.verdicts[placement.profile]
        verdict = row[plan.eligibility.sites.index(site)]
        yield site, (share + (position < odd)) * CENT, verdict.host_obligations


def host_obligations(plan: Plan) -> Mapping[HostObligation, Counter[str]]:
    """How many datasets at which site each obligation of a host is for."""
    owed: dict[HostObligation, Counter[str]] = defaultdict(Counter)
    for placement in plan.placements:
        for site, _, duties in site_shares(plan, placement):
            for duty in duties:
                owed[duty][site] += 1
    return owed
