"""Units told apart by what they are, not by where they stand.

What is drawn or sorted by content is the same whatever the order of the input, and however it is
spread over shards. Keys are 64 bits of the floats' own bits (mixed as in Steele, Lea and Flood
2014, Fast splittable pseudorandom number generators).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from placement.optimizer.arrays.problem import ArrayProblem

Keys = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def mixed(values: Keys) -> Keys:
    """Every bit of the answer depends on every bit of the value."""
    z = values.copy()
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def class_keys(problem: ArrayProblem) -> Keys:
    """(K,) keys of what classes cost, weigh, and where they may rest."""
    parts = [problem.cost, problem.open, problem.replicas]
    keys = np.zeros(problem.classes, dtype=np.uint64)
    for part in [*parts, *(row.weights for row in problem.rows)]:
        bits = np.asarray(part, dtype=np.float64) + 0.0
        flat = np.ascontiguousarray(bits.reshape(len(part), math.prod(bits.shape[1:])))
        keys = mixed(keys + _weighed(flat.view(np.uint64).T, len(part)))
    return keys


def unit_keys(problem: ArrayProblem, classes: Keys, begin: int, end: int) -> Keys:
    """(n,) keys of units begin..end, from `class_keys`."""
    phi = np.ascontiguousarray(problem.features[:, begin:end]).view(np.uint64)
    counts = np.ascontiguousarray(problem.counts[begin:end]).view(np.uint64)
    return mixed(classes[problem.class_of[begin:end]] + _weighed(phi, end - begin) + mixed(counts))


def shares(keys: Keys) -> NDArray[np.float64]:
    """(n,) numbers in [0, 1), as good as drawn at random."""
    whole = mixed(keys + np.uint64(_GOLDEN)) >> np.uint64(11)
    return whole.astype(np.float64) * 2.0**-53


def _weighed(rows: Keys, columns: int) -> Keys:
    """(n,) sums of mixed rows, each with an odd factor of its own."""
    total = np.zeros(columns, dtype=np.uint64)
    for i, row in enumerate(rows):
        factor = np.uint64(((i + 1) * _GOLDEN & _MASK) | 1)
        total += mixed(row * factor + factor)
    return total
