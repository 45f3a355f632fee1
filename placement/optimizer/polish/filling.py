"""Local search: one or two copies move at a time, into what a plan leaves of the rows.

A move of one copy changes the cost by dc and the rows by dw. Two moves together are taken when
dc_i + dc_j < 0 and dw_i + dw_j fits into the room left, the best pair first: one fills the rows,
the other makes room, or both fill them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.polish.region import Region
from placement.optimizer.progress import Watch

MOVES = 1_500
"""Moves that are paired: those that raise the reduced cost least."""
TURNS = 60
CHUNK = 128


@dataclass(frozen=True)
class Moves:
    """Single copies that could move, M of them."""

    unit: Indices
    source: Indices
    to: Indices
    cost: Floats
    """(M,) EUR a year."""
    weight: Floats
    """(M, R)"""

    def some(self, which: Indices | Flags) -> Moves:
        """A part of them."""
        return Moves(
            self.unit[which],
            self.source[which],
            self.to[which],
            self.cost[which],
            self.weight[which],
        )


def filled(region: Region, x: Indices, bound: float, target: float, watch: Watch) -> Indices:
    """(n, S) copies of a plan that no pair of moves betters, or that is good enough.

    Parameters
    ----------
    x
        (n, S) of a plan.
    target
        EUR a year that is good enough.

    Raises
    ------
    OutOfTime
    """
    x = x.copy()
    value = region.value(x)
    for _ in range(TURNS):
        watch.check()
        if value <= target:
            break
        room = region.limits - region.totals(x)
        moves = _moves(region, x, value - bound)
        chosen = _best(moves, room, 1e-12 * abs(value))
        if not len(chosen):
            break
        for k in chosen.tolist():
            x[moves.unit[k], moves.source[k]] -= 1
            x[moves.unit[k], moves.to[k]] += 1
        value = region.value(x)
    return x


def _moves(region: Region, x: Indices, most: float) -> Moves:
    """The moves that raise the sum of reduced costs least, by less than `most`."""
    problem = region.problem
    row, source = np.nonzero(x)
    rise = region.reduced[row] - region.reduced[row, source][:, None]
    rise[x[row] > 0] = np.inf
    several = np.flatnonzero(problem.replicas[problem.class_of[row]] > 1)
    for k in several.tolist():
        used = problem.operator_of[np.flatnonzero(x[row[k]])]
        others = used[used != problem.operator_of[source[k]]]
        rise[k, np.isin(problem.operator_of, others)] = np.inf
    pair, to = np.nonzero(rise < most)
    near = np.argsort(rise[pair, to], kind="stable")[:MOVES]
    pair, to = pair[near], to[near]
    unit, source = row[pair], source[pair]
    weight = np.zeros((len(unit), len(problem.rows)))
    for r, (line, own) in enumerate(zip(problem.rows, region.weights, strict=True)):
        place = np.full(problem.sites, len(line.sites))
        place[line.sites] = np.arange(len(line.sites))
        padded = np.pad(own[unit], ((0, 0), (0, 1)))
        everyone = np.arange(len(unit))
        weight[:, r] = padded[everyone, place[to]] - padded[everyone, place[source]]
    return Moves(unit, source, to, region.cost[unit, to] - region.cost[unit, source], weight)


def _best(moves: Moves, room: Floats, least: float) -> Indices:
    """One move, or two of different units, that fit and lower the cost most; none if none does."""
    if not len(moves.unit):
        return np.empty(0, dtype=np.intp)
    tight = 2 * moves.weight.max(axis=0) > room
    weight, room = moves.weight[:, tight], room[tight]
    fits = (weight <= room).all(axis=1)
    best, chosen = -least, np.empty(0, dtype=np.intp)
    alone = np.where(fits, moves.cost, np.inf)
    if alone.min() < best:
        best, chosen = float(alone.min()), np.array([alone.argmin()])
    order = np.argsort(moves.cost, kind="stable")
    cost, unit, weight = moves.cost[order], moves.unit[order], weight[order]
    for i in range(len(order)):
        if 2 * cost[i] >= best:
            break
        last = int(np.searchsorted(cost, best - cost[i]))
        if last <= i + 1:
            continue
        others = slice(i + 1, last)
        fit = (weight[others] <= room - weight[i]).all(axis=1) & (unit[others] != unit[i])
        if fit.any():
            j = i + 1 + int(fit.argmax())
            best, chosen = float(cost[i] + cost[j]), np.sort(order[[i, j]])
    return chosen
