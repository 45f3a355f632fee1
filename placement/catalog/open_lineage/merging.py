"""Lineage put into a catalogue: each edge between two of its datasets becomes a relation.

A dataset is found by its id: `namespace/name`, the same with other characters made "-", its IRI, or
the name alone; then by the other names that events give it. What is not in the catalogue, such as
a table that only lives for a night, is passed through: what was made from it was made from its
sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from models import Catalog, DerivedFrom
from placement.catalog import synthetic
from placement.catalog.open_lineage.events import Lineage, Name, Node
from placement.errors import BadInput, Defect

_NAMED = 5
_STEPS_MAX = 20_000_000
"""Steps from datasets back to their sources: some seconds."""


def with_lineage(catalog: Catalog, lineage: Lineage) -> Catalog:
    """The catalogue with relations for what events say; those it has already stay as they are.

    Raises
    ------
    BadInput
        When datasets would derive from each other in a circle; the circle is named.
    """
    ids = _Ids(catalog, lineage)
    known = {(r.source, r.derived) for r in catalog.relations if isinstance(r, DerivedFrom)}
    found = sorted(set(_edges(lineage, ids)) - known)
    _refuse_circles([*known, *found], lineage.file)
    volumes = {dataset.id: dataset.volume_gb for dataset in catalog.datasets}
    added = tuple(
        DerivedFrom(
            derived=derived,
            source=source,
            monthly_transfer_gb=synthetic.transfer_gb(derived, source, volumes[source]),
        )
        for source, derived in found
    )
    return catalog.model_copy(
        update={
            "relations": (*catalog.relations, *added),
            "assumptions": (*catalog.assumptions, *_assumptions(lineage, ids, len(added))),
        }
    )


class _Ids:
    """Ids of the catalogue's datasets by the names that events use."""

    def __init__(self, catalog: Catalog, lineage: Lineage) -> None:
        self._ids = {dataset.id for dataset in catalog.datasets}
        self._by_uri = {dataset.uri: dataset.id for dataset in catalog.datasets if dataset.uri}
        self._others = lineage.other_names
        nodes = {node for edge in lineage.edges for node in edge}
        names = {node for node in nodes if not isinstance(node, int)}
        self._found = {name: self._find(name) for name in names}

    def of(self, node: Node) -> str | None:
        """The dataset of that name; None where there is none."""
        return None if isinstance(node, int) else self._found[node]

    def left_out(self) -> list[str]:
        """Names of no dataset here."""
        return sorted("/".join(name) for name, found in self._found.items() if found is None)

    def _find(self, name: Name) -> str | None:
        for called in (name, *sorted(self._others.get(name, ()))):
            for candidate in _candidates(*called):
                if candidate in self._ids:
                    return candidate
                if candidate in self._by_uri:
                    return self._by_uri[candidate]
        return None


def _candidates(namespace: str, name: str) -> Iterator[str]:
    whole = f"{namespace}/{name}"
    yield whole
    yield re.sub(r"[^A-Za-z0-9._-]+", "-", whole).strip("-._")
    yield name


def _edges(lineage: Lineage, ids: _Ids) -> Iterator[tuple[str, str]]:
    """(source, derived) ids, through datasets that are not in the catalogue."""
    made_from: dict[Node, list[Node]] = {}
    for source, derived in lineage.edges:
        made_from.setdefault(derived, []).append(source)
    steps = 0
    for node, sources in made_from.items():
        derived_id = ids.of(node)
        if derived_id is None:
            continue
        pending, seen = list(sources), set(sources)
        while pending:
            steps += 1
            if steps > _STEPS_MAX:
                message = "the events join more datasets than can be followed"
                raise BadInput([Defect(lineage.file, "", "", message)])
            source = pending.pop()
            source_id = ids.of(source)
            if source_id is None:
                fresh = [far for far in made_from.get(source, ()) if far not in seen]
                seen.update(fresh)
                pending += fresh
            elif source_id != derived_id:
                yield source_id, derived_id


def _refuse_circles(edges: Iterable[tuple[str, str]], file: str) -> None:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, derived in edges:
        sorter.add(derived, source)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " < ".join(error.args[1])
        message = f"datasets would derive from each other in a circle: {circle}"
        raise BadInput([Defect(file, "", "", message)]) from None


def _assumptions(lineage: Lineage, ids: _Ids, added: int) -> Iterator[str]:
    yield f"relations: {added} from OpenLineage events, monthly_transfer_gb is synthetic."
    left_out = ids.left_out()
    if left_out:
        names = f": {', '.join(left_out)}" if len(left_out) <= _NAMED else ""
        yield f"lineage: datasets that are not here, passed through ({len(left_out)}{names})."
    if lineage.unfinished_runs:
        yield f"lineage: runs not known to be complete, left out ({lineage.unfinished_runs})."
