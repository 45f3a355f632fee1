"""A region: near ties, with everybody else at rest, as dense arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, pair_costs, pair_weights
from placement.optimizer.attributes import Flags, Floats, Indices

SHRINK = 1e-9
"""Relative: rows with fractions keep this distance from their limit (see `Region.limits`)."""


@dataclass(frozen=True)
class Region:
    """n units that may still move, S sites, R rows.

    Attributes
    ----------
    room
        (R,) what the units elsewhere leave of each row.
    elsewhere
        EUR a year that they cost.
    prices
        (R,) of the rows.
    placed
        (n, S) copies where they rest unless a core moves them; at the best sites if not given.
    split
        (n,) units that the linear relaxation splits: `placed` rounds them.
    """

    problem: ArrayProblem
    room: Floats
    elsewhere: float
    prices: Floats
    placed: Indices | None = None
    split: Flags | None = None

    @property
    def home(self) -> Indices:
        """(n, S) copies where they rest unless a core moves them."""
        return self.best if self.placed is None else self.placed

    def at_home(self, placed: Indices, split: Flags | None) -> Region:
        """The same region with everybody at these sites; what is known of it stays known."""
        other = replace(self, placed=placed, split=split)
        for name in ("cost", "weights", "toll", "reduced", "best", "margin", "size", "limits"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    @cached_property
    def cost(self) -> Floats:
        """(n, S) EUR a year of one copy, infinite where closed."""
        return pair_costs(self.problem, np.arange(self.problem.units))

    @cached_property
    def weights(self) -> list[Floats]:
        """(n, sites of the row) of each row."""
        units = np.arange(self.problem.units)
        return [pair_weights(self.problem, row, units) for row in self.problem.rows]

    @cached_property
    def toll(self) -> Floats:
        """(n, S) sum_r p_r w_rus, EUR a year."""
        toll = np.zeros((self.problem.units, self.problem.sites))
        for row, weight, price in zip(
            self.problem.rows, self.weights, self.prices.tolist(), strict=True
        ):
            if price > 0.0:
                toll[:, row.sites] += price * weight
        return toll

    @cached_property
    def reduced(self) -> Floats:
        """(n, S) cost and toll."""
        return self.cost + self.toll

    @cached_property
    def best(self) -> Indices:
        """(n, S) copies of each unit at the sites that are best at these prices."""
        return best_counts(self.problem, self.reduced)

    @cached_property
    def margin(self) -> Floats:
        """(n, S) how much dearer a pair is than the dearest of its unit's best, 0 for those."""
        worst = np.where(self.best > 0, self.reduced, -np.inf).max(axis=1)
        margin = np.maximum(self.reduced - worst[:, None], 0.0)
        return np.where(self.best > 0, 0.0, margin)

    @cached_property
    def size(self) -> Floats:
        """(n,) how much of the priced rows a unit takes, EUR a year, at its two best sites."""
        two = np.argsort(self.margin, axis=1, kind="stable")[:, :2]
        taken = np.take_along_axis(self.toll, two, axis=1).max(axis=1)
        largest = float(taken.max(initial=0.0))
        size: Floats = np.maximum(taken, 1e-9 * largest if largest > 0.0 else 1.0)
        return size

    def totals(self, x: Indices) -> Floats:
        """(R,) what copies (n, S) weigh in each row."""
        return np.array(
            [
                float((weight * x[:, row.sites]).sum())
                for row, weight in zip(self.problem.rows, self.weights, strict=True)
            ]
        )

    def value(self, x: Indices) -> float:
        """EUR a year of copies (n, S) and of all units elsewhere."""
        return self.elsewhere + float((np.where(x > 0, self.cost, 0.0) * x).sum())

    @cached_property
    def limits(self) -> Floats:
        """(R,) room, a hair less where weights or what is used already are no whole numbers."""
        whole = [
            float(room).is_integer() and bool((weight == np.rint(weight)).all())
            for room, weight in zip(self.room, self.weights, strict=True)
        ]
        rhs = np.abs(self.problem.rhs)
        return np.where(whole, self.room, self.room - SHRINK * rhs)


def best_counts(problem: ArrayProblem, reduced: Floats) -> Indices:
    """(n, S) all copies at the n_u best sites with different operators."""
    wanted = problem.replicas[problem.class_of]
    x = np.zeros(reduced.shape, dtype=np.intp)
    copies = problem.counts.astype(np.intp)
    left = reduced.copy()
    for turn in range(int(wanted.max(initial=1))):
        active = np.flatnonzero(wanted > turn)
        site = left[active].argmin(axis=1)
        x[active, site] = copies[active]
        taken = problem.operator_of[None, :] == problem.operator_of[site][:, None]
        left[active] = np.where(taken, np.inf, left[active])
    return x
