"""Naming the place of a defect: the record by kind and id, the field by its dotted path.

Positions count from 1, as people do: "dataset 3" is the third dataset, "technologies.2.licence"
the licence of its second technology.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

Path = Sequence[str | int]
"""Keys and 0-based positions from the top of a JSON document to a value."""

KINDS = {
    "datasets": "dataset",
    "roles": "role",
    "contracts": "contract",
    "relations": "relation",
    "operators": "operator",
    "sites": "site",
    "placements": "placement",
}
"""Lists of records at the top of a file, and what one of them is called."""

_SHOWN = 80


def place_of(document: Any, path: Path) -> tuple[str, str]:
    """The (record, field) names of the value at `path` in a decoded JSON document."""
    if len(path) >= 2 and path[0] in KINDS and isinstance(path[1], int):
        kind, position = KINDS[str(path[0])], path[1]
        rest = path[2:]
        record = _record_at(document, str(path[0]), position)
        if kind == "relation" and rest and isinstance(record, dict):
            # The union of relations puts the tag into pydantic's path; it is no field.
            rest = rest[1:] if rest[0] == record.get("kind") else rest
        return record_name(kind, record, position), dotted(rest)
    return "", dotted(path)


def record_name(kind: str, record: Any, position: int) -> str:
    """The name "dataset bomen", or "dataset 3" for a record without a usable id."""
    name = None
    if isinstance(record, dict):
        name = record.get("dataset") if kind == "placement" else record.get("id")
    usable = isinstance(name, str) and name.strip() and name.isprintable() and len(name) <= _SHOWN
    return f"{kind} {name}" if usable else f"{kind} {position + 1}"


def dotted(path: Path) -> str:
    """A dotted path with 1-based positions."""
    return ".".join(_key(part) if isinstance(part, str) else str(part + 1) for part in path)


def shown(value: Any) -> str:
    """A value as a message quotes it: short, on one line, never a whole container."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float | Decimal):
        return _short(str(value))
    # ASCII only, so that no control or bidirectional character reaches a terminal.
    return _short(json.dumps(str(value)))


def _record_at(document: Any, key: str, position: int) -> Any:
    records = document.get(key) if isinstance(document, dict) else None
    return records[position] if isinstance(records, list) and position < len(records) else None


def _key(key: str) -> str:
    return key if key.isprintable() and len(key) <= _SHOWN else shown(key)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
