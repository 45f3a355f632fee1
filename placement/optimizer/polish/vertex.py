"""Where the linear relaxation puts a region's units: plans begin there, not at the best sites.

At the best prices many units may be tied exactly between sites, equal datasets above all, and any
one of the cheapest sites of each overloads some rows and leaves others empty. An exact vertex of
the relaxation says who of them goes where: its rows fit, and at most as many units are split as
rows bind. Its duals are prices that are as good or better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.polish.core import choose_core
from placement.optimizer.polish.region import Region, best_counts
from placement.optimizer.polish.resting import LocalResting
from placement.optimizer.polish.spreading import sites_of
from placement.optimizer.pricing.corelp import CoreTask, solve_core
from placement.optimizer.pricing.find import Priced
from placement.optimizer.pricing.shard import Pick
from placement.optimizer.progress import Watch

WHOLE = 1e-6
"""What HiGHS calls a whole number."""
VERTEX = 3_000
"""Units of the first relaxation from which plans begin."""
NEAR, MOST = 20_000, 30_000
"""Units that may still move, and from how many on the others of a region come to rest."""
DEAREST = 100.0
"""Prices at most, in units of the dearest so far."""
OVERFLOW = 1e-9
"""Share of the value that overflow may cost."""


@dataclass(frozen=True)
class Vertex:
    """A vertex of the relaxation of a region."""

    value: float
    """EUR a year; the relaxation of the whole problem is not above it. inf where it overflows."""
    prices: Floats
    """(R,) its duals."""
    home: Indices
    """(n, S) copies: the vertex, split units rounded."""
    split: Flags
    """(n,)"""


def vertex(region: Region, size: int, watch: Watch) -> Vertex:
    """The relaxation over the `size` nearest ties, everybody else at the best site.

    Raises
    ------
    OutOfTime, SolverError
    """
    core = choose_core(region, size, None)
    costs = np.where(region.best > 0, region.reduced, np.inf)
    costs[core.units] = np.where(core.open, region.reduced[core.units], np.inf)
    prices = region.prices
    highest = DEAREST * (float(prices.max(initial=0.0)) or 1.0)
    answer = solve_core(
        CoreTask(
            problem=region.problem,
            costs=costs,
            best=_sites(region),
            slack=region.limits - region.totals(region.best),
            prices=prices,
            down=prices,
            up=np.full(len(prices), highest),
        ),
        watch,
    )
    shares = answer.shares
    value = region.elsewhere + float((np.where(shares > 0, region.cost, 0.0) * shares).sum())
    fits = answer.overflow <= OVERFLOW * abs(value)
    home, split = rounded(region, shares)
    return Vertex(value if fits else np.inf, prices + answer.delta, home, split)


def shared_out(region: Region, pick: Pick, priced: Priced) -> Region:
    """The region with its units where the linear relaxation of the prices puts them."""
    assert priced.core is not None
    assert priced.shares is not None
    numbers = np.full(1 + int(max(pick.units.max(initial=0), priced.core.units.max(initial=0))), -1)
    numbers[pick.units] = np.arange(len(pick.units))
    at = numbers[priced.core.units]
    shares = region.best.astype(np.float64)
    shares[at[at >= 0]] = priced.shares[at >= 0]
    return region.at_home(*rounded(region, shares))


def thinned(shard: LocalResting, pick: Pick, region: Region) -> tuple[Pick, Region]:
    """The same with fewer units, where it has many more than any core: the rest stays at home."""
    if region.problem.units <= MOST or (region.problem.counts != 1.0).any():
        return pick, region
    kept = choose_core(region, NEAR, None).units
    gone = np.ones(region.problem.units, dtype=np.bool_)
    gone[kept] = False
    dropped, home = pick.units[gone], region.home[gone]
    replicas = region.problem.replicas[region.problem.class_of[gone]]
    own = sites_of(home, replicas)
    shard.sites[dropped, : own.shape[1]] = own
    staying = region.home * gone[:, None]
    fewer = Region(
        problem=region.problem.take(kept),
        room=region.room - region.totals(staying),
        elsewhere=region.value(staying),
        prices=region.prices,
    )
    split = None if region.split is None else region.split[kept]
    assert split is not None
    part = replace(
        pick,
        problem=fewer.problem,
        units=pick.units[kept],
        shard=pick.shard[kept],
        keys=pick.keys[kept],
        extra=None,
    )
    return part, fewer.at_home(region.home[kept], split)


def rounded(region: Region, shares: Floats) -> tuple[Indices, Flags]:
    """(n, S) copies nearest to the shares, and (n,) which units were split."""
    problem = region.problem
    split: Flags = np.any(np.abs(shares - np.rint(shares)) > WHOLE, axis=1)
    home = np.rint(shares).astype(np.intp)
    alone = split & (problem.counts == 1.0)
    if alone.any():
        units = np.flatnonzero(alone)
        own = np.where(np.isfinite(region.cost[units]), -shares[units], np.inf)
        home[units] = best_counts(problem.take(units), own)
    for unit in np.flatnonzero(split & ~alone).tolist():
        below = np.floor(shares[unit] + WHOLE)
        left = int(problem.counts[unit] - below.sum())
        below[np.argsort(below - shares[unit], kind="stable")[:left]] += 1
        home[unit] = below.astype(np.intp)
    return home, split


def _sites(region: Region) -> Indices:
    """(n, most) sites of the best choice, ascending, -1 behind a unit's last."""
    there = region.best > 0
    width = int(there.sum(axis=1).max(initial=1))
    order = np.argsort(~there, axis=1, kind="stable")[:, :width]
    return np.where(np.take_along_axis(there, order, axis=1), order, -1)
