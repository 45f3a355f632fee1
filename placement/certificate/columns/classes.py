"""Effective classes as columns, computed again from the text of `placement.graph.inheritance`.

Ranks are those of `models.columns.FactColumns`: 9 is unknown, above all. No code is shared with
the graph's columns: where the two differ, a plan is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from models import Check, Dataset
from models.columns import CatalogColumns, FactColumns, Flags, Groups, Integers
from placement.certificate.checks import check
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.lineage import Lineage, read_lineage
from placement.certificate.columns.naming import told

UNKNOWN = 9
_WORD = 62
"""Grounds a word of 64 bits stands for."""


@dataclass(frozen=True)
class EffectiveColumns:
    """The class of each of N datasets."""

    confidentiality: Integers
    gdpr_category: Integers
    access_rights: Integers
    grounds: Integers
    """(N, W) a bit for each ground; the bit of ground g is g % 62 of word g // 62."""
    ground_names: tuple[str, ...]

    def grounds_of(self, dataset: int) -> tuple[str, ...]:
        """The dataset's non-publication grounds, sorted."""
        words = self.grounds[dataset].tolist()
        return tuple(
            name for g, name in enumerate(self.ground_names) if words[g // _WORD] >> (g % _WORD) & 1
        )


def effective_columns(
    columns: CatalogColumns, co_location: Groups, datasets_min: int
) -> EffectiveColumns:
    """The effective class of every dataset.

    Parameters
    ----------
    co_location
        Merged groups, computed again.
    datasets_min
        K: `parameters.cumulation_datasets_min`.

    Raises
    ------
    BadInput
        For a lineage cycle.
    """
    lineage = read_lineage(columns)
    ranks = np.array([_ranks(kind) for kind in columns.kinds], dtype=np.int64).reshape(-1, 3)
    declared, gdpr, access = ranks[columns.kind_of].T
    base, gdpr = lineage.maximum(declared), lineage.maximum(gdpr)
    raised = _raised(columns, co_location, lineage, base, gdpr > 0, datasets_min)
    names = sorted({g for kind in columns.kinds for g in kind.non_publication_grounds})
    grounds = [
        lineage.union(words[columns.kind_of]) for words in _ground_words(columns.kinds, names)
    ]
    return EffectiveColumns(
        confidentiality=lineage.maximum(np.maximum(declared, raised)),
        gdpr_category=gdpr,
        access_rights=lineage.maximum(access),
        grounds=np.stack(grounds, axis=1),
        ground_names=tuple(names),
    )


def _ranks(kind: Dataset) -> tuple[int, int, int]:
    level, category, rights = kind.confidentiality, kind.gdpr_category, kind.access_rights
    return (
        UNKNOWN if level is None else int(level),
        UNKNOWN if category is None else category.rank,
        UNKNOWN if rights is None else rights.rank,
    )


def _ground_words(kinds: tuple[Dataset, ...], names: list[str]) -> Iterator[Integers]:
    """(K,) bits of the grounds that kinds declare, a word after the other; at least one."""
    for first in range(0, max(1, len(names)), _WORD):
        bit = {name: 1 << b for b, name in enumerate(names[first : first + _WORD])}
        declared = [set(kind.non_publication_grounds) for kind in kinds]
        yield np.array([sum(bit.get(g, 0) for g in given) for given in declared], dtype=np.int64)


def _raised(
    columns: CatalogColumns,
    co_location: Groups,
    lineage: Lineage,
    base: Integers,
    personal: Flags,
    datasets_min: int,
) -> Integers:
    """(N,) the level that cumulation raises each dataset to, 0 where it raises none."""
    raised = np.zeros_like(base)
    if datasets_min < 2:
        return raised
    for level in (1, 2, 3):
        counts = (personal & (base >= level)).astype(np.int64)
        own = personal & (base == level)
        for groups in (columns.cumulated, co_location):
            many = _sums(counts[groups.members], groups.offsets) >= datasets_min
            members = groups.members[np.repeat(many, np.diff(groups.offsets))]
            raised[members[own[members]]] = level + 1
        many = _sums(counts[lineage.source], lineage.starts) >= datasets_min
        combined = lineage.derived[many]
        raised[combined] = np.maximum(raised[combined], level + 1)
    return raised


def _sums(values: Integers, offsets: Integers) -> Integers:
    """The sum of values[offsets[i]:offsets[i + 1]] for each i."""
    before = np.concatenate(([0], np.cumsum(values)))
    sums: Integers = before[offsets[1:]] - before[offsets[:-1]]
    return sums


def classification(city: ColumnCity, own: EffectiveColumns) -> Check:
    """The facts' classes are those computed again."""
    failures: list[str] = []
    for field in ("confidentiality", "gdpr_category", "access_rights"):
        claimed, true = getattr(city.facts, field), getattr(own, field)
        differ = np.flatnonzero(claimed != true)
        failures += told(differ, partial(_difference, city, field, claimed, true))
    failures += _ground_failures(city, own)
    return check("classification", len(city), failures)


def _difference(
    city: ColumnCity, field: str, claimed: Integers, true: Integers, dataset: int
) -> str:
    given, own = _rank(claimed[dataset]), _rank(true[dataset])
    return f"{city.name(dataset)}: {field} is claimed {given}, it is {own}"


def _rank(rank: int) -> str:
    return "unknown" if rank == UNKNOWN else str(rank)


def _ground_failures(city: ColumnCity, own: EffectiveColumns) -> list[str]:
    facts: FactColumns = city.facts
    number = {name: g for g, name in enumerate(own.ground_names)}
    claimed = np.zeros((len(facts.grounds), own.grounds.shape[1]), dtype=np.int64)
    for row, names in enumerate(facts.grounds):
        for name in names:
            if name in number:
                claimed[row, number[name] // _WORD] |= 1 << (number[name] % _WORD)
            else:
                claimed[row] = -1
    differ = (claimed[facts.grounds_of] != own.grounds).any(axis=1)
    return told(
        np.flatnonzero(differ),
        lambda d: (
            f"{city.name(d)}: non_publication_grounds are claimed"
            f" {', '.join(facts.grounds[facts.grounds_of[d]]) or 'none'},"
            f" they are {', '.join(own.grounds_of(d)) or 'none'}"
        ),
    )
