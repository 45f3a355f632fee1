"""The profiles of N datasets, found without an object a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models import (
    AccessRights,
    CollectionContract,
    EffectiveClass,
    GdprCategory,
    Level,
    PolicyDataset,
    Role,
    policy_dataset,
)
from models.columns import CatalogColumns, FactColumns, Integers, Numbers32

_UNKNOWN = 9
"""Rank in `FactColumns` of an attribute that nobody knows."""
_RANKS = 10
_TABLE_MAX = 1 << 22
"""Largest number for which a table is quicker than sorting."""


@dataclass(frozen=True)
class Profiles:
    """What policies judge of N datasets, once for all that agree on it."""

    profile_of: Numbers32
    """(N,) the profile of each dataset."""
    views: tuple[PolicyDataset, ...]
    """P distinct views, in the order in which they first appear."""


def find_profiles(
    columns: CatalogColumns,
    facts: FactColumns,
    roles: Mapping[str, Role],
    contracts: Mapping[str, CollectionContract],
) -> Profiles:
    """The distinct views of all datasets.

    A view is what policies read of the kind, the effective class but for its grounds, and the
    grounds: three numbers, combined into one. Two datasets have equal views exactly where these
    numbers are equal, since of each part equal values have one number. Rows stand in the order of
    ids, so neither the order of the input nor that of the kinds shows.

    Raises
    ------
    KeyError
        A kind names a role or a contract that does not exist.
    """
    _, class_of = _distinct(_class_codes(facts))
    of_kind = _kind_views(columns, roles, contracts)
    pair_of = class_of * max(len(facts.grounds), 1) + facts.grounds_of
    pairs, pair_of = _distinct(pair_of)
    view_of = of_kind[columns.kind_of]
    found, number_of = _distinct(view_of * max(len(pairs), 1) + pair_of)
    first = np.full(len(found), len(columns), dtype=np.int64)
    first[number_of[::-1]] = np.arange(len(columns))[::-1]  # the last one assigned stays
    order = np.argsort(first)
    place = np.empty(len(found), dtype=np.int32)
    place[order] = np.arange(len(found))
    return Profiles(
        profile_of=place[number_of],
        views=tuple(
            policy_dataset(
                columns.kinds[columns.kind_of[row]], _effective(facts, row), roles, contracts
            )
            for row in first[order].tolist()
        ),
    )


def _class_codes(facts: FactColumns) -> Integers:
    """(N,) confidentiality, GDPR category and access rights as one number."""
    codes = facts.confidentiality.astype(np.int64)
    codes = codes * _RANKS + facts.gdpr_category
    return codes * _RANKS + facts.access_rights


def _kind_views(
    columns: CatalogColumns,
    roles: Mapping[str, Role],
    contracts: Mapping[str, CollectionContract],
) -> Integers:
    """(K,) a number for what policies read of each kind, whatever its class: equal for equals."""
    unclassified = EffectiveClass(
        dataset="any",
        confidentiality=None,
        gdpr_category=None,
        access_rights=None,
        non_publication_grounds=(),
    )
    numbers: dict[PolicyDataset, int] = {}
    views = (policy_dataset(kind, unclassified, roles, contracts) for kind in columns.kinds)
    return np.array([numbers.setdefault(view, len(numbers)) for view in views], dtype=np.int64)


def _effective(facts: FactColumns, row: int) -> EffectiveClass:
    """The class of a dataset, without its way there."""
    level, category, rights = (
        int(ranks[row])
        for ranks in (facts.confidentiality, facts.gdpr_category, facts.access_rights)
    )
    return EffectiveClass(
        dataset="any",
        confidentiality=None if level == _UNKNOWN else Level(level),
        gdpr_category=None if category == _UNKNOWN else list(GdprCategory)[category],
        access_rights=None if rights == _UNKNOWN else list(AccessRights)[rights],
        non_publication_grounds=facts.grounds[facts.grounds_of[row]],
    )


def _distinct(codes: Integers) -> tuple[Integers, Integers]:
    """The distinct codes (none below 0), ascending, and which of them each is."""
    if len(codes) == 0 or codes.max() >= _TABLE_MAX:
        found, which = np.unique(codes, return_inverse=True)
        return found, which.astype(np.int64)
    present = np.zeros(int(codes.max()) + 1, dtype=bool)
    present[codes] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[codes]
