"""From rows of relations to columns: names become rows of datasets by one lookup of them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from models import Transformation
from models.columns import Derivations, Flags, Groups, Integers, Separations
from placement.catalog.columns.codes import arrow_of, codes_of, combined, first_rows, list_bounds
from placement.catalog.columns.datasets import plain_texts
from placement.catalog.columns.fields import DERIVATION_ONLY, GROUP_ONLY
from placement.catalog.columns.findings import Findings, Part, Place, relation_defects
from placement.catalog.columns.ordering import Linked, canonical_groups, ordered_derivations
from placement.catalog.columns.values import (
    micro,
    missing,
    wrong_identifiers,
    wrong_lists,
    wrong_texts,
    wrong_titles,
)
from placement.catalog.places import shown

_GROUPS = ("co_located", "separated", "cumulated")
_RELEASING = ("aggregation", "anonymisation")
_GROUP_MAX = 10**9


@dataclass(frozen=True)
class _Names:
    """Rows of one kind of relation in one part, still by name."""

    part: Part
    rows: Integers
    first: Any
    """Sources, or members of groups one after another."""
    second: Any
    """Derived datasets; empty for groups."""
    bounds: Integers
    """(n + 1,) of groups' members."""
    amounts: Integers
    """(n,) millionths of a gigabyte; 1 for separation by operator."""
    ends: Flags


@dataclass
class Linking:
    """Relations so far."""

    findings: Findings
    _found: dict[str, list[_Names]] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        """Take rows in; where some are wrong, note the defects and leave the part out."""
        kinds = _texts_of(part, "kind")
        bad, amounts, ends = _judged(part, kinds)
        if bad.any():
            self._explain(part, np.flatnonzero(bad))
            return
        rows = np.flatnonzero(kinds == "derived_from")
        if len(rows):
            self._add("derived_from", _derivations(part, rows, amounts, ends))
        by_operator = (_texts_of(part, "level") == "operator").astype(np.int64)
        for kind in _GROUPS:
            rows = np.flatnonzero(kinds == kind)
            if len(rows):
                self._add(kind, _groups(part, rows, by_operator))

    def finish(self, ids: Any, replicas: Integers, folder: Path) -> Linked:
        """All relations, between rows of datasets.

        Parameters
        ----------
        ids
            pyarrow.StringArray of all datasets.
        replicas
            (N,) of each dataset.
        folder
            For defects.

        Raises
        ------
        BadInput
            With the defects of all parts.
        """
        derivations = self._linked_derivations(ids)
        groups = {kind: self._linked_groups(kind, ids, replicas) for kind in _GROUPS}
        self.findings.check(folder)
        apart, by_operator = groups["separated"]
        return Linked(
            derivations,
            groups["co_located"][0],
            Separations(apart, by_operator.astype(np.bool_)),
            groups["cumulated"][0],
        )

    def _add(self, kind: str, names: _Names) -> None:
        self._found.setdefault(kind, []).append(names)

    def _explain(self, part: Part, rows: Integers) -> None:
        looked = rows[: self.findings.room].tolist()
        for row in looked:
            place = part.place(row)
            defects = relation_defects(part.record(row), place)
            message = "an id is not in its plain form, or a number of a kind that is not exact"
            self.findings.add(defects or [place.defect("relation", None, "", message)])
        self.findings.add((), rows=len(rows) - len(looked))

    def _linked_derivations(self, ids: Any) -> Derivations:
        found = self._found.get("derived_from", [])
        source = self._looked_up([names.first for names in found], ids)
        derived = self._looked_up([names.second for names in found], ids)
        places = _Places(found)
        self._note(source < 0, places, "source", [n.first for n in found])
        self._note(derived < 0, places, "derived", [n.second for n in found])
        self._say((source == derived) & (source >= 0), places, "source", _FROM_ITSELF)
        pairs = (source + 1) * (len(ids) + 1) + derived + 1
        order = np.arange(len(pairs))
        if (np.diff(pairs) <= 0).any():
            order = np.argsort(pairs, kind="stable")
        same = np.zeros(len(order), dtype=np.bool_)
        same[order[1:][pairs[order[1:]] == pairs[order[:-1]]]] = True
        self._say(same & (source >= 0) & (derived >= 0), places, "", _REPEATED)
        amounts = _joined([names.amounts for names in found], np.int64)
        ends = _joined([names.ends for names in found], np.bool_)
        return ordered_derivations(Derivations(source, derived, amounts, ends), order)

    def _linked_groups(self, kind: str, ids: Any, replicas: Integers) -> tuple[Groups, Integers]:
        found = self._found.get(kind, [])
        members = self._looked_up([names.first for names in found], ids)
        lengths = _joined([np.diff(names.bounds) for names in found], np.int64)
        places = _Places(found)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        self._note(members < 0, places, "members", [n.first for n in found], owner)
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
        if kind == "co_located" and len(members) and (members >= 0).all():
            counts = replicas[members]
            least = np.minimum.reduceat(counts, offsets[:-1])
            uneven = least != np.maximum.reduceat(counts, offsets[:-1])
            self._say(uneven, places, "members", _UNEVEN)
        extra = _joined([names.amounts for names in found], np.int64)
        return canonical_groups(Groups(offsets, members), extra)

    def _looked_up(self, names: list[Any], ids: Any) -> Integers:
        """(M,) rows of the ids named; -1 for a name that no dataset has."""
        if not names:
            return np.empty(0, dtype=np.int64)
        found = pc.index_in(pa.chunked_array(names, pa.string()), value_set=ids)
        rows = np.concatenate([pc.fill_null(c, -1).to_numpy() for c in found.chunks])
        return rows.astype(np.int64)

    def _note(
        self,
        bad: Flags,
        places: _Places,
        where: str,
        names: list[Any],
        owner: Integers | None = None,
    ) -> None:
        if not bad.any():
            return
        named = pa.chunked_array(names, pa.string())
        rows = np.flatnonzero(bad)
        looked = rows[: self.findings.room].tolist()
        for row in looked:
            place = places.of(row if owner is None else int(owner[row]))
            name = named[row].as_py()
            message = f"there is no dataset {name if name.isprintable() else shown(name)}"
            self.findings.add([place.defect("relation", None, where, message)])
        self.findings.add((), rows=len(rows) - len(looked))

    def _say(self, bad: Flags, places: _Places, where: str, message: str) -> None:
        rows = np.flatnonzero(bad)
        looked = rows[: self.findings.room].tolist()
        for row in looked:
            self.findings.add([places.of(row).defect("relation", None, where, message)])
        self.findings.add((), rows=len(rows) - len(looked))


_FROM_ITSELF = "a dataset cannot derive from itself"
_REPEATED = "repeats another relation of the same two datasets"
_UNEVEN = "co-located datasets need equal replicas"


class _Places:
    """From a row of all relations of one kind to where it stands."""

    def __init__(self, found: list[_Names]) -> None:
        self._found = found
        self._ends = np.cumsum([len(names.rows) for names in found])

    def of(self, row: int) -> Place:
        index = int(np.searchsorted(self._ends, row, side="right"))
        names = self._found[index]
        start = int(self._ends[index]) - len(names.rows)
        return names.part.place(int(names.rows[row - start]))


def judged_relations(part: Part) -> bool:
    """Whether every row is right, whatever the datasets."""
    return not _judged(part, _texts_of(part, "kind"))[0].any()


def _judged(part: Part, kinds: Any) -> tuple[Flags, Integers, Flags]:
    """(n,) rows that are wrong whatever the datasets; transfers; whether inheritance ends."""
    columns = part.columns
    derivation = kinds == "derived_from"
    bad: Flags = ~(derivation | np.isin(kinds, _GROUPS))
    amounts = np.zeros(part.count, dtype=np.int64)
    if "monthly_transfer_gb" in columns:
        amounts, wrong = micro(columns["monthly_transfer_gb"])
        bad |= wrong & ~missing(columns["monthly_transfer_gb"])
    for name in ("source", "derived"):
        bad |= derivation & _wrong_name(part, name)
    bad |= ~derivation & _wrong_members(part)
    bad |= _misplaced(part, kinds, derivation)
    if "reason" in columns:
        bad |= wrong_texts(columns["reason"])
    ends = np.zeros(part.count, dtype=np.bool_)
    if "transformation" in columns:
        wrong, ends = _transformations(part)
        bad |= wrong
    return bad, amounts, ends


def _misplaced(part: Part, kinds: Any, derivation: Flags) -> Flags:
    """Rows with a field that relations of their kind do not have."""
    bad = np.zeros(part.count, dtype=np.bool_)
    for name, array in part.columns.items():
        given = ~missing(array)
        if name in DERIVATION_ONLY:
            bad |= given & ~derivation
        if name in GROUP_ONLY:
            bad |= given & derivation
        if name == "level":
            bad |= given & (kinds != "separated")
            bad |= given & ~np.isin(_texts_of(part, "level"), ("site", "operator"))
    return bad


def _wrong_name(part: Part, name: str) -> Flags:
    if name not in part.columns:
        return np.ones(part.count, dtype=np.bool_)
    array = part.columns[name]
    return missing(array) | wrong_identifiers(array)


def _wrong_members(part: Part) -> Flags:
    if "members" not in part.columns:
        return np.ones(part.count, dtype=np.bool_)
    array = part.columns["members"]
    bounds = list_bounds(array)
    lengths = np.diff(bounds)
    bad: Flags = (lengths < 2) | wrong_lists(array, _GROUP_MAX)
    owner = np.repeat(np.arange(part.count), lengths)
    bad[owner[wrong_identifiers(array.flatten())]] = True
    return bad


def _transformations(part: Part) -> tuple[Flags, Flags]:
    """Rows with a wrong transformation, and rows whose reviewed one ends inheritance."""
    array = part.columns["transformation"]
    given = ~missing(array)
    fields = dict(zip([f.name for f in array.type], array.flatten(), strict=True))
    wrong = missing(fields["method"]) | wrong_titles(fields["method"])
    wrong |= wrong_titles(fields["reviewed_by"])
    releasing = np.isin(_plain(fields["kind"]), _RELEASING)
    reviewed = ~missing(fields["reviewed_by"]) & ~missing(fields["reviewed_on"])
    codes = combined([codes_of(fields["kind"]), codes_of(fields["reviewed_on"])], part.count)
    unknown = [_is_wrong(fields, row) for row in first_rows(codes).tolist()]
    wrong |= np.array(unknown, dtype=np.bool_)[codes.of]
    return given & wrong, given & releasing & reviewed


def _is_wrong(fields: dict[str, Any], row: int) -> bool:
    told = {name: fields[name][row].as_py() for name in ("kind", "reviewed_on")}
    try:
        Transformation.model_validate(told | {"method": "any"})
    except ValidationError:
        return True
    return False


def _derivations(part: Part, rows: Integers, amounts: Integers, ends: Flags) -> _Names:
    take = arrow_of(rows)
    source, derived = (plain_texts(part.columns[n].take(take)) for n in ("source", "derived"))
    bare = Part(part.file, part.unit, part.first, part.count, {})
    return _Names(bare, rows, source, derived, np.zeros(1, np.int64), amounts[rows], ends[rows])


def _groups(part: Part, rows: Integers, by_operator: Integers) -> _Names:
    lists = part.columns["members"].take(arrow_of(rows))
    inside = plain_texts(lists.flatten())
    bare = Part(part.file, part.unit, part.first, part.count, {})
    none = np.zeros(len(rows), dtype=np.bool_)
    return _Names(bare, rows, inside, inside[:0], list_bounds(lists), by_operator[rows], none)


def _texts_of(part: Part, name: str) -> Any:
    """(n,) texts of a column of few distinct ones; "" for null."""
    if name not in part.columns:
        return np.full(part.count, "")
    return _plain(part.columns[name])


def _plain(array: Any) -> Any:
    codes = codes_of(array)
    first = [row for row in first_rows(codes).tolist() if row < len(array)]
    words = np.full(codes.count, "", dtype=object)
    for row in first:
        words[codes.of[row]] = array[row].as_py() or ""
    return words.astype(str)[codes.of]


def _joined(arrays: list[Any], kind: Any) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)
