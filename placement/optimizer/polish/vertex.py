"""Where the linear relaxation puts a region's units: plans begin there, not at the best sites.

At the best prices many units may be tied exactly between sites, equal datasets above all, and any
one of the cheapest sites of each overloads some rows and leaves others empty. An exact vertex of
the relaxation says who of them goes where: its rows fit, and at most as many units are split as
rows bind. Its duals are prices that are as good or better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.polish.core import choose_core
from placement.optimizer.polish.region import Region, best_counts
from placement.optimizer.pricing.corelp import CoreTask, solve_core
from placement.optimizer.progress import Watch

WHOLE = 1e-6
"""What HiGHS calls a whole number."""
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
