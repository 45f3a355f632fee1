"""The linear relaxation: prices to publish, and the bound and reduced costs to search by.

One model is loaded and run twice. First with the rows and pairs that L sees (light pairs only;
placement.optimizer.prices), for prices at which L is greatest; then with every row, from the
same basis, for the tighter bound that the search works with.

The second bound is not taken from HiGHS either. For any duals y of the rows, with y_r <= 0 on
<= rows, weak duality gives, with all rows but assignment moved into the objective,

    D(y) = sum_u (sum of the n_u smallest over s of r_us) + sum_j min(0, r_j) + sum_r y_r b_r
    r = c - A'y

over x variables (u, s) and the other variables j, which lie in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Flags, Floats
from placement.optimizer.highs import Ending
from placement.optimizer.instance import Instance
from placement.optimizer.loaded import Loaded
from placement.optimizer.model import Model
from placement.optimizer.prices import (
    ROUNDING,
    Prices,
    as_published,
    cheapest,
    no_prices,
    price_bound,
)
from placement.optimizer.progress import Watch
from placement.optimizer.whole import Whole


@dataclass(frozen=True)
class Relaxed:
    """What the linear relaxation says."""

    prices: Prices
    price_bound: float
    """L at the prices, EUR a year."""
    bound: float
    """D at the duals of all rows, EUR a year: no plan costs less."""
    reduced: Floats
    """(U, S) r in EUR a year, infinite where not allowed."""
    support: Floats
    """(U, S) the relaxation's own placement, between 0 and 1."""


def solve_relaxation(whole: Whole, watch: Watch) -> tuple[Ending, Relaxed | None]:
    """Prices, bound and reduced costs; none when infeasible or stopped."""
    model, instance = whole.model, whole.model.instance
    loaded = Loaded(model, watch, integer=False)
    heavy = ~instance.light[model.units, model.sites]
    bounds = loaded.bounds.copy()
    bounds.most[loaded.x[heavy]] = 0.0
    if (bounds.least > bounds.most).any():
        return Ending.INFEASIBLE, None
    bounds.free(np.arange(whole.priced, len(bounds.lower)))
    ending = loaded.solve(bounds)
    if ending is not Ending.OPTIMAL:
        return ending, None
    prices = _prices(whole, loaded.row_duals())
    bounds = loaded.bounds.copy()
    unfit = ~instance.fitting[model.units, model.sites]
    bounds.most[loaded.x[unfit]] = 0.0
    if (bounds.least > bounds.most).any():
        return Ending.INFEASIBLE, None
    if (unfit & ~heavy).any() or whole.priced < len(bounds.lower):
        ending = loaded.solve(bounds)
    if ending is not Ending.OPTIMAL:
        return ending, None
    support = np.zeros(model.allowed.shape)
    support[model.units, model.sites] = loaded.values()[loaded.x]
    at_prices = price_bound(instance, prices)
    bound, reduced = dual_bound(model, loaded, instance.fitting, loaded.row_duals())
    return ending, Relaxed(prices, at_prices, max(bound, at_prices), reduced, support)


def dual_bound(model: Model, loaded: Loaded, allowed: Flags, duals: Floats) -> tuple[float, Floats]:
    """D(y) in EUR a year for any duals (R,) of scaled rows, and r, (U, S), over allowed pairs."""
    equality = loaded.bounds.lower == loaded.bounds.upper
    y = np.where(equality, 0.0, np.minimum(duals, 0.0))
    entries = loaded.entries
    moved = np.bincount(entries.column, entries.value * y[entries.row], len(loaded.cost))
    all_reduced = loaded.cost - moved
    reduced = np.full(model.allowed.shape, np.inf)
    reduced[model.units, model.sites] = all_reduced[loaded.x]
    reduced[~allowed] = np.inf
    others = np.delete(all_reduced, loaded.x)
    least = cheapest(reduced, model.instance.replicas)
    constants = y[y < 0] * loaded.bounds.upper[y < 0]
    parts = (least.ravel(), np.minimum(others, 0.0), constants)
    slack = ROUNDING * sum(float(np.abs(part).sum()) for part in parts)
    total = sum(float(part.sum()) for part in parts) - slack
    return total / model.cost_scale, reduced / model.cost_scale


def _prices(whole: Whole, duals: Floats) -> Prices:
    """Duals of <= rows in a minimisation are never positive: prices are their negatives."""
    model, instance = whole.model, whole.model.instance
    unscaled = duals * np.array(model.row_scales) / model.cost_scale
    prices = no_prices(instance)
    for r, row in enumerate(whole.coupling):
        if row >= 0:
            prices.rows[r] = as_published(max(0.0, -float(unscaled[row])))
    for row, flow, site in whole.flows:
        prices.flows[flow, site] = _flow_price(instance, flow, site, -float(unscaled[row]))
    return prices


def _flow_price(instance: Instance, flow: int, site: int, price: float) -> float:
    """Between 0 and 12 f g, a hair below, so that rounding never lifts it above."""
    most = instance.flows[flow].yearly_gb * float(instance.of.egress_eur_per_gb[site])
    return min(max(0.0, price), most * (1 - 1e-14))
