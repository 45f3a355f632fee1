"""Prices of the coupling rows at which the bound is greatest, for any number of units.

From coarse to fine: the soft bound on a sample drawn in proportion to what is at stake, its
temperature falling; then only units near a tie, everybody else staying where prices put them; last
the linear programme over the nearest ties, whose value no plan's relaxation can beat. Each round
is one pass over all units. Prices are as good as the linear relaxation where the two values meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Floats
from placement.optimizer.pricing.dual import bound_of
from placement.optimizer.pricing.margins import BINS
from placement.optimizer.pricing.newton import maximise
from placement.optimizer.pricing.shard import LocalShard, Pick, Shard
from placement.optimizer.pricing.sift import sift
from placement.optimizer.pricing.soft import Soft
from placement.optimizer.pricing.spread import Size
from placement.optimizer.progress import Watch

SAMPLE = 20_000
COARSE = (5.0, 1.5, 0.5, 0.15, 0.05)
CAP = 1e5
"""Prices at most, in units of what is at stake per unit of a row's weight."""
STEPS = 12
ENOUGH = 1e-6
"""Share of the stake, times the temperature, that a step must promise."""


@dataclass(frozen=True)
class Priced:
    """Prices, what they prove, and what they leave open."""

    prices: Floats
    """(R,) EUR a year per unit of each row's right-hand side, not negative."""
    bound: float
    """L at the prices, EUR a year, rounded down; inf where no plan exists."""
    totals: Floats
    """(R,) what the cheapest sites at these prices take of each row."""
    value: float
    """EUR a year: the linear relaxation is not above this; inf where not known."""
    core: Pick | None = None
    """The nearest ties."""
    shares: Floats | None = None
    """(n, S) of the core: the relaxation's placement, datasets of each unit at each site."""
    ray: Floats | None = None
    """(R,) direction of prices along which L grows without bound: no plan exists."""
    rounds: int = 0
    """Passes over all units."""


def find_prices(
    problem: ArrayProblem | Shard,
    watch: Watch,
    *,
    start: Floats | None = None,
    extra: Floats | None = None,
) -> Priced:
    """The best prices for a problem's rows; its relations count through `extra` only.

    Parameters
    ----------
    start
        (R,) prices of a similar problem: the coarse steps are left out.
    extra
        (S, U) added to the costs, EUR a year.

    Raises
    ------
    OutOfTime
        Where the watch ran out.
    """
    shard = LocalShard(problem, extra) if isinstance(problem, ArrayProblem) else problem
    size = shard.size()
    scale = size.stake / np.where(size.weight > 0.0, size.weight, np.inf)
    cap = CAP * scale
    prices = _coarse(shard, size, cap, watch) if start is None else np.clip(start, 0.0, cap)
    found = sift(shard, prices, scale, cap, watch)
    return Priced(
        prices=found.prices,
        bound=bound_of(found.part, found.prices, shard.rhs),
        totals=found.part.totals,
        value=found.value,
        core=found.core,
        shares=found.shares,
        rounds=found.rounds,
    )


def _coarse(shard: Shard, size: Size, cap: Floats, watch: Watch) -> Floats:
    """Prices from samples, the temperature falling."""
    prices = np.zeros(len(shard.rhs))
    tolerance = ENOUGH * size.stake
    whole = size.units <= 1.5 * SAMPLE
    pick = shard.near(BINS) if whole else shard.sample(SAMPLE / size.stake, watch)
    soft = Soft(pick.problem, pick.extra, watch)
    low, rhs = np.zeros_like(cap), shard.rhs
    for tau in COARSE:
        curve = partial(soft.curve, tau=tau)
        prices = maximise(curve, rhs, prices, low, cap, steps=STEPS, tolerance=tau * tolerance)
    return prices
