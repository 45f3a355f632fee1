"""Prices of the coupling rows, and the bound they prove.

Pricing the coupling rows leaves one small choice per unit, so that for any prices p >= 0 and
0 <= m_es <= 12 f_e g_s (flows e with one replica at both ends)

    L(p, m) = sum_u (sum of the n_u smallest over allowed s of c'_us) - sum_r p_r b_r
    c'_us   = c_us + sum_r p_r w_rus + sum_{e from u} m_es - sum_{e to u} sum_{t in op(s)} m_et

is a lower bound on the cost of every plan (Lagrangian relaxation; Geoffrion 1974, Approaches to
integer programming). Separation, replica separation, segregation and flows with replicas are
left out, which only lowers it. The certificate re-computes L from the prices alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

import numpy as np
import pulp

from models import FlowPrice, RowPrice
from placement.optimizer.assignment import add_assignment
from placement.optimizer.attributes import Floats
from placement.optimizer.coupling import CouplingRow
from placement.optimizer.highs import Ending, Outcome, Task, run
from placement.optimizer.instance import Instance
from placement.optimizer.lineage import add_lineage
from placement.optimizer.model import Model
from placement.optimizer.progress import Watch

DECIMALS = Decimal("1e-12")
ROUNDING = 1e-12
"""Relative allowance for the rounding of float sums when a bound is computed from prices."""


@dataclass(frozen=True)
class Prices:
    """Prices, EUR a year, and what they prove."""

    rows: Floats
    """(R,) per unit of each coupling row's right-hand side."""
    flows: Floats
    """(F, S) message m of each flow at each site of its source; 0 for flows with replicas."""


@dataclass(frozen=True)
class Relaxed:
    """The linear relaxation that prices come from."""

    prices: Prices
    bound: float
    """L, EUR a year."""
    reduced: Floats
    """(U, S) c', infinite where not allowed."""
    support: Floats
    """(U, S) the relaxation's own placement, between 0 and 1."""


def add_coupling(model: Model, rows: tuple[CouplingRow, ...]) -> list[int]:
    """Add coupling rows that could bind; the model's row of each, -1 where left out."""
    instance = model.instance
    added = []
    for row in rows:
        if not row.binding_possible(instance.allowed, instance.replicas):
            added.append(-1)
            continue
        terms = []
        for k, site in enumerate(row.sites.tolist()):
            column = model.column_of(site)
            weights = row.weights[column.units, k].tolist()
            terms += [(v, w) for v, w in zip(column.variables, weights, strict=True) if w != 0.0]
        added.append(len(model.row_names))
        model.add(row.name, terms, pulp.LpConstraintLE, row.rhs)
    return added


def relaxation(instance: Instance) -> tuple[Model, list[int], list[tuple[int, int, int]]]:
    """The linear programme whose dual is L: assignment, coupling rows and simple flows."""
    model = Model(instance, instance.allowed)
    model.charge_separable()
    add_assignment(model)
    added = add_coupling(model, instance.rows)
    return model, added, add_lineage(model, simple_only=True)


def solve_relaxation(
    built: tuple[Model, list[int], list[tuple[int, int, int]]], watch: Watch
) -> tuple[Ending, Relaxed | None]:
    """Prices at the optimum of the relaxation; none when infeasible or stopped."""
    model, added, flow_rows = built
    outcome = run(model, Task(integer=False), watch)
    if outcome.ending is not Ending.OPTIMAL:
        return outcome.ending, None
    prices = _prices(model, added, flow_rows, outcome)
    bound, reduced = price_bound(model.instance, prices)
    support = np.zeros(model.allowed.shape)
    if outcome.values is not None:
        support[model.units, model.sites] = outcome.values
    return outcome.ending, Relaxed(prices, bound, reduced, support)


def price_bound(instance: Instance, prices: Prices) -> tuple[float, Floats]:
    """L in EUR a year, and the reduced costs c', (U, S), infinite where not allowed."""
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
            by_operator = np.bincount(of.operator_of, message, len(of.operators))
            reduced[flow.source] += message
            reduced[flow.derived] -= by_operator[of.operator_of]
    reduced[~instance.allowed] = np.inf
    ordered = np.sort(reduced, axis=1)
    wanted = np.arange(ordered.shape[1])[None, :] < instance.replicas[:, None]
    least = np.where(wanted, ordered, 0.0)
    slack = ROUNDING * (magnitude + float(np.abs(least).sum()))
    return float(least.sum()) + constant - slack, reduced


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


def _prices(
    model: Model,
    added: list[int],
    flow_rows: list[tuple[int, int, int]],
    outcome: Outcome,
) -> Prices:
    """Duals of <= rows in a minimisation are never positive: prices are their negatives."""
    instance, duals = model.instance, outcome.row_duals
    prices = no_prices(instance)
    if duals is None:
        return prices
    for r, row in enumerate(added):
        if row >= 0:
            prices.rows[r] = _plain(max(0.0, -float(duals[row])))
    for row, flow, site in flow_rows:
        most = instance.flows[flow].yearly_gb * float(instance.of.egress_eur_per_gb[site])
        # A hair below the limit, so that rounding never lifts a published price above it.
        prices.flows[flow, site] = min(max(0.0, -float(duals[row])), most * (1 - 1e-14))
    return prices


def _plain(price: float) -> float:
    """Rounded as published, so that the bound is that of the published prices."""
    return float(_decimal(price, ROUND_HALF_EVEN))


def _decimal(price: float, rounding: str) -> Decimal:
    return Decimal(price).quantize(DECIMALS, rounding=rounding)
