"""How much is at stake with a unit: the unit of measure for margins and temperatures.

The spread of a unit is the sum over its features of the standard deviation, over the open sites
of its class, of what one unit of the feature costs. It makes margins comparable between a
terabyte and a kilobyte, and needs F numbers a class only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Floats
from placement.optimizer.pricing.dual import in_pieces
from placement.optimizer.progress import Watch

LEAST = 1e-3
"""Spread of a feature, at least, as a share of its mean cost: classes with one open site."""
NOTHING = 1e-9
"""Spread of a unit, at least, as a share of the mean spread."""


@dataclass(frozen=True)
class Size:
    """How large a shard is. Sizes add up."""

    units: int
    stake: float
    """sum_u m_u spread_u, EUR a year."""
    weight: Floats
    """(R,) sum_u m_u max_s |w_rus|: what a row could hold at most."""
    stuck: int
    """Units with fewer open operators than replicas: no plan exists."""


def spreads_by_feature(problem: ArrayProblem) -> Floats:
    """(K, F) spread per unit of each feature; from the weights where nothing costs anything."""
    spread = _spread(problem, problem.cost)
    if not spread.any():
        spread = _spread(problem, _relative_weights(problem))
    return spread if spread.any() else np.ones(problem.cost.shape[:2])


def spreads(problem: ArrayProblem, coefficients: Floats, begin: int, end: int) -> Floats:
    """(n,) spread of units begin..end, EUR a year, from `spreads_by_feature`."""
    k = problem.class_of[begin:end]
    phi = problem.features[:, begin:end]
    total = np.zeros(end - begin)
    for f in range(len(phi)):
        total += np.abs(phi[f]) * coefficients[k, f]
    return total


def size_of(problem: ArrayProblem, coefficients: Floats, watch: Watch | None = None) -> Size:
    """The size of a problem, from sums of features by class."""
    classes, features = coefficients.shape

    def sums(begin: int, end: int) -> tuple[int, Floats]:
        k = problem.class_of[begin:end]
        first, n = int(k[0]), int(k[-1]) - int(k[0]) + 1
        counts = problem.counts[begin:end]
        phi = problem.features[:, begin:end]
        return first, np.stack([np.bincount(k - first, np.abs(x) * counts, n) for x in phi])

    total = np.zeros((features, classes))
    for first, part in in_pieces(problem, sums, watch):
        total[:, first : first + part.shape[1]] += part
    weight = np.zeros(len(problem.rows))
    for r, row in enumerate(problem.rows):
        most = np.abs(row.weights).max(axis=2, initial=0.0)
        weight[r] = float((total.T[:, row.features] * most).sum())
    stake = float((total.T * coefficients).sum())
    return Size(problem.units, stake, weight, _stuck(problem))


def _stuck(problem: ArrayProblem) -> int:
    operators = np.unique(problem.operator_of)
    reach = np.stack([problem.open[:, problem.operator_of == o].any(axis=1) for o in operators])
    units = np.bincount(problem.class_of, minlength=problem.classes)
    return int(units[reach.sum(axis=0) < problem.replicas].sum())


def _spread(problem: ArrayProblem, cost: Floats) -> Floats:
    there = problem.open[:, None, :]
    sites = np.maximum(1, problem.open.sum(axis=1))[:, None]
    mean = np.where(there, cost, 0.0).sum(axis=2) / sites
    away = np.where(there, cost - mean[:, :, None], 0.0)
    deviation: Floats = np.sqrt((away**2).sum(axis=2) / sites)
    floor: Floats = np.maximum(deviation, LEAST * np.abs(mean))
    return floor


def _relative_weights(problem: ArrayProblem) -> Floats:
    """(K, F, S) shares of the rows that one unit of a feature takes."""
    shares = np.zeros(problem.cost.shape)
    for row in problem.rows:
        share = np.abs(row.weights) / (abs(row.rhs) or 1.0)
        shares[:, row.features[:, None], row.sites[None, :]] += share
    return shares
