"""A large problem of objects, solved as arrays: prices first, then what they leave open."""

from __future__ import annotations

import time
from importlib.metadata import version

from models import Problem, Solution, SolverReport, Termination
from placement.optimizer.arrays.instance import (
    arrays_of,
    chosen_pairs,
    flow_messages,
    meeting_prices,
    representable,
)
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.exact import ExactCheck
from placement.optimizer.instance import Instance
from placement.optimizer.prices import (
    Prices,
    as_published,
    price_bound,
    published,
    published_pairs,
)
from placement.optimizer.progress import Watch, gap_between
from placement.optimizer.search import EXACT, Tally, plan_cost
from placement.optimizer.warm import Start, warm_of

LARGE = 2_000
"""Units from which on a problem is solved as arrays: below, one model of everything is as fast."""


def applies(instance: Instance) -> bool:
    """Whether the problem is large, and arrays say all of it."""
    return instance.units >= LARGE and representable(instance)


def solve_by_arrays(
    problem: Problem, instance: Instance, watch: Watch, tally: Tally, start: Start | None = None
) -> Solution | None:
    """The solution, without a core where there is none; None where its plan does not hold exactly.

    Raises
    ------
    SolverError
    """
    from placement.optimizer.polish.solve import solve_arrays

    with tally.building():
        arrays = arrays_of(instance)
    began = time.monotonic()
    warm = None if start is None else warm_of(instance, start)
    answer = solve_arrays(arrays, gap=float(problem.parameters.gap), watch=watch, start=warm)
    tally.solve_s += time.monotonic() - began
    tally.variables = max(tally.variables, int(instance.fitting.sum()))
    tally.constraints = max(tally.constraints, instance.units + len(instance.rows))
    if answer.termination is Termination.INFEASIBLE:
        return Solution(termination=Termination.INFEASIBLE)
    prices = Prices(
        _priced(answer.prices), flow_messages(instance, answer), *meeting_prices(instance, answer)
    )
    bound = max(0.0, price_bound(instance, prices), answer.bound)
    rows, flows = published(instance, prices)
    told = Solution(
        termination=Termination.TIME_LIMIT,
        dual_bound_eur=bound,
        prices=tuple(rows),
        flow_prices=tuple(flows),
        separation_prices=tuple(published_pairs(instance, prices)),
        report=SolverReport(
            solver=f"HiGHS {version('highspy')} through PuLP {version('pulp')}, by prices",
            build_s=round(tally.build_s, 3),
            solve_s=round(tally.solve_s, 3),
            variables=tally.variables,
            constraints=tally.constraints,
        ),
    )
    return told if answer.sites is None else _with_plan(problem, instance, told, answer.sites)


def _with_plan(
    problem: Problem, instance: Instance, told: Solution, sites: Indices
) -> Solution | None:
    """The solution with its plan, if that holds in exact numbers."""
    chosen = chosen_pairs(instance, sites)
    placed = instance.site_ids(chosen)
    if ExactCheck(problem).overloads(placed):
        return None
    objective, bound = plan_cost(instance, chosen), told.dual_bound_eur or 0.0
    gap = gap_between(objective, bound)
    gap = 0.0 if gap <= EXACT else gap
    proven = gap <= float(problem.parameters.gap)
    return told.model_copy(
        update={
            "termination": Termination.WITHIN_GAP if proven else Termination.TIME_LIMIT,
            "placements": tuple(placed[dataset.id] for dataset in problem.datasets),
            "objective_eur": objective,
            "dual_bound_eur": min(bound, objective) if gap > 0 else objective,
            "gap": gap,
        }
    )


def _priced(prices: Floats) -> Floats:
    published_prices = prices.copy()
    for r, price in enumerate(prices.tolist()):
        published_prices[r] = as_published(max(0.0, price))
    return published_prices
