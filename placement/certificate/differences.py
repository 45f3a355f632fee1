"""How two models of one kind differ, in words that name the record and the field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

from models import Frozen


def differences(kind: str, stated: Frozen, given: Frozen) -> Iterator[str]:
    """Every field that differs; in lists of records with ids, every record.

    Parameters
    ----------
    kind : str
        Where the two stand, such as "catalogue"; it begins each sentence.
    stated, given
        What the plan holds, and what it is compared with.
    """
    for field in type(given).model_fields:
        ours, theirs = getattr(stated, field), getattr(given, field)
        if ours == theirs:
            continue
        if _are_records(ours) and _are_records(theirs):
            yield from _records(f"{kind}: {field}", ours, theirs)
        elif isinstance(theirs, tuple):
            yield f"{kind}: {field} differ from those in the plan"
        else:
            yield f"{kind}: {field} is {_short(theirs)}, the plan has {_short(ours)}"


def _are_records(value: Any) -> bool:
    return isinstance(value, tuple) and all(hasattr(item, "id") for item in value)


def _records(place: str, stated: tuple[Any, ...], given: tuple[Any, ...]) -> Iterator[str]:
    in_plan, in_file = ({item.id: item for item in items} for items in (stated, given))
    for name in in_file:
        if name not in in_plan:
            yield f"{place}: {name} is not in the plan"
        elif in_plan[name] != in_file[name]:
            fields = ", ".join(_fields(in_plan[name], in_file[name]))
            yield f"{place}: {name} differs from the plan in {fields}"
    for name in in_plan:
        if name not in in_file:
            yield f"{place}: {name} is in the plan alone"
    yield from _repeated(place, [item.id for item in stated])
    if in_plan == in_file and len(in_plan) == len(stated):
        yield f"{place}: stand in another order in the plan"


def _repeated(place: str, names: list[Hashable]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{place}: {name} is in the plan {times} times"


def _fields(stated: Frozen, given: Frozen) -> Iterator[str]:
    for field in type(given).model_fields:
        if getattr(stated, field) != getattr(given, field):
            yield field


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
