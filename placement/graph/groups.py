"""Groups of datasets: who must rest together, who must not, and where both are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

from models import Catalog, CoLocated, Separated, SeparatedPair


def merged_co_location(catalog: Catalog) -> tuple[tuple[str, ...], ...]:
    """Disjoint, sorted groups: relations that share a member are one group."""
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph()
    for relation in catalog.relations:
        if isinstance(relation, CoLocated):
            nx.add_path(graph, relation.members)
    return tuple(sorted(tuple(sorted(group)) for group in nx.connected_components(graph)))


def separated_pairs(catalog: Catalog) -> tuple[SeparatedPair, ...]:
    """Distinct pairs, first < second, sorted; where both levels are asked for, operator wins.

    Datasets apart by operator are apart by site, since a site has one operator.
    """
    levels: dict[tuple[str, str], Literal["site", "operator"]] = {}
    for relation in catalog.relations:
        if isinstance(relation, Separated):
            for pair in combinations(sorted(relation.members), 2):
                if levels.get(pair) != "operator":
                    levels[pair] = relation.level
    return tuple(
        SeparatedPair(first=first, second=second, level=level)
        for (first, second), level in sorted(levels.items())
    )


def contradictions(
    catalog: Catalog,
    groups: tuple[tuple[str, ...], ...],
    separations: tuple[SeparatedPair, ...],
) -> tuple[str, ...]:
    """Sentences on relations that cannot hold together, whatever the sites."""
    replicas = {dataset.id: dataset.replicas for dataset in catalog.datasets}
    group_of = {member: group for group in groups for member in group}
    found = []
    for pair in separations:
        group = group_of.get(pair.first)
        if group is not None and group == group_of.get(pair.second):
            found.append(apart_and_together(pair.first, pair.second, pair.level, group))
    for group in groups:
        wanted = {member: replicas[member] for member in group}
        if len(set(wanted.values())) > 1:
            found.append(unequal_replicas(wanted))
    return tuple(found)


def apart_and_together(first: str, second: str, level: str, group: Sequence[str]) -> str:
    """The sentence on a separated pair within one co-location group."""
    return (
        f"{first} and {second} must rest apart (separation by {level}) "
        f"and together (co-location of {', '.join(group)})"
    )


def unequal_replicas(wanted: Mapping[str, int]) -> str:
    """The sentence on a co-location group whose members want different numbers of replicas."""
    numbers = ", ".join(f"{member} wants {n}" for member, n in wanted.items())
    return (
        f"a co-location group must want one number of replicas, since its members "
        f"rest at the same sites: {numbers}"
    )
