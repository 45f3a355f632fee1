"""Plans from prices and messages: decoded, fused, repaired, improved by single moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.pricing.dual import fold
from placement.optimizer.progress import Watch
from placement.optimizer.relations.dual import Dual
from placement.optimizer.relations.moves import count_all, decode, descend, replica_sums
from placement.optimizer.relations.part import Plan
from placement.optimizer.relations.tables import Tables

BLOCK = 1 << 15
"""Units looked at between two looks at the clock."""
LEAST = 1e-9
"""EUR a year: a move that brings less is rounding."""
FIRST_FINE = 0.01
"""Fine for overloads at first, in prices of the row."""
RAISE = 2.0
PASSES = 30
FORBIDDING = 1e15
"""EUR per unit of excess: never worth it."""


def new_plan(problem: ArrayProblem, tables: Tables, at: Indices) -> Plan:
    """A plan of given sites, counted."""
    width = int(problem.replicas.max(initial=1))
    sites = np.full((problem.units, width), -1, dtype=np.intp)
    given = at.reshape(problem.units, -1)
    sites[:, : given.shape[1]] = given
    plan = Plan(
        sites,
        np.zeros(len(problem.rows)),
        np.zeros((len(problem.segregations), 3), dtype=np.intp),
    )
    count_all(tables, plan.at, plan.totals, plan.held)
    return plan


def visits(dual: Dual) -> Iterator[Indices]:
    """Orders in which units are decided: those with most at stake first, then other ways."""
    stake = -dual.stake
    yield np.argsort(stake, kind="stable")
    yield dual.order
    yield np.ascontiguousarray(dual.order[::-1])
    rng = np.random.default_rng(0)
    while True:
        yield rng.permutation(len(stake))


def decoded(dual: Dual, tables: Tables, order: Indices, watch: Watch) -> Plan:
    """A plan that is good at the prices; rows may be overloaded."""
    problem = dual.problem
    plan = new_plan(problem, tables, np.full((problem.units, 1), -1, dtype=np.intp))
    for begin in range(0, len(order), BLOCK):
        watch.check()
        decode(
            tables,
            dual.theta,
            dual.messages,
            order[begin : begin + BLOCK],
            plan.at,
            plan.held,
            plan.totals,
            dual.replicas,
        )
    settle(dual, tables, plan, order, watch)
    return plan


def settle(dual: Dual, tables: Tables, plan: Plan, order: Indices, watch: Watch) -> None:
    """Single moves until none helps at the prices, rows not looked at."""
    folded = fold(dual.problem, dual.prices)
    free = np.zeros(len(plan.totals))
    for _ in range(6):
        if not passes(tables, folded, free, plan, order, watch):
            break


def passes(
    tables: Tables, cost: Floats, fine: Floats, plan: Plan, order: Indices, watch: Watch
) -> int:
    """Once over all units, with an eye on the clock; moves made."""
    moved = 0
    for begin in range(0, len(order), BLOCK):
        watch.check()
        units = order[begin : begin + BLOCK]
        moved += descend(tables, cost, fine, plan.at, plan.totals, plan.held, units, LEAST)
    return moved


def repair(dual: Dual, tables: Tables, plan: Plan, watch: Watch) -> bool:
    """Fines on overloads grow until no row is overloaded; whether that came about."""
    folded = fold(dual.problem, dual.prices)
    fine = FIRST_FINE * _typical(dual)
    for _ in range(PASSES):
        over = plan.totals > tables.limit
        if not over.any():
            return True
        passes(tables, folded, fine, plan, dual.order, watch)
        fine = np.where(plan.totals > tables.limit, fine * RAISE, fine)
    return not (plan.totals > tables.limit).any()


def _typical(dual: Dual) -> Floats:
    """(R,) a price for every row: its own, or what is at stake per unit of what fills it."""
    priced = dual.prices * np.abs(dual.problem.rhs)
    middle = float(np.median(priced[priced > 0])) if (priced > 0).any() else abs(dual.value())
    return np.maximum(dual.prices, 0.1 * middle / np.maximum(np.abs(dual.problem.rhs), 1.0))


def improve(dual: Dual, tables: Tables, plan: Plan, watch: Watch) -> None:
    """Single moves that cost less and overload nothing."""
    forbid = np.full(len(plan.totals), FORBIDDING)
    for _ in range(6):
        if not passes(tables, dual.problem.cost, forbid, plan, dual.order, watch):
            break


def fuse(dual: Dual, tables: Tables, plan: Plan, other: Plan) -> Plan:
    """The better of two plans wherever they differ, at the prices, rows not looked at.

    Units that differ and are related belong together: each connected piece is taken from either
    plan, whichever is cheaper there (fusion moves: Lempitsky et al. 2010).
    """
    differ: Flags = (plan.at != other.at).any(axis=1)
    if not differ.any() or len(dual.problem.segregations):
        return min((plan, other), key=lambda p: lagrangian(dual, tables, p))
    piece = _pieces(dual.problem, differ)
    delta = np.zeros(int(piece.max()) + 1)
    folded = fold(dual.problem, dual.prices)
    for sign, one in ((1.0, other), (-1.0, plan)):
        sums = np.zeros(len(delta))
        replica_sums(tables, folded, one.at, differ, piece, sums)
        delta += sign * sums
    taken = differ & (delta[piece] < -LEAST)
    return new_plan(dual.problem, tables, np.where(taken[:, None], other.at, plan.at))


def _pieces(problem: ArrayProblem, differ: Flags) -> Indices:
    """(U,) number of the connected piece of units that differ."""
    ends = [
        (pairs[0][both], pairs[1][both])
        for pairs in (
            (problem.lineage.source, problem.lineage.derived),
            (problem.replicated.source, problem.replicated.derived),
            (problem.apart.first, problem.apart.second),
        )
        for both in [differ[pairs[0]] & differ[pairs[1]]]
    ]
    first, second = (np.concatenate([end[k] for end in ends]) for k in range(2))
    shape = (problem.units, problem.units)
    matrix = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=shape)
    piece: Indices = connected_components(matrix, directed=False)[1].astype(np.intp)
    return piece


def lagrangian(dual: Dual, tables: Tables, plan: Plan) -> float:
    """What a plan costs at the prices, meetings and overloads aside, EUR a year."""
    everybody = np.ones(dual.problem.units, dtype=np.bool_)
    sums = np.zeros(1)
    piece = np.zeros(dual.problem.units, dtype=np.intp)
    folded = fold(dual.problem, dual.prices)
    replica_sums(tables, folded, plan.at, everybody, piece, sums)
    return float(sums[0] - dual.prices @ dual.problem.rhs)
