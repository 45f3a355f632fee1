"""From good prices to those of the linear relaxation, by near ties only.

Units whose choice is clear keep it while prices change a little: their part of the bound is then
linear in the prices. So each round takes the units with the smallest margins, improves the prices
for these exactly, and looks at all units again; those that changed their minds join. The value of
the last programme, met without overflow by a placement of all units, is what the relaxation
cannot exceed, and the bound what it cannot fall below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.pricing.corelp import CoreAnswer, CoreTask, solve_core
from placement.optimizer.pricing.dual import Part, bound_of, evaluate, reduced
from placement.optimizer.pricing.margins import LOWEST, PER_DECADE
from placement.optimizer.pricing.newton import maximise
from placement.optimizer.pricing.shard import Pick, Shard, union
from placement.optimizer.pricing.soft import Soft
from placement.optimizer.pricing.spread import spreads, spreads_by_feature
from placement.optimizer.progress import Watch

NEAR = 20_000
"""Units near a tie that the smooth steps see,"""
NEAR_SHARE = 0.04
"""and this share of all,"""
NEAR_MOST = 250_000
"""but not more."""
FINE = (0.003, 0.001)
"""Temperatures of the smooth steps, in spreads of the units."""
SMOOTH_STEPS = 4
PROMISE = 1e-9
"""Share of the bound that a smooth step must promise."""
REACH = 20.0
"""How far prices may go, in relative margins of the last unit near a tie: beyond, others flip."""
FARTHEST = 0.1
"""Of the prices, in one round of smooth steps."""
CORE = 3_000
"""Units of the linear programme at first,"""
MOST = 9_000
"""and at most, before it begins anew."""
WIDER = 6.0
"""Pairs of the programme, in margins of its last unit."""
ROUNDS = 6
CLOSE = 1e-10
"""Relative difference of the two values at which the prices are those of the relaxation."""


@dataclass(frozen=True)
class Sifted:
    """What the rounds ended with."""

    prices: Floats
    part: Part
    value: float
    """What the linear relaxation cannot exceed, EUR a year; inf where not known."""
    core: Pick | None
    shares: Floats | None
    rounds: int


@dataclass(frozen=True)
class _Here:
    """Prices, what they prove, and how near the units are to a tie there."""

    prices: Floats
    part: Part
    bound: float
    bins: Indices


def sift(shard: Shard, prices: Floats, scale: Floats, cap: Floats, watch: Watch) -> Sifted:
    """Rounds of near ties, until the relaxation's value is met or rounds run out."""
    here = _look(shard, prices, watch)
    rounds = 1
    if not np.isfinite(here.bound):
        return Sifted(here.prices, here.part, np.inf, None, None, rounds)
    smooth = _smooth(shard, here, scale, cap, watch)
    there = _look(shard, smooth, watch)
    best = max(here, there, key=lambda one: one.bound)
    rounds += 1
    core: Pick | None = None
    shown: tuple[Pick, Floats] | None = None
    value = width = np.inf
    for _ in range(ROUNDS):
        fresh, widest = _nearest(shard, there, CORE)
        core = fresh if core is None or len(core.units) > MOST else union(core, fresh)
        width = min(width, REACH * widest)
        answer, upper = _exact(core, best, shard.rhs, width, widest, scale, cap, watch)
        if shown is None or upper <= value:
            value, shown = upper, (core, answer.shares)
        there = _look(shard, best.prices + answer.delta, watch)
        rounds += 1
        gained = there.bound - best.bound
        width *= 4.0 if gained > 0.0 else 0.2
        best = there if gained > 0.0 else best
        if np.isfinite(value) and value - best.bound <= CLOSE * abs(value):
            break
    last, shares = shown if shown else (None, None)
    return Sifted(best.prices, best.part, value, last, shares, rounds)


def _look(shard: Shard, prices: Floats, watch: Watch) -> _Here:
    watch.check()
    part, bins = shard.survey(prices, watch)
    return _Here(prices, part, bound_of(part, prices, shard.rhs), bins)


def _nearest(shard: Shard, here: _Here, count: int) -> tuple[Pick, float]:
    """At least so many units with the smallest margins, and the largest of these by spread."""
    bins = int(np.searchsorted(np.cumsum(here.bins), count)) + 1
    return shard.near(bins), float(10.0 ** (LOWEST + min(bins, len(here.bins)) / PER_DECADE))


def _smooth(shard: Shard, here: _Here, scale: Floats, cap: Floats, watch: Watch) -> Floats:
    """Soft steps over the units near a tie, all others staying where they are."""
    count = min(NEAR + int(NEAR_SHARE * here.bins.sum()), NEAR_MOST)
    pick, widest = _nearest(shard, here, count)
    soft = Soft(pick.problem, pick.extra, watch)
    own = evaluate(pick.problem, here.prices, pick.extra, watch)
    rhs = shard.rhs - (here.part.totals - own.totals)
    reach = min(FARTHEST, REACH * widest) * (here.prices + scale)
    low, high = np.maximum(0.0, here.prices - reach), np.minimum(cap, here.prices + reach)
    prices = here.prices
    for tau in FINE:
        curve = partial(soft.curve, tau=tau)
        tolerance = PROMISE * abs(here.bound)
        prices = maximise(curve, rhs, prices, low, high, steps=SMOOTH_STEPS, tolerance=tolerance)
    return prices


def _exact(
    core: Pick,
    here: _Here,
    rhs: Floats,
    width: float,
    widest: float,
    scale: Floats,
    cap: Floats,
    watch: Watch,
) -> tuple[CoreAnswer, float]:
    """The programme round these prices, and its value, inf where it overflows."""
    problem = core.problem
    units = np.arange(problem.units)
    costs = reduced(problem, here.prices, units, core.extra)
    own = evaluate(problem, here.prices, core.extra)
    slack = rhs - here.part.totals
    least = np.where(own.sites >= 0, costs[units[:, None], own.sites], -np.inf).max(axis=1)
    spread = spreads(problem, spreads_by_feature(problem), 0, problem.units)
    far = costs - least[:, None] > WIDER * widest * spread[:, None]
    reach = width * (here.prices + scale)
    task = CoreTask(
        problem,
        np.where(far, np.inf, costs),
        own.sites,
        slack,
        here.prices,
        np.minimum(here.prices, reach),
        np.minimum(cap - here.prices, reach),
    )
    answer = solve_core(task, watch)
    constant = here.part.value - float(here.prices @ rhs)
    value = constant + answer.gain
    return answer, value if answer.overflow <= 1e-9 * abs(value) else np.inf
