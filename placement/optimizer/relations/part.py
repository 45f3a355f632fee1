"""A part of a related problem: some units may move, everybody else rests where they are.

Flows to units at rest are linear in the sites of those that move, separation from them closes
pairs, and rows keep what is left. The part is a problem of its own, with every relation that has
both ends in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from placement.optimizer.arrays.problem import (
    Apart,
    ArrayProblem,
    Lineage,
    Row,
    Segregation,
    pair_costs,
    pair_weights,
)
from placement.optimizer.arrays.solution import plan_cost
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.highs import Task
from placement.optimizer.polish.monolith import Whole
from placement.optimizer.polish.spreading import counts_of, sites_of
from placement.optimizer.progress import Watch
from placement.optimizer.relations.moves import put
from placement.optimizer.relations.tables import Tables


@dataclass
class Plan:
    """A plan under way, with what local search keeps up to date."""

    at: Indices
    """(U, n) site of each replica, -1 behind a unit's last."""
    totals: Floats
    """(R,)"""
    held: Indices
    """(G, 3) see `moves`."""

    def copy(self) -> Plan:
        """Another one to work on."""
        return Plan(self.at.copy(), self.totals.copy(), self.held.copy())


def movable(problem: ArrayProblem) -> Flags:
    """(U,) units whose flows are linear in their sites while their mates rest.

    Not so the sources of flows that choose the cheapest of several replicas.
    """
    free = np.ones(problem.units, dtype=np.bool_)
    source = problem.replicated.source
    free[source[problem.replicas[problem.class_of[source]] > 1]] = False
    return free


def nowhere(problem: ArrayProblem) -> bool:
    """Some unit has fewer open operators than replicas: there is no plan."""
    used = np.unique(problem.class_of)
    reach = np.zeros(len(used), dtype=np.intp)
    for o in np.unique(problem.operator_of).tolist():
        reach += problem.open[used][:, problem.operator_of == o].any(axis=1)
    return bool((reach < problem.replicas[used]).any())


def solve_part(
    problem: ArrayProblem,
    tables: Tables,
    plan: Plan,
    units: Indices,
    near: Flags,
    task: Task,
    watch: Watch,
    *,
    enough: float = np.inf,
) -> Indices | None:
    """Better sites of `units` by an integer programme over the pairs in `near`, (n, n') or none.

    Parameters
    ----------
    units
        (n,) ascending, all of them `movable`.
    near
        (n, S) pairs that may be used, today's among them.
    enough
        EUR a year: sites that save as much are good enough.

    Raises
    ------
    OutOfTime, SolverError
    """
    part = part_of(problem, tables, plan, units)
    whole = Whole(part, near)
    if np.isfinite(enough):
        task = replace(task, target=plan_cost(part, plan.at[units]) - enough)
    start = counts_of(plan.at[units], (len(units), problem.sites))
    verdict = whole.solve(task, watch, start=start)
    if verdict.x is None:
        return None
    width = plan.at.shape[1]
    found = sites_of(verdict.x, part.replicas)
    return np.pad(found, ((0, 0), (0, width - found.shape[1])), constant_values=-1)


def part_of(problem: ArrayProblem, tables: Tables, plan: Plan, units: Indices) -> ArrayProblem:
    """The problem of `units`, each a class of its own with one feature."""
    place = np.full(problem.units, -1, dtype=np.intp)
    place[units] = np.arange(len(units))
    cost = pair_costs(problem, units) * problem.counts[units, None]
    opened = np.isfinite(cost)
    cost = np.where(opened, cost, 0.0)
    _add_flows(problem, problem.lineage, plan, place, cost)
    _add_flows(problem, problem.replicated, plan, place, cost)
    _close_apart(problem, plan, place, opened)
    rest = plan.copy()
    for u in units.tolist():
        for s in plan.at[u][plan.at[u] >= 0].tolist():
            put(tables, rest.totals, rest.held, u, s, -1)
    rules = _segregations(problem, units, rest, opened)
    k = problem.class_of[units]
    return ArrayProblem(
        class_of=np.arange(len(units)),
        features=np.ones((1, len(units))),
        counts=np.ones(len(units)),
        cost=np.where(opened, cost, 0.0)[:, None, :],
        open=opened,
        replicas=problem.replicas[k],
        operator_of=problem.operator_of,
        rows=_rows(problem, tables, units, rest.totals),
        lineage=_inside(problem.lineage, place),
        replicated=_inside(problem.replicated, place),
        apart=_apart_inside(problem.apart, place),
        segregations=rules,
    )


def _rows(problem: ArrayProblem, tables: Tables, units: Indices, taken: Floats) -> tuple[Row, ...]:
    one = np.zeros(1, dtype=np.intp)
    rows = []
    for r, row in enumerate(problem.rows):
        weights = pair_weights(problem, row, units) * problem.counts[units, None]
        room = float(tables.limit[r] - taken[r])
        rows.append(Row(row.name, row.sites, one, weights[:, None, :], room))
    return tuple(rows)


def _inside(flows: Lineage, place: Indices) -> Lineage:
    source, derived = place[flows.source], place[flows.derived]
    both = (source >= 0) & (derived >= 0)
    return Lineage(source[both], derived[both], flows.yearly_gb[both], flows.egress)


def _apart_inside(apart: Apart, place: Indices) -> Apart:
    first, second = place[apart.first], place[apart.second]
    both = (first >= 0) & (second >= 0)
    return Apart(first[both], second[both], apart.whole_operator[both])


def _add_flows(
    problem: ArrayProblem, flows: Lineage, plan: Plan, place: Indices, cost: Floats
) -> None:
    """Flows with one end at rest; one at a time for sums in a fixed order."""
    of = problem.operator_of
    source, derived = place[flows.source], place[flows.derived]
    for e in np.flatnonzero((source >= 0) & (derived < 0)).tolist():
        to = plan.at[flows.derived[e]]
        for t in to[to >= 0].tolist():
            cost[source[e]] += np.where(of != of[t], flows.yearly_gb[e] * flows.egress, 0.0)
    for e in np.flatnonzero((source < 0) & (derived >= 0)).tolist():
        at = plan.at[flows.source[e]]
        at = at[at >= 0]
        far = ~np.isin(of, of[at])
        cost[derived[e]] += np.where(far, flows.yearly_gb[e] * flows.egress[at].min(), 0.0)


def _close_apart(problem: ArrayProblem, plan: Plan, place: Indices, opened: Flags) -> None:
    apart, of = problem.apart, problem.operator_of
    for ours, theirs in ((apart.first, apart.second), (apart.second, apart.first)):
        for q in np.flatnonzero((place[ours] >= 0) & (place[theirs] < 0)).tolist():
            at = plan.at[theirs[q]]
            at = at[at >= 0]
            if apart.whole_operator[q]:
                opened[place[ours[q]], np.isin(of, of[at])] = False
            else:
                opened[place[ours[q]], at] = False


def _segregations(
    problem: ArrayProblem, units: Indices, rest: Plan, opened: Flags
) -> tuple[Segregation, ...]:
    """Rules among the units; pairs that those at rest forbid are closed."""
    k = problem.class_of[units]
    rules = []
    for rule, held in zip(problem.segregations, rest.held.tolist(), strict=True):
        one, other = rule.one[k], rule.other[k]
        if held[2]:
            closed = ((held[0] > 0) | one) & ((held[1] > 0) | other) & (one | other)
            opened[closed, rule.site] = False
        rules.append(Segregation(rule.site, one, other))
    return tuple(rules)


def move(tables: Tables, plan: Plan, units: Indices, sites: Indices) -> None:
    """Put units where a part's answer says."""
    for u, to in zip(units.tolist(), sites, strict=True):
        for s in plan.at[u][plan.at[u] >= 0].tolist():
            put(tables, plan.totals, plan.held, u, s, -1)
        plan.at[u] = to
        for s in to[to >= 0].tolist():
            put(tables, plan.totals, plan.held, u, s, 1)
