"""Relations as a graph: for each unit the flows and the separated pairs that touch it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from placement.optimizer.arrays.problem import Apart, ArrayProblem, Lineage
from placement.optimizer.attributes import Flags, Floats, Indices


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
    """Sorted by unit, then by mate, then first before second: whatever the order of the pairs."""
    ends = np.concatenate([first, second])
    mates = np.concatenate([second, first])
    leads = np.arange(len(ends)) < len(first)
    key = 2 * (ends.astype(np.int64) * units + mates) + ~leads
    order = np.argsort(key, kind="stable")
    pair = np.concatenate([np.arange(len(first))] * 2)
    start = np.searchsorted(ends[order], np.arange(units + 1))
    return Links(
        start=start.astype(np.intp),
        pair=pair[order].astype(np.intp),
        mate=mates[order].astype(np.intp),
        leads=leads[order],
    )


def visiting_order(graph: Graph, units: int) -> Indices:
    """Units level by level through the graph: messages then cross it in few sweeps.

    Reverse Cuthill-McKee: neighbours are close to each other in the order.
    """
    links = graph.flows
    ones = np.ones(len(links.mate), dtype=np.int8)
    matrix = csr_array((ones, links.mate, links.start), shape=(units, units))
    order: Indices = np.asarray(reverse_cuthill_mckee(matrix, symmetric_mode=True), dtype=np.intp)
    return order


def ordered(problem: ArrayProblem) -> tuple[ArrayProblem, Indices, Indices]:
    """The problem with flows and pairs in an order of their own, and those orders.

    So that the answer does not depend on the order in which they were given.
    """
    flows = _order(problem.lineage.source, problem.lineage.derived, problem.lineage.yearly_gb)
    many = problem.replicated
    others = _order(many.source, many.derived, many.yearly_gb)
    apart = problem.apart
    first = np.minimum(apart.first, apart.second)
    second = np.maximum(apart.first, apart.second)
    pairs = _order(first, second, apart.whole_operator)
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
