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
from placement.optimizer.relations.moves import count_all, decode, descend, margins, replica_sums
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
ROUNDS = 6
"""Times that units are tried for a better site, at most."""
MANY, NEAR = 50_000, 8
"""Units from which on repairs first move only one in so many, the nearest to a tie."""
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
    _until_none(dual, tables, fold(dual.problem, dual.prices), 0.0, plan, order, watch)


def _until_none(
    dual: Dual,
    tables: Tables,
    cost: Floats,
    fine: float,
    plan: Plan,
    order: Indices,
    watch: Watch,
) -> None:
    """Once over all units, then over those related to units that moved."""
    fines = np.full(len(plan.totals), fine)
    for _ in range(ROUNDS):
        before = plan.at.copy()
        if not passes(tables, cost, fines, plan, order, watch):
            break
        moved: Flags = (before != plan.at).any(axis=1)
        order = order[_related_to(dual.problem, moved)[order]]


def _related_to(problem: ArrayProblem, moved: Flags) -> Flags:
    """(U,) units with a relation to one of these, and those of them that have replicas."""
    near = moved & (problem.replicas[problem.class_of] > 1)
    for one, other in _relations(problem):
        near[one[moved[other]]] = True
        near[other[moved[one]]] = True
    return near


def _relations(problem: ArrayProblem) -> list[tuple[Indices, Indices]]:
    flows, many, apart = problem.lineage, problem.replicated, problem.apart
    return [
        (flows.source, flows.derived),
        (many.source, many.derived),
        (apart.first, apart.second),
    ]


def passes(
    tables: Tables, cost: Floats, fine: Floats, plan: Plan, order: Indices, watch: Watch
) -> int:
    """Once over these units, with an eye on the clock; moves made."""
    moved = 0
    for begin in range(0, len(order), BLOCK):
        watch.check()
        units = order[begin : begin + BLOCK]
        moved += descend(tables, cost, fine, plan.at, plan.totals, plan.held, units, LEAST)
    return moved


def repair(dual: Dual, tables: Tables, plan: Plan, watch: Watch) -> bool:
    """Fines on overloads grow until no row is overloaded; whether that came about.

    Units near a tie for their size are tried first, and all of them only where these are not
    enough.
    """
    over = plan.totals > tables.limit
    if not over.any():
        return True
    folded = fold(dual.problem, dual.prices)
    order = dual.order
    if len(order) > MANY:
        near = _closeness(dual, tables, plan, folded, watch)
        level = np.partition(near, len(near) // NEAR)[len(near) // NEAR]
        if _fined(dual, tables, plan, folded, order[(near <= level)[order]], watch):
            return True
    return _fined(dual, tables, plan, folded, order, watch)


def _fined(
    dual: Dual, tables: Tables, plan: Plan, folded: Floats, order: Indices, watch: Watch
) -> bool:
    fine = FIRST_FINE * _typical(dual)
    for _ in range(PASSES):
        over = plan.totals > tables.limit
        if not over.any():
            return True
        passes(tables, folded, fine, plan, order, watch)
        fine = np.where(plan.totals > tables.limit, fine * RAISE, fine)
    return not (plan.totals > tables.limit).any()


def _closeness(dual: Dual, tables: Tables, plan: Plan, folded: Floats, watch: Watch) -> Floats:
    """(U,) what the cheapest move of a unit costs at the prices, by its size; mates at rest."""
    ratio = np.empty(dual.problem.units)
    for begin in range(0, len(ratio), BLOCK):
        watch.check()
        units = np.arange(begin, min(begin + BLOCK, len(ratio)))
        away = np.empty((len(units), dual.problem.sites))
        margins(tables, folded, plan.at, plan.held, units, away)
        for at in plan.at[units].T:
            there = at >= 0
            away[there, at[there]] = np.inf
        ratio[units] = np.abs(away.min(axis=1)) / np.maximum(dual.stake[units], LEAST)
    return ratio


def _typical(dual: Dual) -> Floats:
    """(R,) a price for every row: its own, or what is at stake per unit of what fills it."""
    priced = dual.prices * np.abs(dual.problem.rhs)
    middle = float(np.median(priced[priced > 0])) if (priced > 0).any() else abs(dual.value())
    return np.maximum(dual.prices, 0.1 * middle / np.maximum(np.abs(dual.problem.rhs), 1.0))


def improve(dual: Dual, tables: Tables, plan: Plan, watch: Watch) -> None:
    """Single moves that cost less and overload nothing."""
    _until_none(dual, tables, dual.problem.cost, FORBIDDING, plan, dual.order, watch)


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
        (one[both], other[both])
        for one, other in _relations(problem)
        for both in [differ[one] & differ[other]]
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
