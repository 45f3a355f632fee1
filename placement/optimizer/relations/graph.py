"""Relations as a graph: for each unit the flows and the separated pairs that touch it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from placement.optimizer.arrays.problem import Apart, ArrayProblem, Lineage
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.compiling import compiled
from placement.optimizer.progress import Watch

VISITED = 1 << 17
"""Units visited between two looks at the clock."""


@dataclass(frozen=True)
class Links:
    """Incident pairs of each unit, in compressed rows: those of u are start[u]:start[u + 1]."""

    start: Indices
    """(U + 1,)"""
    pair: Indices
    """(2 n,) number of the flow or separated pair."""
    mate: Indices
    """(2 n,) unit at the other end."""
    leads: Flags
    """(2 n,) the unit is the first of the two: a flow's source."""


@dataclass(frozen=True)
class Graph:
    """Flows and separated pairs between units, and where sites belong."""

    source: Indices
    """(E,)"""
    derived: Indices
    yearly_gb: Floats
    egress: Floats
    """(S,)"""
    operator_of: Indices
    """(S,)"""
    first: Indices
    """(Q,)"""
    second: Indices
    whole_operator: Flags
    flows: Links
    pairs: Links


def graph_of(problem: ArrayProblem) -> Graph:
    """The graph of a problem, flows and pairs numbered as they are there."""
    lineage, apart = problem.lineage, problem.apart
    egress = lineage.egress if len(lineage.egress) else np.zeros(problem.sites)
    return Graph(
        source=lineage.source,
        derived=lineage.derived,
        yearly_gb=lineage.yearly_gb,
        egress=np.ascontiguousarray(egress, dtype=np.float64),
        operator_of=problem.operator_of,
        first=apart.first,
        second=apart.second,
        whole_operator=apart.whole_operator,
        flows=links_of(problem.units, lineage.source, lineage.derived),
        pairs=links_of(problem.units, apart.first, apart.second),
    )


def links_of(units: int, first: Indices, second: Indices) -> Links:
    """By unit, then in the order of the pairs."""
    start = np.zeros(units + 1, dtype=np.intp)
    pair, mate = np.empty(2 * len(first), dtype=np.intp), np.empty(2 * len(first), dtype=np.intp)
    leads = np.empty(2 * len(first), dtype=np.bool_)
    _link(first, second, start, pair, mate, leads)
    return Links(start, pair, mate, leads)


@compiled
def _link(
    first: Indices, second: Indices, start: Indices, pair: Indices, mate: Indices, leads: Flags
) -> None:
    units = len(start) - 1
    for e in range(len(first)):
        start[first[e] + 1] += 1
        start[second[e] + 1] += 1
    for u in range(units):
        start[u + 1] += start[u]
    place = start[:units].copy()
    for e in range(len(first)):
        u, v = first[e], second[e]
        x = place[u]
        place[u] += 1
        pair[x], mate[x], leads[x] = e, v, True
        x = place[v]
        place[v] += 1
        pair[x], mate[x], leads[x] = e, u, False


def visiting_order(graph: Graph, units: int, watch: Watch) -> Indices:
    """Units level by level through the graph: messages then cross it in few sweeps.

    Reverse Cuthill-McKee: neighbours are close to each other in the order.
    """
    links = graph.flows
    watch.check()
    roots = np.argsort(np.diff(links.start), kind="stable")
    order, seen = np.empty(units, dtype=np.intp), np.zeros(units, dtype=np.bool_)
    state = np.zeros(3, dtype=np.intp)
    while state[0] < units:
        watch.check()
        _visit(links.start, links.mate, roots, order, seen, state, VISITED)
    return np.ascontiguousarray(order[::-1])


@compiled
def _visit(
    start: Indices,
    mate: Indices,
    roots: Indices,
    order: Indices,
    seen: Flags,
    state: Indices,
    most: int,
) -> None:
    """Go on with a search by breadth. `state`: units left behind, units found, roots tried."""
    head, tail, root = state
    for _ in range(min(most, len(order) - head)):
        if head == tail:
            while seen[roots[root]]:
                root += 1
            order[tail] = roots[root]
            seen[roots[root]] = True
            tail += 1
        u = order[head]
        head += 1
        for x in range(start[u], start[u + 1]):
            v = mate[x]
            if not seen[v]:
                seen[v] = True
                order[tail] = v
                tail += 1
    state[0], state[1], state[2] = head, tail, root


def ordered(problem: ArrayProblem, watch: Watch) -> tuple[ArrayProblem, Indices, Indices]:
    """The problem with flows and pairs in an order of their own, and those orders.

    So that the answer does not depend on the order in which they were given.

    Raises
    ------
    OutOfTime
    """
    watch.check()
    flows = _order(problem.lineage.source, problem.lineage.derived, problem.lineage.yearly_gb)
    watch.check()
    many = problem.replicated
    others = _order(many.source, many.derived, many.yearly_gb)
    watch.check()
    apart = problem.apart
    first = np.minimum(apart.first, apart.second)
    second = np.maximum(apart.first, apart.second)
    pairs = _order(first, second, apart.whole_operator)
    watch.check()
    return (
        replace(
            problem,
            lineage=_taken(problem.lineage, flows),
            replicated=_taken(many, others),
            apart=Apart(first[pairs], second[pairs], apart.whole_operator[pairs]),
        ),
        flows,
        pairs,
    )


def _order(first: Indices, second: Indices, third: Floats | Flags) -> Indices:
    return np.lexsort((third, second, first))


def _taken(flows: Lineage, order: Indices) -> Lineage:
    return replace(
        flows,
        source=flows.source[order],
        derived=flows.derived[order],
        yearly_gb=flows.yearly_gb[order],
    )
