"""From rows of datasets to columns, part by part, and the order of ascending ids at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models import Dataset
from models.columns import Flags, Integers, Numbers32
from placement.catalog.columns import kinds
from placement.catalog.columns.codes import arrow_of
from placement.catalog.columns.fields import DATASET, MEMBERS_MAX, PRESENCE, SHARED, TEXTS
from placement.catalog.columns.findings import Findings, Part, Place, dataset_defects
from placement.catalog.columns.values import (
    micro,
    missing,
    whole,
    wrong_identifiers,
    wrong_lists,
    wrong_texts,
    wrong_titles,
)
from placement.errors import Defect

_SUM_MAX = 2.0**62
"""Sums of a column stay below it, so that they are exact in 64 bits."""


@dataclass(frozen=True)
class Numbers:
    """The numeric columns of some rows."""

    volume_gb: Integers
    monthly_read_ugb: Integers
    monthly_egress_ugb: Integers


@dataclass(frozen=True)
class Named:
    """All datasets in the order of their ids, and their kinds."""

    ids: Any
    kind_of: Numbers32
    kinds: tuple[Dataset, ...]
    numbers: Numbers
    current_of: Numbers32
    current_sites: tuple[tuple[str, ...], ...]


@dataclass
class Gathering:
    """Rows so far."""

    contracts: Sequence[str]
    findings: Findings
    _kinds: kinds.Table = field(default_factory=kinds.kind_table)
    _texts: kinds.Table = field(default_factory=kinds.text_table)
    _current: kinds.Table = field(default_factory=kinds.current_table)
    _pieces: list[tuple[Any, Numbers, Numbers32, Numbers32, Numbers32]] = field(
        default_factory=list
    )
    _places: list[tuple[str, str, int, int]] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """Take rows in; where some are wrong, note the defects and leave the part out."""
        bad, numbers = judged(part)
        if bad.any():
            self._explain(part, np.flatnonzero(bad))
            return
        self._places.append((part.file, part.unit, part.first, part.count))
        self._pieces.append(
            (
                plain_texts(part.columns["id"]),
                numbers,
                self._kinds.add(part),
                self._current.add(part),
                self._texts.add(part),
            )
        )

    def finish(self, folder: Path) -> Named:
        """All rows together.

        Raises
        ------
        BadInput
            With the defects of all parts.
        """
        models = kinds.models_of(self._kinds, self.contracts, self.findings)
        current = kinds.models_of(self._current, self.contracts, self.findings)
        self.findings.check(folder)
        if not self._pieces:
            self.findings.add([Defect(str(folder), "", "datasets", "there is no dataset to place")])
            self.findings.check(folder)
        ids, order = self._ordered()
        self.findings.check(folder)
        numbers = Numbers(*(self._column(lambda p, f=f: getattr(p[1], f), order) for f in _AMOUNTS))
        for name in _AMOUNTS:
            _check_sum(getattr(numbers, name), name, folder, self.findings)
        self.findings.check(folder)
        kind_of, kinds_found = self._finished_kinds(models, order)
        current_of, sites = _current_sites(current, self._column(lambda p: p[3], order))
        return Named(ids, kind_of, kinds_found, numbers, current_of, sites)

    def _explain(self, part: Part, rows: Integers) -> None:
        looked = rows[: self.findings.room].tolist()
        for row in looked:
            record, place = part.record(row), part.place(row)
            defects = dataset_defects(record, place, self.contracts)
            unclear = place.defect("dataset", record.get("id"), "", _unclear(part, row))
            self.findings.add(defects or [unclear])
        self.findings.add((), rows=len(rows) - len(looked))

    def _ordered(self) -> tuple[Any, Integers]:
        ids = pa.chunked_array([piece[0] for piece in self._pieces], pa.string())
        ids = ids.combine_chunks()
        if isinstance(ids, pa.ChunkedArray):  # more bytes than offsets of 32 bits can count
            place = Defect(self._places[0][0], "", "", "the ids take more than 2 GB")
            self.findings.add([place])
            return ids, np.empty(0, dtype=np.int64)
        order = np.arange(len(ids), dtype=np.int64)
        if not pc.all(pc.less(ids[:-1], ids[1:])).as_py() and len(ids) > 1:
            order = pc.sort_indices(ids).to_numpy().astype(np.int64)
            ids = ids.take(arrow_of(order))
            self._note_repeated(ids, order)
        return ids, order

    def _note_repeated(self, ids: Any, order: Integers) -> None:
        equal = pc.equal(ids[:-1], ids[1:]).to_numpy(zero_copy_only=False)
        again = np.flatnonzero(equal)
        looked = again[: self.findings.room].tolist()
        for row in looked:
            first, second = sorted((self._place(order[row]), self._place(order[row + 1])), key=str)
            message = f"is used more than once: by {first} and {second}"
            self.findings.add([second.defect("dataset", ids[row].as_py(), "id", message)])
        self.findings.add((), rows=len(again) - len(looked))

    def _place(self, row: int) -> Place:
        for file, unit, first, count in self._places:
            if row < count:
                return Place(file, unit, first + int(row))
            row -= count
        raise IndexError(row)

    def _column(self, of: Any, order: Integers) -> Integers:
        whole_column = np.concatenate([of(piece) for piece in self._pieces])
        ordered: Integers = whole_column[order].astype(np.int64, copy=False)
        return ordered

    def _finished_kinds(
        self, models: list[Dataset], order: Integers
    ) -> tuple[Numbers32, tuple[Dataset, ...]]:
        same = kinds.merged(models)
        numbers = same[self._column(lambda p: p[2], order)]
        kind_of, first = kinds.numbered_by_row(numbers, len(models))
        texts = self._column(lambda p: p[4], order)[first]
        chosen = numbers[first].tolist()
        found = tuple(
            kinds.finished(models[kind], number, self._texts.records[text])
            for number, (kind, text) in enumerate(zip(chosen, texts.tolist(), strict=True))
        )
        return kind_of.astype(np.int32), found


_AMOUNTS = ("volume_gb", "monthly_read_ugb", "monthly_egress_ugb")


def judged(part: Part) -> tuple[Flags, Numbers]:
    """(n,) rows that are wrong in what makes no kind, and the numeric columns.

    What makes a kind is checked once for each kind.
    """
    columns = part.columns
    for name in ("id", "title", *_GIGABYTES):
        columns.setdefault(name, pa.nulls(part.count))
    bad = missing(columns["id"]) | wrong_identifiers(columns["id"])
    bad |= missing(columns["title"])
    amounts = []
    for name in _GIGABYTES:
        values, wrong = (whole if name == "volume_gb" else micro)(columns[name])
        amounts.append(values)
        bad |= wrong
    for name in ("title", *PRESENCE):
        if name in columns:
            bad |= wrong_titles(columns[name])
    for name in _LISTS & columns.keys():
        bad |= wrong_lists(columns[name], MEMBERS_MAX)
    for name in _FREE & columns.keys():
        bad |= wrong_texts(columns[name])
    return bad, Numbers(*amounts)


_GIGABYTES = ("volume_gb", "monthly_read_gb", "monthly_egress_gb")
_LISTS = {name for name in DATASET.names if DATASET.field(name).type == TEXTS}
_FREE = {"description", "contract", "current_site", *SHARED} & {
    name for name in DATASET.names if DATASET.field(name).type == pa.string()
}


def plain_texts(array: Any) -> Any:
    """Texts without a dictionary."""
    return array.cast(pa.string())


def _unclear(part: Part, row: int) -> str:
    for name in _LISTS & part.columns.keys():
        if wrong_lists(part.columns[name].slice(row, 1), MEMBERS_MAX).any():
            return f"{name} holds control characters or more than {MEMBERS_MAX} members"
    for name in ("monthly_read_gb", "monthly_egress_gb"):
        if micro(part.columns[name].slice(row, 1))[1].any():
            return f"{name}: a decimal, a whole number or a float of 64 bits is expected"
    return "a text has blanks around it, or holds control characters"


def _check_sum(values: Integers, name: str, folder: Path, findings: Findings) -> None:
    if float(values.sum(dtype=np.float64)) >= _SUM_MAX:
        field_name = name.replace("_ugb", "_gb")
        message = "all datasets together have more than can be added up exactly"
        findings.add([Defect(str(folder), "", field_name, message)])


def _current_sites(
    models: list[Dataset], numbers: Integers
) -> tuple[Numbers32, tuple[tuple[str, ...], ...]]:
    distinct = tuple(sorted({model.current_sites for model in models}))
    row = {sites: number for number, sites in enumerate(distinct)}
    renumber = np.array([row[model.current_sites] for model in models], dtype=np.int32)
    return renumber[numbers], distinct
