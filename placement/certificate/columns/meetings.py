"""Prices of separated pairs: what either of a pair pays where at most one of them may rest.

A pair's place is a site, or all sites of one operator. Why a bound may be lower by the price once
while both pay it there stands in `placement.certificate.bound`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Flags, Groups, Integers, Numbers32, PlacedColumns
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.naming import told
from placement.certificate.columns.sums import add_up


@dataclass(frozen=True)
class Meetings:
    """P priced pairs."""

    first: Integers
    second: Integers
    """(P,) rows of datasets."""
    place: Integers
    """(P,) a site; or S + an operator, where the pair parts by operator."""
    price: Integers
    """(P,) above 0, in 1e-6 EUR a year."""
    sites: int
    """S"""

    def __len__(self) -> int:
        return len(self.price)

    @property
    def total(self) -> int:
        """What the bound is lower by, in 1e-6 EUR a year."""
        return add_up(self.price)

    def paid(self, sites: Numbers32, operator_of: Integers) -> int:
        """What all ends pay, for each of their (N, R) sites at their place, in 1e-6 EUR a year."""
        total = 0
        for end in (self.first, self.second):
            for column in sites.T:
                at = column[end]
                with_operator = self.sites + operator_of[np.maximum(at, 0)]
                here = np.where(self.place < self.sites, at, with_operator) == self.place
                total += add_up(self.price[here & (at >= 0)])
        return total


def read_meetings(
    city: ColumnCity, placed: PlacedColumns, groups: Groups
) -> tuple[Meetings, list[str]]:
    """Keep the prices for which the bound is proven; name the others."""
    facts, sites = city.facts, len(city.places.ids)
    count = len(facts.pair_first)
    places, prices = placed.pair_places, placed.pair_prices
    shapes, failures = (places.shape, prices.shape), list[str]()
    if shapes != ((0,), (0,)) and shapes != ((count,), (count,)):
        failures = [f"separation prices: {shapes[0]} places, {shapes[1]} prices, {count} pairs"]
        places, prices = places[:0].ravel(), prices[:0].ravel()
    if not len(prices):
        kept = np.empty(0, dtype=np.intp)
    else:
        wrong = _wrong(city, groups, places, prices)
        failures = told(np.flatnonzero(wrong), lambda q: _sentence(city, places, prices, q))
        kept = np.flatnonzero((prices > 0) & ~wrong)
    site = places[kept].astype(np.int64)
    whole = facts.pair_whole_operator[kept]
    place = np.where(whole, sites + city.places.operator_of[site], site)
    ends = facts.pair_first[kept], facts.pair_second[kept]
    return Meetings(*ends, place, prices[kept], sites), failures


def _wrong(city: ColumnCity, groups: Groups, places: Numbers32, prices: Integers) -> Flags:
    """(Q,) unknown places, prices below 0 or without a place, and pairs that rest together."""
    unit = np.arange(len(city))
    unit[groups.members] = np.repeat(groups.members[groups.offsets[:-1]], np.diff(groups.offsets))
    together = unit[city.facts.pair_first] == unit[city.facts.pair_second]
    unknown = (places < -1) | (places >= len(city.places.ids))
    wrong: Flags = (prices < 0) | unknown | ((prices != 0) & (together | (places < 0)))
    return wrong


def _sentence(city: ColumnCity, places: Numbers32, prices: Integers, pair: int) -> str:
    ends = city.facts.pair_first[pair], city.facts.pair_second[pair]
    name = f"separation {city.name(ends[0])} | {city.name(ends[1])}"
    if not 0 <= places[pair] < len(city.places.ids):
        return f"{name}: there is no such place to price"
    if prices[pair] < 0:
        site = city.places.ids[places[pair]]
        return f"{name} at {site}: {prices[pair]} is not a price of 0 or more"
    return f"{name}: a pair that must rest together has no price"
