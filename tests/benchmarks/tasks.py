"""What runs inside a measured process: `python -m tests.benchmarks.tasks JSON`.

It speaks to its parent in lines of JSON (see own_process); whatever libraries print goes to
standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from placement.errors import PlacementError
from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.arrays.solution import plan_cost, violations
from tests.benchmarks.instances import Recipe, make_instance
from tests.benchmarks.own_process import MEGABYTE

SOLVER_TOLERANCE = 1e-6
"""What MIP solvers call feasible."""

Say = Callable[..., None]


def main() -> None:
    """Do the task that the argument describes."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(at: str, **more: Any) -> None:
        channel.write(json.dumps({"at": at, **more}) + "\n")
        channel.flush()

    task = json.loads(sys.argv[1])
    try:
        answer = KINDS[task["kind"]](task, say)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("placement."):
            raise
        answer = {"ended": f"skipped: there is no {error.name}"}
    except MemoryError:
        answer = {"ended": "failed: out of memory"}
    except PlacementError as error:
        answer = {"ended": f"failed: {type(error).__name__}: {error}"}
    say("done", answer=answer)


def problem_of(task: dict[str, Any]) -> ArrayProblem:
    """The problem of a task."""
    return make_instance(Recipe(**task["recipe"]))


def forget_peak() -> None:
    """Let the peak of memory begin anew, where Linux lets us."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_mb() -> float:
    """Peak of resident memory since `forget_peak`, else since the start; without children."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / MEGABYTE


# --- one solve -----------------------------------------------------------------------------------


def _ours(task: dict[str, Any], say: Say) -> dict[str, Any]:
    from placement.optimizer.polish.solve import solve_arrays
    from placement.optimizer.progress import Progress, Watch

    history: list[tuple[float, float | None, float | None]] = []

    def note(now: Progress) -> None:
        history.append((now.elapsed_s, now.incumbent, now.bound))

    problem = problem_of(task)
    forget_peak()
    say("ready")
    say("built")
    began = time.perf_counter()
    solution = solve_arrays(problem, gap=task["gap"], watch=Watch(task["limit_s"], note))
    spent, peak = time.perf_counter() - began, peak_mb()
    say("solved")
    answer = {
        "build_s": 0.0,
        "solve_s": round(spent, 3),
        "ended": solution.termination.value,
        "peak_mb": peak,
        "phases": {name: round(seconds, 3) for name, seconds in solution.phases.items()},
    }
    return answer | _checked(problem, solution.sites, solution.bound, history)


def _peer(task: dict[str, Any], say: Say) -> dict[str, Any]:
    from tests.benchmarks.peers import PEERS

    problem = problem_of(task)
    for library in task["libraries"]:
        importlib.import_module(library)
    forget_peak()
    say("ready")
    solve = PEERS[task["peer"]]
    tried = solve(problem, task["gap"], task["limit_s"], lambda: say("built"))
    peak = peak_mb()
    say("solved")
    answer = {
        "build_s": round(tried.build_s, 3),
        "solve_s": round(tried.solve_s, 3),
        "ended": tried.ended,
        "peak_mb": peak,
    }
    return answer | _checked(problem, tried.sites, tried.bound, tried.history)


def _checked(
    problem: ArrayProblem, sites: Any, bound: float | None, history: Any
) -> dict[str, Any]:
    """Objective, gap and feasibility of a plan, counted again from the problem."""
    bound = None if bound is None or not np.isfinite(bound) else float(bound)
    answer: dict[str, Any] = {"bound": bound}
    if sites is None or (np.asarray(sites) < 0).all():
        return answer | {"objective": None, "gap": None, "feasible": None}
    broken = violations(problem, sites)
    loosely = violations(problem, sites, tolerance=SOLVER_TOLERANCE)
    objective = plan_cost(problem, sites) if not any("assignment" in b for b in broken) else None
    gap = None
    if bound is not None and objective is not None and not loosely:
        gap = max(0.0, objective - bound) / objective if objective > 0 else 0.0
    return answer | {
        "objective": objective,
        "gap": gap,
        "feasible": "no" if loosely else "to 1e-6" if broken else "exactly",
        "broken": broken[:5],
        "reached_s": None if gap is None else _reached(history, gap),
    }


def _reached(history: list[tuple[float, float | None, float | None]], gap: float) -> float | None:
    """When a solver first reported the gap that it ended with: it may have run on in vain."""
    for seconds, incumbent, bound in history:
        if incumbent is None or bound is None or not 0 < incumbent < np.inf:
            continue
        if (incumbent - bound) / incumbent <= gap * 1.001 + 1e-9:
            return round(seconds, 3)
    return None


# --- what a decision is asked afterwards ---------------------------------------------------------


def _warm(task: dict[str, Any], say: Say) -> dict[str, Any]:
    from tests.benchmarks import warm

    return warm.MEASURES[task["measure"]](task, say)


KINDS: dict[str, Callable[[dict[str, Any], Say], dict[str, Any]]] = {
    "ours": _ours,
    "peer": _peer,
    "warm": _warm,
}


if __name__ == "__main__":
    main()
