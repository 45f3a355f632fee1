"""Why no plan exists, told by classes: a few rows and classes that cannot all hold.

Costs do not matter, so classes that are open to the same sites and weigh alike are one. What of
class k's feature f rests at site s is then a share z_kfs of all there is of it:

    z >= 0,  sum_s z_kfs = 1,  sum_kfs (w_rkfs Phi_kf) z_kfs <= b_r + slack_r |b_r|

with Phi_kf the sum of m_u phi_fu over the units of k. Every plan gives such shares, so where the
least sum of slacks is above zero there is no plan: the size of this programme does not depend on
the number of datasets. Its row duals p are a ray (Farkas): with all costs zero, the bound

    L0(p) = sum_u min_s sum_r p_r w_rus - sum_r p_r b_r > 0

over single units proves it to anybody, in one pass and without a solver. The conflict is made
irreducible by a deletion filter (Chinneck and Dravnieks 1991, Locating minimal infeasible
constraint sets in linear programs): whatever is not needed is dropped, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.highs import THREADS

OVERFULL = 1e-7
"""Sum of relative slacks from which on a programme counts as infeasible, subject to proof."""


@dataclass(frozen=True)
class Conflict:
    """Rows and classes that cannot all hold; without any one of them the rest could in part."""

    rows: tuple[str, ...]
    """Names of coupling rows, in the problem's order."""
    classes: tuple[Indices, ...]
    """Classes of the problem whose units have no room: those that are alike stand together."""
    ray: Floats
    """(R,) prices of the rows that prove it: L0(ray) > 0."""
    excess: float
    """L0(ray)."""


def find_conflict(problem: ArrayProblem) -> Conflict | None:
    """An irreducible conflict between classes and coupling rows; None where none is proven.

    That there is none says nothing about whole datasets, nor about relations.
    """
    alike = _alike(problem)
    programme = _Programme(problem, alike)
    if programme.slack() <= OVERFULL:
        return None
    ray = programme.ray()
    proof = _proof(problem, ray)
    if proof <= 0.0:
        return None
    programme.reduce()
    rows = tuple(row.name for r, row in enumerate(problem.rows) if programme.rows_kept[r])
    groups = tuple(np.flatnonzero(alike == k) for k in np.flatnonzero(programme.classes_kept))
    return Conflict(rows, groups, ray, proof)


def _proof(problem: ArrayProblem, ray: Floats) -> float:
    """L0 at these prices, rounding deducted."""
    from placement.optimizer.pricing.dual import evaluate

    free = replace(problem, cost=np.zeros_like(problem.cost))
    return evaluate(free, ray).bound


def _alike(problem: ArrayProblem) -> Indices:
    """(K,) number of each class's kind: the same open sites, weights and replicas."""
    parts = [problem.open.astype(np.float64), problem.replicas[:, None].astype(np.float64)]
    parts += [
        row.weights.reshape(problem.classes, -1) for row in problem.rows if len(row.weights) > 1
    ]
    _, alike = np.unique(np.concatenate(parts, axis=1), axis=0, return_inverse=True)
    return alike.ravel()


class _Programme:
    """The linear programme, loaded once; rows and classes are taken out and put back."""

    def __init__(self, problem: ArrayProblem, alike: Indices) -> None:
        self._kinds = int(alike.max(initial=-1)) + 1
        self._problem = problem
        used = np.zeros(len(problem.features), dtype=np.bool_)
        used[np.concatenate([row.features for row in problem.rows] or [np.zeros(1, int)])] = True
        self._features = np.flatnonzero(used)
        _, first = np.unique(alike, return_index=True)
        self._open: Flags = problem.open[first]
        self._total = _totals(problem, alike, self._kinds)[:, self._features]
        self._weights = [_narrow(row, first) for row in problem.rows]
        self._scale = np.array([1.0 / max(abs(row.rhs), 1.0) for row in problem.rows])
        self.rows_kept = np.ones(len(problem.rows), dtype=np.bool_)
        self.classes_kept = np.ones(self._kinds, dtype=np.bool_)
        self._kind, self._feature, self._site = np.nonzero(
            np.repeat(self._open[:, None, :], len(self._features), axis=1)
        )
        self._highs = self._load(problem.replicas[first])

    def slack(self) -> float:
        """Least sum of relative slacks of the rows that are kept."""
        self._highs.run()
        return float(self._highs.getInfo().objective_function_value)

    def ray(self) -> Floats:
        """(R,) row prices of the last run."""
        duals = np.array(self._highs.getSolution().row_dual)[: len(self.rows_kept)]
        prices: Floats = np.maximum(0.0, -duals) * self._scale
        return prices

    def reduce(self) -> None:
        """Drop rows and classes while the rest still conflicts."""
        solution = self._highs.getSolution()
        duals = np.array(solution.row_dual)
        rows, assigned = len(self.rows_kept), self._kinds * len(self._features)
        idle = np.abs(duals[rows : rows + assigned]).reshape(self._kinds, -1).max(axis=1) <= 0.0
        self._drop(rows=np.flatnonzero(duals[:rows] >= 0.0), classes=np.flatnonzero(idle))
        if self.slack() <= OVERFULL:  # the duals were too rough to go by
            self._restore()
        for k in np.flatnonzero(self.classes_kept).tolist():
            self._try(rows=[], classes=[k])
        for r in np.flatnonzero(self.rows_kept).tolist():
            self._try(rows=[r], classes=[])

    def _try(self, rows: list[int], classes: list[int]) -> None:
        self._drop(np.array(rows, dtype=np.intp), np.array(classes, dtype=np.intp))
        if self.slack() <= OVERFULL:
            self._set_rows(rows, kept=True)
            self._set_classes(classes, kept=True)

    def _drop(self, rows: Indices, classes: Indices) -> None:
        self._set_rows(rows.tolist(), kept=False)
        self._set_classes(classes.tolist(), kept=False)

    def _restore(self) -> None:
        self._set_rows(np.flatnonzero(~self.rows_kept).tolist(), kept=True)
        self._set_classes(np.flatnonzero(~self.classes_kept).tolist(), kept=True)

    def _set_rows(self, rows: list[int], *, kept: bool) -> None:
        for r in rows:
            self.rows_kept[r] = kept
            upper = self._problem.rows[r].rhs * self._scale[r] if kept else np.inf
            self._highs.changeRowBounds(r, -np.inf, upper)

    def _set_classes(self, kinds: list[int], *, kept: bool) -> None:
        for k in kinds:
            self.classes_kept[k] = kept
            for row in self._assignment_rows(k):
                self._highs.changeRowBounds(row, float(kept), float(kept))

    def _assignment_rows(self, kind: int) -> range:
        features = len(self._features)
        begin = len(self.rows_kept) + kind * features
        return range(begin, begin + features)

    def _load(self, replicas: Indices) -> Any:
        """Columns: shares of open (kind, feature, site), then one slack a row."""
        rows, shares = len(self.rows_kept), len(self._kind)
        column, row, value = [np.arange(shares)], [self._assignments()], [np.ones(shares)]
        for r, (given, weights) in enumerate(zip(self._problem.rows, self._weights, strict=True)):
            weight = self._weight_of(given.sites, given.features, weights) * self._scale[r]
            at = np.flatnonzero(weight)
            column.append(at)
            row.append(np.full(len(at), r))
            value.append(weight[at])
        column.append(shares + np.arange(rows))
        row.append(np.arange(rows))
        value.append(np.full(rows, -1.0))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = shares + rows, rows + self._kinds * len(self._features)
        lp.col_cost_ = np.concatenate([np.zeros(shares), np.ones(rows)])
        lp.col_lower_ = np.zeros(shares + rows)
        most = 1.0 / replicas[self._kind]  # at most one replica a site
        lp.col_upper_ = np.concatenate([most, np.full(rows, np.inf)])
        ones = np.ones(self._kinds * len(self._features))
        lp.row_lower_ = np.concatenate([np.full(rows, -np.inf), ones])
        lp.row_upper_ = np.concatenate([self._problem.rhs * self._scale, ones])
        _fill(lp, np.concatenate(column), np.concatenate(row), np.concatenate(value))
        highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, setting in (("output_flag", False), ("threads", THREADS), ("random_seed", 0)):
            highs.setOptionValue(option, setting)
        highs.passModel(lp)
        return highs

    def _assignments(self) -> Indices:
        rows: Indices = len(self.rows_kept) + self._kind * len(self._features) + self._feature
        return rows

    def _weight_of(self, sites: Indices, features: Indices, weights: Floats) -> Floats:
        """Weight of every share in a row, in the row's unit."""
        column = np.full(self._open.shape[1], -1)
        column[sites] = np.arange(len(sites))
        place = np.full(int(self._features.max(initial=0)) + 1, -1)
        place[features] = np.arange(len(features))
        at, which = column[self._site], place[self._features[self._feature]]
        there = (at >= 0) & (which >= 0)
        kind = np.where(len(weights) == 1, 0, self._kind)
        weight = np.where(there, weights[kind, np.maximum(which, 0), np.maximum(at, 0)], 0.0)
        amount: Floats = weight * self._total[self._kind, self._feature]
        return amount


def _totals(problem: ArrayProblem, alike: Indices, kinds: int) -> Floats:
    """(kinds, F) sum of n m_u phi_fu, all replicas counted."""
    kind = alike[problem.class_of]
    weight = problem.counts * problem.replicas[problem.class_of]
    return np.stack([np.bincount(kind, weight * phi, kinds) for phi in problem.features], axis=1)


def _narrow(row: Any, first: Indices) -> Floats:
    weights: Floats = row.weights if len(row.weights) == 1 else row.weights[first]
    return weights


def _fill(lp: Any, column: Indices, row: Indices, value: Floats) -> None:
    order = np.lexsort((column, row))
    matrix = lp.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    starts = np.searchsorted(row[order], np.arange(lp.num_row_ + 1))
    matrix.start_ = starts.astype(np.int32)
    matrix.index_ = column[order].astype(np.int32)
    matrix.value_ = value[order]
