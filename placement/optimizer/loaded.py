"""A model that stays loaded in HiGHS, to be changed and run again from where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from placement.errors import SolverError
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.highs import Ending, InProcess, Task, indices, read_ending
from placement.optimizer.model import Model
from placement.optimizer.progress import Watch


@dataclass(frozen=True)
class Bounds:
    """Bounds of all R rows and C columns, as HiGHS holds them (rows are scaled)."""

    lower: Floats
    upper: Floats
    least: Floats
    most: Floats

    def copy(self) -> Bounds:
        """Arrays to change."""
        return Bounds(self.lower.copy(), self.upper.copy(), self.least.copy(), self.most.copy())

    def free(self, rows: Indices) -> None:
        """Take rows out."""
        self.lower[rows], self.upper[rows] = -np.inf, np.inf


@dataclass(frozen=True)
class Entries:
    """The coefficients of the scaled rows, one entry each."""

    row: Indices
    column: Indices
    value: Floats


class Loaded:
    """A finished model in HiGHS.

    `integer` keeps x integer; without it, the model is its linear relaxation and runs continue
    from the last basis.
    """

    def __init__(self, model: Model, watch: Watch, *, integer: bool) -> None:
        problem = model.finish()
        self._watch = watch
        self._solver = InProcess(Task(), model.cost_scale, watch, integer=integer)
        self._solver.createAndConfigureSolver(problem)
        self._solver.buildSolverModel(problem)
        self._highs: Any = problem.solverModel
        lp = self._highs.getLp()
        self.entries = _entries(lp.a_matrix_)
        self.cost = np.array(lp.col_cost_)
        self.bounds = Bounds(
            np.array(lp.row_lower_),
            np.array(lp.row_upper_),
            np.array(lp.col_lower_),
            np.array(lp.col_upper_),
        )
        self.x = indices(model.x)
        """Column of every x variable, in the model's order."""

    def solve(self, bounds: Bounds, *, afresh: bool = False) -> Ending:
        """Run under other bounds; `afresh` forgets the last basis."""
        highs = self._highs
        if afresh:
            highs.clearSolver()
        rows, columns = len(bounds.lower), len(bounds.least)
        every_row, every_column = np.arange(rows), np.arange(columns)
        highs.changeRowsBounds(rows, every_row.astype(np.int32), bounds.lower, bounds.upper)
        highs.changeColsBounds(columns, every_column.astype(np.int32), bounds.least, bounds.most)
        if np.isfinite(self._watch.left_s):
            highs.setOptionValue("time_limit", float(highs.getRunTime() + self._watch.left_s))
        highs.run()
        self._solver.raise_interrupt()
        return read_ending(highs)

    def values(self) -> Floats:
        """(C,) the last run's solution."""
        return np.array(self._highs.getSolution().col_value)

    def row_duals(self) -> Floats:
        """(R,) the last run's dual values, of scaled rows and costs.

        Raises
        ------
        SolverError
            Where HiGHS has none.
        """
        solution = self._highs.getSolution()
        if not solution.dual_valid:
            raise SolverError("HiGHS gave no dual values for an optimal linear programme")
        return np.array(solution.row_dual)


def _entries(matrix: Any) -> Entries:
    """HiGHS keeps a matrix by rows or by columns, as it likes."""
    starts, inner = np.asarray(matrix.start_), np.asarray(matrix.index_).astype(np.intp)
    outer = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    by_row = matrix.format_ == highspy.MatrixFormat.kRowwise
    row, column = (outer, inner) if by_row else (inner, outer)
    return Entries(row, column, np.array(matrix.value_))
