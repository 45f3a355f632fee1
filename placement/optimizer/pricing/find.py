"""Prices of the coupling rows at which the bound is greatest, for any number of units.

From coarse to fine: the soft bound on a sample drawn in proportion to what is at stake, its
temperature falling, corrected by what a pass over all units shows; then the linear programme over
the nearest ties, everybody else staying where prices put them, whose value no plan's relaxation
can beat. Each round is one pass over all units. Prices are as good as the linear relaxation where
the two values meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Floats
from placement.optimizer.pricing.dual import bound_of, evaluate_part, reduced
from placement.optimizer.pricing.margins import BINS
from placement.optimizer.pricing.newton import maximise
from placement.optimizer.pricing.shard import LocalShard, Pick, Shard
from placement.optimizer.pricing.sift import Sifted, sift
from placement.optimizer.pricing.soft import Soft
from placement.optimizer.pricing.spread import Size
from placement.optimizer.progress import Watch

FIRST, COARSE = 4_000, (5.0, 1.5, 0.5)
"""Units of the first sample, and the temperatures on it, in spreads of the units."""
SECOND, FINER = 20_000, (0.15, 0.05, 0.02, 0.005, 0.002)
"""The same of the second."""
CORRECTED = (0.001, 0.0003)
"""Temperatures on the corrected sample, each after a pass over all units."""
FINELY = 0.1
"""Of the gain asked for before, on the corrected sample."""
CAP = 1e5
"""Prices at most, in units of what is at stake per unit of a row's weight."""
HIGH = 1e-3
"""Share of the cap from which prices are suspected to rise for ever."""
STEPS = 12
ENOUGH = 1e-5
"""Share of the stake, times the temperature, that a step must promise."""
WARM_ROUNDS = 5
"""Programmes at prices that were given."""
POOR = 1e-6
"""Relative distance from the relaxation at which given prices have not helped."""


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
    """(R,) direction of prices along which L grows without bound: no plan exists. The bound of
    the same problem without costs is above 0 at these prices."""
    rounds: int = 0
    """Passes over all units in the last phase."""


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
        (R,) prices of a similar problem: the coarse steps are left out where these do.
    extra
        (S, U) added to the costs, EUR a year.

    Raises
    ------
    OutOfTime
        Where the watch ran out.
    """
    shard = LocalShard(problem, extra) if isinstance(problem, ArrayProblem) else problem
    size = shard.size(watch)
    scale = size.stake / np.where(size.weight > 0.0, size.weight, np.inf)
    cap = CAP * scale
    if size.stuck:
        return _impossible(np.zeros_like(cap))
    found = None if start is None else _warm(shard, start, scale, cap, watch)
    if found is None:
        prices = _coarse(shard, size, cap, watch)
        if (prices > HIGH * cap).any() and _proves(shard.free(), prices, watch):
            return _impossible(prices)
        found = sift(shard, prices, scale, cap, watch)
    if np.isfinite(found.value) and (found.prices <= HIGH * cap).all():
        return _priced(shard, found)
    ray = _ray(shard, found.prices, watch)
    return _priced(shard, found) if ray is None else _impossible(ray)


def force_price(problem: ArrayProblem, prices: Floats, unit: int, site: int) -> float:
    """No plan with this unit at this site costs less than L(prices) plus this, EUR a year.

    The cheapest choice with the site less the cheapest one, both at the prices; inf where the
    site is closed.
    """
    costs = reduced(problem, prices, np.array([unit]))[0]
    wanted = int(problem.replicas[problem.class_of[unit]])
    operators = problem.operator_of
    best = np.full(int(operators.max()) + 1, np.inf)
    np.minimum.at(best, operators, costs)
    free = np.sort(best)[:wanted].sum()
    best[operators[site]] = np.inf
    forced = costs[site] + np.sort(best)[: wanted - 1].sum()
    if not np.isfinite(forced):
        return float(np.inf)
    return float(problem.counts[unit] > 0) * float(max(0.0, forced - free))


def _impossible(ray: Floats) -> Priced:
    return Priced(ray, np.inf, np.zeros_like(ray), np.inf, ray=ray)


def _priced(shard: Shard, found: Sifted) -> Priced:
    return Priced(
        prices=found.prices,
        bound=bound_of(found.part, found.prices, shard.rhs),
        totals=found.part.totals,
        value=found.value,
        core=found.core,
        shares=found.shares,
        rounds=found.rounds,
    )


def _warm(shard: Shard, start: Floats, scale: Floats, cap: Floats, watch: Watch) -> Sifted | None:
    """From given prices; none where that does not end near the relaxation."""
    found = sift(shard, np.clip(start, 0.0, cap), scale, cap, watch, rounds=WARM_ROUNDS)
    bound = bound_of(found.part, found.prices, shard.rhs)
    near = np.isinf(bound) or found.value - bound <= POOR * abs(bound)
    return found if near else None


def _coarse(shard: Shard, size: Size, cap: Floats, watch: Watch) -> Floats:
    """Prices from a sample, the temperature falling; then as if the sample were all units.

    At prices p0 the sample is off by what its totals miss of the true ones. With that added to its
    right-hand sides it is off only by what changes between p0 and the prices it then asks for
    (a control variate).
    """
    prices, rhs = np.zeros_like(cap), shard.rhs
    enough = ENOUGH * size.stake
    pick, whole = _drawn(shard, FIRST, size, watch)
    prices = _annealed(pick, rhs, prices, cap, COARSE, enough, watch)
    if not whole:
        pick, whole = _drawn(shard, SECOND, size, watch)
    prices = _annealed(pick, rhs, prices, cap, FINER, enough, watch)
    if whole:
        return prices
    for tau in CORRECTED:
        true = shard.evaluate(prices, watch).totals
        drawn = evaluate_part(pick.problem, prices, pick.extra, watch).totals
        level = rhs - true + drawn
        prices = _annealed(pick, level, prices, cap, (tau,), FINELY * enough, watch)
    return prices


def _annealed(
    pick: Pick,
    rhs: Floats,
    prices: Floats,
    cap: Floats,
    taus: tuple[float, ...],
    enough: float,
    watch: Watch,
) -> Floats:
    """Newton's steps on some units, the temperature falling."""
    soft, low = Soft(pick.problem, pick.extra, watch), np.zeros_like(cap)
    for tau in taus:
        curve = partial(soft.curve, tau=tau)
        prices = maximise(curve, rhs, prices, low, cap, steps=STEPS, tolerance=enough * tau)
    return prices


def _drawn(shard: Shard, count: int, size: Size, watch: Watch) -> tuple[Pick, bool]:
    """About so many units, or all where that is not much more."""
    whole = size.units <= 1.5 * count
    pick = shard.near(BINS) if whole else shard.sample(count / size.stake, watch)
    return pick, whole


def _ray(shard: Shard, prices: Floats, watch: Watch) -> Floats | None:
    """Prices that are worth more than nothing where nothing costs anything, if any are."""
    free = shard.free()
    if _proves(free, prices, watch):
        return prices
    size = free.size(watch)
    scale = size.stake / np.where(size.weight > 0.0, size.weight, np.inf)
    found = sift(free, _coarse(free, size, scale, watch), scale, scale, watch)
    return found.prices if _proves(free, found.prices, watch) else None


def _proves(free: Shard, prices: Floats, watch: Watch) -> bool:
    """Whether these prices are a ray: worth more than nothing where nothing costs anything."""
    return bound_of(free.evaluate(prices, watch), prices, free.rhs) > 0.0
