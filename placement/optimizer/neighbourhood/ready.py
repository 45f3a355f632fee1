"""The kernel, compiled beside the watch: compiling cannot be interrupted, waiting can."""

from __future__ import annotations

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row
from placement.optimizer.compiling import Preparation
from placement.optimizer.neighbourhood.annealing import Annealer
from placement.optimizer.neighbourhood.pairs import pairs_of
from placement.optimizer.neighbourhood.schedule import HOT, Round
from placement.optimizer.progress import Watch


def _anneal_tiny() -> None:
    pairs = pairs_of(_tiny())
    Annealer(pairs, np.ones(2), seed=0).round(0, Round(1_000, HOT), Watch(float("inf")))


def _tiny() -> ArrayProblem:
    one = np.zeros(1, dtype=np.intp)
    weights = np.arange(1.0, 5.0)[:, None, None]
    return ArrayProblem(
        class_of=np.arange(4),
        features=np.ones((1, 4)),
        counts=np.ones(4),
        cost=np.arange(8.0).reshape(4, 1, 2),
        open=np.ones((4, 2), dtype=np.bool_),
        replicas=np.ones(4, dtype=np.intp),
        operator_of=np.arange(2),
        rows=tuple(Row(f"capacity[{s}]", np.array([s]), one, weights, 8.0) for s in range(2)),
    )


make_ready = Preparation(_anneal_tiny).wait
"""Wait, as far as a watch allows, until everything here is compiled."""
