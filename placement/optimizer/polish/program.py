"""An integer programme from arrays: PuLP variables and rows, solved by HiGHS in this process."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import pulp

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.highs import FEASIBLE, Ending, InProcess, Task, read_ending
from placement.optimizer.progress import Watch

LARGEST_COEFFICIENT = 2.0**20
"""HiGHS holds rows to an absolute 1e-6, so rows are scaled, by a power of two, to this."""
LARGEST_COST = 2.0**17


@dataclass(frozen=True)
class Answer:
    """What HiGHS says, in EUR a year."""

    ending: Ending
    values: Floats | None
    """(C,) the first C variables, rounded to whole numbers; none without a plan."""
    bound: float
    """Proven by HiGHS; minus infinity where it has proven nothing."""


class Program:
    """Minimise offset + sum_j c_j x_j over whole numbers 0 <= x_j <= upper_j, and rows.

    Variables are named by number, padded with zeros, because PuLP sorts by name.

    Parameters
    ----------
    whole
        (C,) variables that are whole numbers; all where not given.
    """

    def __init__(
        self, cost: Floats, upper: Floats, offset: float = 0.0, whole: Flags | None = None
    ) -> None:
        self.problem = pulp.LpProblem("placement", pulp.LpMinimize)
        make = self.problem.add_variable
        self.columns = len(cost)
        self._cost = cost.tolist()
        self._offset = offset
        self.scales: list[float] = []
        kinds = [True] * len(cost) if whole is None else whole.tolist()
        self._x: list[Any] = [
            make(f"x_{j:08d}", 0, most, cat=pulp.LpInteger if kind else pulp.LpContinuous)
            for j, (most, kind) in enumerate(zip(upper.tolist(), kinds, strict=True))
        ]

    @property
    def size(self) -> int:
        """Variables so far."""
        return len(self._x)

    def shares(self, cost: Floats) -> Indices:
        """New continuous variables between 0 and 1, and what each costs."""
        begin = len(self._x)
        make = self.problem.add_variable
        for j, price in enumerate(cost.tolist(), begin):
            self._x.append(make(f"y_{j:08d}", 0, 1))
            self._cost.append(price)
        return np.arange(begin, len(self._x))

    def spare(self, cost: float, most: float) -> int:
        """A new continuous variable between 0 and `most`."""
        j = len(self._x)
        self._x.append(self.problem.add_variable(f"y_{j:08d}", 0, most))
        self._cost.append(cost)
        return j

    def add(self, columns: Indices, weights: Floats, rhs: float, *, equal: bool = False) -> None:
        """sum_j weights_j x_j <= rhs, or =; every variable at most once."""
        scale = row_scale(weights)
        self.scales.append(scale)
        x = self._x
        pairs = zip([x[j] for j in columns.tolist()], (weights * scale).tolist(), strict=True)
        sense = pulp.LpConstraintEQ if equal else pulp.LpConstraintLE
        name = f"r_{self.problem.numConstraints():08d}"
        expression = pulp.LpAffineExpression(list(pairs))
        self.problem.addConstraint(pulp.LpConstraint(expression, sense, name, rhs * scale))

    def solve(
        self, task: Task, watch: Watch, *, start: Floats | None = None, known: float | None = None
    ) -> Answer:
        """Run HiGHS once.

        Parameters
        ----------
        start
            (C,) values of a plan to start from.
        known
            A bound for progress reports, EUR a year.

        Raises
        ------
        SolverError
            Where HiGHS ends in a state that is neither an answer nor a limit.
        """
        scale = self._finish()
        solver = InProcess(task, scale, watch, known)
        if start is not None:
            solver.start = self._x[: len(start)], start
        self.problem.solve(solver)
        solver.raise_interrupt()
        highs = self.problem.solverModel
        found = highs.getInfo().primal_solution_status == FEASIBLE
        bound = float(highs.getInfo().mip_dual_bound) / scale
        values = np.array(highs.getSolution().col_value)[: self.columns] if found else None
        return Answer(
            ending=read_ending(highs),
            values=None if values is None else np.rint(values),
            bound=bound if np.isfinite(bound) else -np.inf,
        )

    def relaxed(self, watch: Watch) -> Relaxed:
        """The linear relaxation, loaded into HiGHS, to be changed and run again."""
        scale = self._finish()
        solver = InProcess(Task(), scale, watch, integer=False)
        solver.createAndConfigureSolver(self.problem)
        solver.buildSolverModel(self.problem)
        return Relaxed(self, solver, scale, watch)

    def _finish(self) -> float:
        cost = np.array(self._cost)
        scale = power_of_two(cost, LARGEST_COST)
        objective = zip(self._x, (cost * scale).tolist(), strict=True)
        self.problem.setObjective(pulp.LpAffineExpression(list(objective), self._offset * scale))
        return scale


class Relaxed:
    """A linear relaxation that stays loaded: every run continues from the last basis."""

    def __init__(self, program: Program, solver: InProcess, scale: float, watch: Watch) -> None:
        self._highs: Any = program.problem.solverModel
        self._solver, self._watch, self._scale = solver, watch, scale
        self._columns, self._scales = program.columns, np.array(program.scales)
        self._highs.setOptionValue("presolve", "off")
        self._highs.setOptionValue("solver", "simplex")

    def bound(self, columns: Indices, least: Floats, most: Floats) -> None:
        """Change bounds."""
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), least, most)

    def run(self) -> float:
        """EUR a year, inf where infeasible.

        Raises
        ------
        OutOfTime, SolverError
        """
        if self._run(self._highs.getRunTime()) is not Ending.OPTIMAL:
            return np.inf
        return float(self._highs.getInfo().objective_function_value) / self._scale

    def run_whole(self, columns: Indices, nodes: int, gap: float) -> Floats | None:
        """(C,) values of a good solution with these columns whole; none where none was found.

        The next run is that of the relaxation again.

        Raises
        ------
        OutOfTime, SolverError
        """
        which = columns.astype(np.int32)
        options = {"presolve": "choose", "mip_max_nodes": nodes, "mip_rel_gap": gap}
        before = {name: self._highs.getOptionValue(name)[1] for name in options}
        for name, value in options.items():
            self._highs.setOptionValue(name, value)
        self._highs.changeColsIntegrality(
            len(which), which, np.full(len(which), highspy.HighsVarType.kInteger)
        )
        try:
            self._run(0.0)  # an integer programme's clock begins anew
            found = self._highs.getInfo().primal_solution_status == FEASIBLE
            return self.values() if found else None
        finally:
            for name, value in before.items():
                self._highs.setOptionValue(name, value)
            self._highs.changeColsIntegrality(
                len(which), which, np.full(len(which), highspy.HighsVarType.kContinuous)
            )

    def _run(self, spent_s: float) -> Ending:
        self._watch.check()
        if np.isfinite(self._watch.left_s):
            self._highs.setOptionValue("time_limit", float(spent_s + self._watch.left_s))
        self._highs.run()
        self._solver.raise_interrupt()
        ending = read_ending(self._highs)
        self._watch.check()
        return ending

    def values(self) -> Floats:
        """(C,) of the last run."""
        return np.array(self._highs.getSolution().col_value)[: self._columns]

    def duals(self) -> Floats:
        """(rows,) EUR a year per unit of each row's right-hand side, never positive for <= rows."""
        dual = np.array(self._highs.getSolution().row_dual)
        unscaled: Floats = dual * self._scales / self._scale
        return unscaled


@contextmanager
def building() -> Iterator[None]:
    """Many small objects are made: the collector would visit every one in vain."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def power_of_two(values: Floats, largest: float) -> float:
    """The power of two that brings the largest absolute value just below `largest`."""
    peak = float(np.abs(values).max(initial=0.0))
    return 2.0 ** math.floor(math.log2(largest / peak)) if peak > 0 else 1.0


def row_scale(weights: Floats) -> float:
    """The power of two by which a row is handed to HiGHS."""
    peak = float(np.abs(weights).max(initial=0.0))
    if peak == 0 or 1.0 <= peak <= LARGEST_COEFFICIENT:
        return 1.0
    return power_of_two(weights, LARGEST_COEFFICIENT)
