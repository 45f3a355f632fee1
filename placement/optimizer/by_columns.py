"""solve_columns(): from a columnar catalogue and its verdicts to placements and their proof."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from models import SolverReport, Termination
from models.columns import PlacedColumns
from placement.optimizer.arrays.build import Built, City, build, placed
from placement.optimizer.arrays.solution import ArraySolution
from placement.optimizer.attributes import Indices
from placement.optimizer.conflict import find_conflict
from placement.optimizer.progress import Progress, Watch

NAMED = 5
"""Classes that a core describes one by one."""


@dataclass(frozen=True)
class ColumnSolution:
    """The solver's answer for N datasets."""

    termination: Termination
    placed: PlacedColumns | None
    objective_eur: float
    dual_bound_eur: float
    gap: float
    report: SolverReport
    phases: dict[str, float]
    """Seconds by phase: arrays, prices, core ..."""
    core: tuple[str, ...] = ()
    """Where infeasible: named constraints that cannot all hold."""
    meaning: tuple[str, ...] = ()
    """Where infeasible: sentences on the datasets that have no room."""


def solve_columns(
    city: City,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
) -> ColumnSolution:
    """The cheapest placements of N datasets, or a conflict that proves that there are none.

    Raises
    ------
    SolverError
        Where the city does not fit together, or a solver fails.
    """
    from placement.optimizer.polish.solve import solve_arrays

    watch = Watch(city.parameters.time_limit_s, progress, cancel)
    watch.enter("arrays")
    began = time.monotonic()
    if city.facts.contradictions:
        return _answer(Termination.INFEASIBLE, began, {}, core=city.facts.contradictions)
    built = build(city)
    phases = {"arrays": time.monotonic() - began}
    stuck = _without_room(built)
    if len(stuck):
        return _answer(Termination.INFEASIBLE, began, phases, core=_stuck(city, built, stuck))
    answer = solve_arrays(built.problem, gap=float(city.parameters.gap), watch=watch)
    phases |= answer.phases
    if answer.termination is Termination.INFEASIBLE:
        watch.enter("core")
        core, meaning = _conflict(city, built, answer)
        return _answer(Termination.INFEASIBLE, began, phases, core=core, meaning=meaning)
    return _answer(answer.termination, began, phases, built=built, answer=answer)


def _answer(
    termination: Termination,
    began: float,
    phases: dict[str, float],
    *,
    core: tuple[str, ...] = (),
    meaning: tuple[str, ...] = (),
    built: Built | None = None,
    answer: ArraySolution | None = None,
) -> ColumnSolution:
    problem = None if built is None else built.problem
    found = built is not None and answer is not None and answer.sites is not None
    return ColumnSolution(
        termination=termination,
        placed=placed(built, answer)
        if built is not None and answer is not None and found
        else None,
        objective_eur=np.inf if answer is None else answer.objective,
        dual_bound_eur=np.inf if answer is None else answer.bound,
        gap=np.inf if answer is None or not found else answer.gap,
        report=SolverReport(
            solver=f"HiGHS {version('highspy')} through PuLP {version('pulp')}, by prices",
            build_s=round(phases.get("arrays", 0.0), 3),
            solve_s=round(time.monotonic() - began - phases.get("arrays", 0.0), 3),
            variables=0 if problem is None else int(problem.open[problem.class_of].sum()),
            constraints=0 if problem is None else problem.units + len(problem.rows),
        ),
        phases=phases,
        core=core,
        meaning=meaning,
    )


def _without_room(built: Built) -> Indices:
    """Classes with units, but with fewer open operators than replicas."""
    problem = built.problem
    reach = np.zeros(problem.classes, dtype=np.intp)
    for operator in range(int(problem.operator_of.max()) + 1):
        reach += problem.open[:, problem.operator_of == operator].any(axis=1)
    used = np.bincount(problem.class_of, minlength=problem.classes) > 0
    return np.flatnonzero(used & (reach < problem.replicas))


def _stuck(city: City, built: Built, stuck: Indices) -> tuple[str, ...]:
    """Constraints that leave the first of these datasets no site, whatever the others do."""
    name = _examples(city, built, stuck)[0]
    families = ["assignment", "alternatives", "capacity", "fixed", "co_location"]
    if len(built.problem.segregations):
        families.append("segregation")
    return tuple(f"assignment[{name}]" if f == "assignment" else f for f in families)


def _conflict(
    city: City, built: Built, answer: ArraySolution
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = find_conflict(built.problem)
    if found is None:
        return answer.core or ("assignment",), ()
    sizes = np.bincount(built.problem.class_of, minlength=built.problem.classes)
    told = []
    for group in found.classes[:NAMED]:
        name = _examples(city, built, group)[0]
        count = int(sizes[group].sum())
        told.append(f"assignment: {count:,} datasets such as {name} have no room elsewhere")
    if len(found.classes) > NAMED:
        told.append(f"assignment: and {len(found.classes) - NAMED} more kinds of datasets")
    return (*found.rows, "assignment"), tuple(told)


def _examples(city: City, built: Built, classes: Indices) -> list[str]:
    """The first dataset, by id, of each of these classes that has any."""
    of_dataset = built.problem.class_of[built.unit_of]
    rows = [np.flatnonzero(of_dataset == k)[:1] for k in classes.tolist()]
    first = sorted(int(row[0]) for row in rows if len(row))
    return [city.columns.ids[row].as_py() for row in first]
