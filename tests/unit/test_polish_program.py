"""Integer programmes that stay loaded: some columns whole for a moment, then a relaxation again."""

from __future__ import annotations

import numpy as np
import pytest

from placement.optimizer.polish.program import Program, Relaxed
from placement.optimizer.progress import OutOfTime, Watch

WEIGHT = np.array([5.0, 4.0, 3.0, 2.0])
WORTH = np.array([10.0, 7.5, 5.0, 3.0])


def knapsack(watch: Watch) -> Relaxed:
    program = Program(-WORTH, np.ones(4))
    program.add(np.arange(4), WEIGHT, 8.0)
    return program.relaxed(watch)


def test_columns_are_whole_for_one_run_only():
    relaxed = knapsack(Watch(60.0))
    split = relaxed.run()
    assert split == pytest.approx(-10.0 - 3 / 4 * 7.5)
    values = relaxed.run_whole(np.array([0, 1]), 50, 0.0)
    assert values is not None
    assert values[:2] == pytest.approx(np.rint(values[:2]))
    # Both large ones do not fit: the first and the third.
    assert -WORTH @ values == pytest.approx(-15.0)
    assert relaxed.run() == pytest.approx(split)


def test_no_time_is_no_answer():
    relaxed = knapsack(Watch(0.0))
    with pytest.raises(OutOfTime):
        relaxed.run_whole(np.array([0, 1]), 50, 0.0)


def test_a_hard_programme_ends_with_its_watch():
    random = np.random.default_rng(5)
    weights = random.integers(1_000, 2_000, (12, 300)).astype(float)
    program = Program(-weights.sum(axis=0) * random.uniform(0.99, 1.01, 300), np.ones(300))
    for row in weights:
        program.add(np.arange(300), row, float(np.floor(row.sum() / 2)))
    watch = Watch(3.0)
    relaxed = program.relaxed(watch)
    for _ in range(50):
        relaxed.run()
    with pytest.raises(OutOfTime):
        relaxed.run_whole(np.arange(300), 10**9, 0.0)
    assert watch.expired
