"""From good prices to those of the linear relaxation, by near ties only.

Units whose choice is clear keep it while prices change a little: their part of the bound is then
linear in the prices. So each round takes the units with the smallest margins, improves the prices
for these exactly, and looks at all units again; those that changed their minds join. The value of
the last programme, met without overflow by a placement of all units, is what the relaxation
cannot exceed, and the bound what it cannot fall below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.pricing.corelp import CoreAnswer, CoreTask, solve_core
from placement.optimizer.pricing.dual import Part, bound_of, evaluate, reduced
from placement.optimizer.pricing.margins import LOWEST, PER_DECADE
from placement.optimizer.pricing.shard import Pick, Shard, union
from placement.optimizer.pricing.spread import spreads, spreads_by_feature
from placement.optimizer.progress import Watch

REACH = 2.0
"""How far prices may go, in relative margins of the last unit near a tie: beyond, others flip."""
CORE, CORE_SHARE, CORE_MOST = 3_000, 0.012, 12_000
"""Units of the linear programme at first: so many, or this share of all, but not more;"""
MOST = 3
"""and so many times that, before it begins anew."""
TIED = 3 * PER_DECADE
"""Bins of margins that are rounding: exact ties."""
WIDER = 6.0
"""Pairs of the programme, in margins of its last unit."""
ROUNDS = 24
"""Programmes, at most: few suffice unless large classes tie."""
WIDEN, NARROW = 4.0, 0.1
"""How far prices may go next, after a step that raised the bound and after one that did not."""
OVERFLOW = 1e-9
"""Share of the value that overflow may cost in a placement that is taken to fit."""
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


@dataclass(frozen=True)
class _Frame:
    """What all rounds share."""

    shard: Shard
    rhs: Floats
    scale: Floats
    """(R,) EUR a year at stake per unit of weight: prices of 0 move by shares of this."""
    cap: Floats
    watch: Watch


def sift(
    shard: Shard,
    prices: Floats,
    scale: Floats,
    cap: Floats,
    watch: Watch,
    *,
    rounds: int = ROUNDS,
) -> Sifted:
    """Rounds of near ties, until the relaxation's value is met or rounds run out.

    Parameters
    ----------
    scale, cap
        (R,) what is at stake per unit of a row's weight, and the highest prices.
    """
    frame = _Frame(shard, shard.rhs, scale, cap, watch)
    here = _look(frame, prices)
    if not np.isfinite(here.bound):
        return Sifted(here.prices, here.part, np.inf, None, None, 1)
    found = _settle(frame, here, rounds)
    return replace(found, rounds=1 + found.rounds)


def _settle(frame: _Frame, best: _Here, rounds: int) -> Sifted:
    """Programmes over near ties at the best prices known; `there` was looked at last."""
    there = best
    core: Pick | None = None
    shown: tuple[Pick, Floats] | None = None
    value = width = np.inf
    count = min(max(CORE, int(CORE_SHARE * best.bins.sum())), CORE_MOST)
    done = 0
    while done < rounds and not _closed(value, best.bound):
        fresh, widest = _nearest(frame.shard, there, count)
        core = fresh if core is None or len(core.units) > MOST * count else union(core, fresh)
        width = min(width, REACH * widest)
        answer, upper = _exact(frame, core, best, width, widest)
        if shown is None or upper <= value:
            value, shown = upper, (core, answer.shares)
        there = _look(frame, best.prices + answer.delta)
        gained = there.bound > best.bound
        width *= WIDEN if gained else NARROW
        best = there if gained else best
        done += 1
    last, shares = shown if shown else (None, None)
    return Sifted(best.prices, best.part, value, last, shares, done)


def _closed(value: float, bound: float) -> bool:
    return bool(np.isfinite(value)) and value - bound <= CLOSE * abs(value)


def _look(frame: _Frame, prices: Floats) -> _Here:
    frame.watch.check()
    part, bins = frame.shard.survey(prices, frame.watch)
    return _Here(prices, part, bound_of(part, prices, frame.rhs), bins)


def _nearest(shard: Shard, here: _Here, count: int) -> tuple[Pick, float]:
    """All exact ties, so many units with the next margins, and the largest of these by spread.

    Prices of a vertex tie whole classes exactly, often too many: these say nothing of how far the
    prices may go next, the others do.
    """
    reached = np.cumsum(here.bins)
    wanted = min(int(reached[TIED]) + count, int(reached[-1]))
    bins = int(np.searchsorted(reached, wanted)) + 1
    return shard.near(bins), float(10.0 ** (LOWEST + min(bins, len(here.bins)) / PER_DECADE))


def _exact(
    frame: _Frame, core: Pick, here: _Here, width: float, widest: float
) -> tuple[CoreAnswer, float]:
    """The programme round these prices, and its value, inf where it overflows."""
    problem = core.problem
    units = np.arange(problem.units)
    costs = reduced(problem, here.prices, units, core.extra)
    own = evaluate(problem, here.prices, core.extra)
    slack = frame.rhs - here.part.totals
    least = np.where(own.sites >= 0, costs[units[:, None], own.sites], -np.inf).max(axis=1)
    spread = spreads(problem, spreads_by_feature(problem), 0, problem.units)
    near = np.where(spread > 0.0, WIDER * widest * spread, np.inf)
    far = costs - least[:, None] > near[:, None]
    reach = width * (here.prices + frame.scale)
    task = CoreTask(
        problem,
        np.where(far, np.inf, costs),
        own.sites,
        slack,
        here.prices,
        np.minimum(here.prices, reach),
        np.minimum(frame.cap - here.prices, reach),
    )
    answer = solve_core(task, frame.watch)
    constant = here.part.value - float(here.prices @ frame.rhs)
    value = constant + answer.gain
    return answer, value if answer.overflow <= OVERFLOW * abs(value) else np.inf
