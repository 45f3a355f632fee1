"""The same problem as a textbook writes it in PuLP, to measure ours against in the same run.

One binary variable for every eligible pair, lpSum for every sum, co-location by equations,
separation pair by pair, lineage by the standard linearisation of x_is x_jt, and the default
settings of the solver. Costs and right-hand sides are the very ones ours uses.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pulp
from pulp.apis.coin_api import pulp_cbc_path

from models import Problem
from placement.optimizer.instance import Instance, read_instance


@dataclass(frozen=True)
class Plain:
    """What the textbook's way took, and what came out."""

    name: str
    seconds: float
    objective: float | None
    """EUR a year; none where no plan was found in time."""


def solve_plain(problem: Problem, name: str, limit_s: float) -> Plain:
    """Build and solve with `highs` or `cbc`, for at most `limit_s` seconds of solving."""
    began = time.perf_counter()
    instance = read_instance(problem, contracted=False)
    model, x = _model(instance, problem)
    model.solve(_solver(name, float(problem.parameters.gap), limit_s))
    found = model.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible)
    objective = float(pulp.value(model.objective)) if found and _placed(instance, x) else None
    return Plain(f"PuLP + {name}", time.perf_counter() - began, objective)


def _solver(name: str, gap: float, limit_s: float) -> Any:
    options = {"msg": False, "timeLimit": limit_s, "gapRel": gap, "threads": 1}
    return (
        pulp.HiGHS(**options) if name == "highs" else pulp.COIN_CMD(path=pulp_cbc_path, **options)
    )


def _placed(instance: Instance, x: dict[tuple[int, int], Any]) -> bool:
    """PuLP leaves values on variables where it has no plan: count the replicas."""
    count = np.zeros(instance.units)
    for (d, _), variable in x.items():
        count[d] += round(variable.varValue or 0.0)
    return bool((count == instance.replicas).all())


def _model(
    instance: Instance, problem: Problem
) -> tuple[pulp.LpProblem, dict[tuple[int, int], Any]]:
    model = pulp.LpProblem("plain", pulp.LpMinimize)
    pairs = [(int(d), int(s)) for d, s in np.argwhere(instance.allowed)]
    x = {(d, s): model.add_variable(f"x_{d}_{s}", cat=pulp.LpBinary) for d, s in pairs}
    lineage = _lineage(model, instance, x)
    model += pulp.lpSum(float(instance.cost[pair]) * x[pair] for pair in pairs) + lineage
    sites = range(len(instance.of.sites))
    for d in range(instance.units):
        at = [x[d, s] for s in sites if (d, s) in x]
        model += pulp.lpSum(at) == int(instance.replicas[d])
    for row in instance.rows:
        where = [(d, s, k) for k, s in enumerate(row.sites.tolist()) for d in range(instance.units)]
        terms = [float(row.weights[d, k]) * x[d, s] for d, s, k in where if (d, s) in x]
        model += pulp.lpSum(terms) <= row.rhs
    _relations(model, instance, problem, x)
    return model, x


def _lineage(model: pulp.LpProblem, instance: Instance, x: dict[tuple[int, int], Any]) -> Any:
    """12 f g_s y_st with y_st >= x_is + x_jt - 1, for s and t of different operators.

    Replicated flows are left out on purpose: that only makes the textbook's task easier.
    """
    operator, egress = instance.of.operator_of, instance.of.egress_eur_per_gb
    costs = []
    sites = range(len(instance.of.sites))
    for number, flow in enumerate(instance.flows):
        if instance.replicas[[flow.source, flow.derived]].max() > 1:
            continue
        for s, t in product(sites, sites):
            ends = (flow.source, s), (flow.derived, t)
            apart = operator[s] != operator[t] and egress[s] > 0
            if apart and all(end in x for end in ends):
                y = model.add_variable(f"y_{number}_{s}_{t}", 0, 1)
                model += y >= x[ends[0]] + x[ends[1]] - 1
                costs.append(flow.yearly_gb * float(egress[s]) * y)
    return pulp.lpSum(costs)


def _relations(
    model: pulp.LpProblem, instance: Instance, problem: Problem, x: dict[tuple[int, int], Any]
) -> None:
    index = {dataset.id: d for d, dataset in enumerate(instance.of.datasets)}
    sites = range(len(instance.of.sites))
    operator = instance.of.operator_of
    for group in problem.facts.co_location:
        for member, s in product(group[1:], sites):
            first, other = (index[group[0]], s), (index[member], s)
            model += x.get(first, 0) == x.get(other, 0) + 0
    for pair in instance.separations:
        for s, t in product(sites, sites):
            meet = operator[s] == operator[t] if pair.whole_operator else s == t
            if meet and (pair.first, s) in x and (pair.second, t) in x:
                model += x[pair.first, s] + x[pair.second, t] <= 1
    for d in np.flatnonzero(instance.replicas > 1).tolist():
        for o in range(len(instance.of.operators)):
            model += pulp.lpSum(x[d, s] for s in sites if operator[s] == o and (d, s) in x) <= 1
