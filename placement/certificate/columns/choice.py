"""The cheapest choice of each unit by computed reduced costs: what the bound is summed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from models.columns import Groups, Integers, Numbers32
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.loads import axes_of
from placement.certificate.columns.reduced import Floats, ReducedCosts
from placement.certificate.columns.rows import Row, exit_terms

BLOCK = 1 << 13
_CLOSE = 1e-12
"""Relative: a unit above the exit budget by less than the rounding of its cost is let in."""


@dataclass(frozen=True)
class Choice:
    """Sites of every dataset; co-located ones have those of their group."""

    sites: Numbers32
    """(N, R) -1 for none."""
    unplaceable: Integers
    """Datasets, one a unit, that have too few open sites for any plan."""


class Chooser:
    """Chooses sites for units: n light sites of different operators where there are as many."""

    def __init__(self, city: ColumnCity, rows: Mapping[str, Row], reduced: ReducedCosts) -> None:
        self._city, self._reduced = city, reduced
        self._weights = Weights(city, rows)
        self._operators = city.places.by_operator()

    def choose(self, groups: Groups) -> Choice:
        """Sites of all units, some thousands at a time."""
        city = self._city
        most = int(city.replicas.max(initial=1))
        sites = np.full((len(city), most), -1, dtype=np.int32)
        lost = [np.empty(0, dtype=np.int64)]
        for members, starts in self._units(groups):
            first = members[starts]
            cost = self._reduced.of(members)
            if len(starts) < len(members):
                cost = np.add.reduceat(cost, starts, axis=0)
            light = self._weights.light(cost, members, starts)
            chosen, failed = self._cheapest(cost, light, city.replicas[first], most)
            lost.append(first[failed])
            sizes = np.diff(starts, append=len(members))
            sites[members] = np.repeat(chosen, sizes, axis=0)
        return Choice(sites, np.concatenate(lost))

    def _units(self, groups: Groups) -> Iterator[tuple[Integers, Integers]]:
        """(datasets, where each unit begins) for single datasets, then for groups."""
        alone = np.ones(len(self._city), dtype=np.bool_)
        alone[groups.members] = False
        singles = np.flatnonzero(alone)
        for begin in range(0, len(singles), BLOCK):
            members = singles[begin : begin + BLOCK]
            yield members, np.arange(len(members))
        first = 0
        while first < len(groups):
            end = int(np.searchsorted(groups.offsets, groups.offsets[first] + BLOCK, "right")) - 1
            end = max(end, first + 1)
            at = groups.offsets[first:end]
            yield groups.members[at[0] : groups.offsets[end]], at - at[0]
            first = end

    def _cheapest(
        self, cost: Floats, light: Floats, replicas: Integers, most: int
    ) -> tuple[Numbers32, Integers]:
        """(n, most) sites of each unit, and the units that have too few."""
        chosen = np.full((len(cost), most), -1, dtype=np.int32)
        best = light.argmin(axis=1)
        chosen[:, 0] = best
        usable = light[np.arange(len(best)), best] < np.inf
        hard = np.flatnonzero((replicas > 1) | ~usable)
        failed = []
        for unit, wanted in zip(hard.tolist(), replicas[hard].tolist(), strict=True):
            found = self._apart(light[unit], wanted) or self._apart(cost[unit], wanted)
            if not found:
                order = np.argsort(cost[unit], kind="stable")
                found = [int(s) for s in order if cost[unit, s] < np.inf][:wanted]
            if len(found) < wanted:
                failed.append(unit)
            chosen[unit] = -1
            chosen[unit, : len(found)] = found
        return chosen, np.array(failed, dtype=np.int64)

    def _apart(self, cost: Floats, wanted: int) -> list[int]:
        """The cheapest sites of the `wanted` cheapest operators; none where there are too few."""
        best = [int(sites[cost[sites].argmin()]) for sites in self._operators]
        usable = sorted((float(cost[s]), s) for s in best if cost[s] < np.inf)
        return [s for _, s in usable[:wanted]] if len(usable) >= wanted else []


class Weights:
    """Which pairs overload a row of weights >= 0 all by themselves: no plan holds one.

    Whole gigabytes and counts are compared exactly. Exit costs are computed in float64; what is
    above the budget by no more than their rounding is let in, which only lowers the bound.
    """

    def __init__(self, city: ColumnCity, rows: Mapping[str, Row]) -> None:
        self._city, self._axes = city, axes_of(city)
        places = city.places
        self._volume = np.array([_floor(rows[f"capacity[{s}]"].limit) for s in places.ids])
        self._critical = np.full(len(places.ids), np.iinfo(np.int64).max)
        for site, operator in enumerate(places.operator_of):
            name = places.operators[operator]
            for family, most in (("volume", self._volume), ("critical", self._critical)):
                row = rows.get(f"concentration_{family}[{name}]")
                if row is not None:
                    most[site] = min(most[site], _floor(row.limit))
        self._closed = _floor(rows["closed_stack"].limit)
        budget = rows.get("exit_budget")
        self._budget = None if budget is None else float(budget.limit) * (1 + _CLOSE)
        self._exit = [(t.numerators / t.unit).astype(np.float64) for t in exit_terms(city)]

    def light(self, cost: Floats, members: Integers, starts: Integers) -> Floats:
        """`cost`, (units, S), infinite where a unit is too heavy; the same array where none is."""
        volume = self._city.columns.volume_gb[members]
        total = _summed(volume, starts)
        heavy = total[:, None] > self._volume
        critical = _summed(self._city.critical[members].astype(np.int64), starts)
        heavy |= critical[:, None] > self._critical
        if int(total.max(initial=0)) > self._closed:
            closed = self._city.verdicts.closed_stack[self._axes.profile_of[members]]
            heavy |= _summed(closed * volume[:, None], starts) > self._closed
        if self._budget is not None:
            heavy |= self._exit_costs(members, volume, starts) > self._budget
        return np.where(heavy, np.inf, cost) if heavy.any() else cost

    def _exit_costs(self, members: Integers, volume: Integers, starts: Integers) -> Floats:
        storage = self._axes.rows("storage", members)
        cost = self._exit[0][storage] * volume[:, None].astype(np.float64)
        cost += self._exit[1][self._axes.profile_of[members]]
        return cost if len(starts) == len(members) else np.add.reduceat(cost, starts, axis=0)


def _summed(values: Integers, starts: Integers) -> Integers:
    if len(starts) == len(values):
        return values
    sums: Integers = np.add.reduceat(values, starts, axis=0)
    return sums


def _floor(limit: Fraction) -> int:
    """Whole loads keep a limit exactly where they keep it rounded down."""
    return min(limit.numerator // limit.denominator, np.iinfo(np.int64).max)
