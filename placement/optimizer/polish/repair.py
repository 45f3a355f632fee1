"""A first plan: from the best sites at the prices, the cheapest moves out of overloaded rows."""

from __future__ import annotations

import numpy as np

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.polish.region import Region
from placement.optimizer.progress import Watch

CANDIDATES = 4_000
"""Units that may move."""
MOVES = 400


def repaired(region: Region, watch: Watch, start: Indices | None = None) -> Indices | None:
    """(n, S) copies of a plan, or none where greedy moves find none.

    Each turn takes the move of one copy that lowers the overload, in shares of the rows'
    right-hand sides, for the least increase of reduced cost per share.

    Raises
    ------
    OutOfTime
    """
    x = region.home.copy() if start is None else start.copy()
    totals, limits = region.totals(x), region.limits
    scale = 1.0 / np.maximum(np.abs(region.problem.rhs), 1e-300)
    if (totals <= limits).all():
        return x
    second = np.where(x > 0, np.inf, region.margin).min(axis=1)
    units = np.sort(np.argsort(second / region.size, kind="stable")[:CANDIDATES])
    shares = _shares(region, units, scale)
    margin = region.margin[units]
    for _ in range(MOVES):
        watch.check()
        excess = (totals - limits) * scale
        if (excess <= 0).all():
            return x
        move = _best_move(region, x[units], excess, shares, margin, units)
        if move is None:
            return None
        unit, site, to = move
        x[units[unit], site] -= 1
        x[units[unit], to] += 1
        totals = region.totals(x)
    return None


def _shares(region: Region, units: Indices, scale: Floats) -> Floats:
    """(R, k, S) share of each row that a copy takes at each site."""
    shares = np.zeros((len(scale), len(units), region.problem.sites))
    for r, (row, weight) in enumerate(zip(region.problem.rows, region.weights, strict=True)):
        shares[r][:, row.sites] = weight[units] * scale[r]
    return shares


def _best_move(
    region: Region, x: Indices, excess: Floats, shares: Floats, margin: Floats, units: Indices
) -> tuple[int, int, int] | None:
    """(unit, from, to) with the least margin per overload that it takes away."""
    best = None
    problem = region.problem
    over = np.flatnonzero(excess > 0)
    tight = np.flatnonzero(excess > -0.1)
    for site in range(problem.sites):
        here = np.flatnonzero(x[:, site] > 0)
        if not len(here) or not (shares[over][:, here, site] > 0).any():
            continue
        after = np.zeros((len(here), problem.sites))
        for r in tight.tolist():
            there = excess[r] - shares[r, here, site][:, None] + shares[r, here]
            after += np.maximum(there, 0.0)
        gain = float(excess[over].sum()) - after
        closed = ~np.isfinite(margin[here]) | (x[here] > 0)
        several = problem.replicas[problem.class_of[units[here]]] > 1
        closed[several] = True
        step = np.maximum(margin[here] - margin[here, site][:, None], 0.0)
        price = np.where(closed | (gain <= 1e-15), np.inf, (step + 1e-12) / np.maximum(gain, 1e-15))
        k, to = np.unravel_index(int(price.argmin()), price.shape)
        if np.isfinite(price[k, to]) and (best is None or price[k, to] < best[0]):
            best = float(price[k, to]), int(here[k]), site, int(to)
    return None if best is None else best[1:]
