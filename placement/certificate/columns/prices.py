"""Prices of rows, flows and separated pairs: those a bound is proven for, and what else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from models.columns import MICRO, Flags, Groups, Integers, PlacedColumns
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.costs import egress_prices
from placement.certificate.columns.meetings import Meetings, read_meetings
from placement.certificate.columns.naming import cut, told
from placement.certificate.columns.rows import Row
from placement.certificate.costs import MONTHS
from placement.certificate.exact import MOST_DIGITS, common_denominator

PRICE_UNIT = 10**12
"""Row prices are whole numbers of 1e-12 EUR."""
MESSAGE_UNIT = 10**6
"""Messages and prices of pairs are whole numbers of 1e-6 EUR."""
BLOCK = 1 << 16


@dataclass(frozen=True)
class Prices:
    """Valid prices, and what is wrong with the others. Those count as 0, which is valid."""

    rows: Mapping[str, Fraction]
    messages: NDArray[np.int64]
    """(F, S) in 1e-6 EUR a year, or (0, S) where there are none."""
    meetings: Meetings
    failures: tuple[str, ...]
    checked: int


def read_prices(
    city: ColumnCity, placed: PlacedColumns, rows: Mapping[str, Row], groups: Groups
) -> Prices:
    """Keep the prices for which the bound is proven; name the others."""
    failures, kept = list[str](), dict[str, Fraction]()
    for name, price in placed.row_prices.items():
        if name not in rows:
            failures.append(f"{name}: there is no such constraint to price")
        elif not 0 <= price < 10**MOST_DIGITS:
            failures.append(f"{name}: {str(price)[:40]} is not a price of 0 or more")
        else:
            kept[name] = Fraction(int(price), PRICE_UNIT)
    messages, wrong = _messages(city, placed.flow_prices)
    meetings, unproven = read_meetings(city, placed, groups)
    checked = len(placed.row_prices) + messages.size + len(placed.pair_prices)
    return Prices(kept, messages, meetings, (*cut(failures), *wrong, *unproven), checked)


def _messages(city: ColumnCity, given: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    flows, width = len(city.facts.flow_source), len(city.places.ids)
    none = np.zeros((0, width), dtype=np.int64)
    if not given.size:
        return none, []
    if given.shape != (flows, width):
        return none, [f"flow prices: {given.shape} for {flows} flows at {width} sites"]
    wrong = np.concatenate([*_wrong(city, given)])
    if not wrong.any():
        return given, []
    failures = told(np.flatnonzero(wrong.any(axis=1)), lambda e: _sentence(city, e, wrong[e]))
    return np.where(wrong, 0, given), failures


def _wrong(city: ColumnCity, given: NDArray[np.int64]) -> Iterator[Flags]:
    """Messages outside 0 <= m <= 12 f g, or of flows with replicas, some flows at a time.

    In whole numbers: m / 1e6 <= 12 (f / 1e6) (a_s / b) exactly where m b <= 12 f a_s.
    """
    egress = [Fraction(MONTHS) * g * MESSAGE_UNIT / MICRO for g in egress_prices(city)]
    unit = common_denominator(egress)
    price = np.array([int(g * unit) for g in egress], dtype=object)
    single, facts = city.single, city.facts
    simple = single[facts.flow_source] & single[facts.flow_derived]
    for begin in range(0, len(given), BLOCK):
        part, ugb = given[begin : begin + BLOCK], facts.flow_ugb[begin : begin + BLOCK]
        priced = part != 0
        above = _above(part, unit, ugb, price)
        yield (part < 0) | above | (priced & ~simple[begin : begin + BLOCK, None])


def _above(
    messages: NDArray[np.int64], unit: int, ugb: Integers, price: NDArray[np.object_]
) -> Flags:
    """Where m b > f a_s, in 64 bits where no product runs over, in Python integers elsewhere."""
    largest = max(int(messages.max()) * unit, max(1, int(ugb.max())) * max(price.tolist()))
    if largest < 2**63 and unit < 2**63:
        small: Flags = messages * unit > ugb[:, None] * price.astype(np.int64)
        return small
    large = messages.astype(object) * unit > ugb.astype(object)[:, None] * price
    return np.asarray(large, dtype=np.bool_)


def _sentence(city: ColumnCity, flow: int, wrong: Flags) -> str:
    facts = city.facts
    ends = facts.flow_source[flow], facts.flow_derived[flow]
    name = f"flow {city.name(ends[0])} -> {city.name(ends[1])}"
    if not all(city.single[end] for end in ends):
        return f"{name}: a flow with replicas has no price"
    site = city.places.ids[int(np.argmax(wrong))]
    return f"{name} at {site}: the price is not between 0 and the egress cost of the flow"
