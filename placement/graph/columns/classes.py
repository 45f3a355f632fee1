"""Effective classes over columns. The definition stands in `placement.graph.inheritance`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import Dataset
from models.columns import Bytes8, CatalogColumns, Groups, Integers, Numbers32
from placement.graph.columns.cumulation import raised_to
from placement.graph.columns.grounds import declared_words, distinct_grounds
from placement.graph.columns.lineage import Inheritance
from placement.graph.columns.ranks import (
    ACCESS_RIGHTS,
    CONFIDENTIALITY,
    FIRST_GROUND,
    GDPR_CATEGORY,
)


@dataclass(frozen=True)
class ClassColumns:
    """Ranks and grounds of N datasets after inheritance and cumulation."""

    confidentiality: Bytes8
    gdpr_category: Bytes8
    access_rights: Bytes8
    grounds_of: Numbers32
    grounds: tuple[tuple[str, ...], ...]


def effective_columns(
    columns: CatalogColumns, lineage: Inheritance, groups: Groups, datasets_min: int
) -> ClassColumns:
    """The effective class of every dataset: two passes over the lineage.

    The first unites the base attributes, all in one word; the second the own confidentiality
    O(d) = max(declared, raised), of which E(d) is the maximum over the ancestors.

    Parameters
    ----------
    groups
        Merged co-location groups.
    datasets_min
        K: `parameters.cumulation_datasets_min`.
    """
    names, words = declared_words(columns.kinds)
    declared = _declared(columns, words[0])
    base = lineage.united(declared)
    gdpr = GDPR_CATEGORY.ranks(base)
    raised = raised_to(
        lineage,
        (columns.cumulated, groups),
        CONFIDENTIALITY.ranks(base),
        gdpr > 0,
        datasets_min,
    )
    effective = base
    if raised.any():
        own = declared & ((1 << CONFIDENTIALITY.end) - 1) | CONFIDENTIALITY.codes()[raised]
        effective = lineage.united(own)
    further = [word[columns.kind_of] for word in words[1:]]
    grounds_of, grounds = distinct_grounds(lineage, base >> FIRST_GROUND, further, names)
    return ClassColumns(
        confidentiality=CONFIDENTIALITY.ranks(effective),
        gdpr_category=gdpr,
        access_rights=ACCESS_RIGHTS.ranks(base),
        grounds_of=grounds_of,
        grounds=grounds,
    )


def base_ranks(columns: CatalogColumns, lineage: Inheritance) -> tuple[Bytes8, Bytes8]:
    """(N,) base confidentiality and (N,) GDPR category: inheritance alone."""
    nothing = np.zeros(len(columns.kinds), dtype=np.int64)
    base = lineage.united(_declared(columns, nothing))
    return CONFIDENTIALITY.ranks(base), GDPR_CATEGORY.ranks(base)


def _declared(columns: CatalogColumns, grounds: Integers) -> Integers:
    """(N,) the bits of what each dataset's kind declares."""
    ranks = np.array([_code(kind) for kind in columns.kinds], dtype=np.int64)
    declared: Integers = (grounds | ranks)[columns.kind_of]
    return declared


def _code(kind: Dataset) -> int:
    return (
        CONFIDENTIALITY.code(kind.confidentiality)
        | GDPR_CATEGORY.code(kind.gdpr_category)
        | ACCESS_RIGHTS.code(kind.access_rights)
    )
