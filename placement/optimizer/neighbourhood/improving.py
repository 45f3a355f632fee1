"""improve(): a better plan from a plan, by local search alone."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.neighbourhood.annealing import Annealer, Found, better
from placement.optimizer.neighbourhood.pairs import pairs_of
from placement.optimizer.neighbourhood.ready import make_ready
from placement.optimizer.progress import OutOfTime, Watch, gap_between

FIRST_WORK = 4_000_000
"""Links of the first round; each round looks at twice as many."""


def improve(
    problem: ArrayProblem,
    sites: Indices,
    prices: Floats,
    bound: float,
    *,
    gap: float,
    watch: Watch,
    seed: int,
    rounds: int = 12,
) -> Indices:
    """Shift, swap and chain units until the gap asked for is reached, or time or rounds end.

    Parameters
    ----------
    problem
        Units with one replica and a count of one, tied by coupling rows alone.
    sites
        (U,) a plan, feasible or not.
    prices
        (R,) of the coupling rows, the better the faster.
    bound
        No plan costs less, EUR a year.
    gap
        (objective - bound) / objective that is good enough.

    Returns
    -------
    Indices
        (U,) a plan that holds strictly and costs no more than the one given; the one given where
        none was found.
    """
    pairs = pairs_of(problem)
    at = sites.reshape(problem.units)
    searches = Annealer(pairs, prices, seed)
    best = Found(pairs.cost_of(at) if pairs.holds(at) else np.inf, at)
    least = pairs.rounded(bound)
    with suppress(OutOfTime):
        make_ready(watch)
    for number in range(rounds):
        if watch.expired or gap_between(best.cost, least) <= gap:
            break
        best = better(best, searches.round(number, FIRST_WORK << number, watch, best.sites))
        if np.isfinite(best.cost):
            watch.report(best.cost, bound)
    return best.sites
