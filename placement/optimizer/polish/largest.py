"""The largest near ties as whole numbers, all others as the linear relaxation has them.

Where a few units are so large that each fills a good part of a site, the relaxation is far below
any plan, and rounding it ends far above the best one. One integer programme settles both: with B
the largest near ties, x_B whole and prices kept within a box round p,

    min over x_B of max over p - down <= q <= p + up of
        sum_u sum_s c'_us(q) x_us - sum_r q_r b_r,    x free for u not in B

is a lower bound on the cost of every plan, as any q >= 0 gives one for any x_B. A pair that costs
more than its unit's best at every q in the box is never used, so that only near ties need
variables:

    minimise    L(p) + sum_us d_us x_us + sum_r (up_r over_r + down_r under_r)
    [row r]     sum_us (w_rus - w_ru,best) x_us - over_r + under_r = b_r - total_r
    [unit u]    sum_s x_us <= m_u

with d_us = c'_us - c'_u,best at p and x what leaves the best site (compare
placement.optimizer.pricing.corelp). The choice of x_B is where a plan begins.

Where there are few pairs the box may be all there is: `mixed` hands HiGHS the programme itself,

    minimise sum_us c_us x_us  over the model's rows,  x_u whole for u in B, 0 <= x_us <= m_u else

whose bound is the solver's word, as that of every integer programme here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.highs import Task
from placement.optimizer.polish.monolith import Whole
from placement.optimizer.polish.program import Program, building
from placement.optimizer.polish.region import Region
from placement.optimizer.progress import Watch

FREE = 0.1
"""Rows without a price may get one: so much of the dearest, by what their pairs weigh."""
PART = 0.1
"""Share of the gap asked for that may stay open between the bound and the choice."""
NODES = 400
"""Of HiGHS's tree: a limit on the clock would make the answer depend on what else runs."""
ENDLESS = 1e20
"""What HiGHS takes for no upper bound."""
CAUTION = 1e-10
"""Relative: what HiGHS's tolerances may add to its bound."""


@dataclass(frozen=True)
class Settled:
    """Where the largest units go."""

    bound: float
    """EUR a year; no plan of the region and what rests elsewhere costs less."""
    units: Flags
    """(n,) the largest near ties,"""
    placed: Indices | None
    """(n, S) their copies, none of all others; nothing where HiGHS found no choice."""


def settled(region: Region, count: int, columns: int, gap: float, watch: Watch) -> Settled:
    """The largest `count` near ties, settled as if all others could be split.

    Units with several replicas count as others, and stay at their best sites where nothing in
    the box moves them.

    Parameters
    ----------
    columns
        Pairs of all other units: as many as come nearest to being used decide how wide the box
        round the prices is. Wider ones prove more, and take longer.

    Raises
    ------
    OutOfTime, SolverError
    """
    near = _Near.of(region, count, columns)
    if not near.large[near.unit].any():
        return Settled(-np.inf, near.large, None)
    with building():
        program = near.program()
    answer = program.solve(Task(gap=PART * gap, brief=True, nodes=NODES), watch.quiet())
    watch.check()
    bound = answer.bound - CAUTION * abs(answer.bound)
    if answer.values is None:
        return Settled(bound, near.large, None)
    placed = region.best * near.large[:, None]
    whole = near.large[near.unit]
    moved = answer.values[: len(near.unit)][whole].astype(np.intp)
    unit, site = near.unit[whole], near.site[whole]
    np.add.at(placed, (unit, site), moved)
    np.subtract.at(placed, (unit, region.best[unit].argmax(axis=1)), moved)
    return Settled(bound, near.large, placed)


def mixed(region: Region, count: int, gap: float, watch: Watch) -> Settled:
    """The largest `count` units, settled as if all others could be split, at any prices.

    The mixed programme over all pairs: for few of them only.

    Raises
    ------
    OutOfTime, SolverError
    """
    movable = np.flatnonzero(np.isfinite(region.cost).sum(axis=1) > 1)
    large = np.zeros(region.problem.units, dtype=np.bool_)
    large[movable[np.argsort(-region.size[movable], kind="stable")[:count]]] = True
    task = Task(gap=PART * gap)
    placed, bound = Whole(region.problem).mixed(large, task, watch.quiet())
    return Settled(bound - CAUTION * abs(bound), large, placed)


@dataclass(frozen=True)
class _Near:
    """The pairs that some prices in the box make as good as the best of their units."""

    region: Region
    large: Flags
    """(n,)"""
    unit: Indices
    """(C,) ascending."""
    site: Indices
    up: Floats
    """(R,)"""
    down: Floats

    @classmethod
    def of(cls, region: Region, count: int, columns: int) -> _Near:
        units, single = np.arange(region.problem.units), _single(region)
        unit_box = region.prices + _least(region)
        ratio = np.full(region.cost.shape, np.inf)
        there = np.isfinite(region.cost) & (region.best == 0)
        change = _change(region, unit_box)
        ratio[there] = region.margin[there] / np.maximum(change[there], np.finfo(np.float64).tiny)
        nearest = np.sort(ratio[there])
        wide = float(nearest[min(4 * columns, len(nearest) - 1)]) if len(nearest) else 0.0
        movable = units[single & (ratio < wide).any(axis=1)]
        large = np.zeros(len(units), dtype=np.bool_)
        large[movable[np.argsort(-region.size[movable], kind="stable")[:count]]] = True
        small = np.flatnonzero(~large)
        others = np.sort(ratio[small], axis=None)
        width = float(others[min(columns, len(others) - 1)]) if len(others) else wide
        width = width if np.isfinite(width) else wide
        used = ratio < width
        moving: Flags = np.asarray(used.any(axis=1))
        used[~single] = there[~single] & moving[~single][:, None]
        several = ~single & used.any(axis=1)
        used[several] |= region.best[several] > 0
        unit, site = np.nonzero(used)
        up = width * unit_box
        return cls(region, large, unit, site, up, np.minimum(region.prices, up))

    def program(self) -> Program:
        """The integer programme."""
        region, problem = self.region, self.region.problem
        units = np.arange(problem.units)
        several = ~_single(region)[self.unit]
        free = np.zeros(problem.units, dtype=np.bool_)
        free[self.unit[several]] = True
        home = region.best.argmax(axis=1)
        cost = region.reduced[self.unit, self.site]
        cost = cost - np.where(several, 0.0, region.reduced[units, home][self.unit])
        staying = region.best * ~free[:, None]
        slack = region.room - region.totals(staying)
        value = region.value(staying) - float(region.prices @ slack)
        most = problem.counts[self.unit]
        program = Program(cost, most, value, self.large[self.unit])
        starts = np.searchsorted(self.unit, np.arange(problem.units + 1))
        for u in np.flatnonzero(np.diff(starts)).tolist():
            columns = np.arange(starts[u], starts[u + 1])
            if free[u]:
                self._add_several(program, u, columns)
            elif len(columns) > 1:
                program.add(columns, np.ones(len(columns)), float(problem.counts[u]))
        self._add_rows(program, home, several, slack)
        return program

    def _add_several(self, program: Program, unit: int, columns: Indices) -> None:
        """All replicas rest somewhere, and no two with one operator."""
        problem = self.region.problem
        wanted = float(problem.replicas[problem.class_of[unit]] * problem.counts[unit])
        program.add(columns, np.ones(len(columns)), wanted, equal=True)
        operator = problem.operator_of[self.site[columns]]
        for o in np.unique(operator).tolist():
            shared = columns[operator == o]
            program.add(shared, np.ones(len(shared)), float(problem.counts[unit]))

    def _add_rows(self, program: Program, home: Indices, several: Flags, slack: Floats) -> None:
        problem = self.region.problem
        for r, (row, weight) in enumerate(zip(problem.rows, self.region.weights, strict=True)):
            every = np.zeros((problem.units, problem.sites))
            every[:, row.sites] = weight
            left = np.where(several, 0.0, every[self.unit, home[self.unit]])
            weights = every[self.unit, self.site] - left
            columns = np.flatnonzero(weights)
            heaviest = float(np.abs(weights).max(initial=0.0)) or 1.0
            over = program.spare(float(self.up[r]) * heaviest, ENDLESS)
            under = program.spare(float(self.down[r]) * heaviest, ENDLESS)
            program.add(
                np.concatenate([columns, [over, under]]),
                np.concatenate([weights[columns] / heaviest, [-1.0, 1.0]]),
                float(slack[r]) / heaviest,
                equal=True,
            )


def _single(region: Region) -> Flags:
    single: Flags = region.problem.replicas[region.problem.class_of] == 1
    return single


def _least(region: Region) -> Floats:
    """(R,) EUR per unit of weight: what rows without a price may get."""
    typical = np.array([float(np.std(weight)) for weight in region.weights])
    dearest = float((region.prices * typical).max(initial=0.0)) or 1.0
    return np.where(typical > 0.0, FREE * dearest / np.where(typical > 0.0, typical, 1.0), 0.0)


def _change(region: Region, box: Floats) -> Floats:
    """(n, S) how much a pair may gain at most on the best of its unit, within the box."""
    problem = region.problem
    there = region.best > 0
    change = np.zeros(there.shape)
    for row, weight, width in zip(problem.rows, region.weights, box.tolist(), strict=True):
        every = np.zeros(there.shape)
        every[:, row.sites] = weight
        least = np.where(there, every, np.inf).min(axis=1)[:, None]
        most = np.where(there, every, -np.inf).max(axis=1)[:, None]
        change += width * np.maximum(np.abs(every - least), np.abs(every - most))
    return change
