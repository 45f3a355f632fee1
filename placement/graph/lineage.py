"""Lineage: which dataset is computed from which, in an order in which sources come first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from models import Catalog, DerivedFrom, Flow
from placement.errors import BadInput, Defect

if TYPE_CHECKING:
    import networkx as nx

FLOW_GB_MAX = Decimal(10**12)
"""Largest volume a model holds (models.base.MonthlyGb)."""


@dataclass(frozen=True)
class Lineage:
    """Every DerivedFrom relation of a catalogue, sources first."""

    order: tuple[str, ...]
    """All datasets; every source stands before what derives from it."""
    edges: Mapping[str, tuple[DerivedFrom, ...]]
    """For each dataset the relations in which it is the derived one, by source."""
    sources: Mapping[str, tuple[str, ...]]
    """For each dataset its distinct direct sources over inheriting edges, sorted."""


def read_lineage(catalog: Catalog) -> Lineage:
    """Read and order the lineage of a catalogue.

    Raises
    ------
    BadInput
        One defect a strongly connected part of the lineage, naming a shortest cycle in it.
    """
    import networkx as nx

    relations = _derived_from(catalog)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(d.id for d in catalog.datasets)
    graph.add_edges_from((r.source, r.derived) for r in relations)
    if not nx.is_directed_acyclic_graph(graph):
        raise BadInput(cycle_defects(graph))
    edges: dict[str, list[DerivedFrom]] = {d.id: [] for d in catalog.datasets}
    for relation in relations:
        edges[relation.derived].append(relation)
    return Lineage(
        order=tuple(nx.topological_sort(graph)),
        edges={derived: tuple(found) for derived, found in edges.items()},
        sources={
            derived: tuple(sorted({r.source for r in found if inherits(r)}))
            for derived, found in edges.items()
        },
    )


def inherits(relation: DerivedFrom) -> bool:
    """Whether the derived dataset takes over its source's class."""
    return relation.transformation is None or not relation.transformation.ends_inheritance


@dataclass(frozen=True)
class Inherited:
    """One attribute over all datasets: its rank, and the path the rank came along."""

    ranks: Mapping[str, int]
    chains: Mapping[str, tuple[str, ...]]
    """From each dataset to the one its rank comes from."""


def inherit(lineage: Lineage, own: Mapping[str, int]) -> Inherited:
    """The maximum of `own` over each dataset's ancestors, and the shortest way it came.

    A chain's tail is the chain of the source it goes through, so one pass over the topological
    order finds the shortest, and of these the lexicographically smallest.
    """
    ranks: dict[str, int] = {}
    chains: dict[str, tuple[str, ...]] = {}
    for name in lineage.order:
        sources = lineage.sources[name]
        ranks[name] = max([own[name], *(ranks[source] for source in sources)])
        if ranks[name] == own[name]:
            chains[name] = (name,)
        else:
            tails = (chains[source] for source in sources if ranks[source] == ranks[name])
            chains[name] = (name, *min(tails, key=lambda tail: (len(tail), tail)))
    return Inherited(ranks, chains)


def summed_flows(catalog: Catalog) -> tuple[Flow, ...]:
    """Positive flows in GB a month, summed for each (source, derived) pair and sorted by it.

    Raises
    ------
    BadInput
        A sum is larger than a volume can be.
    """
    totals: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for relation in _derived_from(catalog):
        totals[relation.source, relation.derived] += relation.monthly_transfer_gb
    too_large = [
        Defect(
            "",
            f"dataset {derived}",
            "monthly_transfer_gb",
            f"the flows from {source} add up to {total} GB, more than {FLOW_GB_MAX}",
        )
        for (source, derived), total in totals.items()
        if total > FLOW_GB_MAX
    ]
    if too_large:
        raise BadInput(too_large)
    return tuple(
        Flow(source=source, derived=derived, monthly_transfer_gb=total)
        for (source, derived), total in sorted(totals.items())
        if total > 0
    )


def _derived_from(catalog: Catalog) -> list[DerivedFrom]:
    """All DerivedFrom relations in an order that does not depend on the file's."""
    found = [r for r in catalog.relations if isinstance(r, DerivedFrom)]
    return sorted(found, key=lambda r: (r.derived, r.source, r.model_dump_json()))


def cycle_defects(graph: nx.DiGraph[str]) -> list[Defect]:
    """One defect a strongly connected part of source -> derived, naming a shortest cycle in it."""
    import networkx as nx

    defects = []
    for component in nx.strongly_connected_components(graph):
        start = min(component)
        if len(component) > 1 or graph.has_edge(start, start):
            cycle = " -> ".join(_shortest_cycle(graph.subgraph(component), start))
            defects.append(
                Defect(
                    "",
                    f"dataset {start}",
                    "derived_from",
                    f"a dataset cannot derive from itself (source -> derived): {cycle}",
                )
            )
    return defects


def _shortest_cycle(graph: nx.DiGraph[str], start: str) -> list[str]:
    """A shortest cycle through `start`; of several, the lexicographically smallest."""
    import networkx as nx

    if graph.has_edge(start, start):
        return [start, start]
    steps_back = nx.single_source_shortest_path_length(graph.reverse(copy=False), start)
    path = [start, min(graph.successors(start), key=lambda node: (steps_back[node], node))]
    while path[-1] != start:
        path.append(min(graph.successors(path[-1]), key=lambda node: (steps_back[node], node)))
    return path
