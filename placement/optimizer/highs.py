"""HiGHS in this process, through PuLP: one passModel, a start, interrupts, and honest outcomes.

PuLP reports a time limit with an incumbent as Optimal and leaves values on the variables of an
infeasible problem, so nothing here is read from PuLP's status: status, bound and values come
from HiGHS itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import Any

import highspy
import numpy as np
import pulp

from placement.errors import SolverError
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.model import Model
from placement.optimizer.progress import Watch

THREADS = 1
"""The number of threads is global to the process: a second solve with another number silently
solves nothing. One thread is also what makes runs repeatable."""

SEED = 20_261_001
BRIEF_NODES = 200
REPORT_EVERY_S = 0.2


class Ending(Enum):
    """How a run of HiGHS ended."""

    OPTIMAL = "optimal"
    """Proven, within the gap asked of HiGHS."""
    INFEASIBLE = "infeasible"
    STOPPED = "stopped"
    """By a limit, by cancellation, or because the target was reached."""


@dataclass(frozen=True)
class Outcome:
    """What HiGHS says of an integer programme, in EUR a year."""

    ending: Ending
    values: Floats | None
    """Value of every x variable, in the model's order; none without a plan."""
    bound: float
    """Proven by HiGHS; minus infinity where it has proven nothing."""


@dataclass(frozen=True)
class Task:
    """What to ask of HiGHS."""

    gap: float = 0.0
    """(objective - bound) / objective at which HiGHS may stop."""
    target: float | None = None
    """EUR a year: a plan at most this dear is good enough."""
    start: Flags | None = None
    """(U, S) pairs of a plan to start from."""
    brief: bool = False
    """Look for good plans rather than for a proof, and give up after some nodes."""
    nodes: int = BRIEF_NODES
    """After how many nodes to give up, where brief."""


def run(model: Model, task: Task, watch: Watch, known_bound: float | None = None) -> Outcome:
    """Solve a finished model as an integer programme.

    `known_bound`, EUR a year, is only for progress reports.

    Raises
    ------
    SolverError
        Where HiGHS ends in a state that is neither an answer nor a limit.
    """
    solver = InProcess(task, model.cost_scale, watch, known_bound)
    if task.start is not None:
        solver.start = model.x, task.start[model.allowed].astype(np.float64)
    problem = model.finish()
    problem.solve(solver)
    solver.raise_interrupt()
    highs = problem.solverModel
    ending = read_ending(highs)
    found = highs.getInfo().primal_solution_status == FEASIBLE
    bound = float(highs.getInfo().mip_dual_bound) / model.cost_scale
    return Outcome(
        ending=ending,
        values=np.array(highs.getSolution().col_value)[indices(model.x)] if found else None,
        bound=bound if np.isfinite(bound) else -np.inf,
    )


FEASIBLE = 2
"""HiGHS's kSolutionStatusFeasible, which highspy does not export as a value to compare with."""

_ENDINGS = {
    highspy.HighsModelStatus.kOptimal: Ending.OPTIMAL,
    highspy.HighsModelStatus.kInfeasible: Ending.INFEASIBLE,
    # Every variable here is bounded, so the other half of this status cannot be.
    highspy.HighsModelStatus.kUnboundedOrInfeasible: Ending.INFEASIBLE,
    highspy.HighsModelStatus.kTimeLimit: Ending.STOPPED,
    highspy.HighsModelStatus.kInterrupt: Ending.STOPPED,
    highspy.HighsModelStatus.kSolutionLimit: Ending.STOPPED,
    highspy.HighsModelStatus.kObjectiveTarget: Ending.STOPPED,
    highspy.HighsModelStatus.kObjectiveBound: Ending.STOPPED,
}


def read_ending(highs: Any) -> Ending:
    """How the last run ended.

    Raises
    ------
    SolverError
        For any state that is neither an answer nor a limit.
    """
    status = highs.getModelStatus()
    if status == highspy.HighsModelStatus.kNotset:
        raise SolverError(
            "HiGHS did not run: this process has used it with another number of threads"
            f" than {THREADS}"
        )
    if status not in _ENDINGS:
        raise SolverError(f"HiGHS ended with {highs.modelStatusToString(status)!r}")
    return _ENDINGS[status]


def indices(variables: list[Any]) -> Indices:
    """HiGHS's column of each variable, once the model is loaded."""
    return np.array([variable.index for variable in variables], dtype=np.intp)


class InProcess(pulp.HiGHS):  # type: ignore[misc]  # PuLP publishes no types
    """PuLP's HiGHS, building the model in one call instead of one a column and a row."""

    def __init__(
        self,
        task: Task,
        scale: float,
        watch: Watch,
        known_bound: float | None = None,
        *,
        integer: bool = True,
    ) -> None:
        self.watch = watch
        self.scale = scale
        self.known_bound = known_bound
        self.start: tuple[list[Any], Floats] | None = None
        self.interrupted_by: BaseException | None = None
        self._reported_s = 0.0
        options: dict[str, Any] = {"random_seed": SEED}
        if task.brief:
            options |= {"mip_heuristic_effort": 0.5, "mip_max_nodes": task.nodes}
        if task.target is not None:
            options["objective_target"] = task.target * scale
        interrupts = highspy.cb.HighsCallbackType
        super().__init__(
            mip=integer,
            msg=False,
            gapRel=task.gap,
            gapAbs=0.0,
            threads=THREADS,
            timeLimit=watch.left_s if np.isfinite(watch.left_s) else None,
            callbackTuple=(self._interrupt, None),
            callbacksToActivate=[
                interrupts.kCallbackMipInterrupt,
                interrupts.kCallbackSimplexInterrupt,
                interrupts.kCallbackIpmInterrupt,
            ],
            **options,
        )

    def raise_interrupt(self) -> None:
        """Raise what a callback had to hold back while HiGHS was running."""
        if self.interrupted_by is not None:
            raise self.interrupted_by

    def buildSolverModel(self, lp: pulp.LpProblem) -> None:  # noqa: N802 (PuLP's name)
        """PuLP's model as one HiGHS model."""
        variables = lp.variables()
        for index, variable in enumerate(variables):
            variable.index = index
        lp.solverModel.passModel(_matrix(lp, variables, integer=self.mip))

    def callSolver(self, lp: pulp.LpProblem) -> None:  # noqa: N802
        """Run, from a start where there is one."""
        if self.start is not None:
            variables, values = self.start
            lp.solverModel.setSolution(len(values), indices(variables).astype(np.int32), values)
        lp.solverModel.run()

    def findSolutionValues(self, lp: pulp.LpProblem) -> tuple[int, int]:  # noqa: N802
        """What PuLP is told; nothing here reads it back (see the module's head)."""
        found = lp.solverModel.getInfo().primal_solution_status == FEASIBLE
        proven = lp.solverModel.getModelStatus() == highspy.HighsModelStatus.kOptimal
        if not found:
            return pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound
        kind = pulp.LpSolutionOptimal if proven else pulp.LpSolutionIntegerFeasible
        return pulp.LpStatusOptimal, kind

    def _interrupt(self, _kind: Any, _message: str, now: Any, answer: Any, _data: Any) -> None:
        """Called by HiGHS many times a second. An exception must not cross C++: it waits."""
        try:
            if self.watch.expired:
                answer.user_interrupt = True
            elif time.monotonic() - self._reported_s > REPORT_EVERY_S:
                self._reported_s = time.monotonic()
                self._report(now)
        except BaseException as error:  # noqa: BLE001 (KeyboardInterrupt and a caller's callback)
            self.interrupted_by = error
            answer.user_interrupt = True

    def _report(self, now: Any) -> None:
        incumbent = now.mip_primal_bound / self.scale if self.mip else np.inf
        bound = self.known_bound
        if bound is None and self.mip and np.isfinite(now.mip_dual_bound):
            bound = now.mip_dual_bound / self.scale
        self.watch.report(incumbent if 0 < incumbent < np.inf else None, bound)


def _matrix(lp: pulp.LpProblem, variables: list[Any], *, integer: bool) -> Any:
    """The problem as HiGHS's own row-wise arrays."""
    rows = lp.constraints()
    objective = lp.objective
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(variables), len(rows)
    model.offset_ = float(objective.constant)
    model.col_cost_ = np.array([objective.get(v, 0.0) for v in variables], dtype=np.float64)
    model.col_lower_ = np.array([v.lowBound for v in variables], dtype=np.float64)
    model.col_upper_ = np.array([v.upBound for v in variables], dtype=np.float64)
    if integer:
        kinds = highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger
        model.integrality_ = [kinds[v.cat == pulp.LpInteger] for v in variables]
    model.row_lower_ = np.array([_bound(row.getLb(), -np.inf) for row in rows])
    model.row_upper_ = np.array([_bound(row.getUb(), np.inf) for row in rows])
    sizes = [len(row) for row in rows]
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.start_ = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int32)
    matrix.index_ = np.array([v.index for row in rows for v, _ in row.items()], dtype=np.int32)
    matrix.value_ = np.array([w for row in rows for _, w in row.items()], dtype=np.float64)
    return model


def _bound(value: float | None, default: float) -> float:
    return default if value is None else float(value)
