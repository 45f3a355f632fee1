"""How near a unit is to another choice, and how many units are how near."""

from __future__ import annotations

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Floats
from placement.optimizer.pricing.dual import (
    Folded,
    Part,
    Places,
    Share,
    by_operator,
    choices,
    in_pieces,
    share_of,
    summed,
)
from placement.optimizer.pricing.spread import spreads
from placement.optimizer.progress import Watch

BINS = 320
"""Of margins in units of the spread."""
PER_DECADE = 20
LOWEST = -12
"""Decade of the first bin: 1e-12 of the spread."""


def survey_part(
    problem: ArrayProblem,
    prices: Floats,
    extra: Floats | None,
    by_feature: Floats,
    bins: Places,
    watch: Watch | None = None,
) -> Part:
    """The bound's part, as `evaluate_part`; each unit's bin of margins is written to `bins`.

    Parameters
    ----------
    by_feature
        (K, F) spreads.
    """
    folded = Folded(problem, prices, extra)

    def work(begin: int, end: int) -> Share:
        costs = folded.costs(begin, end)
        best, chosen = choices(folded, begin, end, costs)
        share = share_of(folded, begin, end, best, chosen)
        if not np.isfinite(share.value):
            return share
        if folded.single:
            costs[chosen[0], np.arange(end - begin)] = np.inf
            margin = costs.min(axis=0) - best
        else:
            margin = several_margins(problem, begin, end, costs)
        spread = spreads(problem, by_feature, begin, end)
        bins[begin:end] = _bins(margin / np.maximum(spread, np.finfo(np.float64).tiny))
        return share

    return summed(folded, in_pieces(problem, work, watch))


def several_margins(problem: ArrayProblem, begin: int, end: int, costs: Floats) -> Floats:
    """(n,) EUR a year by which the nearest other choice costs more; inf without one.

    Another site of an operator in use replaces that operator's site, a site of another operator
    replaces the dearest one. `costs` is overwritten.
    """
    unit = np.arange(end - begin)
    replicas = problem.replicas[problem.class_of[begin:end]]
    values, sites = by_operator(costs, problem.operator_of)
    order = np.argsort(values, axis=0, kind="stable")
    last = np.take_along_axis(values, order, axis=0)[replicas - 1, unit]
    operators = np.unique(problem.operator_of, return_inverse=True)[1]
    reference = np.minimum(values, last)[operators]
    used_o, used_u = np.nonzero(np.argsort(order, axis=0, kind="stable") < replicas)
    costs[sites[used_o, used_u], used_u] = np.inf
    nearest: Floats = (costs - reference).min(axis=0)
    return nearest


def _bins(ratio: Floats) -> Places:
    place = (np.log10(np.clip(ratio, 10.0**LOWEST, 1e4)) - LOWEST) * PER_DECADE
    bins: Places = np.minimum(place, BINS - 1).astype(np.int16)
    return bins
