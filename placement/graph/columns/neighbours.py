"""A directed graph as two arrays, and the waves in which its nodes become free of predecessors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Integers

WAVES_MAX = 3_000
"""Waves (some 20 us each, however thin) before single steps are cheaper: in a chain of a million
datasets every wave is one dataset."""


@dataclass(frozen=True)
class Neighbours:
    """Where the edges of each node lead: node n has targets[offsets[n]:offsets[n + 1]]."""

    offsets: Integers
    """(N + 1,)"""
    targets: Integers
    """(E,)"""

    def of(self, nodes: Integers) -> Integers:
        """The targets of all these nodes, one node after the other."""
        starts = self.offsets[nodes]
        counts = self.offsets[nodes + 1] - starts
        before = np.cumsum(counts) - counts
        places = np.repeat(starts - before, counts) + np.arange(counts.sum())
        found: Integers = self.targets[places]
        return found


def run_starts(keys: Integers) -> Integers:
    """Where each run of equal keys starts."""
    starts = np.ones(len(keys), dtype=bool)
    starts[1:] = keys[1:] != keys[:-1]
    return np.flatnonzero(starts)


def neighbours(count: int, origins: Integers, targets: Integers) -> Neighbours:
    """The graph of edges origin -> target between `count` nodes."""
    order = np.argsort(origins, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(origins, minlength=count))))
    return Neighbours(offsets, targets[order])


def waves(graph: Neighbours) -> Integers:
    """The length of the longest path to each node, by Kahn's algorithm; -1 behind a cycle.

    A frontier at a time: nodes whose last predecessor went with the frontier before are the next.
    Source: A. B. Kahn, "Topological sorting of large networks", CACM 5 (11), 1962.
    """
    count = len(graph.offsets) - 1
    waiting = np.bincount(graph.targets, minlength=count)
    wave = np.full(count, -1, dtype=np.int64)
    frontier = np.flatnonzero(waiting == 0)
    number = 0
    while len(frontier) and number < WAVES_MAX:
        wave[frontier] = number
        reached = graph.of(frontier)
        np.subtract.at(waiting, reached, 1)
        frontier = np.unique(reached[waiting[reached] == 0])
        number += 1
    return _single_steps(graph, wave, waiting, frontier, number) if len(frontier) else wave


def _single_steps(
    graph: Neighbours, wave: Integers, waiting: Integers, frontier: Integers, number: int
) -> Integers:
    """The same from here on, a node at a time: first in, first out keeps waves in order."""
    offsets, targets = graph.offsets.tolist(), graph.targets.tolist()
    left, waves_found = waiting.tolist(), wave.tolist()
    queue = frontier.tolist()
    for node in queue:
        waves_found[node] = number
    for node in queue:  # grows while it is walked
        for target in targets[offsets[node] : offsets[node + 1]]:
            left[target] -= 1
            if left[target] == 0:
                waves_found[target] = waves_found[node] + 1
                queue.append(target)
    return np.array(waves_found, dtype=np.int64)
