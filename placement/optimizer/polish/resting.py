"""Shards that also hold a plan: near ties move, everybody else rests at the best site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from placement.optimizer.arrays.problem import load_of, row_totals
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.pricing.dual import evaluate
from placement.optimizer.pricing.shard import LocalShard, Shard, Shards
from placement.optimizer.progress import Watch


@dataclass(frozen=True)
class Rest:
    """What units at rest cost and weigh. Rests add up."""

    cost: float
    """EUR a year."""
    totals: Floats
    """(R,)"""


class Resting(Shard, Protocol):
    """A shard whose units beyond the near ones can be put to rest."""

    def settle(self, prices: Floats, bins: int, watch: Watch | None = None) -> Rest:
        """What the units beyond the first bins of the last survey cost and weigh at these prices.

        They stay where that puts them: see `sites` of the local one.
        """
        ...


class LocalResting(LocalShard):
    """A problem in this process, and where its units rest."""

    sites: Indices
    """(U, n) of the last `settle`, -1 for the near ones."""

    def settle(self, prices: Floats, bins: int, watch: Watch | None = None) -> Rest:
        """Put units beyond the first bins to rest."""
        self.sites = evaluate(self.problem, prices, self.extra, watch).sites
        self.sites[self._bins < bins] = -1
        load = load_of(self.problem, self.sites)
        cost = float((load * self.problem.cost).sum())
        return Rest(cost, row_totals(self.problem, load))


class RestingShards(Shards):
    """Several such shards as one."""

    def __init__(self, shards: Sequence[Resting]) -> None:
        super().__init__(shards)

    def settle(self, prices: Floats, bins: int, watch: Watch | None = None) -> Rest:
        """Put units beyond the first bins to rest."""
        rests = self.each(lambda shard: cast("Resting", shard).settle(prices, bins, watch))
        return Rest(sum(rest.cost for rest in rests), np.sum([r.totals for r in rests], axis=0))
