"""What a placement costs, in whole numbers of a unit so small that nothing is rounded.

The formulas are those of `models.plan.Costs`. Every amount is an integer count of
1/`Tariff.unit` EUR a year (EUR once for the exit cost).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from models import Costs, Dataset, Site, StorageKind
from placement.certificate.city import City
from placement.certificate.exact import cents, common_denominator, whole
from placement.certificate.verdicts import Verdicts

MONTHS = 12
DAYS_A_MONTH = 30


class ExactCosts(NamedTuple):
    """Components of the objective, exactly, EUR a year."""

    storage: Fraction
    handling: Fraction
    delivery: Fraction
    reading: Fraction
    lineage: Fraction
    migration: Fraction
    preference: Fraction

    @property
    def objective(self) -> Fraction:
        """Their sum."""
        return sum(self, Fraction(0))

    def rounded(self) -> Costs:
        """Each component half-even to cents."""
        return Costs(**{name: cents(value) for name, value in self._asdict().items()})


def add(costs: Iterable[ExactCosts]) -> ExactCosts:
    """Component-wise sum."""
    columns = zip(*costs, strict=True)
    sums = [sum(column, Fraction(0)) for column in columns]
    return ExactCosts(*(sums or [Fraction(0)] * len(ExactCosts._fields)))


class PairCosts(NamedTuple):
    """What one replica at one site adds on its own account, in units."""

    storage: int
    handling: int
    delivery: int
    reading: int
    migration: int
    preference: int


@dataclass(frozen=True)
class _Terms:
    """A site's yearly prices, in 1/site_unit EUR."""

    storage: Mapping[StorageKind, int | None]
    handling: int
    egress: int


@dataclass(frozen=True)
class _Load:
    """A dataset's amounts for one replica; GB a year in 1/load_unit."""

    delivery: int
    reading_each: int
    """Read by one of its reader roles."""
    readers: tuple[str, ...]


class Tariff:
    """Prices and loads of a city as integers, and the costs that follow."""

    def __init__(self, city: City, verdicts: Verdicts) -> None:
        self._city = city
        self._verdicts = verdicts
        work = city.parameters
        amounts = [work.migration_eur_per_gb, work.migration_eur_per_dataset]
        amounts += [work.closed_rework_eur_per_dataset]
        prices = [p for site in city.sites.values() for p in _prices(site)]
        self._site_unit = common_denominator(Fraction(p) for p in (*amounts, *prices))
        loads = [v for d in city.datasets.values() for v in _loads(d)]
        fixed = [Fraction(1, DAYS_A_MONTH), Fraction(1, work.amortisation_years)]
        self._load_unit = common_denominator([*loads, *fixed, *city.flows.values()])
        self.unit = self._site_unit * self._load_unit
        self._terms = {name: self._terms_of(site) for name, site in city.sites.items()}
        self._move_gb = self._eur(work.migration_eur_per_gb)
        self._move_dataset = self._eur(work.migration_eur_per_dataset)
        self._load = {name: self._load_of(d) for name, d in city.datasets.items()}
        self._flows_into: dict[str, list[tuple[str, str]]] = {}
        for source, derived in city.flows:
            self._flows_into.setdefault(derived, []).append((source, derived))
        self._remote: dict[tuple[tuple[str, ...], str], int] = {}

    def _eur(self, amount: Decimal) -> int:
        return whole(Fraction(amount) * self._site_unit)

    def _terms_of(self, site: Site) -> _Terms:
        prices = {
            StorageKind.OBJECT: site.object_price_eur_per_gb_month,
            StorageKind.BLOCK: site.block_price_eur_per_gb_month,
        }
        return _Terms(
            storage={kind: None if p is None else self._eur(p) for kind, p in prices.items()},
            handling=self._eur(site.handling_price_eur_per_dataset_month),
            egress=self._eur(site.egress_price_eur_per_gb),
        )

    def _load_of(self, dataset: Dataset) -> _Load:
        delivery, reading_each = (whole(v * self._load_unit) for v in _loads(dataset))
        return _Load(
            delivery=MONTHS * delivery,
            reading_each=MONTHS * reading_each,
            readers=tuple(sorted(set(dataset.readers))),
        )

    def priced(self, dataset: str, site: str) -> bool:
        """Whether the site has a price for the dataset's kind of storage."""
        return self._terms[site].storage[self._city.datasets[dataset].storage] is not None

    def pair(self, dataset: str, site: str) -> PairCosts:
        """Costs of one replica at a site; an unpriced kind of storage counts 0 here."""
        d, load, terms = self._city.datasets[dataset], self._load[dataset], self._terms[site]
        reading = load.reading_each * self._readers_elsewhere(load.readers, site)
        return PairCosts(
            storage=MONTHS * d.volume_gb * (terms.storage[d.storage] or 0) * self._load_unit,
            handling=MONTHS * terms.handling * self._load_unit,
            delivery=load.delivery * terms.egress,
            reading=reading * terms.egress,
            migration=self._migration(d, site),
            preference=self._verdicts.of(dataset, site).penalty_eur_per_year * self.unit,
        )

    def _readers_elsewhere(self, readers: tuple[str, ...], site: str) -> int:
        """How many reader roles have no workplace at a site of the same operator."""
        if not readers:
            return 1
        operator = self._city.operator_of(site)
        if (readers, operator) not in self._remote:
            self._remote[readers, operator] = sum(
                all(
                    self._city.operator_of(workplace) != operator
                    for workplace in self._city.roles[reader].workplace_sites
                )
                for reader in readers
            )
        return self._remote[readers, operator]

    def _migration(self, dataset: Dataset, site: str) -> int:
        current = dataset.current_site
        if current is None or site in dataset.current_sites:
            return 0
        work = self._city.parameters
        same_operator = self._city.operator_of(current) == self._city.operator_of(site)
        egress = 0 if same_operator else self._terms[current].egress
        once = dataset.volume_gb * (self._move_gb + egress) + self._move_dataset
        return once * (self._load_unit // work.amortisation_years)

    def exit_cost(self, dataset: str, site: str) -> int:
        """EUR once, to leave the site; nothing at the city's own sites."""
        place, d = self._city.sites[site], self._city.datasets[dataset]
        if not self._city.capped(place.operator):
            return 0
        terms = self._terms[site]
        days = (place.exit_notice_days or 0) + (place.transfer_window_days or 0)
        cost = d.volume_gb * terms.egress * self._load_unit
        cost += (
            d.volume_gb * (terms.storage[d.storage] or 0) * days * (self._load_unit // DAYS_A_MONTH)
        )
        if self._verdicts.of(dataset, site).closed_stack:
            cost += self._eur(self._city.parameters.closed_rework_eur_per_dataset) * self._load_unit
        return cost

    def egress_of_flow(self, flow: tuple[str, str], site: str) -> int:
        """Yearly egress cost of a whole flow that leaves this site's operator."""
        return MONTHS * whole(self._city.flows[flow] * self._load_unit) * self._terms[site].egress

    def lineage(self, flow: tuple[str, str], sources: Sequence[str], site: str) -> int:
        """What it costs to feed one replica at `site` from the cheapest of the sources' sites."""
        operator = self._city.operator_of(site)
        return min(
            0 if self._city.operator_of(s) == operator else self.egress_of_flow(flow, s)
            for s in sources
        )

    def of_placement(self, dataset: str, placed: Mapping[str, Sequence[str]]) -> ExactCosts:
        """Exact costs of a dataset's placement; lineage is that of the flows it receives."""
        pairs = [self.pair(dataset, site) for site in placed[dataset]]
        sums = {name: sum(getattr(p, name) for p in pairs) for name in PairCosts._fields}
        lineage = sum(
            self.lineage(flow, placed[flow[0]], site)
            for flow in self._flows_into.get(dataset, ())
            if placed[flow[0]]
            for site in placed[dataset]
        )
        amounts = {**sums, "lineage": lineage}
        return ExactCosts(**{name: Fraction(n, self.unit) for name, n in amounts.items()})


def _prices(site: Site) -> list[Decimal]:
    prices = (
        site.object_price_eur_per_gb_month,
        site.block_price_eur_per_gb_month,
        site.handling_price_eur_per_dataset_month,
        site.egress_price_eur_per_gb,
    )
    return [price for price in prices if price is not None]


def _loads(dataset: Dataset) -> tuple[Fraction, Fraction]:
    """GB a month for one replica: delivered, and read by each of its reader roles."""
    readers = max(1, len(set(dataset.readers)))
    return (
        Fraction(dataset.monthly_egress_gb) / dataset.replicas,
        Fraction(dataset.monthly_read_gb) / (dataset.replicas * readers),
    )
