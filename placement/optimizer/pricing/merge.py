"""Units that are equal in everything, as one with a count."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Indices
from placement.optimizer.pricing.content import Keys, class_keys, unit_keys
from placement.optimizer.pricing.dual import in_pieces

WORTH = 2.0
"""Units for each different one, from which merging pays."""
TRIED = 64
"""One in so many different units is counted before all are."""
FEW = 10_000


@dataclass(frozen=True)
class Merged:
    """A problem with counts, and whom each of its units stands for."""

    problem: ArrayProblem
    group: Indices
    """(U,) unit of the merged problem that stands for each unit of the original."""

    def expand(self, placed: Indices) -> Indices:
        """(U, 1) sites of the original's units.

        Parameters
        ----------
        placed
            (n, S) how many of each merged unit rest at each site.
        """
        order = np.argsort(self.group, kind="stable")
        every = np.tile(np.arange(placed.shape[1]), len(placed))
        sites = np.empty((len(self.group), 1), dtype=np.intp)
        sites[order, 0] = np.repeat(every, placed.ravel())
        return sites


def merge(problem: ArrayProblem) -> Merged:
    """Equal units with one replica as one, where that at least halves the units.

    Nothing is merged where units are related, as equal ones then differ in their relations.
    """
    same = Merged(problem, np.arange(problem.units))
    if problem.related or (problem.replicas != 1).any() or (problem.counts != 1.0).any():
        return same
    keys = _keys(problem)
    drawn = keys if len(keys) < FEW else keys[keys < np.uint64((1 << 64) // TRIED)]
    if len(drawn) < WORTH * len(np.unique(drawn)):
        return same
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    if problem.units < WORTH * len(first):
        return same
    rank = np.argsort(np.argsort(first))
    first.sort()
    group = rank[group.ravel()]
    if not _equal(problem, first, group):  # two contents, one key
        return same
    small = problem.take(first)
    counts = np.bincount(group).astype(np.float64)
    return Merged(replace(small, counts=counts), group)


def _keys(problem: ArrayProblem) -> Keys:
    classes = class_keys(problem)
    classes += np.arange(problem.classes, dtype=np.uint64)
    keys: Keys = np.concatenate(
        in_pieces(problem, lambda begin, end: unit_keys(problem, classes, begin, end))
    )
    return keys


def _equal(problem: ArrayProblem, first: Indices, group: Indices) -> bool:
    def work(begin: int, end: int) -> bool:
        of = first[group[begin:end]]
        alike = np.array_equal(problem.class_of[of], problem.class_of[begin:end])
        return alike and np.array_equal(problem.features[:, of], problem.features[:, begin:end])

    return all(in_pieces(problem, work))
