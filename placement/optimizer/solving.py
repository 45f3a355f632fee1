"""solve(): the order of steps from a problem to a solution."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib.metadata import version

from models import Problem, Solution, SolverReport, Termination
from placement.optimizer.by_arrays import applies, solve_by_arrays
from placement.optimizer.core import alone, find_core
from placement.optimizer.exact import ExactCheck
from placement.optimizer.highs import Ending
from placement.optimizer.instance import Instance, read_instance
from placement.optimizer.prices import published
from placement.optimizer.progress import OutOfTime, Progress, Watch
from placement.optimizer.relaxation import Relaxed, solve_relaxation
from placement.optimizer.search import Search, Tally
from placement.optimizer.warm import Start, chosen_before
from placement.optimizer.whole import whole_model


def solve(
    problem: Problem,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    start: Start | None = None,
) -> Solution:
    """The cheapest placements that meet every constraint, with the proof of how good they are.

    Parameters
    ----------
    problem
        N datasets and S sites; the answer does not depend on their order.
    progress
        Called with each new phase, and a few times a second, from the calling thread.
    cancel
        Set it to stop within about half a second; the answer is then that of a time limit.
    start
        An earlier answer to a similar problem. It saves work; which of several plans within the
        gap is found may depend on it.

    Returns
    -------
    Solution
        WITHIN_GAP with placements, objective, bound, gap and prices; TIME_LIMIT with the best
        placements so far, if any, and their true gap; INFEASIBLE with a core. The time limit
        covers building and solving; explaining infeasibility may add up to two seconds.

    Raises
    ------
    SolverError
        Where HiGHS fails, answers against a constraint, or the problem refers to nothing.
    """
    watch = Watch(problem.parameters.time_limit_s, progress, cancel)
    watch.enter("reading")
    tally = Tally()
    if problem.facts.contradictions:
        return _infeasible(problem.facts.contradictions, tally)
    if not problem.datasets:
        return _nothing_to_place(tally)
    if not problem.sites:
        return _infeasible((f"assignment[{min(d.id for d in problem.datasets)}]",), tally)
    with tally.building():
        instance = read_instance(problem)
    stuck = instance.unplaceable()
    if stuck:
        watch.enter("core")
        members = [instance.of.datasets[d].id for d in instance.members[stuck[0]]]
        return _infeasible(find_core(alone(problem, members), watch), tally)
    return _by_arrays(problem, instance, watch, tally, start) or _by_one_model(
        problem, instance, watch, tally, start
    )


def _by_arrays(
    problem: Problem, instance: Instance, watch: Watch, tally: Tally, start: Start | None
) -> Solution | None:
    """The answer for a large problem; None for any other."""
    if not applies(instance):
        return None
    solution = solve_by_arrays(problem, instance, watch, tally, start)
    if solution is not None and solution.termination is Termination.INFEASIBLE:
        return _explained(problem, watch, tally)
    return solution


def _by_one_model(
    problem: Problem, instance: Instance, watch: Watch, tally: Tally, start: Start | None
) -> Solution:
    """The answer of a relaxation and a search in one model."""
    try:
        ending, relaxed = _relax(instance, watch, tally)
    except OutOfTime:
        ending, relaxed = Ending.STOPPED, None
    if ending is Ending.INFEASIBLE:
        return _explained(problem, watch, tally)
    if relaxed is None:
        return Solution(termination=Termination.TIME_LIMIT, report=_report(tally))
    search = Search(
        instance, ExactCheck(problem), relaxed, float(problem.parameters.gap), watch, tally
    )
    if start is not None:
        search.begin_from(chosen_before(instance, start))
    search.run()
    if search.infeasible:
        return _explained(problem, watch, tally)
    return _solution(problem, instance, relaxed, search)


def _relax(instance: Instance, watch: Watch, tally: Tally) -> tuple[Ending, Relaxed | None]:
    watch.check()
    watch.enter("prices")
    with tally.building():
        whole = whole_model(instance, instance.allowed, [], watch)
    tally.count(whole.model)
    began = time.monotonic()
    ending, relaxed = solve_relaxation(whole, watch)
    tally.solve_s += time.monotonic() - began
    return ending, relaxed


def _solution(problem: Problem, instance: Instance, relaxed: Relaxed, search: Search) -> Solution:
    rows, flows = published(instance, relaxed.prices)
    if search.chosen is None:
        return Solution(
            termination=Termination.TIME_LIMIT,
            dual_bound_eur=search.bound,
            prices=tuple(rows),
            flow_prices=tuple(flows),
            report=_report(search.tally),
        )
    placed = instance.site_ids(search.chosen)
    gap = search.achieved
    return Solution(
        termination=Termination.WITHIN_GAP if search.proven else Termination.TIME_LIMIT,
        placements=tuple(placed[dataset.id] for dataset in problem.datasets),
        objective_eur=search.objective,
        dual_bound_eur=min(search.bound, search.objective) if gap > 0 else search.objective,
        gap=gap,
        prices=tuple(rows),
        flow_prices=tuple(flows),
        report=_report(search.tally),
    )


def _explained(problem: Problem, watch: Watch, tally: Tally) -> Solution:
    watch.enter("core")
    return _infeasible(find_core(problem, watch), tally)


def _infeasible(core: tuple[str, ...], tally: Tally) -> Solution:
    return Solution(termination=Termination.INFEASIBLE, core=core, report=_report(tally))


def _nothing_to_place(tally: Tally) -> Solution:
    return Solution(
        termination=Termination.WITHIN_GAP,
        objective_eur=0.0,
        dual_bound_eur=0.0,
        gap=0.0,
        report=_report(tally),
    )


def _report(tally: Tally) -> SolverReport:
    return SolverReport(
        solver=f"HiGHS {version('highspy')} through PuLP {version('pulp')}",
        build_s=round(tally.build_s, 3),
        solve_s=round(tally.solve_s, 3),
        variables=tally.variables,
        constraints=tally.constraints,
    )
