"""Newton's method on the soft bound, prices kept within bounds.

A step d maximises the quadratic model g'd - d'(C + damping diag C)d / 2 with p + d within
bounds, C the curvature. A step that gains less than a share of what its model promises is damped
more (Levenberg 1944); one that does is damped less.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import lsq_linear

from placement.optimizer.attributes import Flags, Floats
from placement.optimizer.pricing.soft import Curve

ENOUGH = 0.1
"""Share of the promised gain that a step must bring."""
EXCHANGES = 40
"""Rounds of exchanging bounds before the slower method that always ends."""
STUCK = 1e8
"""Damping beyond which there is nothing to gain."""


def maximise(
    curve: Callable[[Floats], Curve],
    rhs: Floats,
    start: Floats,
    low: Floats,
    high: Floats,
    *,
    steps: int,
    tolerance: float,
) -> Floats:
    """(R,) prices in low..high that raise curve(p).value - p b, after at most so many evaluations.

    Parameters
    ----------
    tolerance
        EUR a year: a step that promises less is the last.
    """
    prices, damping = np.clip(start, low, high), 1e-6
    here = curve(prices)
    value = here.value - float(prices @ rhs)
    for _ in range(steps):
        gradient = here.totals - rhs
        step, promise = quadratic_step(
            gradient, here.curvature, low - prices, high - prices, damping
        )
        if promise <= tolerance or damping > STUCK:
            break
        there = curve(prices + step)
        gain = there.value - float((prices + step) @ rhs) - value
        if gain > ENOUGH * promise:
            prices, here, value = prices + step, there, value + gain
            damping = max(1e-9, damping * (0.1 if gain > 0.5 * promise else 1.0))
        else:
            damping = max(1e-4, damping * 10.0)
    return prices


def quadratic_step(
    gradient: Floats, curvature: Floats, low: Floats, high: Floats, damping: float
) -> tuple[Floats, float]:
    """The step that maximises the damped model between the bounds, and the gain it promises."""
    diagonal = np.maximum(np.diag(curvature), 0.0)
    floor = _floors(gradient, diagonal, high - low)
    matrix = curvature.copy()
    np.fill_diagonal(matrix, diagonal + damping * np.maximum(diagonal, floor) + 1e-3 * floor)
    step = box_maximum(gradient, matrix, low, high)
    return step, float(gradient @ step - 0.5 * step @ matrix @ step)


def _floors(gradient: Floats, diagonal: Floats, width: Floats) -> Floats:
    """Curvature that every price has at least: where it has none, a step stays within the width."""
    least = np.maximum(np.abs(gradient) / np.maximum(width, np.finfo(np.float64).tiny), 1e-30)
    return np.maximum(1e-12 * diagonal, least)


def box_maximum(gradient: Floats, matrix: Floats, low: Floats, high: Floats) -> Floats:
    """The d between low and high that maximises g'd - d'Md/2, M positive definite.

    Bounds are exchanged all at once as long as that settles, which takes a few rounds (Kunisch and
    Rendl 2003, An infeasible active set method for quadratic problems with simple bounds); else
    bounded least squares on the Cholesky factor.
    """
    scale = 1.0 / np.sqrt(np.diag(matrix))
    g, m = gradient * scale, matrix * scale[:, None] * scale[None, :]
    lo, hi = low / scale, high / scale
    at_low, at_high = (lo >= 0.0) & (g <= 0.0), (hi <= 0.0) & (g >= 0.0)
    for _ in range(EXCHANGES):
        step = _with_bounds(g, m, lo, hi, at_low, at_high)
        if step is None:
            break
        slope = g - m @ step
        free = ~(at_low | at_high)
        new_low = (free & (step < lo)) | (at_low & (slope <= 0.0))
        new_high = (free & (step > hi)) | (at_high & (slope >= 0.0))
        if (new_low == at_low).all() and (new_high == at_high).all():
            return np.clip(step * scale, low, high)
        at_low, at_high = new_low, new_high
    return np.clip(_by_least_squares(g, m, lo, hi) * scale, low, high)


def _with_bounds(
    g: Floats, m: Floats, lo: Floats, hi: Floats, at_low: Flags, at_high: Flags
) -> Floats | None:
    step = np.where(at_low, lo, np.where(at_high, hi, 0.0))
    free = ~(at_low | at_high)
    if free.any():
        try:
            factor = cho_factor(m[np.ix_(free, free)], check_finite=False)
        except LinAlgError:
            return None
        step[free] = cho_solve(factor, g[free] - m[free] @ step, check_finite=False)
    return step


def _by_least_squares(g: Floats, m: Floats, lo: Floats, hi: Floats) -> Floats:
    values, vectors = np.linalg.eigh(m)
    root = np.sqrt(np.maximum(values, 1e-12 * values[-1]))
    low, high = np.minimum(lo, 0.0), np.maximum(hi, 0.0)
    wide = np.maximum(high, low + 1e-12)
    matrix, target = root[:, None] * vectors.T, (vectors.T @ g) / root
    found = lsq_linear(matrix, target, (low, wide), method="bvls")
    step: Floats = found.x
    return step
