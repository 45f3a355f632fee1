"""CP-SAT on a problem in a file: `python -m tests.benchmarks.cp_sat FOLDER GAP SECONDS`.

In whole numbers: costs in hundredths of a cent, rounded down; weights that are not whole in
millionths, rounded up. So its bound loses that much a dataset at most, and no plan of it exceeds a
limit. This module must load nothing of ours: what loads HiGHS cannot load OR-tools.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

COSTS = 1e4
WEIGHTS = 1e6


def main() -> None:
    """Solve, and write answer.json and chosen.npy."""
    folder = Path(sys.argv[1])
    with np.load(folder / "problem.npz") as file:
        problem = dict(file)
    answer, chosen = _solve(problem, float(sys.argv[2]), float(sys.argv[3]))
    answer["found"] = chosen is not None
    if chosen is not None:
        np.save(folder / "chosen.npy", chosen)
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def _solve(problem: dict[str, Any], gap: float, limit_s: float) -> tuple[dict[str, Any], Any]:
    began = time.perf_counter()
    model, x = _model(problem)
    build_s = time.perf_counter() - began
    print("built", flush=True)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(1.0, limit_s - build_s)
    solver.parameters.relative_gap_limit = gap
    noting = Noting(began)
    status = solver.solve(model, noting)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    answer = {
        "build_s": build_s,
        "solve_s": time.perf_counter() - began - build_s,
        "bound": solver.best_objective_bound / COSTS,
        "ended": solver.status_name(status).lower(),
        "history": noting.history,
    }
    return answer, np.array(solver.values(x), dtype=bool) if found else None


def _model(problem: dict[str, Any]) -> tuple[cp_model.CpModel, Any]:
    model = cp_model.CpModel()
    unit = problem["unit"]
    x = [model.new_bool_var("") for _ in range(len(unit))]
    ends = np.append(np.flatnonzero(np.diff(unit)) + 1, len(unit)).tolist()
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        model.add_exactly_one(x[begin:end])
    for r, rhs in enumerate(problem["rhs"].tolist()):
        weights = problem[f"weights_{r}"]
        scale = 1.0 if (weights == np.round(weights)).all() else WEIGHTS
        whole = np.ceil(weights * scale).astype(np.int64).tolist()
        terms = [x[c] for c in problem[f"columns_{r}"].tolist()]
        load = cp_model.LinearExpr.weighted_sum(terms, whole)
        model.add(load <= int(np.floor(rhs * scale)))
    cost = np.floor(problem["cost"] * COSTS).astype(np.int64).tolist()
    model.minimize(cp_model.LinearExpr.weighted_sum(x, cost))
    return model, x


class Noting(cp_model.CpSolverSolutionCallback):
    """Notes incumbents and bounds as they come."""

    def __init__(self, began: float) -> None:
        super().__init__()
        self.history: list[tuple[float, float, float]] = []
        self._began = began

    def on_solution_callback(self) -> None:
        """A better plan was found."""
        moment = time.perf_counter() - self._began
        point = self.objective_value / COSTS, self.best_objective_bound / COSTS
        self.history.append((moment, *point))


if __name__ == "__main__":
    main()
