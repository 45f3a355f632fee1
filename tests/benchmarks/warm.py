"""What a decision is asked afterwards: what would a pair cost, what if, can we leave, why not.

Runs inside a measured process. `measured_s` is what goals are about, `details` what else was seen.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.progress import Watch
from tests.benchmarks.tasks import Say, peak_mb, problem_of

Answer = dict[str, Any]
ASKED = 500
"""Pairs that are priced."""
CHECKED = 5
"""Pairs whose price is compared with what the linear programme with the pair forced says."""
AGAIN = 5
"""A conflict is found so often, for a median."""
CROWDED = 0.3
"""Limits shrink to this share, and the city's own roomy site closes: nothing fits."""


def forced_pair(task: dict[str, Any], say: Say) -> Answer:
    """The price of one dataset at one site, from the last prices: microseconds a question."""
    from placement.optimizer.pricing.find import find_prices, force_price

    problem, watch = problem_of(task), Watch(task["limit_s"])
    say("ready")
    priced = find_prices(problem, watch)
    pairs = _pairs(problem, ASKED)
    seconds, prices = [], []
    for unit, site in pairs:
        began = time.perf_counter()
        prices.append(float(force_price(problem, priced.prices, unit, site)))
        seconds.append(time.perf_counter() - began)
    peak = peak_mb()
    say("solved")
    shares = []
    for (unit, site), price in zip(pairs[:CHECKED], prices, strict=False):
        exact = find_prices(_forced(problem, unit, site), watch, start=priced.prices)
        shares.append(round(price / max(exact.bound - priced.bound, 1e-9), 4))
    return {
        "ended": "measured",
        "peak_mb": peak,
        "measured_s": statistics.median(seconds),
        "details": {
            "questions": len(pairs),
            "slowest of a hundred, us": round(1e6 * float(np.quantile(seconds, 0.99))),
            "share of the exact price": sorted(shares),
        },
    }


def what_if(task: dict[str, Any], say: Say) -> Answer:
    """One site out, one site dearer, one pair forced: from the last answer, and from nothing."""
    from placement.optimizer.arrays.solution import Warm
    from placement.optimizer.polish.solve import solve_arrays

    problem, gap = problem_of(task), task["gap"]
    say("ready")
    first = solve_arrays(problem, gap=gap, watch=Watch(task["solve_s"]))
    details, warm_s = {}, []
    for name, changed in _changes(problem).items():
        spent, gaps = [], []
        for start in (Warm.of(first), None):
            began = time.perf_counter()
            # A forced unit stands last, elsewhere than in the first problem.
            usable = start if changed.class_of[-1] == problem.class_of[-1] else None
            prices = replace(start, sites=None) if start is not None else None
            found = solve_arrays(
                changed, gap=gap, watch=Watch(task["solve_s"]), start=usable or prices
            )
            spent.append(time.perf_counter() - began)
            gaps.append(found.gap if found.sites is not None else None)
        warm_s.append(spent[0])
        shown = [f"{g:.1e}" if g is not None else "no plan" for g in gaps]
        details[name] = f"{spent[0]:.2f} s (gap {shown[0]}), cold {spent[1]:.2f} s (gap {shown[1]})"
    answer = {"ended": "measured", "peak_mb": peak_mb(), "details": details}
    say("solved")
    return answer | {"measured_s": statistics.median(warm_s)}


def exits(task: dict[str, Any], say: Say) -> Answer:
    """Without each operator in turn: the exact linear programme, by prices.

    The city's own site, which is the last operator's here, is left by nobody.
    """
    from placement.optimizer.pricing.find import find_prices

    problem, watch = problem_of(task), Watch(task["limit_s"])
    own = problem.sites - 1
    say("ready")
    details, total = {}, 0.0
    for operator in range(int(problem.operator_of.max()) + 1):
        left = np.flatnonzero(problem.operator_of == operator)
        without = _without(problem, left[left != own])
        began = time.perf_counter()
        priced = find_prices(without, watch)
        spent = time.perf_counter() - began
        total += spent
        open_gap = (priced.value - priced.bound) / abs(priced.value)
        ended = f"to {open_gap:.0e}" if np.isfinite(open_gap) else "no plan without it"
        details[f"operator {operator}"] = f"{spent:.2f} s, {ended}"
    answer = {"ended": "measured", "peak_mb": peak_mb(), "measured_s": total, "details": details}
    say("solved")
    return answer


def conflict(task: dict[str, Any], say: Say) -> Answer:
    """Why nothing fits: rows and classes that cannot all hold, none of which can be left out."""
    from placement.optimizer.conflict import find_conflict

    own = task["recipe"]["sites"] - 1
    problem = _without(problem_of(task), np.array([own]))
    rows = tuple(replace(row, rhs=CROWDED * row.rhs) for row in problem.rows)
    crowded = replace(problem, rows=rows)
    say("ready")
    seconds, found = [], None
    for _ in range(AGAIN):
        began = time.perf_counter()
        found = find_conflict(crowded)
        seconds.append(time.perf_counter() - began)
    peak = peak_mb()
    say("solved")
    if found is None:
        return {"ended": "failed: no conflict was found", "peak_mb": peak}
    parts = {
        "rows": len(found.rows),
        "kinds": len(found.classes),
        "first run, s": round(seconds[0], 3),
    }
    spent = statistics.median(seconds)
    return {"ended": "measured", "peak_mb": peak, "measured_s": spent, "details": parts}


MEASURES: dict[str, Callable[[dict[str, Any], Say], Answer]] = {
    "forced pair": forced_pair,
    "what-if": what_if,
    "exits": exits,
    "conflict": conflict,
}


# --- problems that differ a little ---------------------------------------------------------------


def _without(problem: ArrayProblem, sites: Any) -> ArrayProblem:
    opened = problem.open.copy()
    opened[:, sites] = False
    return replace(problem, open=opened, cost=np.where(opened[:, None, :], problem.cost, 0.0))


def _changes(problem: ArrayProblem) -> dict[str, ArrayProblem]:
    dearer = problem.cost.copy()
    dearer[:, 1, 0] *= 1.1
    ((unit, site),) = _pairs(problem, 1)
    return {
        "a site out": _without(problem, np.array([1])),
        "a site 10 % dearer": replace(problem, cost=dearer),
        "a pair forced": _forced(problem, unit, site),
    }


def _forced(problem: ArrayProblem, unit: int, site: int) -> ArrayProblem:
    """The unit becomes the last, in a class of its own that is open at the site alone."""
    k = problem.class_of[unit]
    only = np.arange(problem.sites) == site
    order = np.append(np.delete(np.arange(problem.units), unit), unit)
    class_of = problem.class_of[order]
    class_of[-1] = problem.classes
    return replace(
        problem,
        class_of=class_of,
        features=np.ascontiguousarray(problem.features[:, order]),
        counts=problem.counts[order],
        cost=np.concatenate([problem.cost, np.where(only, problem.cost[k], 0.0)[None]]),
        open=np.concatenate([problem.open, only[None]]),
        replicas=np.append(problem.replicas, problem.replicas[k]),
        rows=tuple(
            row
            if len(row.weights) == 1
            else replace(row, weights=np.concatenate([row.weights, row.weights[k][None]]))
            for row in problem.rows
        ),
    )


def _pairs(problem: ArrayProblem, count: int) -> list[tuple[int, int]]:
    """Open pairs, each unit as likely as any other."""
    rng = np.random.default_rng(1)
    units = rng.integers(problem.units, size=count).tolist()
    sites = [rng.choice(np.flatnonzero(problem.open[problem.class_of[u]])) for u in units]
    return list(zip(units, map(int, sites), strict=True))
