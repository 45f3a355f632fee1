"""The whole problem as one PuLP model, solved by HiGHS: the reference for every other way.

    minimise    sum_us c_us x_us + sum_es 12 f_e g_s z_es
    [assignment]          sum_s x_us = m_u n_u
    [rows]                sum_us w_rus x_us <= b_r
    [replica_separation]  sum_{s in o} x_us <= 1                     where n_u > 1
    [lineage]             z_es >= x_is - sum_{t in op(s)} x_jt
    [separation]          x_is + x_js <= 1, or the same by operator
    [segregation]         x_as <= y, x_bs <= y', sum_{d in both} x_ds + y + y' <= 1

x_us counts how many of the m_u equal units rest at s. HiGHS holds rows to a tolerance: every
answer is checked exactly, and one that overloads a row is cut off by a cover inequality
(Crowder, Johnson, Padberg 1983) or, where counts are above one, by a tighter row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from placement.errors import SolverError
from placement.optimizer.arrays.problem import (
    ArrayProblem,
    Row,
    pair_costs,
    pair_weights,
    row_totals,
)
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.highs import Ending, Task
from placement.optimizer.polish.program import Program, building
from placement.optimizer.polish.relating import add_relations
from placement.optimizer.progress import Watch

ROUNDING = 1e-12


@dataclass(frozen=True)
class Pairs:
    """The (unit, site) pairs that a model has a variable for, C of them, by unit and site."""

    unit: Indices
    site: Indices
    column: Indices
    """(U, S) column of a pair, -1 for none."""

    @classmethod
    def of(cls, allowed: Flags) -> Pairs:
        """All pairs allowed."""
        unit, site = np.nonzero(allowed)
        column = np.full(allowed.shape, -1, dtype=np.intp)
        column[unit, site] = np.arange(len(unit))
        return cls(unit, site, column)


@dataclass(frozen=True)
class Verdict:
    """How one run over some pairs ended, in EUR a year."""

    ending: Ending
    x: Indices | None
    """(U, S) how many of each unit rest where; no row is overloaded."""
    bound: float
    """No plan over these pairs costs less; minus infinity where nothing is proven."""


@dataclass(frozen=True)
class Cut:
    """sum of x over `columns` <= limit."""

    columns: Indices
    limit: float


@dataclass
class Whole:
    """One problem over some of its pairs, solved until the answer holds exactly.

    Parameters
    ----------
    allowed
        (U, S) pairs that may be used; all open ones where not given.
    """

    problem: ArrayProblem
    allowed: Flags | None = None
    cuts: list[Cut] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.coupling: Indices = np.empty(0, dtype=np.intp)
        given = self.problem.open[self.problem.class_of]
        self.pairs = Pairs.of(given if self.allowed is None else self.allowed & given)
        self._shrunk = np.zeros(len(self.problem.rows))
        units = np.arange(self.problem.units)
        self._rows = [_entries(self.problem, row, self.pairs, units) for row in self.problem.rows]

    def solve(
        self,
        task: Task,
        watch: Watch,
        *,
        start: Indices | None = None,
        known: float | None = None,
    ) -> Verdict:
        """Run HiGHS until its answer overloads no row.

        Parameters
        ----------
        start
            (U, S) counts of a plan to start from.

        Raises
        ------
        OutOfTime, SolverError
        """
        bound = -np.inf
        while True:
            watch.check()
            with building():
                program = self.program()
            first = None if start is None else start[self.pairs.unit, self.pairs.site]
            answer = program.solve(
                task, watch, start=None if first is None else first.astype(float), known=known
            )
            if not self._shrunk.any():
                bound = max(bound, answer.bound)
            if answer.values is None:
                proven = answer.ending is Ending.INFEASIBLE and not self._shrunk.any()
                ending = answer.ending if proven else Ending.STOPPED
                return Verdict(ending, None, bound)
            if not self._cut_off(answer.values):
                ending = Ending.STOPPED if self._shrunk.any() else answer.ending
                return Verdict(ending, self._matrix(answer.values), bound)
            if watch.expired:
                return Verdict(Ending.STOPPED, None, bound)

    def mixed(self, whole: Flags, task: Task, watch: Watch) -> tuple[Indices | None, float]:
        """The cheapest sites of some units as if all others could be split, and a bound.

        Parameters
        ----------
        whole
            (U,) the units that may not be split.

        Returns
        -------
        (U, S) copies of those units, none of the others; nothing where HiGHS found none. And what
        no plan costs less than, EUR a year: inf where there is none.

        Raises
        ------
        OutOfTime, SolverError
        """
        watch.check()
        with building():
            program = self.program(whole=whole)
        answer = program.solve(task, watch)
        bound = np.inf if answer.ending is Ending.INFEASIBLE else answer.bound
        if answer.values is None:
            return None, bound
        placed = self._matrix(answer.values)
        placed[~whole] = 0
        return placed, bound

    def program(self, *, free: bool = False, whole: Flags | None = None) -> Program:
        """The model, before it is solved; see `prices` for free ones, `mixed` for whole ones."""
        problem, pairs = self.problem, self.pairs
        cost = pair_costs(problem, np.arange(problem.units))[pairs.unit, pairs.site]
        wanted = problem.counts * problem.replicas[problem.class_of]
        integer = None if whole is None else whole[pairs.unit]
        program = Program(cost * (not free), problem.counts[pairs.unit], whole=integer)
        self._add_assignment(program, wanted)
        self.coupling = np.full(len(problem.rows), -1, dtype=np.intp)
        for r, ((columns, weights), row, less) in enumerate(
            zip(self._rows, problem.rows, self._shrunk.tolist(), strict=True)
        ):
            if can_bind(pairs, columns, weights, wanted, row.rhs):
                self.coupling[r] = len(program.scales)
                if free:
                    self._add_elastic(program, row, columns, weights)
                else:
                    program.add(columns, weights, row.rhs - less)
        add_relations(program, problem, pairs.column)
        for cut in self.cuts:
            program.add(cut.columns, np.ones(len(cut.columns)), cut.limit)
        return program

    def _add_elastic(self, program: Program, row: Row, columns: Indices, weights: Floats) -> None:
        """A row that may be overloaded, at one EUR for as much as its heaviest pair weighs."""
        heaviest = float(np.abs(weights).max(initial=0.0)) or 1.0
        most = float(np.abs(weights) @ self.problem.counts[self.pairs.unit[columns]])
        over = program.spare(1.0 / heaviest, most + max(0.0, -row.rhs))
        program.add(np.append(columns, over), np.append(weights, -1.0), row.rhs)

    def prices(self, watch: Watch, *, free: bool = False) -> Floats | None:
        """(R,) of the coupling rows, from the linear relaxation; none where that is infeasible.

        Parameters
        ----------
        free
            Nothing costs anything but overloading rows: where a problem has no plan, its prices
            are a ray along which the bound grows.

        Raises
        ------
        OutOfTime, SolverError
        """
        with building():
            relaxed = self.program(free=free).relaxed(watch)
        if not np.isfinite(relaxed.run()):
            return None
        priced = self.coupling >= 0
        prices = np.zeros(len(self.coupling))
        prices[priced] = np.maximum(0.0, -relaxed.duals()[self.coupling[priced]])
        return prices

    def _add_assignment(self, program: Program, wanted: Floats) -> None:
        starts = np.searchsorted(self.pairs.unit, np.arange(self.problem.units + 1)).tolist()
        for unit, amount in enumerate(wanted.tolist()):
            columns = np.arange(starts[unit], starts[unit + 1])
            program.add(columns, np.ones(len(columns)), amount, equal=True)

    def _matrix(self, values: Floats) -> Indices:
        x = np.zeros(self.pairs.column.shape, dtype=np.intp)
        x[self.pairs.unit, self.pairs.site] = values.astype(np.intp)
        return x

    def _cut_off(self, values: Floats) -> bool:
        """Whether rows are overloaded; if so, they are cut off."""
        totals = totals_of(self.problem, self._matrix(values))
        over = np.flatnonzero(totals > self.problem.rhs).tolist()
        for r in over:
            self._cut(r, values, float(totals[r] - self.problem.rows[r].rhs))
        return bool(over)

    def _cut(self, r: int, values: Floats, excess: float) -> None:
        columns, weights = self._rows[r]
        heaviest = np.argsort(-weights, kind="stable")
        used = columns[heaviest][values[columns[heaviest]] > 0]
        row = self.problem.rows[r]
        cumulated = np.cumsum(weights[heaviest][values[columns[heaviest]] > 0])
        single = bool((self.problem.counts[self.pairs.unit[used]] == 1).all())
        enough = int(np.searchsorted(cumulated, row.rhs * (1 + ROUNDING), side="right"))
        if single and weights.min(initial=0.0) >= 0.0 and enough < len(used):
            cut = Cut(np.sort(used[: enough + 1]), float(enough))
            if any(np.array_equal(cut.columns, known.columns) for known in self.cuts):
                raise SolverError(f"HiGHS keeps overloading {row.name}")
            self.cuts.append(cut)
            return
        self._shrunk[r] = max(2 * self._shrunk[r], 2 * excess, 1e-9 * abs(row.rhs))


def totals_of(problem: ArrayProblem, x: Indices) -> Floats:
    """(R,) what rests in each row, from (U, S) counts."""
    load = np.zeros((problem.classes, len(problem.features), problem.sites))
    starts = problem.starts()
    for k in np.flatnonzero(np.diff(starts)).tolist():
        units = slice(starts[k], starts[k + 1])
        load[k] = problem.features[:, units] @ x[units]
    return row_totals(problem, load)


def can_bind(pairs: Pairs, columns: Indices, weights: Floats, wanted: Floats, limit: float) -> bool:
    """Whether any choice of sites exceeds the limit: the heaviest site of each unit, summed."""
    heaviest = np.zeros(len(wanted))
    np.maximum.at(heaviest, pairs.unit[columns], weights)
    return bool(heaviest @ wanted > limit * (1 - ROUNDING) or limit < 0.0)


def _entries(
    problem: ArrayProblem, row: Row, pairs: Pairs, units: Indices
) -> tuple[Indices, Floats]:
    """Columns of a row, ascending, and their weights."""
    weights = pair_weights(problem, row, units)
    columns = pairs.column[:, row.sites]
    there = (columns >= 0) & (weights != 0.0)
    order = np.argsort(columns[there])
    return columns[there][order], weights[there][order]
