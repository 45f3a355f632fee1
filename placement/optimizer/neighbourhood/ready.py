"""The kernel, compiled beside the watch: compiling cannot be interrupted, waiting can."""

from __future__ import annotations

import threading

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row
from placement.optimizer.neighbourhood.annealing import Annealer
from placement.optimizer.neighbourhood.pairs import pairs_of
from placement.optimizer.progress import Watch

GLANCE_S = 0.1
_lock = threading.Lock()
_compiling: list[_Compiling] = []


class _Compiling(threading.Thread):
    """Anneals four units at two sites once, which compiles whatever is not in the cache."""

    def __init__(self) -> None:
        super().__init__(name="compile-kernel", daemon=True)
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            pairs = pairs_of(_tiny())
            Annealer(pairs, np.ones(2), seed=0).round(0, 1_000, Watch(float("inf")))
        except Exception as error:  # noqa: BLE001 (raised again by whoever waits)
            self.error = error


def make_ready(watch: Watch) -> None:
    """Wait until the kernel is compiled; at once where it is.

    Raises
    ------
    OutOfTime
        When the watch ends the wait; compiling goes on for whoever comes next.
    """
    with _lock:
        if not _compiling:
            _compiling.append(_Compiling())
            _compiling[0].start()
    thread = _compiling[0]
    while thread.is_alive():
        watch.check()
        thread.join(GLANCE_S)
    if thread.error is not None:
        raise thread.error


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
