"""Egress along lineage: what it costs when derived data rests away from its source."""

from __future__ import annotations

import numpy as np
import pulp

from placement.optimizer.attributes import Flags
from placement.optimizer.instance import Instance, UnitFlow
from placement.optimizer.model import Model

FLOW_ROW = "lineage"
"""Name of the rows that tie flows to placements; they limit nothing and are in no core."""


def is_simple(instance: Instance, flow: UnitFlow) -> bool:
    """One replica at both ends: the flow has a tight linear form and takes part in prices."""
    return bool(instance.replicas[flow.source] == 1 and instance.replicas[flow.derived] == 1)


def add_simple_lineage(model: Model) -> list[tuple[int, int, int]]:
    """Variables, rows and costs of simple flows; (row, flow, site) of every row."""
    return [
        (row, number, site)
        for number, flow in enumerate(model.instance.flows)
        if is_simple(model.instance, flow)
        for row, site in _add_simple(model, number, flow)
    ]


def add_replicated_lineage(model: Model) -> None:
    """Variables, rows and costs of flows with replicas at either end."""
    for number, flow in enumerate(model.instance.flows):
        if not is_simple(model.instance, flow):
            _add_transport(model, number, flow)


def _add_simple(model: Model, number: int, flow: UnitFlow) -> list[tuple[int, int]]:
    """One replica at both ends: cost sum_s 12 f g_s z_s, EUR a year.

    z_s >= x_is - sum_{t in operator of s} x_jt, 0 <= z_s <= 1: z_s = 1 when the source rests at
    s and the derived dataset with another operator. Exact for 0/1 x, S variables instead of S x S.
    """
    of = model.instance.of
    rows = []
    for site, variable in model.row_of(flow.source):
        price = flow.yearly_gb * float(of.egress_eur_per_gb[site])
        if price == 0.0:
            continue
        away = model.share(f"z_{number:06d}_{site:03d}")
        model.charge([(away, price)])
        near = model.at_operator(flow.derived, int(of.operator_of[site]))
        terms = [(variable, 1.0), (away, -1.0)] + [(v, -1.0) for v in near]
        rows.append((len(model.row_names), site))
        model.add(FLOW_ROW, terms, pulp.LpConstraintLE, 0.0)
    return rows


def _add_transport(model: Model, number: int, flow: UnitFlow) -> None:
    """Replicas: every operator o that hosts the derived dataset is fed by the cheapest source.

    y_os in [0, 1] is what o gets from the source's replica at s of another operator:

        sum_{t in o} x_jt <= sum_{s in o} x_is + sum_s y_os,   y_os <= x_is,
        cost sum_os 12 f g_s y_os

    A dataset has at most one replica with an operator, so the left side is 0 or 1.
    """
    of = model.instance.of
    sources = model.row_of(flow.source)
    for operator in range(len(of.operators)):
        fed = model.at_operator(flow.derived, operator)
        if not fed:
            continue
        terms = [(v, 1.0) for v in fed]
        terms += [(v, -1.0) for v in model.at_operator(flow.source, operator)]
        for site, variable in sources:
            if of.operator_of[site] == operator:
                continue
            sent = model.share(f"y_{number:06d}_{operator:03d}_{site:03d}")
            model.charge([(sent, flow.yearly_gb * float(of.egress_eur_per_gb[site]))])
            model.add(FLOW_ROW, [(sent, 1.0), (variable, -1.0)], pulp.LpConstraintLE, 0.0)
            terms.append((sent, -1.0))
        model.add(FLOW_ROW, terms, pulp.LpConstraintLE, 0.0)


def lineage_cost(instance: Instance, chosen: Flags) -> float:
    """EUR a year of all flows for chosen pairs, (U, S).

    For each flow and each site t of the derived unit: 12 f times the least egress price among
    the source's sites, 0 where one of them has the operator of t.
    """
    of = instance.of
    total = 0.0
    for flow in instance.flows:
        sources = np.flatnonzero(chosen[flow.source])
        near = set(of.operator_of[sources].tolist())
        cheapest = float(of.egress_eur_per_gb[sources].min())
        targets = of.operator_of[np.flatnonzero(chosen[flow.derived])].tolist()
        total += flow.yearly_gb * cheapest * sum(o not in near for o in targets)
    return total
