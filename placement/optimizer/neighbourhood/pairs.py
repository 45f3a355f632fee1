"""A problem as dense arrays over its pairs: what the local search runs on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row, pair_costs, pair_weights
from placement.optimizer.attributes import Flags, Floats, Indices

ROUNDING = 1e-12
"""Relative: rows of broken numbers are held this much tighter, so that sums in any order hold."""


@dataclass(frozen=True)
class Incidence:
    """Which rows each site loads, padded with -1, and by how much."""

    rows: Indices
    """(S, L)"""
    weights: Floats
    """(U, S, L)"""


@dataclass(frozen=True)
class Pairs:
    """U units with one replica and a count of one, S sites, R rows.

    With prices p, the reduced cost of a pair is r_us = c_us + sum_r p_r w_rus - min over s of the
    same, so that for every assignment

        cost - L(p) = sum_u r_us + sum_r p_r (b_r - load_r)

    and a good plan has small reduced costs and little room left in rows that have a price.
    """

    cost: Floats
    """(U, S) EUR a year, inf where not open."""
    own: Incidence
    """Rows that only one site loads."""
    shared: Incidence
    """Rows that several sites load."""
    rhs: Floats
    """(R,)"""
    whole: bool
    """All costs are whole numbers, so that bounds may be rounded up."""

    @property
    def units(self) -> int:
        """U."""
        return len(self.cost)

    @property
    def sites(self) -> int:
        """S."""
        return int(self.cost.shape[1])

    def room(self, sites: Indices) -> Floats:
        """(R,) what is left of each row; negative where overloaded."""
        load = np.zeros(len(self.rhs))
        units = np.arange(self.units)
        for incidence in (self.own, self.shared):
            rows = incidence.rows[sites]
            there = rows >= 0
            np.add.at(load, rows[there], incidence.weights[units, sites][there])
        return self.rhs - load

    def cost_of(self, sites: Indices) -> float:
        """EUR a year, inf where a pair is closed."""
        return float(self.cost[np.arange(self.units), sites].sum())

    def holds(self, sites: Indices) -> bool:
        """Whether no row is overloaded and no pair closed."""
        return bool((self.room(sites) >= 0.0).all()) and np.isfinite(self.cost_of(sites))

    def priced(self, prices: Floats) -> Floats:
        """(U, S) c_us + sum_r p_r w_rus."""
        total = self.cost.copy()
        for incidence in (self.own, self.shared):
            padded = np.append(prices, 0.0)[incidence.rows]
            total += np.einsum("usl,sl->us", incidence.weights, padded)
        return total

    def bound(self, prices: Floats) -> float:
        """L(p), EUR a year, rounded down by more than sums of floats are off."""
        least, rent = self.priced(prices).min(axis=1), prices * self.rhs
        size = float(np.abs(least).sum() + np.abs(rent).sum())
        return float(least.sum() - rent.sum()) - ROUNDING * size

    def rounded(self, bound: float) -> float:
        """The least cost a plan can have, knowing that none is below `bound`."""
        if not (self.whole and np.isfinite(bound)):
            return bound
        return float(np.ceil(bound - 1e-6))


def pairs_of(problem: ArrayProblem) -> Pairs:
    """The dense arrays of a problem; U S (1 + L) numbers."""
    units = np.arange(problem.units)
    cost = np.ascontiguousarray(pair_costs(problem, units))
    several = [len(row.sites) > 1 for row in problem.rows]
    weights = [pair_weights(problem, row, units) for row in problem.rows]
    finite = cost[np.isfinite(cost)]
    rhs = problem.rhs
    if not all(_whole(each) for each in (*weights, rhs)):
        size = np.array([float(np.abs(each).sum()) for each in weights])
        rhs = rhs - ROUNDING * (np.abs(rhs) + size)
    shape = problem.units, problem.sites
    return Pairs(
        cost=cost,
        own=_incidence(shape, problem.rows, weights, np.logical_not(several)),
        shared=_incidence(shape, problem.rows, weights, np.array(several, dtype=np.bool_)),
        rhs=rhs,
        whole=_whole(finite),
    )


def _whole(values: Floats) -> bool:
    return bool((values == np.rint(values)).all()) and float(np.abs(values).sum()) < 2.0**53


def _incidence(
    shape: tuple[int, int], rows: tuple[Row, ...], weights: list[Floats], chosen: Flags
) -> Incidence:
    units, sites = shape
    at: list[list[int]] = [[] for _ in range(sites)]
    for r in np.flatnonzero(chosen).tolist():
        for s in rows[r].sites.tolist():
            at[s].append(r)
    most = max((len(each) for each in at), default=0)
    index = np.full((sites, most), -1, dtype=np.intp)
    dense = np.zeros((units, sites, most))
    for s, each in enumerate(at):
        for k, r in enumerate(each):
            index[s, k] = r
            dense[:, s, k] = weights[r][:, int(np.flatnonzero(rows[r].sites == s)[0])]
    return Incidence(index, dense)
