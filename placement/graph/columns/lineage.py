"""Lineage as columns: distinct edges in order, and what goes along them from source to derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.columns import CatalogColumns, Flags, Integers
from placement.errors import BadInput, Defect
from placement.graph.columns.neighbours import WAVES_MAX, neighbours, run_starts, waves
from placement.graph.lineage import cycle_defects


@dataclass(frozen=True)
class Pairs:
    """Distinct (source, derived) pairs, sorted, whether inheriting or not."""

    count: int
    """N datasets."""
    source: Integers
    derived: Integers
    inherits: Flags
    """One of the pair's relations inherits."""
    order: Integers
    """Rows of the derivations by (source, derived)."""
    starts: Integers
    """Where each pair's run starts in that order."""


@dataclass(frozen=True)
class Inheritance:
    """Distinct inheriting edges by the wave of the derived dataset, runs of one derived each."""

    source: Integers
    """(E,)"""
    derived: Integers
    """(E,)"""
    starts: Integers
    """(T + 1,) where the run of each derived dataset starts."""
    bounds: Integers
    """(W + 1,) runs of each wave: bounds[w]..bounds[w + 1]."""

    def united(self, codes: Integers) -> Integers:
        """For each dataset the union (bitwise or) of the codes of its ancestors, itself included.

        A maximum is such a union where a rank r is written as its r lowest bits.
        """
        found = codes.copy()
        if len(self.bounds) > WAVES_MAX:
            return self._united_singly(found)
        targets = self.derived[self.starts[:-1]]
        for first, last in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            if first < last:
                start, end = self.starts[first], self.starts[last]
                arriving = found[self.source[start:end]]
                runs = self.starts[first:last] - start
                found[targets[first:last]] |= np.bitwise_or.reduceat(arriving, runs)
        return found

    def _united_singly(self, codes: Integers) -> Integers:
        """The same where waves are many and thin."""
        found = codes.tolist()
        for source, derived in zip(self.source.tolist(), self.derived.tolist(), strict=True):
            found[derived] |= found[source]
        return np.array(found, dtype=np.int64)


def distinct_pairs(columns: CatalogColumns) -> Pairs:
    """Every (source, derived) pair of datasets once."""
    count = len(columns)
    lineage = columns.derivations
    key = lineage.source * count + lineage.derived
    order = np.argsort(key, kind="stable")
    starts = run_starts(key[order])
    first = order[starts]
    return Pairs(
        count=count,
        source=lineage.source[first],
        derived=lineage.derived[first],
        inherits=np.logical_or.reduceat(~lineage.ends_inheritance[order], starts),
        order=order,
        starts=starts,
    )


def name_of(columns: CatalogColumns, row: Any) -> str:
    """The id of a dataset."""
    name: str = columns.ids[int(row)].as_py()
    return name


def inheritance(columns: CatalogColumns, pairs: Pairs) -> Inheritance:
    """The inheriting edges in an order in which sources come first.

    Raises
    ------
    BadInput
        One defect a strongly connected part of the lineage, naming a shortest cycle in it.
    """
    graph = neighbours(pairs.count, pairs.source, pairs.derived)
    wave = waves(graph)
    if len(wave) and wave.min() < 0:
        raise BadInput(_cycles(columns, pairs, wave))
    source, derived = pairs.source[pairs.inherits], pairs.derived[pairs.inherits]
    key = wave[derived] * pairs.count + derived
    order = np.argsort(key, kind="stable")
    source, derived = source[order], derived[order]
    starts = run_starts(key[order])
    last_wave = int(wave.max(initial=0))
    bounds = np.searchsorted(wave[derived[starts]], np.arange(1, last_wave + 2))
    return Inheritance(source, derived, np.append(starts, len(order)), bounds)


def _cycles(columns: CatalogColumns, pairs: Pairs, wave: Integers) -> list[Defect]:
    """Defects of the part that Kahn's algorithm leaves over in both directions.

    Forwards it leaves cycles and what is behind them; backwards, of these, what is before a
    cycle, too.
    """
    import networkx as nx

    left = _inside(pairs.source, pairs.derived, wave < 0)
    backwards = neighbours(pairs.count, left[1], left[0])
    source, derived = _inside(*left, waves(backwards) < 0)
    graph: nx.DiGraph[str] = nx.DiGraph()
    names = {row: name_of(columns, row) for row in np.unique(np.concatenate((source, derived)))}
    graph.add_edges_from((names[s], names[d]) for s, d in zip(source, derived, strict=True))
    return cycle_defects(graph)


def _inside(source: Integers, derived: Integers, among: Flags) -> tuple[Integers, Integers]:
    kept = among[source] & among[derived]
    return source[kept], derived[kept]
