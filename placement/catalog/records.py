"""What no single record can show: repeated ids and members, dangling and contradicting records.

These checks read the decoded document, not the models: a file with a wrong unit in one record
and a dangling reference in another gets both defects at once. Values of the wrong type are
passed over here; the models report them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from placement.catalog.places import KINDS, record_name, shown
from placement.errors import Defect

Record = dict[str, Any]


def catalog_defects(document: Any, file: str) -> list[Defect]:
    """Defects that a catalogue shows by itself. Its roles may stand in the sites file."""
    if _is_empty_list(document, "datasets"):
        return [Defect(file, "", "datasets", "there is no dataset to place")]
    defects = _repetitions(document, file, "datasets", "roles", "contracts")
    defects += _dangling(document, file, "datasets", "contract", "contracts")
    return defects + list(_relation_defects(document, file))


def register_defects(document: Any, file: str) -> list[Defect]:
    """Defects that a sites file shows by itself. Its roles may stand in the catalogue."""
    if _is_empty_list(document, "sites"):
        return [Defect(file, "", "sites", "there is no site to place datasets at")]
    defects = _repetitions(document, file, "operators", "sites", "roles")
    return defects + list(_dangling(document, file, "sites", "operator", "operators"))


def _is_empty_list(document: Any, key: str) -> bool:
    return isinstance(document, dict) and document.get(key) == []


def _records(document: Any, key: str) -> list[tuple[int, Record]]:
    """The objects of a list at the top of the document, with their 0-based positions."""
    listed = document.get(key) if isinstance(document, dict) else None
    if not isinstance(listed, list):
        return []
    return [(position, r) for position, r in enumerate(listed) if isinstance(r, dict)]


def _ids(document: Any, key: str) -> set[str]:
    return {name for _, r in _records(document, key) if (name := _text(r, "id")) is not None}


def _text(record: Record, field: str) -> str | None:
    value = record.get(field)
    return value.strip() if isinstance(value, str) else None


def _repetitions(document: Any, file: str, *keys: str) -> list[Defect]:
    found: list[Defect] = []
    for key in keys:
        found += _repeated_ids(document, file, key)
        found += _repeated_members(document, file, key)
    return found


def _repeated_ids(document: Any, file: str, key: str) -> Iterator[Defect]:
    kind = KINDS[key]
    positions: dict[str, list[int]] = {}
    for position, record in _records(document, key):
        name = _text(record, "id")
        if name is not None:
            positions.setdefault(name, []).append(position)
    for name, used in positions.items():
        if len(used) > 1:
            owner = record_name(kind, {"id": name}, used[0])
            where = " and ".join(f"{kind} {position + 1}" for position in used)
            yield Defect(file, owner, "id", f"is used more than once: by {where}")


def _repeated_members(document: Any, file: str, key: str) -> Iterator[Defect]:
    for position, record in _records(document, key):
        for field, value in record.items():
            if isinstance(value, list) and len(value) > 1:
                for member in _repeats(value):
                    name = record_name(KINDS[key], record, position)
                    yield Defect(file, name, field, f"names {member} more than once")


def _repeats(values: list[Any]) -> list[str]:
    forms = Counter(_form(value) for value in values)
    return [_label(form) for form, times in forms.items() if times > 1]


def _form(value: Any) -> str:
    """One text for equal values; containers are short here, records of a few fields."""
    if isinstance(value, str):
        return value.strip()
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except RecursionError:
        return str(id(value))


def _label(form: str) -> str:
    return shown(form)


def _dangling(document: Any, file: str, key: str, field: str, target: str) -> Iterator[Defect]:
    """Records whose `field` names nothing in the list `target`."""
    known = _ids(document, target)
    for position, record in _records(document, key):
        name = _text(record, field)
        if name is not None and name not in known:
            owner = record_name(KINDS[key], record, position)
            yield Defect(file, owner, field, _absent(KINDS[target], name))


def _absent(kind: str, name: str) -> str:
    return f"there is no {kind} {name if name.isprintable() else shown(name)}"


def _relation_defects(document: Any, file: str) -> Iterator[Defect]:
    datasets = _ids(document, "datasets")
    replicas = {_text(r, "id"): r.get("replicas", 1) for _, r in _records(document, "datasets")}
    derivations: set[tuple[str, str]] = set()
    for position, relation in _records(document, "relations"):
        record = f"relation {position + 1}"
        for field, name in _named(relation):
            if name not in datasets:
                yield Defect(file, record, field, _absent("dataset", name))
        derived, source = _text(relation, "derived"), _text(relation, "source")
        if derived is not None and source is not None:
            yield from _derivation_defects(derived, source, derivations, file, record)
        if relation.get("kind") == "co_located":
            yield from _unequal_replicas(relation, replicas, file, record)


def _named(relation: Record) -> list[tuple[str, str]]:
    """The (field, dataset id) pairs a relation names."""
    members = relation.get("members")
    listed = [m.strip() for m in members if isinstance(m, str)] if isinstance(members, list) else []
    single = [(f, n) for f in ("derived", "source") if (n := _text(relation, f)) is not None]
    return single + [("members", member) for member in listed]


def _derivation_defects(
    derived: str, source: str, seen: set[tuple[str, str]], file: str, record: str
) -> Iterator[Defect]:
    if derived == source:
        yield Defect(file, record, "source", "a dataset cannot derive from itself")
    if (derived, source) in seen:
        yield Defect(file, record, "", "repeats an earlier relation of the same two datasets")
    seen.add((derived, source))


def _unequal_replicas(
    group: Record, replicas: dict[str | None, Any], file: str, record: str
) -> Iterator[Defect]:
    """Members rest at the same sites, so they must have equally many of them."""
    counts = {n: replicas[n] for _, n in _named(group) if isinstance(replicas.get(n), int)}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
        yield Defect(file, record, "members", f"co-located datasets need equal replicas: {listed}")
