"""What goes from sources to what derives from them: a maximum or a union over all ancestors."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from operator import or_

import numpy as np

from models.columns import CatalogColumns, Integers
from placement.certificate.columns.sums import sorted_set
from placement.errors import BadInput, Defect

WAVES_MOST = 2_000
"""Waves, of a few dozen us each, before a step for each dataset is cheaper."""


@dataclass(frozen=True)
class Lineage:
    """Distinct edges that inherit. Those into one dataset stand together; sources come first."""

    source: Integers
    """(E,)"""
    starts: Integers
    """(T + 1,) the first edge of each of the T datasets that derive from something."""
    derived: Integers
    """(T,)"""
    waves: Integers
    """(W + 1,) no dataset of derived[waves[i]:waves[i + 1]] has another one as an ancestor."""

    def maximum(self, own: Integers) -> Integers:
        """(N,) the largest value among each dataset and its ancestors."""
        return self._combined(own, np.maximum, max)

    def union(self, own: Integers) -> Integers:
        """(N,) the bits set in any of them."""
        return self._combined(own, np.bitwise_or, or_)

    def _combined(
        self, own: Integers, at_once: np.ufunc, singly: Callable[[int, int], int]
    ) -> Integers:
        if len(self.waves) > WAVES_MOST:
            return self._step_by_step(own, singly)
        best = own.copy()
        for first, last in zip(self.waves[:-1], self.waves[1:], strict=True):
            begin, end = self.starts[first], self.starts[last]
            arriving = at_once.reduceat(
                best[self.source[begin:end]], self.starts[first:last] - begin
            )
            targets = self.derived[first:last]
            best[targets] = at_once(best[targets], arriving)
        return best

    def _step_by_step(self, own: Integers, combine: Callable[[int, int], int]) -> Integers:
        best, source, starts = own.tolist(), self.source.tolist(), self.starts.tolist()
        for t, derived in enumerate(self.derived.tolist()):
            for edge in range(starts[t], starts[t + 1]):
                best[derived] = combine(best[derived], best[source[edge]])
        return np.array(best, dtype=np.int64)


def read_lineage(columns: CatalogColumns) -> Lineage:
    """The inheriting edges of a catalogue in order.

    Raises
    ------
    BadInput
        For a lineage cycle.
    """
    count, edges = len(columns), columns.derivations
    keys = sorted_set((edges.derived * count + edges.source)[~edges.ends_inheritance])
    derived, source = np.divmod(keys, max(count, 1))
    wave = _waves(count, source, derived)
    if len(wave) and wave.min() < 0:
        name = columns.ids[int(np.argmin(wave))].as_py()
        circle = f"lineage goes in a circle that {name} is in or derives from"
        raise BadInput([Defect("", "relations", "", circle)])
    order = np.argsort(wave[derived], kind="stable")
    derived, source = derived[order], source[order]
    starts = np.flatnonzero(np.diff(derived, prepend=-1))
    targets = derived[starts]
    passed = np.flatnonzero(np.diff(wave[targets], prepend=0))
    return Lineage(
        source, np.append(starts, len(derived)), targets, np.append(passed, len(targets))
    )


def _waves(count: int, source: Integers, derived: Integers) -> Integers:
    """(N,) the longest way to each dataset from one without sources; -1 in or behind a circle."""
    by_source = np.argsort(source, kind="stable")
    ends = np.cumsum(np.bincount(source, minlength=count))
    heads = derived[by_source]
    waiting = np.bincount(derived, minlength=count)
    wave = np.full(count, -1, dtype=np.int64)
    ready, number = np.flatnonzero(waiting == 0), 0
    while len(ready) and number <= WAVES_MOST:
        wave[ready] = number
        begin = np.where(ready > 0, ends[ready - 1], 0)
        lengths = ends[ready] - begin
        picked = np.repeat(begin - np.cumsum(lengths) + lengths, lengths)
        reached, times = np.unique(heads[picked + np.arange(len(picked))], return_counts=True)
        waiting[reached] -= times
        ready, number = reached[waiting[reached] == 0], number + 1
    if len(ready):
        wave[ready] = number
        _walk(wave, waiting, ready, source, derived)
    return wave


def _walk(
    wave: Integers, waiting: Integers, ready: Integers, source: Integers, derived: Integers
) -> None:
    """Finish the waves of a very long lineage, a dataset at a time."""
    heads: defaultdict[int, list[int]] = defaultdict(list)
    for tail, head in zip(source.tolist(), derived.tolist(), strict=True):
        heads[tail].append(head)
    queue = deque(ready.tolist())
    while queue:
        tail = queue.popleft()
        for head in heads.get(tail, ()):
            waiting[head] -= 1
            if waiting[head] == 0:
                wave[head] = wave[tail] + 1
                queue.append(head)
