"""Groups over columns: who rests together, who rests apart, and where both are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.columns import CatalogColumns, Flags, Groups, Integers, Separations
from placement.errors import BadInput, Defect
from placement.graph.columns.lineage import name_of
from placement.graph.columns.neighbours import run_starts
from placement.graph.groups import apart_and_together, unequal_replicas

PAIRS_MAX = 200_000_000
"""Separated pairs that are written out; some 20 bytes each."""
CONTRADICTIONS_MAX = 1_000
"""Sentences on contradictions; one says how many more there are."""


def merged_co_location(groups: Groups) -> Groups:
    """Disjoint groups: relations that share a member are one group.

    Each member points to a smaller one of its component: it takes over the smallest that it or
    its group's first member points to, so do those that the two point to, and then everybody
    points to where its own pointer points. Nobody moves any more once all of a component point to
    its smallest member.
    Sources: Y. Shiloach, U. Vishkin, "An O(log n) parallel connectivity algorithm", J. Algorithms
    3 (1), 1982; Y. Zhang, A. Azad, Z. Hu, "FastSV: a distributed-memory connected component
    algorithm with fast convergence", 2020.
    """
    rows, member = np.unique(groups.members, return_inverse=True)
    first = np.repeat(member[groups.offsets[:-1]], np.diff(groups.offsets))
    label = np.arange(len(rows))
    before = label - 1
    while not np.array_equal(label, before):
        before = label.copy()
        low = np.minimum(label[member], label[first])
        for place in (before[member], before[first], member, first):
            np.minimum.at(label, place, low)
        label = label[label]
    order = np.argsort(label, kind="stable")
    return Groups(np.append(run_starts(label[order]), len(order)), rows[order])


@dataclass(frozen=True)
class ApartPairs:
    """Distinct pairs that rest apart, first < second, sorted."""

    first: Integers
    second: Integers
    whole_operator: Flags


def separated_pairs(separated: Separations, count: int) -> ApartPairs:
    """Every pair of every separated group; where both levels are asked for, operator wins.

    Raises
    ------
    BadInput
        The groups have more pairs than can be written out.
    """
    offsets, members = separated.groups.offsets, separated.groups.members
    sizes = np.diff(offsets)
    if sum(n * (n - 1) // 2 for n in sizes.tolist()) > PAIRS_MAX:
        message = f"separated groups have more than {PAIRS_MAX} pairs"
        raise BadInput([Defect("", "relation separated", "members", message)])
    keys, whole = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        rows = np.sort(members[offsets[chosen, None] + np.arange(size)], axis=1)
        first, second = np.triu_indices(size, 1)
        keys.append((rows[:, first] * count + rows[:, second]).ravel())
        whole.append(np.repeat(separated.whole_operator[chosen], len(first)))
    key = np.concatenate(keys)
    order = np.argsort(key, kind="stable")
    starts = run_starts(key[order])
    distinct = key[order[starts]]
    operator = np.logical_or.reduceat(np.concatenate(whole)[order], starts)
    return ApartPairs(distinct // max(count, 1), distinct % max(count, 1), operator)


def contradictions(columns: CatalogColumns, groups: Groups, apart: ApartPairs) -> tuple[str, ...]:
    """Sentences on relations that cannot hold together, at most CONTRADICTIONS_MAX and one."""
    group_of = np.full(len(columns), -1)
    group_of[groups.members] = np.repeat(np.arange(len(groups)), np.diff(groups.offsets))
    together = group_of[apart.first]
    pairs = np.flatnonzero((together >= 0) & (together == group_of[apart.second]))
    of_kind = np.array([kind.replicas for kind in columns.kinds], dtype=np.int64)
    wanted = of_kind[columns.kind_of[groups.members]]
    starts = groups.offsets[:-1]
    unequal = np.flatnonzero(
        np.maximum.reduceat(wanted, starts) != np.minimum.reduceat(wanted, starts)
    )
    sentences = _sentences(columns, groups, apart, pairs, together[pairs], unequal)
    found = tuple(islice(sentences, CONTRADICTIONS_MAX))
    further = len(pairs) + len(unequal) - len(found)
    return (*found, f"and {further} more contradictions") if further else found


def _sentences(
    columns: CatalogColumns,
    groups: Groups,
    apart: ApartPairs,
    pairs: Integers,
    together: Integers,
    unequal: Integers,
) -> Iterator[str]:
    for pair, group in zip(pairs, together, strict=True):
        first, second = (name_of(columns, side[pair]) for side in (apart.first, apart.second))
        level = "operator" if apart.whole_operator[pair] else "site"
        names = [name_of(columns, row) for row in _members(groups, group)]
        yield apart_and_together(first, second, level, names)
    for group in unequal:
        yield unequal_replicas(
            {
                name_of(columns, row): columns.kinds[columns.kind_of[row]].replicas
                for row in _members(groups, group)
            }
        )


def _members(groups: Groups, group: int) -> Integers:
    return groups.members[groups.offsets[group] : groups.offsets[group + 1]]
