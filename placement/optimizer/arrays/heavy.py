"""Pairs that overload a coupling row all by themselves are closed: no plan holds one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Lineage, pair_weights
from placement.optimizer.attributes import Flags, Indices

ROUNDING = 1e-12
"""Relative: one that fits exactly must stay."""


def close_heavy(problem: ArrayProblem) -> ArrayProblem:
    """The same problem, in which units too large for some sites are classes of their own.

    Units of one class that lack the same sites share the new class, and the order of units
    changes: see `heavy_order`.
    """
    return heavy_order(problem)[0]


def heavy_order(problem: ArrayProblem, *, block: int = 1 << 16) -> tuple[ArrayProblem, Indices]:
    """`close_heavy`, and for each unit of the answer its number in the problem given."""
    rows = [row for row in problem.rows if row.weights.min(initial=0.0) >= 0.0]
    tasks = [np.arange(a, min(a + block, problem.units)) for a in range(0, problem.units, block)]
    found, patterns = [], []
    for units in tasks:
        closed = np.zeros((len(units), problem.sites), dtype=np.bool_)
        for row in rows:
            weight = pair_weights(problem, row, units)
            closed[:, row.sites] |= weight > row.rhs * (1 + ROUNDING)
        closed &= problem.open[problem.class_of[units]]
        heavy = np.flatnonzero(closed.any(axis=1))
        found.append(units[heavy])
        patterns.append(closed[heavy])
    units, closed = np.concatenate(found), np.concatenate(patterns)
    if not len(units):
        return problem, np.arange(problem.units)
    return _split(problem, units, closed)


def _split(problem: ArrayProblem, units: Indices, closed: Flags) -> tuple[ArrayProblem, Indices]:
    """`units` move to new classes, one for each old class and set of closed sites."""
    keys = np.column_stack([problem.class_of[units], closed])
    distinct, new = np.unique(keys, axis=0, return_inverse=True)
    old = distinct[:, 0].astype(np.intp)
    class_of = problem.class_of.copy()
    class_of[units] = problem.classes + new.ravel()
    order = np.argsort(class_of, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    apart = problem.apart
    return (
        replace(
            problem,
            class_of=class_of[order],
            features=np.ascontiguousarray(problem.features[:, order]),
            counts=problem.counts[order],
            cost=np.concatenate([problem.cost, problem.cost[old]]),
            open=np.concatenate([problem.open, problem.open[old] & (distinct[:, 1:] == 0)]),
            replicas=np.concatenate([problem.replicas, problem.replicas[old]]),
            rows=tuple(
                row
                if len(row.weights) == 1
                else replace(row, weights=np.concatenate([row.weights, row.weights[old]]))
                for row in problem.rows
            ),
            lineage=_renamed(problem.lineage, place),
            replicated=_renamed(problem.replicated, place),
            apart=replace(apart, first=place[apart.first], second=place[apart.second]),
            segregations=tuple(
                replace(
                    rule,
                    one=np.concatenate([rule.one, rule.one[old]]),
                    other=np.concatenate([rule.other, rule.other[old]]),
                )
                for rule in problem.segregations
            ),
        ),
        order,
    )


def _renamed(flows: Lineage, place: Indices) -> Lineage:
    return replace(flows, source=place[flows.source], derived=place[flows.derived])
