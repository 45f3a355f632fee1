"""Parts in other processes as one: all are asked at once, and added up in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.polish.resting import Rest, Resting, RestingShards
from placement.optimizer.pricing.dual import Part
from placement.optimizer.pricing.shard import Pick, Shard
from placement.optimizer.pricing.spread import Size
from placement.optimizer.progress import Watch
from placement.optimizer.sharding.seat import Seat
from placement.optimizer.sharding.wire import Traffic

NEAR_MOST = 600_000
"""Near ties of all parts together, at most,"""
NEAR_EACH = 60_000
"""though of each part this many."""

_A = TypeVar("_A")
_T = TypeVar("_T")


class RemoteShard:
    """A part in another process, or the same in which nothing costs anything."""

    def __init__(self, seat: Seat, most: int, *, free: bool = False) -> None:
        self.seat, self._most, self._free = seat, most, free

    @property
    def rhs(self) -> Floats:
        """(R,) right-hand sides."""
        return self.seat.shape.rhs

    def size(self, watch: Watch | None = None) -> Size:
        """How much it holds."""
        answer: Size = self.seat.ask("size", watch=watch, free=self._free)
        return answer

    def evaluate(self, prices: Floats, watch: Watch | None = None) -> Part:
        """Its share of the bound, and of the row totals."""
        answer: Part = self.seat.ask("evaluate", prices, watch=watch, free=self._free)
        return answer

    def survey(self, prices: Floats, watch: Watch | None = None) -> tuple[Part, Indices]:
        """The same, and (BINS,) how many units have which margin."""
        answer: tuple[Part, Indices] = self.seat.ask("survey", prices, watch=watch, free=self._free)
        return answer

    def near(self, bins: int) -> Pick:
        """The units in the first bins of the last survey, but no more than it may send."""
        answer: Pick = self.seat.ask("near", bins, self._most, free=self._free)
        return answer

    def sample(self, rate: float, watch: Watch | None = None) -> Pick:
        """Units drawn in proportion to their size."""
        answer: Pick = self.seat.ask("sample", rate, watch=watch, free=self._free)
        return answer

    def settle(self, prices: Floats, bins: int, watch: Watch | None = None) -> Rest:
        """Put units beyond the first bins to rest."""
        answer: Rest = self.seat.ask("settle", prices, bins, watch=watch, free=self._free)
        return answer

    def free(self) -> RemoteShard:
        """The same part in which nothing costs anything."""
        return RemoteShard(self.seat, self._most, free=True)


class RemoteShards(RestingShards):
    """Parts in other processes.

    They stand in the order of what they hold, so that sums are the same however they were listed.
    """

    def __init__(self, shards: Sequence[Resting], traffic: Traffic) -> None:
        super().__init__(shards)
        self._traffic = traffic

    @classmethod
    def of(cls, seats: Sequence[Seat], traffic: Traffic) -> RemoteShards:
        """All parts that hold anything."""
        filled = sorted(
            (seat for seat in seats if seat.shape.units), key=lambda seat: seat.shape.mark
        )
        most = max(NEAR_EACH, NEAR_MOST // max(1, len(filled)))
        return cls([RemoteShard(seat, most) for seat in filled], traffic)

    def each(self, ask: Callable[[Shard], _T]) -> list[_T]:
        """What every part answers, in their order; all are asked at once."""
        return at_once(ask, self.shards, self._traffic)

    def free(self) -> RemoteShards:
        """The same parts in which nothing costs anything."""
        shards = [shard.free() for shard in self.shards if isinstance(shard, RemoteShard)]
        return RemoteShards(shards, self._traffic)


def at_once(ask: Callable[[_A], _T], items: Sequence[_A], traffic: Traffic) -> list[_T]:
    """What each item answers, in their order; one exchange."""
    with traffic.together(), ThreadPoolExecutor(max(1, len(items))) as pool:
        return list(pool.map(ask, items))
