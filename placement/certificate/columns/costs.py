"""The components of the objective as terms over loads, and the cost of lineage, exactly.

The formulas are those of `models.plan.Costs`. With loads from `loads`, EUR a year:

    storage     12 p           per GB                      (storage, s)
    handling    12 h           per replica                 (site, s)
    delivery    12 g / n       per GB delivered a month    (tariff, s)
    reading     12 g r / n     per GB read a month         (tariff, s)
    migration   (w + g_c) / y  per GB, and m / y a replica (current, s), at sites not held today
    preference  penalty        per replica                 (profile, s)
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from models import Site, StorageKind
from models.columns import MICRO, Flags, Integers, Numbers32
from placement.certificate.columns.city import STORAGE, ColumnCity, Tariff
from placement.certificate.columns.loads import COUNT, DELIVERED, READ, VOLUME, Loads, Term, term
from placement.certificate.columns.sums import add_up_by
from placement.certificate.costs import MONTHS, ExactCosts

Terms = dict[str, tuple[Term, ...]]
"""By component of the objective, all but lineage."""


def cost_terms(city: ColumnCity) -> Terms:
    """Every component that is separate for each pair of dataset and site."""
    every = (Fraction(1),) * len(city.places.operators)
    return {
        "storage": (_storage(city),),
        "handling": (_handling(city),),
        "delivery": (_sent(city, DELIVERED, lambda _: every),),
        "reading": (_sent(city, READ, lambda tariff: tariff.remote),),
        "migration": _migration(city),
        "preference": (_preference(city),),
    }


def price(site: Site, storage: StorageKind) -> Fraction | None:
    """EUR per GB and month; none where the kind of storage is not offered."""
    kinds = {
        StorageKind.OBJECT: site.object_price_eur_per_gb_month,
        StorageKind.BLOCK: site.block_price_eur_per_gb_month,
    }
    given = kinds[storage]
    return None if given is None else Fraction(given)


def egress_prices(city: ColumnCity) -> list[Fraction]:
    """(S,) EUR per GB that leaves the site's operator."""
    return [Fraction(site.egress_price_eur_per_gb) for site in city.places.sites]


def _storage(city: ColumnCity) -> Term:
    rows = [
        [MONTHS * (price(site, kind) or Fraction(0)) for site in city.places.sites]
        for kind in STORAGE
    ]
    return term("storage", VOLUME, rows)


def _handling(city: ColumnCity) -> Term:
    prices = [site.handling_price_eur_per_dataset_month for site in city.places.sites]
    return term("site", COUNT, [[MONTHS * Fraction(p) for p in prices]])


def _sent(city: ColumnCity, feature: int, shares: Callable[[Tariff], tuple[Fraction, ...]]) -> Term:
    """12 g / n times the share that is charged at the site's operator."""
    operators = city.places.operator_of.tolist()
    egress = [MONTHS * g / MICRO for g in egress_prices(city)]
    rows = [
        [g * shares(tariff)[o] / tariff.replicas for g, o in zip(egress, operators, strict=True)]
        for tariff in city.tariffs
    ]
    return term("tariff", feature, rows)


def _migration(city: ColumnCity) -> tuple[Term, Term]:
    work = city.parameters
    operators, egress = city.places.operator_of.tolist(), egress_prices(city)
    sites = range(len(operators))
    once = Fraction(work.migration_eur_per_dataset) / work.amortisation_years
    volumes, counts = [], []
    for held in city.held:
        moves = [bool(held) and s not in held for s in sites]
        leaving = [
            Fraction(0) if not held or operators[held[0]] == operators[s] else egress[held[0]]
            for s in sites
        ]
        per_gb = [Fraction(work.migration_eur_per_gb) + g for g in leaving]
        volumes.append(
            [g / work.amortisation_years * m for g, m in zip(per_gb, moves, strict=True)]
        )
        counts.append([once * moved for moved in moves])
    return term("current", VOLUME, volumes), term("current", COUNT, counts)


def _preference(city: ColumnCity) -> Term:
    return Term("profile", COUNT, city.verdicts.penalty_eur.astype(object), 1)


def exact_costs(terms: Terms, loads: Loads, lineage: Fraction) -> ExactCosts:
    """Every component of a choice of sites, EUR a year."""
    return ExactCosts(**{name: loads.value(t) for name, t in terms.items()}, lineage=lineage)


def lineage_cost(city: ColumnCity, sites: Numbers32) -> Fraction:
    """For each flow and each site of the derived dataset, from the cheapest of the source's sites.

    Nothing where a site of the source has the same operator. `sites` is (N, R), -1 for none;
    flows whose source rests nowhere cost nothing here.
    """
    facts, egress = city.facts, egress_prices(city)
    if not len(facts.flow_source):
        return Fraction(0)
    cheapest = _cheapest(sites, egress)[facts.flow_source]
    sent = np.zeros(len(egress), dtype=object)
    for target in sites.T:
        at = target[facts.flow_derived]
        paid = (at >= 0) & (cheapest >= 0) & ~_near(city, sites, at)
        sent += add_up_by(cheapest[paid], facts.flow_ugb[paid], len(egress))
    return sum(
        (MONTHS * g * int(ugb) / MICRO for g, ugb in zip(egress, sent, strict=True)), Fraction(0)
    )


def _cheapest(sites: Numbers32, egress: list[Fraction]) -> Integers:
    """(N,) the site of each dataset with the least egress price, -1 for none."""
    order = sorted(range(len(egress)), key=lambda s: egress[s])
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = len(order)
    cheapest: Integers = np.array([*order, -1], dtype=np.int64)[rank[sites].min(axis=1)]
    return cheapest


def _near(city: ColumnCity, sites: Numbers32, at: Integers) -> Flags:
    """Whether a flow's source has a site with the operator of the flow's target site."""
    operators = city.places.operator_of
    near = np.zeros(len(at), dtype=np.bool_)
    for source in sites.T:
        here = source[city.facts.flow_source]
        near |= (here >= 0) & (operators[here] == operators[at])
    return near
