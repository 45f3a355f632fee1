"""Where a row stands, and the defects of a folder: a few dozen named, the others counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models import Catalog
from placement.catalog.messages import validation_defects
from placement.catalog.places import record_name
from placement.catalog.records import catalog_defects
from placement.errors import BadInput, Defect

LISTED = 40
"""Most defects named of one folder."""


@dataclass(frozen=True)
class Part:
    """Some consecutive rows of a file, as columns."""

    file: str
    unit: str
    """What a row is called: "row" in Parquet, "line" in JSON lines."""
    first: int
    """Number of the first row; the file's first has 1."""
    count: int
    columns: dict[str, Any]
    """Field name to pyarrow array of `count` values; fields that no row has may be missing."""

    def record(self, offset: int) -> dict[str, Any]:
        """One row as a record; what is null is left out."""
        plain = {name: array[offset].as_py() for name, array in self.columns.items()}
        record: dict[str, Any] = _without_nulls(plain)
        return record

    def place(self, offset: int) -> Place:
        """Where one row stands."""
        return Place(self.file, self.unit, self.first + offset)


@dataclass(frozen=True)
class Place:
    """A row of a file."""

    file: str
    unit: str
    number: int

    def __str__(self) -> str:
        return f"{Path(self.file).name} {self.unit} {self.number}"

    def defect(self, kind: str, name: Any, where: str, message: str) -> Defect:
        """A defect of this row; `name` is its id, or None."""
        named = record_name(kind, {"id": name}, -1)
        known = named if isinstance(name, str) and named.endswith(name) else ""
        at = f"{self.unit} {self.number}"
        return Defect(self.file, f"{known} ({at})" if known else f"{kind} in {at}", where, message)


@dataclass
class Findings:
    """Defects so far."""

    listed: list[Defect] = field(default_factory=list)
    more: int = 0

    @property
    def room(self) -> int:
        """How many more defects would be named."""
        return max(0, LISTED - len(self.listed))

    def add(self, defects: Iterable[Defect], *, rows: int = 0) -> None:
        """Note defects; `rows` have some, too, that nobody looked at closely."""
        for defect in defects:
            if len(self.listed) < LISTED:
                self.listed.append(defect)
            else:
                self.more += 1
        self.more += rows

    def check(self, folder: Path) -> None:
        """Go on only without a defect.

        Raises
        ------
        BadInput
            With the defects named, and one that counts the others.
        """
        if self.listed or self.more:
            rest = [Defect(str(folder), "", "", f"and {self.more} more")] if self.more else []
            raise BadInput(self.listed + rest)


def stop(file: Path | str, message: str) -> BadInput:
    """What makes a whole file unreadable."""
    return BadInput([Defect(str(file), "", "", message)])


def dataset_defects(record: dict[str, Any], place: Place, contracts: Sequence[str]) -> list[Defect]:
    """What the native catalogue would say of one dataset."""
    document = {"municipality": "-", "datasets": [record]}
    known = document | {"contracts": [{"id": name} for name in contracts]}
    found = _model_defects(document, place) + catalog_defects(known, place.file)
    return [place.defect("dataset", record.get("id"), d.field, d.message) for d in found]


def relation_defects(record: dict[str, Any], place: Place) -> list[Defect]:
    """What the native catalogue would say of one relation, whatever datasets there are."""
    document = {"municipality": "-", "datasets": [], "relations": [record]}
    found = _model_defects(document, place)
    return [place.defect("relation", None, d.field, d.message) for d in found]


def _model_defects(document: dict[str, Any], place: Place) -> list[Defect]:
    try:
        Catalog.model_validate(document)
    except ValidationError as error:
        return validation_defects(error, Catalog, document, place.file)
    return []


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value
