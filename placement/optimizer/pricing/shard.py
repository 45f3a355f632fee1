"""What the search for prices needs of the data: sums, samples, near ties.

A shard holds some of the units of a problem, in this process or in another. Only prices, row
totals, histograms and small parts cross the border.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.pricing.content import Keys, class_keys, shares, unit_keys
from placement.optimizer.pricing.dual import Part, evaluate_part, in_pieces
from placement.optimizer.pricing.margins import BINS, survey_part
from placement.optimizer.pricing.spread import Size, size_of, spreads, spreads_by_feature
from placement.optimizer.progress import Watch

_T = TypeVar("_T")


@dataclass(frozen=True)
class Pick:
    """Some units, as a problem of their own with the rows of the whole.

    Sorted by content: classes by key, units by class and key.
    """

    problem: ArrayProblem
    extra: Floats | None
    """(S, n) added to the costs."""
    units: Indices
    """(n,) their numbers in the shard that they come from."""
    shard: Indices
    """(n,) which shard that is."""
    keys: Keys
    """(n,) of their content."""


class Shard(Protocol):
    """Some units of a problem, all of its rows."""

    @property
    def rhs(self) -> Floats:
        """(R,) right-hand sides, of all shards together."""
        ...

    def size(self, watch: Watch | None = None) -> Size:
        """How much this shard holds."""
        ...

    def evaluate(self, prices: Floats, watch: Watch | None = None) -> Part:
        """Its share of the bound, and of the row totals."""
        ...

    def survey(self, prices: Floats, watch: Watch | None = None) -> tuple[Part, Indices]:
        """The same, and (BINS,) how many units have which margin, in units of their spread."""
        ...

    def near(self, bins: int) -> Pick:
        """The units in the first bins of the last survey."""
        ...

    def sample(self, rate: float, watch: Watch | None = None) -> Pick:
        """Units drawn with probability min(1, rate m_u spread_u), weighing its inverse."""
        ...

    def free(self) -> Shard:
        """The same shard in which nothing costs anything: only the rows' weights are left."""
        ...


class LocalShard:
    """A problem in this process."""

    def __init__(self, problem: ArrayProblem, extra: Floats | None = None) -> None:
        self.problem = problem
        self.extra = extra
        self._keys = class_keys(problem)
        self._spread = spreads_by_feature(problem)
        self._bins = np.zeros(problem.units, dtype=np.int16)

    @property
    def rhs(self) -> Floats:
        """(R,) right-hand sides."""
        return self.problem.rhs

    def size(self, watch: Watch | None = None) -> Size:
        """How much this shard holds."""
        return size_of(self.problem, self._spread, watch)

    def evaluate(self, prices: Floats, watch: Watch | None = None) -> Part:
        """Its share of the bound, and of the row totals."""
        return evaluate_part(self.problem, prices, self.extra, watch)

    def survey(self, prices: Floats, watch: Watch | None = None) -> tuple[Part, Indices]:
        """Its share of the bound, and (BINS,) how many units have which margin, by spread."""
        part = survey_part(self.problem, prices, self.extra, self._spread, self._bins, watch)
        return part, np.bincount(self._bins, minlength=BINS)

    def near(self, bins: int) -> Pick:
        """The units in the first bins of the last survey."""
        units = np.flatnonzero(self._bins < bins)
        return self._pick(units, None)

    def sample(self, rate: float, watch: Watch | None = None) -> Pick:
        """Units drawn with probability min(1, rate m_u spread_u), weighing its inverse."""
        problem = self.problem

        def work(begin: int, end: int) -> tuple[Indices, Floats]:
            keys = unit_keys(problem, self._keys, begin, end)
            size = spreads(problem, self._spread, begin, end) * problem.counts[begin:end]
            chance = rate * size
            drawn = np.flatnonzero(shares(keys) < chance)
            return begin + drawn, np.maximum(1.0, 1.0 / chance[drawn])

        parts = in_pieces(problem, work, watch)
        units = np.concatenate([u for u, _ in parts])
        return self._pick(units, np.concatenate([w for _, w in parts]))

    def free(self) -> LocalShard:
        """The same shard in which nothing costs anything."""
        return LocalShard(replace(self.problem, cost=np.zeros_like(self.problem.cost)))

    def _pick(self, units: Indices, weight: Floats | None) -> Pick:
        part = self.problem.take(units)
        keys = unit_keys(part, class_keys(part), 0, part.units)
        if weight is not None:
            part = replace(part, counts=part.counts * weight)
        extra = None if self.extra is None else self.extra[:, units]
        return in_order(Pick(part, extra, units, np.zeros_like(units), keys))


class Shards:
    """Several shards as one: what they answer is added up, in their order."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = tuple(shards)

    @property
    def rhs(self) -> Floats:
        """(R,) right-hand sides."""
        return self.shards[0].rhs

    def each(self, ask: Callable[[Shard], _T]) -> list[_T]:
        """What every shard answers, in their order; one after another where not overridden."""
        return [ask(shard) for shard in self.shards]

    def size(self, watch: Watch | None = None) -> Size:
        """How much they hold together."""
        sizes = self.each(lambda shard: shard.size(watch))
        return Size(
            sum(size.units for size in sizes),
            sum(size.stake for size in sizes),
            np.sum([size.weight for size in sizes], axis=0),
            sum(size.stuck for size in sizes),
        )

    def evaluate(self, prices: Floats, watch: Watch | None = None) -> Part:
        """Their shares of the bound, and of the row totals."""
        return _sum(self.each(lambda shard: shard.evaluate(prices, watch)))

    def survey(self, prices: Floats, watch: Watch | None = None) -> tuple[Part, Indices]:
        """Their shares, and (BINS,) how many units have which margin."""
        answers = self.each(lambda shard: shard.survey(prices, watch))
        counts: Indices = np.sum([counts for _, counts in answers], axis=0)
        return _sum([part for part, _ in answers]), counts

    def near(self, bins: int) -> Pick:
        """The units in the first bins of the last survey."""
        return together(self.each(lambda shard: shard.near(bins)))

    def sample(self, rate: float, watch: Watch | None = None) -> Pick:
        """Units drawn in proportion to their size."""
        return together(self.each(lambda shard: shard.sample(rate, watch)))

    def free(self) -> Shards:
        """The same shards in which nothing costs anything."""
        return Shards([shard.free() for shard in self.shards])


def _sum(parts: Sequence[Part]) -> Part:
    return Part(
        sum(part.value for part in parts),
        sum(part.magnitude for part in parts),
        np.sum([part.totals for part in parts], axis=0),
    )


def together(picks: Sequence[Pick]) -> Pick:
    """Picks of several shards as one."""
    return in_order(
        _joined([replace(p, shard=np.full(len(p.units), i)) for i, p in enumerate(picks)])
    )


def union(one: Pick, other: Pick) -> Pick:
    """Units of either pick of the same shards."""
    both = _joined([one, other])
    places = np.stack([both.shard, both.units])
    _, first = np.unique(places, axis=1, return_index=True)
    first.sort()
    return in_order(
        Pick(
            both.problem.take(first),
            None if both.extra is None else both.extra[:, first],
            both.units[first],
            both.shard[first],
            both.keys[first],
        )
    )


def _joined(picks: Sequence[Pick]) -> Pick:
    """One after another, classes and units."""
    problems = [pick.problem for pick in picks]
    offsets = np.cumsum([0, *(problem.classes for problem in problems)]).tolist()
    extras = [pick.extra for pick in picks if pick.extra is not None]
    merged = ArrayProblem(
        class_of=np.concatenate(
            [p.class_of + offset for p, offset in zip(problems, offsets, strict=False)]
        ),
        features=np.concatenate([p.features for p in problems], axis=1),
        counts=np.concatenate([p.counts for p in problems]),
        cost=np.concatenate([p.cost for p in problems]),
        open=np.concatenate([p.open for p in problems]),
        replicas=np.concatenate([p.replicas for p in problems]),
        operator_of=problems[0].operator_of,
        rows=tuple(
            _stacked(rows, [p.classes for p in problems])
            for rows in zip(*(p.rows for p in problems), strict=True)
        ),
    )
    return Pick(
        merged,
        np.concatenate(extras, axis=1) if extras else None,
        np.concatenate([pick.units for pick in picks]),
        np.concatenate([pick.shard for pick in picks]),
        np.concatenate([pick.keys for pick in picks]),
    )


def in_order(pick: Pick) -> Pick:
    """The same units and classes, sorted by content; equal classes become one."""
    problem = pick.problem
    _, first, new = np.unique(class_keys(problem), return_index=True, return_inverse=True)
    class_of = new.ravel()[problem.class_of]
    order = np.lexsort((pick.keys, class_of))
    return Pick(
        ArrayProblem(
            class_of=class_of[order].astype(np.intp),
            features=np.ascontiguousarray(problem.features[:, order]),
            counts=problem.counts[order],
            cost=problem.cost[first],
            open=problem.open[first],
            replicas=problem.replicas[first],
            operator_of=problem.operator_of,
            rows=tuple(
                row if len(row.weights) == 1 else replace(row, weights=row.weights[first])
                for row in problem.rows
            ),
        ),
        None if pick.extra is None else np.ascontiguousarray(pick.extra[:, order]),
        pick.units[order],
        pick.shard[order],
        pick.keys[order],
    )


def _stacked(rows: Sequence[Row], classes: Sequence[int]) -> Row:
    first = rows[0].weights
    if all(len(row.weights) == 1 and np.array_equal(row.weights, first) for row in rows):
        return rows[0]
    weights = [
        np.broadcast_to(row.weights, (k, *row.weights.shape[1:]))
        for row, k in zip(rows, classes, strict=True)
    ]
    return replace(rows[0], weights=np.concatenate(weights))
