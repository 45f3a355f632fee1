"""Graph facts after a small change, without deriving those of the whole catalogue again.

Classes travel along relations alone. So a changed dataset can change the class of those that
relations connect it with, directly or over others, and of no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from models import Catalog, EffectiveClass, GraphFacts, RecordKind, Relation, related_datasets
from placement.graph import derive_facts
from placement.store.records import Changes, Records

_UNTOUCHED = frozenset(
    {
        RecordKind.ROLE,
        RecordKind.CONTRACT,
        RecordKind.OPERATOR,
        RecordKind.SITE,
        RecordKind.SITE_ROLE,
        RecordKind.CITY,
    }
)
"""Kinds that graph facts are not made of."""


def rederived(
    facts: GraphFacts, before: Records, after: Records, changes: Changes
) -> GraphFacts | None:
    """The facts after the changes; none where all are to be derived again.

    Parameters
    ----------
    facts
        Those of `before`.
    before, after
        All records, before and after the changes.
    changes
        What leads from one to the other.
    """
    kinds = {kind for kind, _ in changes} - _UNTOUCHED
    if RecordKind.RELATION in kinds or facts.contradictions:
        return None
    settings = [records.parameters.cumulation_datasets_min for records in (before, after)]
    if settings[0] != settings[1]:
        return None
    changed = {ident for kind, ident in changes if kind is RecordKind.DATASET}
    if not changed:
        return facts
    relations, touched = _connected(changed, after.relations.values())
    part = derive_facts(
        Catalog(
            municipality=after.about.municipality,
            datasets=tuple(after.datasets[i] for i in sorted(touched & after.datasets.keys())),
            relations=relations,
        ),
        after.parameters,
    )
    if part.contradictions:
        return None
    return facts.model_copy(update={"effective": _spliced(facts, part, after.datasets)})


def _connected(
    start: Collection[str], relations: Iterable[Relation]
) -> tuple[tuple[Relation, ...], set[str]]:
    """The relations that connect with the datasets, over any number of others, and all datasets."""
    around: defaultdict[str, list[tuple[int, Relation]]] = defaultdict(list)
    for number, relation in enumerate(relations):
        for dataset in related_datasets(relation):
            around[dataset].append((number, relation))
    found: dict[int, Relation] = {}
    touched = set(start)
    pending = list(touched)
    while pending:
        for number, relation in around[pending.pop()]:
            if number not in found:
                found[number] = relation
                new = set(related_datasets(relation)) - touched
                touched |= new
                pending.extend(new)
    return tuple(found.values()), touched


def _spliced(
    facts: GraphFacts, part: GraphFacts, datasets: Iterable[str]
) -> tuple[EffectiveClass, ...]:
    known = {found.dataset: found for found in facts.effective}
    known |= {found.dataset: found for found in part.effective}
    return tuple(known[ident] for ident in sorted(datasets))
