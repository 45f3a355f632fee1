"""Sites that are never better for a class are closed to it.

Site t dominates site s for a class if a unit costs no more at t and weighs no more there in every
row that could bind, by every feature. A plan that uses s is then no worse with t instead, and at
any prices c'_ut <= c'_us, so that neither the best plan nor the bound changes. Cities have such
sites: two halls of their own at one price, both with room for everything. Without this, whole
classes tie exactly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row
from placement.optimizer.attributes import Flags, Floats, Indices

MOST_CLASSES = 20_000
"""Beyond, comparing all pairs of sites costs more than it saves."""


def without_dominated(problem: ArrayProblem) -> ArrayProblem:
    """The same problem with dominated pairs closed; as it is where units are related.

    Replicas may stand in for each other only within one operator, of which they use one site.
    """
    if problem.related or problem.classes > MOST_CLASSES:
        return problem
    binding = [row for row in problem.rows if _may_bind(problem, row)]
    opened = problem.open.copy()
    for s in range(problem.sites):
        for t in range(problem.sites):
            if s != t:
                opened[_dominated(problem, binding, opened, s, t), s] = False
    if (opened == problem.open).all():
        return problem
    return replace(problem, open=opened, cost=np.where(opened[:, None, :], problem.cost, 0.0))


def _dominated(problem: ArrayProblem, rows: list[Row], opened: Flags, s: int, t: int) -> Indices:
    """Classes for which t, still open, stands in for s; the lower number where both do."""
    both = opened[:, s] & opened[:, t]
    if problem.operator_of[s] != problem.operator_of[t]:
        both &= problem.replicas == 1
    k = np.flatnonzero(both)
    lower = problem.cost[k, :, t] - problem.cost[k, :, s]
    never = (lower <= 0.0).all(axis=1)
    strictly = (lower < 0.0).any(axis=1)
    for row in rows:
        if not never.any():
            break
        more = _weight(row, k, t) - _weight(row, k, s)
        never &= (more <= 0.0).all(axis=1)
        strictly |= (more < 0.0).any(axis=1)
    return k[never & (strictly | (t < s))]


def _weight(row: Row, classes: Indices, site: int) -> Floats:
    """(n, f) weights of the classes at a site, 0 where the row has none."""
    at = np.flatnonzero(row.sites == site)
    if not len(at):
        return np.zeros((len(classes), len(row.features)))
    weights: Floats = row.weights[:, :, at[0]]
    return weights[classes] if len(weights) > 1 else np.repeat(weights, len(classes), axis=0)


def _may_bind(problem: ArrayProblem, row: Row) -> bool:
    """Whether everybody at the heaviest open site of the row could exceed it."""
    if row.weights.min(initial=0.0) < 0.0:
        return True
    replicas = problem.replicas[problem.class_of]
    total = np.stack(
        [
            np.bincount(problem.class_of, problem.counts * replicas * phi, problem.classes)
            for phi in problem.features[row.features]
        ],
        axis=1,
    )
    weights = np.where(problem.open[:, None, row.sites], row.weights, 0.0)
    most = (weights * total[:, :, None]).max(axis=2, initial=0.0).sum()
    return bool(most > row.rhs)
