"""Prices of rows, flows and separated pairs: those a bound is proven for, and what else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from models import FlowPrice, RowPrice, SeparationPrice
from placement.certificate.city import City
from placement.certificate.claims import Claims
from placement.certificate.costs import Tariff
from placement.certificate.exact import exact
from placement.certificate.rows import Rows

FlowSite = tuple[str, str, str]
PairPlace = tuple[str, str, str]


@dataclass(frozen=True)
class Prices:
    """Valid prices, and what is wrong with the others. Those count as 0, which is valid."""

    rows: Mapping[str, Fraction]
    flows: Mapping[FlowSite, Fraction]
    """(source, derived, site of the source) -> m, EUR a year."""
    pairs: Mapping[PairPlace, Fraction]
    """(first, second, site or operator) -> l, EUR a year."""
    failures: tuple[str, ...]
    checked: int


def read_prices(claims: Claims, city: City, tariff: Tariff, rows: Rows) -> Prices:
    """Keep the prices for which the bound is proven; name the others."""
    of_rows, row_failures = _row_prices(claims.prices, rows)
    of_flows, flow_failures = _flow_prices(claims.flow_prices, city, tariff)
    of_pairs, pair_failures = _pair_prices(claims.separation_prices, city)
    return Prices(
        rows=of_rows,
        flows=of_flows,
        pairs=of_pairs,
        failures=(*row_failures, *flow_failures, *pair_failures),
        checked=len(claims.prices) + len(claims.flow_prices) + len(claims.separation_prices),
    )


def _row_prices(given: Iterable[RowPrice], rows: Rows) -> tuple[dict[str, Fraction], list[str]]:
    kept, failures = dict[str, Fraction](), list[str]()
    for row_price in given:
        price = exact(row_price.price)
        if row_price.row not in rows.rows:
            failures.append(f"{row_price.row}: there is no such constraint to price")
        elif row_price.row in kept:
            failures.append(f"{row_price.row}: priced twice")
        elif price is None or price < 0:
            failures.append(f"{row_price.row}: {row_price.price} is not a price of 0 or more")
        else:
            kept[row_price.row] = price
    return kept, failures


def _flow_prices(
    given: Iterable[FlowPrice], city: City, tariff: Tariff
) -> tuple[dict[FlowSite, Fraction], list[str]]:
    kept, failures = dict[FlowSite, Fraction](), list[str]()
    for flow_price in given:
        key = (flow_price.source, flow_price.derived, flow_price.site)
        wrong = _wrong_flow_price(flow_price, city, tariff)
        if wrong or key in kept:
            name = f"flow {flow_price.source} -> {flow_price.derived} at {flow_price.site}"
            failures.append(f"{name}: {wrong or 'priced twice'}")
        else:
            kept[key] = Fraction(flow_price.price)
    return kept, failures


def _wrong_flow_price(given: FlowPrice, city: City, tariff: Tariff) -> str | None:
    flow = (given.source, given.derived)
    if flow not in city.flows:
        return "there is no such flow to price"
    if any(city.datasets[end].replicas > 1 for end in flow):
        return "a flow with replicas has no price"
    if given.site not in city.sites:
        return "there is no such site"
    price = exact(given.price)
    most = Fraction(tariff.egress_of_flow(flow, given.site), tariff.unit)
    if price is None or not 0 <= price <= most:
        return f"{given.price} is not between 0 and the egress cost of {float(most)} EUR a year"
    return None


def _pair_prices(
    given: Iterable[SeparationPrice], city: City
) -> tuple[dict[PairPlace, Fraction], list[str]]:
    group_of = {member: group for group in city.groups for member in group}
    kept, failures = dict[PairPlace, Fraction](), list[str]()
    for pair_price in given:
        key = (pair_price.first, pair_price.second, pair_price.place)
        wrong = _wrong_pair_price(pair_price, city, group_of)
        if wrong or key in kept:
            name = f"separation {pair_price.first} | {pair_price.second} at {pair_price.place}"
            failures.append(f"{name}: {wrong or 'priced twice'}")
        else:
            kept[key] = Fraction(pair_price.price)
    return kept, failures


def _wrong_pair_price(
    given: SeparationPrice, city: City, group_of: Mapping[str, tuple[str, ...]]
) -> str | None:
    level = city.separations.get((given.first, given.second))
    if level is None:
        return "there is no such pair to price"
    if given.first in group_of and group_of[given.first] is group_of.get(given.second):
        return "a pair that must rest together has no price"
    if given.place not in (city.operators if level == "operator" else city.sites):
        return f"there is no such {level}"
    price = exact(given.price)
    if price is None or price < 0:
        return f"{given.price} is not a price of 0 or more"
    return None
