"""Compiling beside the watch: it cannot be interrupted, waiting for it can."""

from __future__ import annotations

import numpy as np

from placement.optimizer.arrays.problem import Apart, ArrayProblem, Lineage, Row
from placement.optimizer.compiling import Preparation
from placement.optimizer.progress import Watch
from placement.optimizer.relations.dual import Dual
from placement.optimizer.relations.plans import (
    decoded,
    fuse,
    improve,
    lagrangian,
    repair,
)
from placement.optimizer.relations.tables import tables_of


def _solve_tiny() -> None:
    problem, watch = _tiny(), Watch(float("inf"))
    dual, tables = Dual(problem, watch), tables_of(problem)
    dual.climb(1e-3)
    one, other = (decoded(dual, tables, order, watch) for order in (dual.order, dual.order))
    other.at[:] = 1 - other.at
    plan = fuse(dual, tables, one, other)
    repair(dual, tables, plan, watch)
    improve(dual, tables, plan, watch)
    lagrangian(dual, tables, plan)


def _tiny() -> ArrayProblem:
    """Four units at two sites, with a flow and a separated pair."""
    one = np.zeros(1, dtype=np.intp)
    weights = np.ones((1, 1, 1))
    return ArrayProblem(
        class_of=np.arange(4),
        features=np.ones((1, 4)),
        counts=np.ones(4),
        cost=np.arange(8.0).reshape(4, 1, 2),
        open=np.ones((4, 2), dtype=np.bool_),
        replicas=np.ones(4, dtype=np.intp),
        operator_of=np.arange(2),
        rows=tuple(Row(f"capacity[{s}]", np.array([s]), one, weights, 3.0) for s in range(2)),
        lineage=Lineage(one, one + 1, np.ones(1), np.ones(2)),
        apart=Apart(one + 2, one + 3, np.zeros(1, dtype=np.bool_)),
    )


make_ready = Preparation(_solve_tiny).wait
"""Wait, as far as a watch allows, until everything here is compiled."""
