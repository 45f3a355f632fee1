"""Prices of the coupling rows, and the bound they prove.

Pricing the coupling rows leaves one small choice per unit, so that for any prices p >= 0,
0 <= m_es <= 12 f_e g_s (flows e with one replica at both ends) and l_q >= 0 of separated pairs
q at a place P_q, a site or, where they part by operator, all sites of one,

    L(p, m, l) = sum_u (sum of the n_u smallest over o of min_{s in o} c'_us)
                 - sum_r p_r b_r - sum_q l_q
    c'_us      = c_us + sum_r p_r w_rus + sum_{e from u} m_es - sum_{e to u} max_{t in op(s)} m_et
                 + sum over pairs q of u with s in P_q of l_q

is a lower bound on the cost of every plan (Lagrangian relaxation; Geoffrion 1974, Lagrangean
relaxation for integer programming). s runs over the instance's light pairs: no plan holds one
that overloads a row alone. Replicas rest with different operators o, so that each operator
counts once, and at most one replica of either of a pair rests at P_q. Segregation and flows with
replicas are left out, which only lowers L.
The certificate re-computes it from the prices alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

import numpy as np

from models import FlowPrice, RowPrice, SeparationPrice
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.instance import Instance, UnitPair

DECIMALS = Decimal("1e-12")
WIDE = Context(prec=80)
"""Room for the largest price times the largest volume: the default 28 digits are too few."""
ROUNDING = 1e-12
"""Relative allowance for the rounding of float sums when a bound is computed from prices."""


@dataclass(frozen=True)
class Prices:
    """Prices, EUR a year, and what they prove."""

    rows: Floats
    """(R,) per unit of each coupling row's right-hand side."""
    flows: Floats
    """(F, S) message m of each flow at each site of its source; 0 for flows with replicas."""
    places: Indices = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    """(Q,) site, or operator, of each separated pair's price; (0,) where none has one."""
    pairs: Floats = field(default_factory=lambda: np.empty(0))
    """(Q,) price l of either unit resting there; 0 for pairs within a unit."""

    def of_pairs(self, instance: Instance) -> Iterator[tuple[UnitPair, int, float]]:
        """(pair, its place, its price) of the pairs that have a price."""
        for q in np.flatnonzero(self.pairs > 0.0).tolist():
            yield instance.separations[q], int(self.places[q]), float(self.pairs[q])


def price_bound(instance: Instance, prices: Prices) -> float:
    """L in EUR a year."""
    reduced = instance.cost.copy()
    constant = magnitude = 0.0
    for row, price in zip(instance.rows, prices.rows.tolist(), strict=True):
        if price > 0.0:
            reduced[:, row.sites] += price * row.weights
            constant -= price * row.rhs
            magnitude += abs(price * row.rhs)
    of = instance.of
    for flow, message in zip(instance.flows, prices.flows, strict=True):
        if message.any():
            by_operator = np.zeros(len(of.operators))
            np.maximum.at(by_operator, of.operator_of, message)
            reduced[flow.source] += message
            reduced[flow.derived] -= by_operator[of.operator_of]
    for pair, place, price in prices.of_pairs(instance):
        at = of.operator_of == place if pair.whole_operator else place
        reduced[pair.first, at] += price
        reduced[pair.second, at] += price
        constant -= price
        magnitude += price
    least = cheapest(_apart(instance, reduced), instance.replicas)
    slack = ROUNDING * (magnitude + float(np.abs(least).sum()))
    return float(least.sum()) + constant - slack


def _apart(instance: Instance, reduced: Floats) -> Floats:
    """(U, S) each unit's costs by site, infinite but at the cheapest light site per operator.

    Where these leave too few operators for a unit's replicas there is no plan, and its allowed
    pairs count, as in the certificate; `Instance.unplaceable` has seen that those suffice.
    """
    operators = [np.flatnonzero(instance.of.operator_of == o) for o in set(instance.of.operator_of)]
    reach = sum(instance.light[:, sites].any(axis=1).astype(np.intp) for sites in operators)
    stuck = reach < instance.replicas
    usable = np.where(stuck[:, None], instance.allowed, instance.light)
    open_costs = np.where(usable, reduced, np.inf)
    costs = np.full_like(reduced, np.inf)
    for sites in operators:
        costs[:, sites[0]] = open_costs[:, sites].min(axis=1)
    return costs


def cheapest(reduced: Floats, replicas: Indices) -> Floats:
    """(U, S) the n_u smallest values of each row, sorted, and zeros behind them."""
    ordered = np.sort(reduced, axis=1)
    wanted = np.arange(ordered.shape[1])[None, :] < replicas[:, None]
    return np.where(wanted, ordered, 0.0)


def no_prices(instance: Instance) -> Prices:
    """All prices zero: the weakest valid ones."""
    shape = len(instance.flows), len(instance.of.sites)
    return Prices(np.zeros(len(instance.rows)), np.zeros(shape))


def published(instance: Instance, prices: Prices) -> tuple[list[RowPrice], list[FlowPrice]]:
    """Prices in decimals, without zeros: what a certificate can be checked by."""
    rows = [
        RowPrice(row=row.name, price=_decimal(price, ROUND_HALF_EVEN))
        for row, price in zip(instance.rows, prices.rows.tolist(), strict=True)
    ]
    flows = []
    for flow, message in zip(instance.flows, prices.flows, strict=True):
        for site in np.flatnonzero(message).tolist():
            name = instance.of.sites[site].id
            flows += [
                FlowPrice(
                    source=i,
                    derived=j,
                    site=name,
                    price=_decimal(share * message[site], ROUND_DOWN),
                )
                for i, j, share in flow.parts
            ]
    return [p for p in rows if p.price > 0], [p for p in flows if p.price > 0]


def published_pairs(instance: Instance, prices: Prices) -> list[SeparationPrice]:
    """Prices of separated pairs in decimals, rounded down, without zeros."""
    told = []
    for pair, place, price in prices.of_pairs(instance):
        of = instance.of
        name = of.operators[place] if pair.whole_operator else of.sites[place].id
        first, second = pair.datasets
        told.append(
            SeparationPrice(
                first=first, second=second, place=name, price=_decimal(price, ROUND_DOWN)
            )
        )
    return [p for p in told if p.price > 0]


def as_published(price: float) -> float:
    """A row's price, rounded as it is published: bounds are those of published prices."""
    return float(_decimal(price, ROUND_HALF_EVEN))


def _decimal(price: float, rounding: str) -> Decimal:
    return Decimal(price).quantize(DECIMALS, rounding=rounding, context=WIDE)
