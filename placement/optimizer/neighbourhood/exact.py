"""What is left once a plan is known: pairs that could be in a cheaper one, as a core programme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.errors import SolverError
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.highs import Ending, Task
from placement.optimizer.neighbourhood.pairs import Incidence, Pairs
from placement.optimizer.polish.program import Program
from placement.optimizer.progress import Watch

ROUNDING = 1e-9
"""Relative: what sums of floats may be off."""


@dataclass(frozen=True)
class Verdict:
    """What the core programme says of the whole problem."""

    bound: float
    """No plan costs less, EUR a year; inf where there is none."""
    sites: Indices | None
    """A plan, not necessarily cheaper than the one known."""


def open_pairs(pairs: Pairs, reduced: Floats, bound: float, objective: float) -> Flags:
    """(U, S) pairs that could be in a plan cheaper than `objective`.

    A plan with the pair u, s costs at least L(p) + r_us, so that a pair goes where this is
    not below what a cheaper plan costs at most: objective - 1 where all costs are whole numbers.
    """
    most = objective - (1.0 if pairs.whole else 0.0)
    kept: Flags = np.isfinite(pairs.cost)
    if np.isfinite(objective):
        kept &= bound + reduced <= most + ROUNDING * abs(objective)
    return kept


def solve_core(
    pairs: Pairs, kept: Flags, watch: Watch, *, start: Indices | None, objective: float
) -> Verdict:
    """The cheapest plan over the pairs kept, from the plan known.

    Raises
    ------
    OutOfTime, SolverError
    """
    if start is not None:
        if not kept.any(axis=1).all():
            return Verdict(objective, None)
        kept = kept.copy()
        kept[np.arange(pairs.units), start] = True
    unit, site = np.nonzero(kept)
    if len(np.unique(unit)) < pairs.units:
        return Verdict(np.inf, None)
    program = _program(pairs, unit, site)
    values = None if start is None else (start[unit] == site).astype(np.float64)
    answer = program.solve(Task(), watch, start=values)
    if answer.ending is Ending.INFEASIBLE:
        if start is not None:
            raise SolverError("HiGHS finds no plan where one is known")
        return Verdict(np.inf, None)
    bound = min(objective, pairs.rounded(answer.bound))
    if answer.values is None:
        return Verdict(bound, None)
    chosen = answer.values > 0.5
    return Verdict(bound, site[chosen])


def _program(pairs: Pairs, unit: Indices, site: Indices) -> Program:
    program = Program(pairs.cost[unit, site], np.ones(len(unit)))
    column = np.arange(len(unit))
    starts = np.searchsorted(unit, np.arange(pairs.units + 1))
    for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        program.add(column[a:b], np.ones(b - a), 1.0, equal=True)
    for incidence in (pairs.own, pairs.shared):
        for row in np.unique(incidence.rows[incidence.rows >= 0]).tolist():
            columns, weights = _entries(incidence, unit, site, row)
            if len(columns):
                program.add(columns, weights, float(pairs.rhs[row]))
    return program


def _entries(
    incidence: Incidence, unit: Indices, site: Indices, row: int
) -> tuple[Indices, Floats]:
    columns, weights = [], []
    for k in range(incidence.rows.shape[1]):
        here = np.flatnonzero(incidence.rows[site, k] == row)
        columns.append(here)
        weights.append(incidence.weights[unit[here], site[here], k])
    column, weight = np.concatenate(columns), np.concatenate(weights)
    return column[weight != 0.0], weight[weight != 0.0]
