"""Integer programmes where a plan and its proof disagree.

    cost(plan) - L = sum of what units, flows and meetings cost more than the least that the
                     messages leave them  +  sum_r p_r (room left in row r)

Each term is known, so that the first sum says which units to look at: a core grows from the worst
of them through related units that the messages leave undecided. The second is filled by units
that are near a tie for their size, which every core gets some of.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.pricing.dual import fold
from placement.optimizer.relations.dual import Dual
from placement.optimizer.relations.graph import Links
from placement.optimizer.relations.moves import margins
from placement.optimizer.relations.part import Plan
from placement.optimizer.relations.tables import Tables

SEEDS = 20
"""Worst units that a core grows from."""
RELATED = 200
"""Units that it grows to."""
FILLING = 60
"""Near ties, for the rows."""
POOL = 2_000
"""Near ties to draw from."""
BLOCK = 1 << 15


@dataclass(frozen=True)
class Core:
    """What an integer programme may change."""

    units: Indices
    """(n,) ascending."""
    near: Flags
    """(n, S)"""


@dataclass(frozen=True)
class Excess:
    """By how much a plan is dearer than its proof, EUR a year."""

    units: Floats
    """(U,) of a unit, with half of what its flows and meetings are."""

    @property
    def total(self) -> float:
        """Without the room in rows."""
        return float(self.units.sum())


def excess_of(dual: Dual, plan: Plan) -> Excess:
    """Every unit's part in the gap."""
    dual.value()
    g, of = dual.graph, dual.graph.operator_of
    own = -dual.least
    for at in plan.at.T:
        there = at >= 0
        own[there] += dual.theta[there, at[there]]
    s, t = plan.at[g.source, 0], plan.at[g.derived, 0]
    peaks = np.zeros(len(s))
    for o in range(int(of.max(initial=0)) + 1):
        here = of[t] == o
        peaks[here] = dual.messages[here][:, of == o].max(axis=1, initial=0.0)
    paid = np.where(of[s] != of[t], g.yearly_gb * g.egress[s], 0.0)
    flows = paid - dual.messages[np.arange(len(s)), s] + peaks
    meets = dual.meeting.copy()
    for ends in (g.first, g.second):
        for at in plan.at[ends].T:
            where = np.where(g.whole_operator, of[at], at)
            meets -= np.where((where == dual.place) & (at >= 0), dual.meeting, 0.0)
    for ends, part in (
        (g.source, flows),
        (g.derived, flows),
        (g.first, meets),
        (g.second, meets),
    ):
        own += 0.5 * np.bincount(ends, part, len(own))
    return Excess(np.maximum(own, 0.0))


def near_ties(dual: Dual, tables: Tables, plan: Plan, free: Flags) -> tuple[Indices, Floats]:
    """Units with the least to lose by a move, for their size, mates at rest; and that ratio."""
    folded = fold(dual.problem, dual.prices)
    ratio = np.empty(dual.problem.units)
    for begin in range(0, dual.problem.units, BLOCK):
        dual.watch.check()
        units = np.arange(begin, min(begin + BLOCK, dual.problem.units))
        away = np.empty((len(units), dual.problem.sites))
        margins(tables, folded, plan.at, plan.held, units, away)
        for at in plan.at[units].T:
            there = at >= 0
            away[there, at[there]] = 1e30
        ratio[units] = np.abs(away.min(axis=1)) / np.maximum(dual.stake[units], 1e-9)
    ratio[~free] = np.inf
    count = min(POOL, len(ratio) - 1)
    pool = np.sort(np.argpartition(ratio, count)[: count + 1])
    pool = pool[np.argsort(ratio[pool], kind="stable")]
    return pool, ratio[pool]


def cores(
    dual: Dual, tables: Tables, plan: Plan, free: Flags, rng: np.random.Generator, many: int
) -> list[Core]:
    """Up to `many` cores with different worst units."""
    excess = excess_of(dual, plan)
    worth = excess.units * rng.uniform(0.3, 1.0, len(excess.units))
    worth[~free] = 0.0
    pool, _ = near_ties(dual, tables, plan, free)
    count = min(SEEDS * many, len(worth))
    seeds = np.sort(np.argpartition(-worth, count - 1)[:count])
    seeds = seeds[np.argsort(-worth[seeds], kind="stable")]
    seeds = seeds[worth[seeds] > 0.0]
    found, taken = [], np.zeros(len(worth), dtype=np.bool_)
    for begin in range(0, max(1, len(seeds)), SEEDS):
        some = seeds[begin : begin + SEEDS]
        some = some[~taken[some]]
        grown = _grow(dual, some, free, RELATED)
        taken[grown] = True
        budget = 0.5 * float(np.sort(excess.units[some])[-10:].sum())
        found.append(_core(dual, tables, plan, grown, _some(pool, rng), budget))
    return [core for core in found if len(core.units)]


def _some(pool: Indices, rng: np.random.Generator) -> Indices:
    """Near ties, the nearest first, with some chance."""
    chance = np.arange(len(pool)) * rng.uniform(0.2, 1.0, len(pool))
    picked: Indices = pool[np.argsort(chance, kind="stable")[:FILLING]]
    return picked


def _grow(dual: Dual, seeds: Indices, free: Flags, size: int) -> Indices:
    """Related units around seeds, the least decided first."""
    grown: dict[int, None] = {}
    queue = [(-1.0, int(u)) for u in seeds.tolist()]
    heapq.heapify(queue)
    while queue and len(grown) < size:
        _, u = heapq.heappop(queue)
        if u in grown or not free[u]:
            continue
        grown[u] = None
        for links in (dual.graph.flows, dual.graph.pairs):
            for v in _mates(links, u):
                if v not in grown:
                    two = np.partition(dual.theta[v], 1)[:2] if dual.problem.sites > 1 else None
                    regret = float(two[1] - two[0]) if two is not None else 0.0
                    heapq.heappush(queue, (regret, v))
    return np.array(sorted(grown), dtype=np.intp)


def _mates(links: Links, u: int) -> list[int]:
    mates: list[int] = links.mate[links.start[u] : links.start[u + 1]].tolist()
    return mates


def _core(
    dual: Dual, tables: Tables, plan: Plan, grown: Indices, filling: Indices, budget: float
) -> Core:
    """Pairs that the messages or single moves make cost at most `budget` more."""
    units = np.union1d(grown, filling).astype(np.intp)
    regret = dual.theta[units] - dual.theta[units].min(axis=1, initial=np.inf)[:, None]
    away = np.empty((len(units), dual.problem.sites))
    folded = fold(dual.problem, dual.prices)
    margins(tables, folded, plan.at, plan.held, units, away)
    closest = np.sort(np.where(away <= 0.0, np.inf, away), axis=1)[:, :1]
    near = (regret <= budget) | (away <= np.maximum(0.3 * budget, 1.5 * closest))
    return Core(units, near)
