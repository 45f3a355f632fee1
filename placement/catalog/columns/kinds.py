"""Kinds: the few different datasets behind a million, each checked once by the model itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models import Dataset
from models.canonical import canonical_json
from models.columns import Integers, Numbers32
from placement.catalog.columns.codes import (
    Codes,
    arrow_of,
    codes_of,
    combined,
    first_rows,
    presence,
)
from placement.catalog.columns.fields import PRESENCE, SHARED
from placement.catalog.columns.findings import Findings, Part, Place, dataset_defects

_NO_VOLUME = {"volume_gb": 0, "monthly_read_gb": 0, "monthly_egress_gb": 0}
_PRESENT = "present"
"""Stands for a text of which a kind knows the presence alone."""


@dataclass
class Table:
    """Distinct records, in the order in which they were met, and a row each came from."""

    names: tuple[str, ...]
    presences: tuple[str, ...] = ()
    """Fields of which only the presence counts."""
    whole_records: tuple[str, ...] = ()
    """("",) where defects of whole records are about these fields."""
    records: list[dict[str, Any]] = field(default_factory=list)
    examples: list[tuple[dict[str, Any], Place]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)

    def add(self, part: Part) -> Numbers32:
        """(n,) numbers of the records that the rows have."""
        columns = [
            *(codes_of(part.columns[name]) for name in self.names if name in part.columns),
            *(presence(part.columns[name]) for name in self.presences if name in part.columns),
        ]
        local = combined(columns, part.count)
        first = first_rows(local)
        sizes = np.bincount(local.of, minlength=local.count)
        numbers = self._numbers(part, local, first, sizes)
        return numbers[local.of].astype(np.int32)

    def _numbers(self, part: Part, local: Codes, first: Integers, sizes: Integers) -> Integers:
        numbers = np.empty(local.count, dtype=np.int64)
        kept = {n: part.columns[n] for n in (*self.names, *self.presences) if n in part.columns}
        rows = arrow_of(first)
        few = Part(
            part.file,
            part.unit,
            1,
            local.count,
            {name: array.take(rows) for name, array in kept.items()},
        )
        for code in range(local.count):
            record = few.record(code)
            record |= {name: _PRESENT for name in self.presences if name in record}
            key = json.dumps(record, sort_keys=True, default=str)
            number = self._known.setdefault(key, len(self.records))
            if number == len(self.records):
                row = int(first[code])
                self.records.append(record)
                self.examples.append((part.record(row), part.place(row)))
                self.counts.append(0)
            self.counts[number] += int(sizes[code])
            numbers[code] = number
        return numbers


def kind_table() -> Table:
    """A table of kinds, empty."""
    return Table(SHARED, PRESENCE)


def text_table() -> Table:
    """A table of the texts of which kinds know the presence."""
    return Table(PRESENCE)


def current_table() -> Table:
    """A table of today's sites."""
    return Table(("current_site", "further_current_sites"), whole_records=("",))


def models_of(table: Table, contracts: Sequence[str], findings: Findings) -> list[Dataset]:
    """Each record as a dataset without volume; defects are noted, and then nothing is answered."""
    found: list[Dataset] = []
    about = {*table.names, *table.presences, *table.whole_records}
    for record, example, count in zip(table.records, table.examples, table.counts, strict=True):
        if not findings.room:
            findings.add((), rows=count)
            continue
        defects = [
            defect
            for defect in dataset_defects(example[0], example[1], contracts)
            if defect.field.split(".")[0] in about
        ]
        findings.add(defects, rows=count - 1 if defects else 0)
        if not defects:
            found.append(
                Dataset.model_validate({"id": "kind", "title": "kind", **_NO_VOLUME, **record})
            )
    return found if len(found) == len(table.records) else []


def numbered_by_row(numbers: Integers, count: int) -> tuple[Integers, Integers]:
    """New numbers in the order of first appearance, and the row of each first appearance.

    Parameters
    ----------
    numbers
        (n,) below `count`.
    count
        How many numbers there may be.
    """
    first = first_rows(Codes(numbers, count))
    order = np.argsort(first, kind="stable")[: int((first < len(numbers)).sum())]
    renumber = np.full(count, -1, dtype=np.int64)
    renumber[order] = np.arange(len(order))
    return renumber[numbers], first[order]


def merged(models: Sequence[Dataset]) -> Integers:
    """(K,) the first of the models equal to each: levels may be written in several ways."""
    known: dict[bytes, int] = {}
    keys = (canonical_json(model) for model in models)
    return np.array([known.setdefault(key, row) for row, key in enumerate(keys)], dtype=np.int64)


def finished(kind: Dataset, number: int, texts: dict[str, Any]) -> Dataset:
    """The representative of a kind, with a made-up name and the texts of one dataset."""
    fields = kind.model_dump() | texts
    return Dataset.model_validate(fields | {"id": f"kind-{number}", "title": f"Kind {number}"})
