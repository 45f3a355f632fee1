"""The exact linear programme over a few near ties, all other units staying where they are.

Prices p0 are given; the programme corrects them by delta within a box. With x_us the number of
equal units of u at site s, d_us = c'_us - c'_u,best >= 0 at p0,

    minimise  sum_us d_us x_us + sum_r (up_r over_r + down_r under_r)
    [row r]   sum_us (w_rus - w_ru,best) x_us - over_r + under_r = b_r - total_r
    [unit u]  sum_s x_us <= m_u,   x >= 0

where x counts what leaves the best site. Its value plus L's own at p0 is the value of the dual at
p0 + delta, with all other units linear; delta is minus the dual of [row], and lies in
-down..up. Nothing moved and delta = 0 is dual feasible: the dual simplex method starts from the
prices it was given. (x is a share of m_u in the programme, so that merged units weigh more and
count the same.) A unit with n replicas has all pairs, an equality and a row for each operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, diags_array, eye_array, hstack, vstack

from placement.errors import SolverError
from placement.optimizer.arrays.problem import ArrayProblem, pair_weights
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.highs import SEED, THREADS
from placement.optimizer.progress import Watch

DEAREST = 1e4
"""Largest cost that HiGHS sees, whose tolerances are absolute: 1e-7."""


@dataclass(frozen=True)
class CoreTask:
    """What is to be solved."""

    problem: ArrayProblem
    """The core's units."""
    costs: Floats
    """(n, S) c' at the prices given, infinite for pairs left out; the best ones are in."""
    best: Indices
    """(n, most) sites of the choice at these prices, -1 behind a unit's last."""
    slack: Floats
    """(R,) b_r less what all units of the whole problem take at these prices."""
    prices: Floats
    """(R,) the prices given."""
    down: Floats
    """(R,) how far each price may fall,"""
    up: Floats
    """(R,) and rise."""


@dataclass(frozen=True)
class CoreAnswer:
    """The solution of the programme."""

    gain: float
    """EUR a year by which its placement costs more than L at the prices given, before rounding."""
    delta: Floats
    """(R,) change of prices."""
    shares: Floats
    """(n, S) x: how many of a unit's datasets rest where."""
    overflow: float
    """EUR a year paid for what exceeds a row: 0 where its placement meets all rows."""


@dataclass(frozen=True)
class _Programme:
    """The programme before it is scaled: columns of pairs, then over and under for each row."""

    unit: Indices
    """(C,) unit and site of each pair with a variable: the share of the unit that rests there."""
    site: Indices
    costs: Floats
    """(C,)"""
    coupling: csc_matrix
    """(R, C)"""
    room: Floats
    """(R,) right-hand sides of [row]."""
    lines: csc_matrix
    """(L, C) ones: [unit] and [operator] rows."""
    least: Floats
    """(L,)"""
    most: Floats
    constant: float
    """EUR a year that the programme counts and the least costs at the prices given count too."""


def _programme(task: CoreTask) -> _Programme:
    problem = task.problem
    replicas = problem.replicas[problem.class_of]
    single = replicas == 1
    there = np.isfinite(task.costs)
    there[single, task.best[single, 0]] = False
    unit, site = np.nonzero(there)
    counts = problem.counts[unit]
    alone = single[unit]
    home = task.best[:, 0]
    least = task.costs[np.arange(len(home)), home]
    costs = (task.costs[unit, site] - np.where(alone, least[unit], 0.0)) * counts
    room = task.slack.copy()
    constant = 0.0
    several = np.flatnonzero(~single)
    parts = []
    for r, row in enumerate(problem.rows):
        weights = pair_weights(problem, row, np.arange(problem.units))
        place = np.full(problem.sites + 1, len(row.sites))
        place[row.sites] = np.arange(len(row.sites))
        padded = np.pad(weights, ((0, 0), (0, 1)))
        at_home = np.where(alone, padded[unit, place[home[unit]]], 0.0)
        parts.append(csr_matrix(((padded[unit, place[site]] - at_home) * counts)[None, :]))
        if len(several):
            taken = padded[several[:, None], place[task.best[several]]].sum(axis=1)
            room[r] += float((taken * problem.counts[several]).sum())
    if len(several):
        at = task.best[several]
        taken = np.where(at >= 0, task.costs[several[:, None], at], 0.0).sum(axis=1)
        constant = float((taken * problem.counts[several]).sum())
    lines, low, high = _lines(problem, unit, site, replicas)
    coupling = csc_matrix(vstack(parts)) if parts else csc_matrix((0, len(unit)))
    return _Programme(unit, site, costs, coupling, room, lines, low, high, constant)


def _lines(
    problem: ArrayProblem, unit: Indices, site: Indices, replicas: Indices
) -> tuple[csc_matrix, Floats, Floats]:
    """Rows that keep the shares of a unit together; one pair alone needs none but its bound."""
    of_unit = np.bincount(unit, minlength=problem.units)
    wanted = (replicas > 1) | (of_unit > 1)
    row_of = np.cumsum(wanted) - 1
    kept = wanted[unit]
    columns = np.arange(len(unit))
    several = replicas[wanted] > 1
    low = np.where(several, replicas[wanted], -np.inf).astype(np.float64)
    high = np.where(several, replicas[wanted], 1.0).astype(np.float64)
    rows, entries = [row_of[unit[kept]]], [columns[kept]]
    more = columns[replicas[unit] > 1]
    operators = int(problem.operator_of.max()) + 1
    pairs = unit[more] * operators + problem.operator_of[site[more]]
    distinct, which = np.unique(pairs, return_inverse=True)
    rows.append(len(low) + which.ravel())
    entries.append(more)
    row, column = np.concatenate(rows), np.concatenate(entries)
    low = np.concatenate([low, np.full(len(distinct), -np.inf)])
    high = np.concatenate([high, np.ones(len(distinct))])
    shape = len(low), len(unit)
    return coo_matrix((np.ones(len(row)), (row, column)), shape=shape).tocsc(), low, high


def solve_core(task: CoreTask, watch: Watch) -> CoreAnswer:
    """Solve it.

    Raises
    ------
    OutOfTime
        Where the watch ran out.
    SolverError
        Where HiGHS fails.
    """
    programme = _programme(task)
    rows = len(programme.room)
    largest = np.ones(rows)
    if rows and len(programme.unit):
        largest = np.abs(programme.coupling).max(axis=1).toarray().ravel()
    row_scale = 1.0 / np.where(largest > 0.0, largest, 1.0)
    money = DEAREST / (float(np.abs(programme.costs).max(initial=0.0)) or DEAREST)
    model = _model(task, programme, row_scale, money)
    highs = _solved(model, watch)
    solution = highs.getSolution()
    values = np.array(solution.col_value)
    pairs = len(programme.unit)
    over, under = values[pairs : pairs + rows], values[pairs + rows : pairs + 2 * rows]
    kept = float((under * task.prices / row_scale).sum())
    delta = -np.array(solution.row_dual)[:rows] * row_scale / money
    return CoreAnswer(
        gain=float(programme.costs @ values[:pairs]) - programme.constant + kept,
        delta=np.clip(delta, -task.down, task.up),
        shares=_shares(task, programme, values[:pairs]),
        overflow=float((over * task.up / row_scale).sum()),
    )


def _model(task: CoreTask, programme: _Programme, row_scale: Floats, money: float) -> Any:
    """The scaled programme, as HiGHS takes it."""
    rows, pairs = len(programme.room), len(programme.unit)
    scaled = diags_array(row_scale) @ programme.coupling
    elastic = hstack([-eye_array(rows), eye_array(rows)])
    blank = csc_matrix((programme.lines.shape[0], 2 * rows))
    matrix = csc_matrix(vstack([hstack([scaled, elastic]), hstack([programme.lines, blank])]))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = matrix.shape[1], matrix.shape[0]
    prices = np.concatenate([task.up, task.down]) / np.concatenate([row_scale, row_scale])
    model.col_cost_ = money * np.concatenate([programme.costs, prices])
    model.col_lower_ = np.zeros(matrix.shape[1])
    model.col_upper_ = np.concatenate([np.ones(pairs), np.full(2 * rows, np.inf)])
    room = programme.room * row_scale
    model.row_lower_ = np.concatenate([room, programme.least])
    model.row_upper_ = np.concatenate([room, programme.most])
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = matrix.indptr.astype(np.int32)
    model.a_matrix_.index_ = matrix.indices.astype(np.int32)
    model.a_matrix_.value_ = matrix.data
    return model


def _solved(model: Any, watch: Watch) -> Any:
    """HiGHS after an optimal run."""
    highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    options = {
        "output_flag": False,
        "threads": THREADS,
        "random_seed": SEED,
        "solver": "simplex",
        "presolve": "off",
    }
    for name, value in options.items():
        highs.setOptionValue(name, value)
    if np.isfinite(watch.left_s):
        highs.setOptionValue("time_limit", watch.left_s)

    def interrupt(_kind: Any, _message: str, _now: Any, answer: Any, _data: Any) -> None:
        if watch.expired:
            answer.user_interrupt = True

    highs.setCallback(interrupt, None)
    highs.startCallback(highspy.cb.HighsCallbackType.kCallbackSimplexInterrupt)
    highs.passModel(model)
    highs.run()
    watch.check()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise SolverError(f"HiGHS ended with {highs.modelStatusToString(status)!r}")
    return highs


def _shares(task: CoreTask, programme: _Programme, values: Floats) -> Floats:
    """(n, S) datasets of each unit at each site."""
    problem = task.problem
    shares = np.zeros(task.costs.shape)
    shares[programme.unit, programme.site] = np.clip(values, 0.0, 1.0)
    single = np.flatnonzero(problem.replicas[problem.class_of] == 1)
    rest = 1.0 - shares[single].sum(axis=1)
    shares[single, task.best[single, 0]] = np.maximum(0.0, rest)
    answer: Floats = shares * problem.counts[:, None]
    return answer
