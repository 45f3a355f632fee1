"""Integer programmes where a plan and its proof disagree.

    cost(plan) - L = sum of what units, flows and meetings cost more than the least that the
                     messages leave them  +  sum_r p_r (room left in row r)

No term is negative. So a plan that costs little more than L takes only pairs of small regret
theta_us - min_s theta_us, nearly all of them among the smallest regrets of all units: these are the
pairs that an integer programme chooses from, whatever is related to what, and those of units that
cost too much today. Everybody else rests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.pricing.dual import fold
from placement.optimizer.relations.dual import Dual
from placement.optimizer.relations.messages import next_regrets
from placement.optimizer.relations.moves import margins
from placement.optimizer.relations.part import Plan
from placement.optimizer.relations.tables import Tables

LEAST_CHANCE = 0.5
"""Scores are taken so many times to once, at random: no two rounds are alike."""


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
    dual.watch.check()
    s, t = plan.at[g.source, 0], plan.at[g.derived, 0]
    peaks = np.zeros(len(s))
    for o in range(int(of.max(initial=0)) + 1):
        dual.watch.check()
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


def cores(
    dual: Dual, tables: Tables, plan: Plan, free: Flags, rng: np.random.Generator, size: int
) -> Iterator[Core]:
    """Cores of `size` units: first those nearest to a tie and those that cost too much.

    Parameters
    ----------
    free
        (U,) units that may be in a core.

    Yields
    ------
    Core
        Of other units each; a plan changed in the meantime counts from the next on.
    """
    excess = excess_of(dual, plan).units
    dual.watch.check()
    regret = np.empty(dual.problem.units)
    next_regrets(dual.theta, plan.at, regret)
    score = (regret - excess) * rng.uniform(LEAST_CHANCE, 1.0, len(regret))
    dual.watch.check()
    ranked = np.argsort(np.where(free, score, np.inf), kind="stable")[: int(free.sum())]
    folded = fold(dual.problem, dual.prices)
    for begin in range(0, len(ranked), size):
        dual.watch.check()
        units = np.sort(ranked[begin : begin + size])
        most = max(0.0, float((regret - excess)[ranked[begin : begin + size]].max()))
        theta = dual.theta[units]
        away = np.empty_like(theta)
        margins(tables, folded, plan.at, plan.held, units, away)
        least = np.minimum(theta - theta.min(axis=1)[:, None], away)
        near = least <= (most + excess[units])[:, None]
        for at in plan.at[units].T:
            near[at >= 0, at[at >= 0]] = True
        several = near.sum(axis=1) > dual.replicas[units]
        yield Core(units[several], near[several])
