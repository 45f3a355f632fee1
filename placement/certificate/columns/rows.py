"""The coupling rows as terms over loads: the names, weights and limits of `certificate.rows`.

Row r is: sum over placed pairs (d, s) of w_r(d, s) <= b_r.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from placement.certificate.columns.city import STORAGE, ColumnCity
from placement.certificate.columns.costs import egress_prices, price
from placement.certificate.columns.loads import COUNT, VOLUME, Loads, Term, term
from placement.certificate.columns.sums import add_up
from placement.certificate.costs import DAYS_A_MONTH


@dataclass(frozen=True)
class Row:
    """One coupling constraint."""

    name: str
    """As in prices and in infeasibility cores: capacity[site]."""
    family: str
    limit: Fraction
    """b_r, in the unit of its price."""
    terms: tuple[Term, ...]

    def load(self, loads: Loads) -> Fraction:
        """The left-hand side."""
        return loads.value(self.terms)


@dataclass(frozen=True)
class Totals:
    """What shares are shares of."""

    volume_gb: int
    """V: the volume of all replicas."""
    critical: int
    """C: the replicas of all critical datasets."""
    placed: int
    """Datasets that rest somewhere today."""


def totals_of(city: ColumnCity) -> Totals:
    """Exact totals, over every dataset of the catalogue."""
    volume = sum(
        n * add_up(city.columns.volume_gb[city.replicas == n])
        for n in {kind.replicas for kind in city.columns.kinds}
    )
    somewhere = np.array([bool(held) for held in city.held], dtype=np.bool_)
    return Totals(
        volume_gb=volume,
        critical=int(city.replicas[city.critical].sum()),
        placed=int(somewhere[city.columns.current_of].sum()),
    )


def read_rows(city: ColumnCity, totals: Totals) -> Mapping[str, Row]:
    """All coupling rows, by name."""
    return {row.name: row for row in _all(city, totals)}


def _all(city: ColumnCity, totals: Totals) -> Iterator[Row]:
    limits, places = city.parameters, city.places
    for s, site in enumerate(places.sites):
        weights = (_flags("site", VOLUME, [np.arange(len(places.ids)) == s]),)
        yield Row(f"capacity[{site.id}]", "capacity", Fraction(site.capacity_gb), weights)
    share = Fraction(limits.operator_volume_share_max)
    for o, name in _capped(city):
        weights = (_flags("site", VOLUME, [places.operator_of == o]),)
        row = f"concentration_volume[{name}]"
        yield Row(row, "concentration_volume", share * totals.volume_gb, weights)
    if totals.critical:
        yield from _critical(city, totals)
    if limits.exit_budget_eur is not None:
        yield Row("exit_budget", "exit_budget", Fraction(limits.exit_budget_eur), exit_terms(city))
    share = Fraction(limits.closed_stack_share_max)
    closed = (_flags("profile", VOLUME, city.verdicts.closed_stack),)
    yield Row("closed_stack", "closed_stack", share * totals.volume_gb, closed)
    if limits.moves_max is not None:
        # sum (1 - x_d,current) <= moves_max, with the constant on the right
        stays = np.zeros((len(city.held), len(places.ids)), dtype=object)
        for now, held in enumerate(city.held):
            if held:
                stays[now, held[0]] = -1
        least = Fraction(limits.moves_max - totals.placed)
        yield Row("moves", "moves", least, (Term("current", COUNT, stays, 1),))


def _critical(city: ColumnCity, totals: Totals) -> Iterator[Row]:
    share = Fraction(city.parameters.operator_critical_share_max)
    most = Fraction(max(1, math.floor(share * totals.critical)))
    for o, name in _capped(city):
        there = city.places.operator_of == o
        weights = (_flags("critical", COUNT, [np.zeros_like(there), there]),)
        yield Row(f"concentration_critical[{name}]", "concentration_critical", most, weights)


def exit_terms(city: ColumnCity) -> tuple[Term, Term]:
    """EUR once to leave a site: egress and storage while it lasts, rework on closed stacks."""
    capped = city.places.capped[city.places.operator_of]
    egress = egress_prices(city)
    rows = []
    for kind in STORAGE:
        row = []
        for s, site in enumerate(city.places.sites):
            days = (site.exit_notice_days or 0) + (site.transfer_window_days or 0)
            stored = (price(site, kind) or Fraction(0)) * days / DAYS_A_MONTH
            row.append((egress[s] + stored) * int(capped[s]))
        rows.append(row)
    rework = Fraction(city.parameters.closed_rework_eur_per_dataset)
    closed = _flags("profile", COUNT, city.verdicts.closed_stack & capped)
    return term("storage", VOLUME, rows), closed.times(rework)


def _flags(axis: str, feature: int, weights: object) -> Term:
    """Weights of 0 and 1."""
    return Term(axis, feature, np.asarray(weights).astype(np.int64).astype(object), 1)


def _capped(city: ColumnCity) -> Iterator[tuple[int, str]]:
    for o, name in enumerate(city.places.operators):
        if city.places.capped[o]:
            yield o, name
