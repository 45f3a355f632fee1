"""What the relations of a catalogue ask of a plan, computed again as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models import Check
from models.columns import CatalogColumns, FactColumns, Flags, Groups, Integers, Numbers32
from placement.certificate.checks import check
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.sums import sorted_set

FLOW_UGB_MOST = 10**18
"""The largest flow a model holds: 1e12 GB a month."""


def merged_groups(columns: CatalogColumns) -> Groups:
    """Disjoint groups: relations that share a member are one group; ascending."""
    groups = columns.co_located
    sizes = np.diff(groups.offsets)
    first = np.repeat(groups.members[groups.offsets[:-1][sizes > 0]], sizes[sizes > 0])
    members, at = np.unique(groups.members, return_inverse=True)
    label = _components(len(members), np.searchsorted(members, first), at.ravel())
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    return Groups(np.append(starts, len(members)), members[order])


def _components(count: int, first: Integers, second: Integers) -> Integers:
    """(count,) the smallest node that each one hangs together with.

    Each node points at the smallest one known; edges lower the targets of both ends, and
    pointers are followed to their end, until nothing changes.
    """
    least = np.arange(count)
    while True:
        joined = np.minimum(least[first], least[second])
        before = least.copy()
        for ends in (first, second):
            np.minimum.at(least, before[ends], joined)
            np.minimum.at(least, ends, joined)
        while (least[least] != least).any():
            least = least[least]
        if (least == before).all():
            return least


@dataclass(frozen=True)
class _Pairs:
    first: Integers
    second: Integers
    whole_operator: Flags


def _separated(columns: CatalogColumns) -> _Pairs:
    """Distinct pairs, first < second, sorted; by operator where any relation asks for that."""
    groups, count = columns.separated.groups, max(1, len(columns))
    keys: list[Integers] = [np.empty(0, dtype=np.int64)]
    whole: list[Flags] = [np.empty(0, dtype=np.bool_)]
    sizes = np.diff(groups.offsets)
    for size in sorted_set(sizes).tolist():
        alike = np.flatnonzero(sizes == size)
        members = groups.members[groups.offsets[alike][:, None] + np.arange(size)]
        a, b = np.triu_indices(size, 1)
        ends = np.sort(np.stack([members[:, a], members[:, b]]), axis=0)
        keys.append((ends[0] * count + ends[1]).ravel())
        whole.append(np.repeat(columns.separated.whole_operator[alike], len(a)))
    key, number = np.unique(np.concatenate(keys), return_inverse=True)
    first, second = np.divmod(key, count)
    operator = np.bincount(number.ravel(), np.concatenate(whole), len(key)) > 0
    return _Pairs(first, second, operator)


@dataclass(frozen=True)
class _Flows:
    source: Integers
    derived: Integers
    ugb: Integers
    too_large: Flags


def _flows(columns: CatalogColumns) -> _Flows:
    """Distinct flows above zero, summed, sorted by source and derived."""
    edges, count = columns.derivations, max(1, len(columns))
    keys, number = np.unique(edges.source * count + edges.derived, return_inverse=True)
    number, volumes = number.ravel(), edges.monthly_transfer_ugb
    rough = np.bincount(number, volumes.astype(np.float64), len(keys))
    ugb = np.zeros(len(keys), dtype=np.int64)
    np.add.at(ugb, number, volumes)  # exact where the sum is small enough to be a flow
    too_large = (rough > 1.5 * FLOW_UGB_MOST) | (ugb > FLOW_UGB_MOST)
    kept = (ugb > 0) | too_large
    source, derived = np.divmod(keys[kept], count)
    return _Flows(source, derived, ugb[kept], too_large[kept])


def relations(city: ColumnCity, groups: Groups) -> Check:
    """Groups, separated pairs and flows of the facts are those computed again."""
    failures = [*_differences(city.columns, city.facts, groups)]
    checked = len(groups) + len(city.facts.pair_first) + len(city.facts.flow_source)
    return check("relations", checked, failures)


def _differences(columns: CatalogColumns, facts: FactColumns, groups: Groups) -> Iterator[str]:
    claimed = facts.co_location
    if not (_equal(claimed.offsets, groups.offsets) and _equal(claimed.members, groups.members)):
        yield "co_location: the groups are not those of the relations"
    pairs = _separated(columns)
    if not (
        _equal(facts.pair_first, pairs.first)
        and _equal(facts.pair_second, pairs.second)
        and _equal(facts.pair_whole_operator, pairs.whole_operator)
    ):
        yield "separation: the pairs are not those of the relations"
    flows = _flows(columns)
    if flows.too_large.any():
        yield "lineage: the flows between two datasets add up to more than a volume can be"
    if not (
        _equal(facts.flow_source, flows.source)
        and _equal(facts.flow_derived, flows.derived)
        and _equal(facts.flow_ugb, flows.ugb)
    ):
        yield "lineage: the flows are not those of the relations"


def _equal(claimed: Integers | Numbers32 | Flags, own: Integers | Numbers32 | Flags) -> bool:
    return bool(np.array_equal(claimed, own))
