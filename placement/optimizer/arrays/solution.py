"""What the array engine answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models import Termination
from placement.optimizer.arrays.problem import (
    ArrayProblem,
    Lineage,
    load_of,
    pair_costs,
    row_totals,
)
from placement.optimizer.attributes import Floats, Indices

BLOCK = 1 << 16


@dataclass(frozen=True)
class ArraySolution:
    """A plan, its proof, and what it took. Row prices prove the bound by themselves."""

    termination: Termination
    prices: Floats
    """(R,) price of each coupling row, EUR a year per unit of its right-hand side, never negative;
    where infeasible, the ray that proves it, if one does."""
    bound: float
    """No plan costs less, EUR a year; inf where infeasible."""
    sites: Indices | None = None
    """(U, n) site of each replica, ascending, -1 behind a unit's last; none without a plan."""
    objective: float = np.inf
    """EUR a year."""
    messages: Floats | None = None
    """(E, S) message of each flow at each site of its source, 0 <= m_es <= yearly_gb_e egress_s;
    the derived unit is granted the largest of an operator's sites at all of them."""
    apart_places: Indices | None = None
    """(Q,) for each separated pair the priced site, or operator where they part by operator."""
    apart_prices: Floats | None = None
    """(Q,) lambda >= 0 of the place: either unit pays it there, and the bound is lower by it, which
    is valid as at most one of them rests there."""
    core: tuple[str, ...] = ()
    """Where infeasible: rows (and classes) that cannot all hold."""
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds by phase: prices, sift, core, relations ..."""

    @property
    def gap(self) -> float:
        """(objective - bound) / objective; 0 where the objective is 0."""
        return max(0.0, self.objective - self.bound) / self.objective if self.objective > 0 else 0.0


@dataclass(frozen=True)
class Warm:
    """Where to start from: an earlier answer to the same problem or a similar one."""

    prices: Floats
    """(R,)"""
    sites: Indices | None = None
    """(U, n)"""
    messages: Floats | None = None
    """(E, S) of related problems, and what separated pairs pay: see ArraySolution."""
    apart_places: Indices | None = None
    apart_prices: Floats | None = None

    @classmethod
    def of(cls, solution: ArraySolution) -> Warm:
        """What an answer leaves to the next."""
        return cls(
            solution.prices,
            solution.sites,
            solution.messages,
            solution.apart_places,
            solution.apart_prices,
        )


def plan_cost(problem: ArrayProblem, sites: Indices) -> float:
    """Objective of a plan, (U, n) sites, EUR a year, lineage included."""
    total = 0.0
    for begin in range(0, problem.units, BLOCK):
        units = np.arange(begin, min(begin + BLOCK, problem.units))
        cost = pair_costs(problem, units) * problem.counts[units, None]
        at = sites[units].reshape(len(units), -1)
        picked = np.take_along_axis(cost, np.maximum(at, 0), axis=1)
        total += float(picked[at >= 0].sum())
    return total + lineage_cost(problem, sites)


def lineage_cost(problem: ArrayProblem, sites: Indices) -> float:
    """EUR a year of all flows."""
    at = sites.reshape(problem.units, -1)
    return _flows_cost(problem, problem.lineage, at[:, :1]) + _flows_cost(
        problem, problem.replicated, at
    )


def _flows_cost(problem: ArrayProblem, flows: Lineage, at: Indices) -> float:
    """sum_e f_e sum over the derived unit's sites t of min over the source's sites s of g_s.

    It is 0 where a site of the source has the operator of t.
    """
    if not len(flows):
        return 0.0
    source, derived = at[flows.source], at[flows.derived]
    cheapest = np.where(source >= 0, flows.egress[source], np.inf).min(axis=1)
    total = 0.0
    for to in derived.T:
        near = (problem.operator_of[source] == problem.operator_of[to][:, None]) & (source >= 0)
        away = (to >= 0) & ~near.any(axis=1)
        total += float((flows.yearly_gb * cheapest)[away].sum())
    return total


def violations(problem: ArrayProblem, sites: Indices, *, tolerance: float = 0.0) -> list[str]:
    """Every constraint that a plan breaks, by name; [] for a plan.

    Coupling rows may be exceeded by `tolerance` times their right-hand side. Whole numbers add up
    exactly in float64, so 0 is meant for rows of gigabytes and counts.
    """
    broken = []
    at = sites.reshape(problem.units, -1)
    there = at >= 0
    k = problem.class_of
    if (there.sum(axis=1) != problem.replicas[k]).any():
        broken.append("assignment: replicas")
    if not problem.open[np.broadcast_to(k[:, None], at.shape)[there], at[there]].all():
        broken.append("assignment: closed pair")
    operators = np.sort(np.where(there, problem.operator_of[np.maximum(at, 0)], -1 - there), axis=1)
    twice = (operators[:, 1:] == operators[:, :-1]) & (operators[:, 1:] >= 0)
    if twice.any():
        broken.append("replica_separation")
    totals = row_totals(problem, load_of(problem, sites))
    broken += [
        row.name
        for row, total in zip(problem.rows, totals.tolist(), strict=True)
        if total > row.rhs + tolerance * abs(row.rhs)
    ]
    return broken + _relations(problem, at)


def _relations(problem: ArrayProblem, at: Indices) -> list[str]:
    broken = []
    pairs = problem.apart
    for a in at[pairs.first].T:
        for b in at[pairs.second].T:
            both = (a >= 0) & (b >= 0)
            near = problem.operator_of[a] == problem.operator_of[b]
            meet = both & np.where(pairs.whole_operator, near, a == b)
            broken += [f"separation[{q}]" for q in np.flatnonzero(meet).tolist()]
    for rule in problem.segregations:
        here = (at == rule.site).any(axis=1)
        one, other = rule.one[problem.class_of] & here, rule.other[problem.class_of] & here
        if one.any() and other.any() and int((one | other).sum()) > 1:
            broken.append(f"segregation[{rule.site}]")
    return broken
