"""The bound that prices prove, for millions of units in one pass.

For any prices p >= 0

    L(p)  = sum_u m_u (sum of the n_u smallest over operators o of min_{s in o} c'_us)
            - sum_r p_r b_r
    c'_us = c_us + sum_r p_r w_rus (+ extra_us)

is a lower bound on the cost of every plan (Lagrangian relaxation; Geoffrion 1974, Lagrangean
relaxation for integer programming). Costs and weights of a class are linear in the features of
its units, so prices fold into the class's coefficients and a unit's costs are F multiplications a
site, whatever the number of rows. Sites come first in memory: minima over sites are then minima of
long vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from placement.optimizer.arrays.problem import ArrayProblem, row_totals
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.progress import Watch

ROUNDING = 1e-12
"""Relative allowance for the rounding of float sums."""
PAIRS = 160_000
"""Pairs of one piece of work: what fits into a core's cache."""
WORKERS = 2
LONG_RUN = 48
"""Units of one class in a row from which a product of matrices beats gathering coefficients."""

_T = TypeVar("_T")

Places = NDArray[np.integer[Any]]
"""Sites by their numbers."""


@dataclass(frozen=True)
class Evaluation:
    """What prices prove, and what the units choose at them."""

    bound: float
    """L in EUR a year, rounded down: no plan costs less. inf where a unit fits nowhere."""
    sites: Indices
    """(U, n) cheapest site of each replica, ascending, -1 behind a unit's last."""
    totals: Floats
    """(R,) left-hand sides of the coupling rows at these sites."""


@dataclass(frozen=True)
class Part:
    """A share of the bound: everything but the right-hand sides. Parts add up."""

    value: float
    """sum_u m_u (least costs of u), EUR a year."""
    magnitude: float
    """What rounding is relative to."""
    totals: Floats
    """(R,)"""


def evaluate(
    problem: ArrayProblem,
    prices: Floats,
    extra: Floats | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """L and what proves it.

    Parameters
    ----------
    prices
        (R,) of the rows, EUR a year per unit of their right-hand sides, not negative.
    extra
        (S, U) added to the costs, EUR a year.

    Raises
    ------
    OutOfTime
        Where `watch` says so.
    """
    sites = np.full((problem.units, int(problem.replicas.max(initial=1))), -1, dtype=np.intp)
    part = evaluate_part(problem, prices, extra, watch, sites)
    return Evaluation(bound_of(part, prices, problem.rhs), sites, part.totals)


def bound_of(part: Part, prices: Floats, rhs: Floats) -> float:
    """L of summed parts, rounded down."""
    if not np.isfinite(part.value):
        return part.value
    constant = prices * rhs
    slack = ROUNDING * (part.magnitude + float(np.abs(constant).sum()))
    return part.value - float(constant.sum()) - slack


def evaluate_part(
    problem: ArrayProblem,
    prices: Floats,
    extra: Floats | None = None,
    watch: Watch | None = None,
    sites: Indices | None = None,
) -> Part:
    """The minima and row totals of all units; chosen sites are written to `sites`, (U, n)."""
    folded = Folded(problem, prices, extra)

    def work(begin: int, end: int) -> Share:
        best, chosen = choices(folded, begin, end, folded.costs(begin, end))
        if sites is not None:
            for column, at in enumerate(chosen):
                sites[begin:end, column] = at
        return share_of(folded, begin, end, best, chosen)

    return summed(folded, in_pieces(problem, work, watch))


@dataclass(frozen=True)
class Share:
    """What a piece of work adds."""

    first: int
    """Its first class."""
    load: Floats
    """(classes, F, S)"""
    value: float
    """What the load does not tell: extra costs; inf where a unit fits nowhere."""
    magnitude: float


def summed(folded: Folded, shares: Sequence[Share]) -> Part:
    """Pieces added up, in their order."""
    load = np.zeros(folded.problem.cost.shape)
    for share in shares:
        load[share.first : share.first + len(share.load)] += share.load
    value = sum(share.value for share in shares) + float((load * folded.coefficients).sum())
    magnitude = sum(share.magnitude for share in shares) + folded.magnitude(load)
    return Part(value, magnitude, row_totals(folded.problem, load))


def reduced(
    problem: ArrayProblem, prices: Floats, units: Indices, extra: Floats | None = None
) -> Floats:
    """(n, S) c'_us of these units, EUR a year, infinite where closed."""
    classes, of_class = np.unique(problem.class_of[units], return_inverse=True)
    folded = fold(problem, prices, classes)
    answer = np.empty((len(units), problem.sites))
    step = max(1, PAIRS // problem.sites)
    for begin in range(0, len(units), step):
        some = units[begin : begin + step]
        k = of_class[begin : begin + step]
        cost = np.einsum("nfs,fn->ns", folded[k], problem.features[:, some])
        if extra is not None:
            cost += extra[:, some].T
        answer[begin : begin + step] = np.where(problem.open[classes[k]], cost, np.inf)
    return answer


def fold(problem: ArrayProblem, prices: Floats, classes: Indices | None = None) -> Floats:
    """(K, F, S) cost + sum_r p_r weights_r, of all classes or of some."""
    part = slice(None) if classes is None else classes
    shared = np.zeros(problem.cost.shape[1:])
    for row, price in zip(problem.rows, prices.tolist(), strict=True):
        if price and len(row.weights) == 1:
            shared[np.ix_(row.features, row.sites)] += price * row.weights[0]
    folded: Floats = problem.cost[part] + shared
    for row, price in zip(problem.rows, prices.tolist(), strict=True):
        if price and len(row.weights) != 1:
            folded[:, row.features[:, None], row.sites[None, :]] += price * row.weights[part]
    return folded


class Folded:
    """Costs with prices in them, by pieces of units.

    Parameters
    ----------
    prices, extra
        As in `evaluate`.
    """

    def __init__(self, problem: ArrayProblem, prices: Floats, extra: Floats | None) -> None:
        self.problem = problem
        self.extra = extra
        self.prices = prices
        self.coefficients = fold(problem, prices)
        self.starts = problem.starts()
        self.single = bool((problem.replicas == 1).all())
        self.alike = bool((problem.counts == 1.0).all())
        self._closed = ~problem.open
        self._any_closed: Flags = np.asarray(self._closed.any(axis=1))

    def costs(self, begin: int, end: int) -> Floats:
        """(S, n) c' of units begin..end, infinite where closed."""
        problem = self.problem
        k = problem.class_of[begin:end]
        if (end - begin) >= LONG_RUN * (int(k[-1]) - int(k[0]) + 1):
            costs = self._by_class(begin, end)
        else:
            costs = self._gathered(begin, end)
        if self.extra is not None:
            costs += self.extra[:, begin:end]
        return costs

    def _by_class(self, begin: int, end: int) -> Floats:
        problem = self.problem
        costs = np.empty((problem.sites, end - begin))
        for k in range(int(problem.class_of[begin]), int(problem.class_of[end - 1]) + 1):
            a, b = max(begin, int(self.starts[k])), min(end, int(self.starts[k + 1]))
            if a >= b:
                continue
            run = costs[:, a - begin : b - begin]
            np.matmul(self.coefficients[k].T, problem.features[:, a:b], out=run)
            if self._any_closed[k]:
                run[self._closed[k]] = np.inf
        return costs

    def _gathered(self, begin: int, end: int) -> Floats:
        problem = self.problem
        k = problem.class_of[begin:end]
        phi = problem.features[:, begin:end]
        costs = self.coefficients[k, 0] * phi[0][:, None]
        for f in range(1, len(phi)):
            costs += self.coefficients[k, f] * phi[f][:, None]
        costs[self._closed[k]] = np.inf
        return np.ascontiguousarray(costs.T)

    def magnitude(self, load: Floats) -> float:
        """What the rounding of the chosen costs is relative to.

        Where nothing is negative, the sum itself. Otherwise terms may cancel, and every unit counts
        with the largest magnitude that any of its sites has.
        """
        problem = self.problem
        rows = [r for r, price in enumerate(self.prices.tolist()) if price]
        if all(problem.rows[r].weights.min(initial=0.0) >= 0.0 for r in rows) and (
            problem.cost.min(initial=0.0) >= 0.0
        ):
            return float((load * self.coefficients).sum())
        size = np.abs(problem.cost)
        for r in rows:
            row = problem.rows[r]
            at = np.abs(self.prices[r] * row.weights)
            size[:, row.features[:, None], row.sites[None, :]] += at
        most = np.where(problem.open[:, None, :], size, 0.0).max(axis=2, initial=0.0)
        return float((load.sum(axis=2) * most).sum())


def in_pieces(
    problem: ArrayProblem, work: Callable[[int, int], _T], watch: Watch | None = None
) -> list[_T]:
    """`work` on ranges of units, answers in the order of units whatever the threads do."""
    step = max(1, PAIRS // max(1, problem.sites))
    begins = range(0, problem.units, step)

    def one(begin: int) -> _T:
        if watch is not None:
            watch.check()
        return work(begin, min(begin + step, problem.units))

    if len(begins) < 2 * WORKERS:
        return [one(begin) for begin in begins]
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            return list(pool.map(one, begins))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def least(costs: Floats) -> tuple[Floats, Places]:
    """(n,) minima over the first axis of (S, n), and where they are; the first of equals."""
    best = costs[0].copy()
    where = np.zeros(costs.shape[1], dtype=np.int16)
    less = np.empty(costs.shape[1], dtype=np.bool_)
    for s in range(1, len(costs)):
        np.less(costs[s], best, out=less)
        np.minimum(best, costs[s], out=best)
        np.putmask(where, less, s)
    return best, where


def by_operator(costs: Floats, operator_of: Indices) -> tuple[Floats, Indices]:
    """(O, n) cheapest cost with each operator, and (O, n) at which site."""
    values, sites = [], []
    for o in np.unique(operator_of):
        own = np.flatnonzero(operator_of == o)
        best, where = least(costs[own])
        values.append(best)
        sites.append(own[where])
    return np.stack(values), np.stack(sites)


def smallest(costs: Floats, operator_of: Indices, replicas: Indices) -> tuple[Floats, Indices]:
    """The n_u cheapest operators of each unit.

    Returns
    -------
    (n,) sums, infinite where too few operators are open, and (most, n) sites, ascending, -1 last.
    """
    values, sites = by_operator(costs, operator_of)
    most = int(replicas.max())
    short = max(0, most - len(values))
    values = np.pad(values, ((0, short), (0, 0)), constant_values=np.inf)
    sites = np.pad(sites, ((0, short), (0, 0)), constant_values=-1)
    order = np.argsort(values, axis=0, kind="stable")[:most]
    wanted = np.arange(most)[:, None] < replicas
    sums = np.where(wanted, np.take_along_axis(values, order, axis=0), 0.0).sum(axis=0)
    far = np.iinfo(np.intp).max
    chosen = np.sort(np.where(wanted, np.take_along_axis(sites, order, axis=0), far), axis=0)
    return sums, np.where(chosen == far, -1, chosen)


def choices(folded: Folded, begin: int, end: int, costs: Floats) -> tuple[Floats, Sequence[Places]]:
    """(n,) least costs of a piece, and for each replica (n,) sites, -1 behind a unit's last."""
    problem = folded.problem
    if folded.single:
        best, where = least(costs)
        return best, [where]
    replicas = problem.replicas[problem.class_of[begin:end]]
    best, sites = smallest(costs, problem.operator_of, replicas)
    return best, list(sites)


def share_of(folded: Folded, begin: int, end: int, best: Floats, chosen: Sequence[Places]) -> Share:
    """What a piece adds when its units take the chosen sites."""
    problem = folded.problem
    first = int(problem.class_of[begin])
    if not np.isfinite(best.max(initial=0.0)):
        return Share(first, np.zeros((1, *problem.cost.shape[1:])), np.inf, 0.0)
    counts = None if folded.alike else problem.counts[begin:end]
    load = _load(problem, begin, end, chosen, counts)
    if folded.extra is None:
        return Share(first, load, 0.0, 0.0)
    return Share(first, load, *_messages(folded.extra[:, begin:end], chosen, counts))


def _messages(
    extra: Floats, chosen: Sequence[Places], counts: Floats | None
) -> tuple[float, float]:
    """What the extra costs add at the chosen sites, and what their rounding is relative to."""
    unit = np.arange(extra.shape[1])
    more = size = 0.0
    largest = np.maximum(extra.max(axis=0), -extra.min(axis=0))
    for at in chosen:
        there: Flags = at >= 0
        weight = there if counts is None else there * counts
        more += float((extra[np.maximum(at, 0), unit] * weight).sum())
        size += float((largest * weight).sum())
    return more, size


def _load(
    problem: ArrayProblem, begin: int, end: int, chosen: Sequence[Places], counts: Floats | None
) -> Floats:
    """(classes of the piece, F, S) what its units bring to their sites."""
    k = problem.class_of[begin:end]
    first, classes = int(k[0]), int(k[-1]) - int(k[0]) + 1
    load = np.zeros((classes, len(problem.features), problem.sites))
    base = (k - first) * problem.sites
    for at in chosen:
        cell = base + at
        there = at >= 0
        everywhere = bool(there.all())
        for f, phi in enumerate(problem.features[:, begin:end]):
            weight = phi if counts is None else phi * counts
            if everywhere:
                binned = np.bincount(cell, weight, classes * problem.sites)
            else:
                binned = np.bincount(cell[there], weight[there], classes * problem.sites)
            load[:, f, :] += binned.reshape(classes, problem.sites)
    return load
