"""A related problem as plain arrays for compiled local search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Lineage
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.relations.graph import links_of

SHRINK = 1e-9
"""Relative: rows with fractions keep this distance from their limit."""


class Tables(NamedTuple):
    """What moves are judged by. K classes, F features, S sites, R rows, G segregations."""

    class_of: Indices
    phi: Floats
    """(U, F) features, times the number of equal units."""
    open: Flags
    """(K, S)"""
    operator_of: Indices
    limit: Floats
    """(R,)"""
    entry_start: Indices
    """(S + 1,) entries of site s are entry_start[s]:entry_start[s + 1]"""
    entry_row: Indices
    entry_feature: Indices
    entry_weight: Indices
    """First of the entry's weights in `weights`."""
    entry_stride: Indices
    """0 where all classes weigh alike, else 1."""
    weights: Floats
    flow_start: Indices
    flow_pair: Indices
    flow_mate: Indices
    flow_leads: Flags
    flow_gb: Floats
    """(E,)"""
    many_start: Indices
    """Flows with several replicas at an end."""
    many_pair: Indices
    many_mate: Indices
    many_leads: Flags
    many_gb: Floats
    egress: Floats
    apart_start: Indices
    apart_pair: Indices
    apart_mate: Indices
    apart_whole: Flags
    rule_site: Indices
    """(G,)"""
    rule_one: Flags
    """(G, K)"""
    rule_other: Flags


def tables_of(problem: ArrayProblem) -> Tables:
    """The tables of a problem."""
    entries = _entries(problem)
    flows, many, apart = problem.lineage, problem.replicated, problem.apart
    flow_links = links_of(problem.units, flows.source, flows.derived)
    many_links = links_of(problem.units, many.source, many.derived)
    apart_links = links_of(problem.units, apart.first, apart.second)
    rules = problem.segregations
    shape = (len(rules), problem.classes)
    return Tables(
        class_of=problem.class_of,
        phi=np.ascontiguousarray((problem.features * problem.counts).T),
        open=np.ascontiguousarray(problem.open),
        operator_of=problem.operator_of,
        limit=limits_of(problem),
        entry_start=entries[0],
        entry_row=entries[1],
        entry_feature=entries[2],
        entry_weight=entries[3],
        entry_stride=entries[4],
        weights=entries[5],
        flow_start=flow_links.start,
        flow_pair=flow_links.pair,
        flow_mate=flow_links.mate,
        flow_leads=flow_links.leads,
        flow_gb=flows.yearly_gb,
        many_start=many_links.start,
        many_pair=many_links.pair,
        many_mate=many_links.mate,
        many_leads=many_links.leads,
        many_gb=many.yearly_gb,
        egress=_egress(problem, flows, many),
        apart_start=apart_links.start,
        apart_pair=apart_links.pair,
        apart_mate=apart_links.mate,
        apart_whole=apart.whole_operator,
        rule_site=np.array([rule.site for rule in rules], dtype=np.intp),
        rule_one=np.array([rule.one for rule in rules], dtype=np.bool_).reshape(shape),
        rule_other=np.array([rule.other for rule in rules], dtype=np.bool_).reshape(shape),
    )


def limits_of(problem: ArrayProblem) -> Floats:
    """(R,) right-hand sides, a hair less where weights are no whole numbers."""
    whole = [
        bool((row.weights == np.rint(row.weights)).all())
        and bool((problem.features[row.features] == np.rint(problem.features[row.features])).all())
        for row in problem.rows
    ]
    rhs = problem.rhs
    return np.where(whole, rhs, rhs - SHRINK * np.abs(rhs))


def _egress(problem: ArrayProblem, *flows: Lineage) -> Floats:
    for given in flows:
        if len(given.egress):
            return np.ascontiguousarray(given.egress, dtype=np.float64)
    return np.zeros(problem.sites)


def _entries(
    problem: ArrayProblem,
) -> tuple[Indices, Indices, Indices, Indices, Indices, Floats]:
    """Rows of each site: start, row, feature, offset, stride, weights."""
    found, weights, size = [], [], 0
    for r, row in enumerate(problem.rows):
        for n, s in enumerate(row.sites.tolist()):
            for f, feature in enumerate(row.features.tolist()):
                own = row.weights[:, f, n]
                if own.any():
                    found.append((s, r, feature, size, int(len(own) > 1)))
                    weights.append(own)
                    size += len(own)
    table = np.array(sorted(found), dtype=np.intp).reshape(-1, 5)
    start = np.searchsorted(table[:, 0], np.arange(problem.sites + 1)).astype(np.intp)
    columns = [np.ascontiguousarray(table[:, c]) for c in range(1, 5)]
    flat = np.concatenate(weights) if weights else np.empty(0)
    return start, columns[0], columns[1], columns[2], columns[3], flat
