"""Effective classes, computed again from the definition in `placement.graph.inheritance`.

This module shares no code with that one: where the two differ, a plan is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from models import (
    AccessRights,
    Catalog,
    Cumulated,
    Dataset,
    DerivedFrom,
    EffectiveClass,
    GdprCategory,
    Level,
    Parameters,
)
from placement.errors import BadInput, Defect

UNKNOWN = 99
"""Rank of a value the catalogue does not give: above all known ones (fail closed)."""

Ranks = Mapping[str, int]

_Value = TypeVar("_Value")


def effective_classes(
    catalog: Catalog, parameters: Parameters, co_location: Sequence[tuple[str, ...]]
) -> dict[str, EffectiveClass]:
    """The effective class of every dataset, with its chain; reasons are left empty.

    Parameters
    ----------
    co_location : sequence of tuple of str
        The merged co-location groups: members of one group cumulate.

    Raises
    ------
    BadInput
        For a lineage cycle.
    """
    datasets = {d.id: d for d in catalog.datasets}
    sources = _inheriting_edges(catalog)
    order = _sources_first(sources)
    declared = {i: _rank(d.confidentiality) for i, d in datasets.items()}
    base = _inherited(declared, sources, order)
    gdpr = _inherited({i: _gdpr_rank(d.gdpr_category) for i, d in datasets.items()}, sources, order)
    access = _inherited({i: _access_rank(d) for i, d in datasets.items()}, sources, order)
    groups = [r.members for r in catalog.relations if isinstance(r, Cumulated)]
    raised = _raised([*groups, *co_location], sources, base, gdpr, parameters)
    own = {i: max(declared[i], raised.get(i, 0)) for i in datasets}
    level = _inherited(own, sources, order)
    chains = _chains(own, level, sources, order)
    grounds = _grounds(datasets, sources, order)
    return {
        i: EffectiveClass(
            dataset=i,
            confidentiality=_value(list(Level), level[i]),
            gdpr_category=_value(list(GdprCategory), gdpr[i]),
            access_rights=_value(list(AccessRights), access[i]),
            non_publication_grounds=tuple(sorted(grounds[i])),
            chain=chains[i],
        )
        for i in datasets
    }


def _rank(level: Level | None) -> int:
    return UNKNOWN if level is None else int(level)


def _gdpr_rank(category: GdprCategory | None) -> int:
    return UNKNOWN if category is None else category.rank


def _access_rank(dataset: Dataset) -> int:
    return UNKNOWN if dataset.access_rights is None else dataset.access_rights.rank


def _value(values: list[_Value], rank: int) -> _Value | None:
    return None if rank == UNKNOWN else values[rank]


def _inheriting_edges(catalog: Catalog) -> dict[str, set[str]]:
    """For each dataset its direct sources, without those a reviewed transformation releases."""
    sources: dict[str, set[str]] = {d.id: set() for d in catalog.datasets}
    for relation in catalog.relations:
        if isinstance(relation, DerivedFrom):
            change = relation.transformation
            if change is None or not change.ends_inheritance:
                sources[relation.derived].add(relation.source)
    return sources


def _sources_first(sources: Mapping[str, set[str]]) -> list[str]:
    try:
        return list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        circle = "lineage goes in a circle: " + " -> ".join(error.args[1])
        raise BadInput([Defect("", "relations", "", circle)]) from None


def _inherited(own: Ranks, sources: Mapping[str, set[str]], order: Iterable[str]) -> dict[str, int]:
    """The maximum over each dataset and all its ancestors."""
    best: dict[str, int] = {}
    for i in order:
        best[i] = max([own[i], *(best[s] for s in sources[i])])
    return best


def _grounds(
    datasets: Mapping[str, Dataset], sources: Mapping[str, set[str]], order: Iterable[str]
) -> dict[str, frozenset[str]]:
    union: dict[str, frozenset[str]] = {}
    for i in order:
        own = frozenset(datasets[i].non_publication_grounds)
        union[i] = own.union(*(union[s] for s in sources[i]))
    return union


def _raised(
    groups: Iterable[Sequence[str]],
    sources: Mapping[str, set[str]],
    base: Ranks,
    gdpr: Ranks,
    parameters: Parameters,
) -> dict[str, int]:
    """Cumulation: the highest level each dataset is raised to, where it is raised at all."""
    least = parameters.cumulation_datasets_min
    raised: dict[str, int] = {}
    if least < 2:
        return raised

    def cumulate(together: Iterable[str], level: int) -> bool:
        return sum(gdpr[m] > 0 and base[m] >= level for m in together) >= least

    def lift(dataset: str, level: int) -> None:
        raised[dataset] = max(raised.get(dataset, 0), level + 1)

    for group in groups:
        levels = [level for level in (1, 2, 3) if cumulate(group, level)]
        for member in group:
            if gdpr[member] > 0 and base[member] in levels:
                lift(member, base[member])
    for dataset, direct in sources.items():
        for level in (1, 2, 3):
            if cumulate(direct, level):
                lift(dataset, level)
    return raised


def _chains(
    own: Ranks, level: Ranks, sources: Mapping[str, set[str]], order: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The shortest, then smallest, way to a dataset whose own level is the effective one.

    Every dataset on such a way has that same effective level, so a chain goes on with the best
    chain of a direct source.
    """
    chains: dict[str, tuple[str, ...]] = {}
    for i in order:
        ways = [chains[s] for s in sources[i] if level[s] == level[i]]
        chains[i] = (i,) if own[i] == level[i] else (i, *min(ways, key=lambda way: (len(way), way)))
    return chains
