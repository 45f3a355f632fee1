"""Sweeps by two threads at once, with the same answer whatever the number of threads.

The units are cut into four parts. Flows within parts 0 and 1 are swept side by side, then those
within 2 and 3, then those between 0 and 1 beside those between 2 and 3, and so on: tasks of one
round touch different units, so that their order does not matter.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.progress import Watch
from placement.optimizer.relations.graph import Graph, Links, links_of
from placement.optimizer.relations.messages import KEPT, sweep

ALONE = 20_000
"""Units up to which one thread sweeps all flows."""
ROUNDS = (
    ((0, 0), (1, 1)),
    ((2, 2), (3, 3)),
    ((0, 1), (2, 3)),
    ((0, 2), (1, 3)),
    ((0, 3), (1, 2)),
)
PARTS = 4
BLOCK = 1 << 14
"""Units swept between two looks at the clock."""


@dataclass(frozen=True)
class Work:
    """Flows that one thread sweeps in a round."""

    links: Links
    order: Indices
    """Units with such flows, in visiting order."""
    later: Indices
    """(U,) flows of each unit in rounds to come, there and back."""
    before: Indices
    """(U,) flows of each unit in rounds gone by: those to come on the way back."""


class Sweeper:
    """Some flows of a graph, ready to be swept.

    Parameters
    ----------
    flows
        (n,) the flows' numbers.
    order
        (U,) units in visiting order.

    Raises
    ------
    OutOfTime
    """

    def __init__(
        self, graph: Graph, flows: Indices, order: Indices, rank: Indices, watch: Watch
    ) -> None:
        self.graph = graph
        self.rank = rank
        of = graph.operator_of
        self.members = np.argsort(of, kind="stable")
        self.begins = np.searchsorted(of[self.members], np.arange(int(of.max(initial=0)) + 2))
        if len(order) > ALONE:
            self.rounds = _rounds(graph, flows, order, rank, watch)
        else:
            self.rounds = _alone(graph, flows, order)

    def sweep(
        self, theta: Floats, messages: Floats, watch: Watch, *, forward: bool, all_ways: bool
    ) -> None:
        """Once over all flows from either end, there or back.

        Raises
        ------
        OutOfTime
        """

        def one(work: Work) -> None:
            order = work.order if forward else np.ascontiguousarray(work.order[::-1])
            for begin in range(0, len(order), BLOCK):
                watch.check()
                self._block(theta, messages, work, order[begin : begin + BLOCK], forward, all_ways)

        with ThreadPoolExecutor(2) as pool:
            for works in self.rounds if forward else reversed(self.rounds):
                if len(works) == 1:
                    one(works[0])
                else:
                    list(pool.map(one, works))

    def _block(
        self,
        theta: Floats,
        messages: Floats,
        work: Work,
        units: Indices,
        forward: bool,
        all_ways: bool,
    ) -> None:
        graph, links = self.graph, work.links
        sweep(
            theta,
            messages,
            units,
            self.rank,
            links.start,
            links.pair,
            links.mate,
            links.leads,
            graph.yearly_gb,
            graph.egress,
            self.members,
            self.begins,
            KEPT,
            all_ways,
            work.later if forward else work.before,
        )


def _work(graph: Graph, flows: Indices, order: Indices, later: Indices, before: Indices) -> Work:
    links = links_of(len(order), graph.source[flows], graph.derived[flows])
    links = Links(links.start, flows[links.pair], links.mate, links.leads)
    return Work(links, order[np.diff(links.start)[order] > 0], later, before)


def _alone(graph: Graph, flows: Indices, order: Indices) -> list[list[Work]]:
    none = np.zeros(len(order), dtype=np.intp)
    return [[_work(graph, flows, order, none, none)]]


def _rounds(
    graph: Graph, flows: Indices, order: Indices, rank: Indices, watch: Watch
) -> list[list[Work]]:
    units = len(order)
    part = rank * PARTS // units
    one, other = part[graph.source[flows]], part[graph.derived[flows]]
    low, high = np.minimum(one, other), np.maximum(one, other)
    gone = np.zeros(units, dtype=np.intp)
    ends = np.concatenate([graph.source[flows], graph.derived[flows]])
    left = np.bincount(ends, minlength=units).astype(np.intp)
    rounds = []
    for pairs in ROUNDS:
        watch.check()
        chosen = [flows[(low == a) & (high == b)] for a, b in pairs]
        both = np.concatenate(chosen)
        ends = np.concatenate([graph.source[both], graph.derived[both]])
        here = np.bincount(ends, minlength=units).astype(np.intp)
        left = left - here
        rounds.append([_work(graph, some, order, left, gone) for some in chosen])
        gone = gone + here
    return rounds
