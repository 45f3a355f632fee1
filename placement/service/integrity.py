"""Whether records fit together after a change, by looking at what the change touches.

The verdict is the one that the readers of files give on the whole catalogue (a property test holds
the two against each other): references lead somewhere, nothing is named twice, roles declared on
both sides are equal, co-located datasets have equally many replicas, and nothing derives from
itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from models import (
    CoLocated,
    Dataset,
    DerivedFrom,
    Frozen,
    RecordKind,
    Relation,
    Role,
    related_datasets,
)
from placement.catalog.references import ANY_ROLE
from placement.errors import Defect
from placement.store.records import SINGLE, Changes, Key, Records

BODY = "body"
HIDDEN = "a dataset that you may not see"

Sees = Callable[[str], bool]
"""Whether the dataset with an id may be named to whoever asked for the change."""

_REFERRING = {
    RecordKind.DATASET: (RecordKind.RELATION,),
    RecordKind.ROLE: (RecordKind.DATASET, RecordKind.SITE),
    RecordKind.SITE_ROLE: (RecordKind.DATASET, RecordKind.SITE),
    RecordKind.CONTRACT: (RecordKind.DATASET,),
    RecordKind.OPERATOR: (RecordKind.SITE,),
    RecordKind.SITE: (RecordKind.DATASET, RecordKind.ROLE, RecordKind.SITE_ROLE),
}
"""Kinds whose records may refer to a record of a kind."""
_RELATED = (DerivedFrom, CoLocated)


def change_defects(
    before: Records, after: Records, changes: Changes, sees: Sees = lambda _: True
) -> list[Defect]:
    """What would be wrong after a change of records that fit together before it.

    Parameters
    ----------
    before, after
        All records, before and after.
    changes
        What leads from one to the other.
    sees
        Others are not named in the defects.
    """
    look = _Look(after, sees)
    found: list[Defect] = []
    for kind, ident in sorted({*_put(changes), *_referrers(before, after, changes)}):
        found += look.at(kind, after.of(kind)[ident])
    found += look.at_lineage(
        model
        for (kind, _), model in changes.items()
        if kind is RecordKind.RELATION and isinstance(model, DerivedFrom)
    )
    return found


def _put(changes: Changes) -> Iterator[Key]:
    return (key for key, model in changes.items() if model is not None)


def _referrers(before: Records, after: Records, changes: Changes) -> Iterator[Key]:
    """Records that refer to what was removed, or must agree with what was changed."""
    removed: defaultdict[RecordKind, set[str]] = defaultdict(set)
    for (kind, ident), model in changes.items():
        if model is None or _replicas_differ(before, kind, ident, model):
            removed[kind].add(ident)
    for target, idents in removed.items():
        for kind in _REFERRING.get(target, ()):
            for ident, record in after.of(kind).items():
                if not idents.isdisjoint(_names(kind, record, target)):
                    yield kind, ident


def _replicas_differ(before: Records, kind: RecordKind, ident: str, model: Frozen) -> bool:
    was = before.datasets.get(ident) if kind is RecordKind.DATASET else None
    return was is not None and isinstance(model, Dataset) and was.replicas != model.replicas


def _names(kind: RecordKind, record: Any, target: RecordKind) -> Iterable[str]:
    """The ids of a target kind that a record names."""
    if kind is RecordKind.RELATION:
        return related_datasets(record)
    return [name for field in _fields(kind, target) for name in _values(record, field)]


_ROLE_FIELDS = ("readers", "writers", "administrators")
_REFERENCES: Mapping[RecordKind, Sequence[tuple[str, RecordKind]]] = {
    RecordKind.DATASET: (
        *((field, RecordKind.ROLE) for field in _ROLE_FIELDS),
        ("current_site", RecordKind.SITE),
        ("further_current_sites", RecordKind.SITE),
        ("contract", RecordKind.CONTRACT),
    ),
    RecordKind.SITE: (
        ("operator", RecordKind.OPERATOR),
        ("administrators", RecordKind.ROLE),
        ("serves_roles", RecordKind.ROLE),
    ),
    RecordKind.ROLE: (("workplace_sites", RecordKind.SITE),),
    RecordKind.SITE_ROLE: (("workplace_sites", RecordKind.SITE),),
}
"""Fields that name records, and of which kind. A role may stand on either side."""


def _fields(kind: RecordKind, target: RecordKind) -> list[str]:
    wanted = RecordKind.ROLE if target is RecordKind.SITE_ROLE else target
    return [field for field, named in _REFERENCES.get(kind, ()) if named is wanted]


def _values(record: Any, field: str) -> tuple[str, ...]:
    value = getattr(record, field)
    names = () if value is None else (value,) if isinstance(value, str) else tuple(value)
    return tuple(name for name in names if (field, name) != ("serves_roles", ANY_ROLE))


class _Look:
    """Looks at single records of a whole."""

    def __init__(self, records: Records, sees: Sees) -> None:
        self._records = records
        self._sees = sees
        self._pairs: Counter[tuple[str, str]] | None = None

    def at(self, kind: RecordKind, record: Any) -> Iterator[Defect]:
        """What is wrong with one record."""
        if kind is RecordKind.RELATION:
            yield from self._relation(record)
        elif kind not in SINGLE:
            yield from self._record(kind, record)

    def at_lineage(self, relations: Iterable[DerivedFrom]) -> Iterator[Defect]:
        """Derivations that close a circle."""
        sources: defaultdict[str, list[str]] = defaultdict(list)
        put = list(relations)
        for relation in self._records.relations.values() if put else ():
            if isinstance(relation, DerivedFrom):
                sources[relation.derived].append(relation.source)
        for relation in put:
            way = _way(relation.source, relation.derived, sources)
            if way is not None and relation.source != relation.derived:
                circle = " -> ".join(self._named(name) for name in (*reversed(way), way[-1]))
                yield Defect(
                    BODY,
                    self._place(RecordKind.RELATION, relation),
                    "source",
                    f"a dataset cannot derive from itself (source -> derived): {circle}",
                )

    def _record(self, kind: RecordKind, record: Any) -> Iterator[Defect]:
        place = self._place(kind, record)
        for field, target in _REFERENCES.get(kind, ()):
            for name in _values(record, field):
                if not self._exists(target, name):
                    yield Defect(BODY, place, field, f"there is no {target.value} {name}")
        yield from _repetitions(record, place)
        if isinstance(record, Role):
            yield from self._unequal_roles(record, place)

    def _relation(self, relation: Relation) -> Iterator[Defect]:
        place = self._place(RecordKind.RELATION, relation)
        for field, name in _members(relation):
            if name not in self._records.datasets:
                yield Defect(BODY, place, field, f"there is no dataset {name}")
        if isinstance(relation, DerivedFrom):
            yield from self._derivation(relation, place)
        elif isinstance(relation, CoLocated):
            yield from self._unequal_replicas(relation, place)

    def _derivation(self, relation: DerivedFrom, place: str) -> Iterator[Defect]:
        if relation.derived == relation.source:
            yield Defect(BODY, place, "source", "a dataset cannot derive from itself")
        if self._pairs is None:
            self._pairs = Counter(
                (other.derived, other.source)
                for other in self._records.relations.values()
                if isinstance(other, DerivedFrom)
            )
        if self._pairs[relation.derived, relation.source] > 1:
            yield Defect(BODY, place, "", "there is a relation of the same two datasets already")

    def _unequal_replicas(self, relation: CoLocated, place: str) -> Iterator[Defect]:
        known = self._records.datasets
        counts = {name: known[name].replicas for name in relation.members if name in known}
        if len(set(counts.values())) > 1:
            message = "co-located datasets need equal replicas"
            if all(map(self._sees, counts)):
                message += ": " + ", ".join(f"{name} has {n}" for name, n in counts.items())
            yield Defect(BODY, place, "members", message)

    def _unequal_roles(self, role: Role, place: str) -> Iterator[Defect]:
        ours, theirs = (
            side.get(role.id) for side in (self._records.roles, self._records.site_roles)
        )
        if ours is None or theirs is None:
            return
        for field in Role.model_fields:
            if getattr(ours, field) != getattr(theirs, field):
                yield Defect(BODY, place, field, "differs from the role of the same id")

    def _exists(self, kind: RecordKind, ident: str) -> bool:
        if kind is RecordKind.ROLE and ident in self._records.site_roles:
            return True
        return ident in self._records.of(kind)

    def _named(self, dataset: str) -> str:
        return dataset if self._sees(dataset) else HIDDEN

    def _place(self, kind: RecordKind, record: Any) -> str:
        if kind is not RecordKind.RELATION:
            word = "role" if kind is RecordKind.SITE_ROLE else kind.value
            hidden = kind is RecordKind.DATASET and not self._sees(record.id)
            return HIDDEN if hidden else f"{word} {record.id}"
        known = all(map(self._sees, related_datasets(record)))
        return f"relation of {', '.join(related_datasets(record))}" if known else "a relation"


def _members(relation: Relation) -> list[tuple[str, str]]:
    if isinstance(relation, DerivedFrom):
        return [("derived", relation.derived), ("source", relation.source)]
    return [("members", member) for member in relation.members]


def _repetitions(record: Frozen, place: str) -> Iterator[Defect]:
    for field in type(record).model_fields:
        value = getattr(record, field)
        if isinstance(value, tuple) and len(set(value)) != len(value):
            twice = [member for member, times in Counter(value).items() if times > 1]
            shown = ", ".join(m if isinstance(m, str) else type(m).__name__ for m in twice)
            yield Defect(BODY, place, field, f"names {shown} more than once")


def _way(start: str, goal: str, sources: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Datasets from `start` to `goal`, each a source of the one before; none: there is no way."""
    came: dict[str, str | None] = {start: None}
    pending = [start]
    while pending:
        here = pending.pop()
        if here == goal:
            way: list[str] = []
            at: str | None = here
            while at is not None:
                way.append(at)
                at = came[at]
            return way
        for source in sources.get(here, ()):
            if source not in came:
                came[source] = here
                pending.append(source)
    return None
