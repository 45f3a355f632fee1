"""Cumulation: many datasets of one level, used together, need more protection than each alone.

The definition stands in `placement.graph.inheritance`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from models import Catalog, Cumulated, Level
from placement.graph.ranks import word

_CUMULATES = (Level.HIGH, Level.NORMAL, Level.BASIC)
"""Levels that can rise: open data does not cumulate, and nothing is above very high."""


@dataclass(frozen=True)
class Raise:
    """A level that cumulation asks for, and why."""

    level: int
    reason: str


@dataclass(frozen=True)
class _Group:
    members: tuple[str, ...]
    name: str


def cumulated_levels(
    catalog: Catalog,
    groups: tuple[tuple[str, ...], ...],
    sources: Mapping[str, tuple[str, ...]],
    personal_base: Mapping[str, int],
    datasets_min: int,
) -> dict[str, Raise]:
    """The highest level that cumulation asks of each dataset it touches.

    Parameters
    ----------
    groups
        Merged co-location groups.
    sources
        Distinct direct sources over inheriting edges, by derived dataset.
    personal_base
        Rank of the base confidentiality, of the datasets with personal data only.
    datasets_min
        K: how many datasets cumulate; below 2 nothing does.
    """
    raises: dict[str, Raise] = {}
    if datasets_min < 2:
        return raises
    for group in _all_groups(catalog, groups):
        counts = _at_least(group.members, personal_base)
        for member in group.members:
            level = personal_base.get(member)
            if level in _CUMULATES and counts[level] >= datasets_min:
                _keep_highest(raises, member, level, counts[level], f"used together ({group.name})")
    for derived, found in sources.items():
        counts = _at_least(found, personal_base)
        level = next((n for n in _CUMULATES if counts[n] >= datasets_min), None)
        if level is not None:
            _keep_highest(raises, derived, level, counts[level], "combined in this dataset")
    return raises


def _all_groups(catalog: Catalog, merged: tuple[tuple[str, ...], ...]) -> list[_Group]:
    """Every group in an order that does not depend on the file's."""
    declared = [
        _Group(tuple(sorted(relation.members)), relation.reason or "cumulated")
        for relation in catalog.relations
        if isinstance(relation, Cumulated)
    ]
    together = [_Group(members, "co-located") for members in merged]
    return sorted([*declared, *together], key=lambda group: (group.members, group.name))


def _at_least(datasets: Collection[str], personal_base: Mapping[str, int]) -> dict[int, int]:
    """For each level that can rise: how many of the personal datasets are at least there."""
    ranks = [personal_base[dataset] for dataset in datasets if dataset in personal_base]
    return {int(level): sum(rank >= level for rank in ranks) for level in _CUMULATES}


def _keep_highest(raises: dict[str, Raise], dataset: str, level: int, count: int, how: str) -> None:
    raised = level + 1
    if dataset not in raises or raises[dataset].level < raised:
        raises[dataset] = Raise(
            raised,
            f"confidentiality rises to {word(raised)} by cumulation: {count} datasets with "
            f"personal data of level {word(level)} or above are {how}",
        )
