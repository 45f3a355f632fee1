"""How one dataset of a catalogue kept as columns came by its class: chain and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from models import (
    Catalog,
    CoLocated,
    Cumulated,
    Dataset,
    DerivedFrom,
    EffectiveClass,
    Parameters,
)
from models.columns import CatalogColumns, FactColumns, Flags, Groups, Integers
from placement.graph.columns.classes import base_ranks
from placement.graph.columns.lineage import Pairs, distinct_pairs, inheritance, name_of
from placement.graph.columns.neighbours import Neighbours, neighbours
from placement.graph.facts import derive_facts
from placement.graph.ranks import category_of, level_of


def explain_effective(
    columns: CatalogColumns, facts: FactColumns, parameters: Parameters, row: int
) -> EffectiveClass:
    """The effective class of a dataset with its chain and reasons.

    Worked out by `derive_facts` on the part of the catalogue that decides it: the dataset's
    ancestors, and the other members of the groups these are in, which stand there with their base
    values. Columns hold no words of a group's reason nor of a transformation: a group is called
    "cumulated", and of transformations there is a sentence on each that ends inheritance.

    Raises
    ------
    IndexError
        There is no such row.
    """
    if not 0 <= row < len(columns):
        raise IndexError(f"there is no dataset {row} among {len(columns)}")
    pairs = distinct_pairs(columns)
    sources = neighbours(len(columns), pairs.derived[pairs.inherits], pairs.source[pairs.inherits])
    near = _ancestors(sources, row)
    cumulated, together = _touched(columns.cumulated, near), _touched(facts.co_location, near)
    members = np.unique(np.concatenate([np.flatnonzero(near), *cumulated, *together]))
    names = {number: name_of(columns, number) for number in members.tolist()}
    catalog = Catalog(
        municipality=columns.municipality,
        datasets=tuple(_datasets(columns, pairs, near, names)),
        relations=(
            *_derivations(sources, near, names),
            *(Cumulated(members=tuple(names[m] for m in group.tolist())) for group in cumulated),
            *(CoLocated(members=tuple(names[m] for m in group.tolist())) for group in together),
        ),
    )
    place = int(np.searchsorted(members, row))
    effective = derive_facts(catalog, parameters).effective[place]
    sentences = (*effective.reasons, *_endings(columns, row))
    return effective.model_copy(update={"reasons": sentences})


def _ancestors(sources: Neighbours, row: int) -> Flags:
    """Which datasets are the row or its ancestors."""
    found = np.zeros(len(sources.offsets) - 1, dtype=bool)
    frontier = np.array([row])
    while len(frontier):
        found[frontier] = True
        reached = sources.of(frontier)
        frontier = np.unique(reached[~found[reached]])
    return found


def _touched(groups: Groups, near: Flags) -> list[Integers]:
    """The groups with a member among these."""
    before = np.concatenate(([0], np.cumsum(near[groups.members])))[groups.offsets]
    return [
        groups.members[groups.offsets[group] : groups.offsets[group + 1]]
        for group in np.flatnonzero(np.diff(before))
    ]


def _datasets(
    columns: CatalogColumns, pairs: Pairs, near: Flags, names: Mapping[int, str]
) -> Iterator[Dataset]:
    """The ancestors as declared, and the others with their base values."""
    level, category = base_ranks(columns, inheritance(columns, pairs))
    for row, name in names.items():
        kind = columns.kinds[columns.kind_of[row]]
        values = {
            "confidentiality": level_of(int(level[row])),
            "gdpr_category": category_of(int(category[row])),
        }
        yield kind.model_copy(update={"id": name} if near[row] else {"id": name, **values})


def _derivations(
    sources: Neighbours, near: Flags, names: Mapping[int, str]
) -> Iterator[DerivedFrom]:
    for derived in np.flatnonzero(near).tolist():
        for source in sources.of(np.array([derived])).tolist():
            yield DerivedFrom(derived=names[derived], source=names[source])


def _endings(columns: CatalogColumns, row: int) -> Iterator[str]:
    lineage = columns.derivations
    for source in np.sort(lineage.source[lineage.ends_inheritance & (lineage.derived == row)]):
        name = name_of(columns, source)
        yield f"the transformation of {name} ends inheritance: it was reviewed"
