"""ArrayProblem: a placement problem as arrays, for up to tens of millions of datasets.

A *unit* is what is placed as one: a dataset, a group of co-located ones, or, with a count, many
that are equal in everything. Units of one *class* differ only in a few *features* (gigabytes,
gigabytes read, gigabytes delivered), so that cost and every weight are

    c_us  = sum_f cost[k, f, s] phi[f, u]          EUR a year, k the class of u
    w_rus = sum_f weights[k, f, s] phi[f, u]        for each coupling row r

and a million units need F numbers each, whatever S is. A problem in which every pair has its own
cost and weight, such as a generalised assignment instance, is the special case of one class a
unit and one feature that is always 1.

The problem is

    minimise    sum_u m_u sum_s c_us x_us + lineage(x)
    [assignment]   sum_s x_us = n_u            x_us in {0, 1}, n_u replicas with distinct operators
    [rows]         sum_u m_u sum_s w_rus x_us <= b_r
    [separation]   x_is + x_js <= 1, or the same by operator
    [segregation]  at a site, only one of two sets of classes

with m_u the number of equal datasets a merged unit stands for: x_us is then the number of them
at s, 0..m_u. A unit with relations or replicas is never merged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices


@dataclass(frozen=True)
class Row:
    """A coupling row: sum_u m_u sum_s w_rus x_us <= rhs."""

    name: str
    """The constraint's literal name, such as capacity[site]."""
    sites: Indices
    """(n,) columns with a weight."""
    features: Indices
    """(f,) features that weigh."""
    weights: Floats
    """(K, f, n), or (1, f, n) where all classes weigh alike."""
    rhs: float


@dataclass(frozen=True)
class Lineage:
    """Flows between different units, E of them.

    With one replica at both ends a flow costs yearly_gb * egress[s] when its source rests at s
    and its derived unit with another operator, nothing otherwise. With more, each replica of the
    derived unit is fed from the cheapest of the source's, for nothing from the same operator.
    """

    source: Indices
    derived: Indices
    yearly_gb: Floats
    egress: Floats
    """(S,) EUR per GB."""

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class Apart:
    """Pairs of different units that share no site, or no operator, Q of them."""

    first: Indices
    second: Indices
    whole_operator: Flags

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Segregation:
    """At one site, units of `one` and of `other` do not meet.

    A class in both keeps everybody else of either away (see placement.optimizer.segregation).
    """

    site: int
    one: Flags
    """(K,) classes that carry the one duty."""
    other: Flags


def _no_lineage() -> Lineage:
    none = np.empty(0, dtype=np.intp)
    return Lineage(none, none, np.empty(0), np.empty(0))


def _no_pairs() -> Apart:
    none = np.empty(0, dtype=np.intp)
    return Apart(none, none, np.empty(0, dtype=np.bool_))


@dataclass(frozen=True)
class ArrayProblem:
    """U units of K classes with F features, S sites, R coupling rows.

    Units are sorted by class. Arrays are never written to after construction.
    """

    class_of: Indices
    """(U,) ascending."""
    features: Floats
    """(F, U), never negative; feature 0 is 1 for every unit."""
    counts: Floats
    """(U,) m_u: equal units that this one stands for; whole numbers."""
    cost: Floats
    """(K, F, S) EUR a year per unit of feature; 0 where not open."""
    open: Flags
    """(K, S) where units of the class may rest. Pairs that overload a row alone are closed."""
    replicas: Indices
    """(K,)"""
    operator_of: Indices
    """(S,)"""
    rows: tuple[Row, ...]
    lineage: Lineage = field(default_factory=_no_lineage)
    replicated: Lineage = field(default_factory=_no_lineage)
    """Flows with several replicas at an end: plans pay for them, the bound leaves them out."""
    apart: Apart = field(default_factory=_no_pairs)
    segregations: tuple[Segregation, ...] = ()

    @property
    def units(self) -> int:
        """U."""
        return len(self.class_of)

    @property
    def classes(self) -> int:
        """K."""
        return len(self.cost)

    @property
    def sites(self) -> int:
        """S."""
        return int(self.cost.shape[2])

    @property
    def related(self) -> bool:
        """Whether anything but the coupling rows ties units together."""
        flows = len(self.lineage) + len(self.replicated)
        return bool(flows or len(self.apart) or self.segregations)

    @property
    def rhs(self) -> Floats:
        """(R,) right-hand sides."""
        return np.array([row.rhs for row in self.rows])

    def starts(self) -> Indices:
        """(K + 1,) first unit of each class."""
        return np.searchsorted(self.class_of, np.arange(self.classes + 1))

    def take(self, units: Indices) -> ArrayProblem:
        """The part with these units, ascending, all rows and limits as they are, no relations.

        Classes that no unit is left of go, so that a small part is small.
        """
        kept, class_of = np.unique(self.class_of[units], return_inverse=True)
        return ArrayProblem(
            class_of=class_of.astype(np.intp),
            features=np.ascontiguousarray(self.features[:, units]),
            counts=self.counts[units],
            cost=self.cost[kept],
            open=self.open[kept],
            replicas=self.replicas[kept],
            operator_of=self.operator_of,
            rows=tuple(_narrow(row, kept) for row in self.rows),
        )


def _narrow(row: Row, classes: Indices) -> Row:
    if len(row.weights) == 1:
        return row
    return Row(row.name, row.sites, row.features, row.weights[classes], row.rhs)


def pair_costs(problem: ArrayProblem, units: Indices) -> Floats:
    """(n, S) c_us of these units, infinite where not open."""
    k = problem.class_of[units]
    cost = np.einsum("nfs,fn->ns", problem.cost[k], problem.features[:, units])
    return np.where(problem.open[k], cost, np.inf)


def pair_weights(problem: ArrayProblem, row: Row, units: Indices) -> Floats:
    """(n, len(row.sites)) w_rus of these units at the row's sites."""
    phi = problem.features[np.ix_(row.features, units)]
    if len(row.weights) == 1:
        alike: Floats = np.einsum("fs,fn->ns", row.weights[0], phi)
        return alike
    weights: Floats = np.einsum("nfs,fn->ns", row.weights[problem.class_of[units]], phi)
    return weights


def row_totals(problem: ArrayProblem, load: Floats) -> Floats:
    """(R,) sum_u m_u sum_s w_rus x_us, from what rests where.

    Parameters
    ----------
    load
        (K, F, S) sum over the units of a class of m_u phi[f, u] x_us.
    """
    totals = np.empty(len(problem.rows))
    for r, row in enumerate(problem.rows):
        part = load[:, row.features][:, :, row.sites]
        totals[r] = float((part * row.weights).sum())
    return totals


def load_of(problem: ArrayProblem, sites: Indices) -> Floats:
    """(K, F, S) load of units that rest at one site each.

    Parameters
    ----------
    sites
        (U,) site of each unit, or (U, n) with -1 for none.
    """
    shape = problem.classes, problem.sites
    load = np.zeros((shape[0], len(problem.features), shape[1]))
    for column in sites.reshape(problem.units, -1).T:
        cell = problem.class_of * shape[1] + column
        there = column >= 0
        everywhere = bool(there.all())
        for f, phi in enumerate(problem.features):
            weight = phi * problem.counts
            binned = (
                np.bincount(cell, weight, shape[0] * shape[1])
                if everywhere
                else np.bincount(cell[there], weight[there], shape[0] * shape[1])
            )
            load[:, f, :] += binned.reshape(shape)
    return load
