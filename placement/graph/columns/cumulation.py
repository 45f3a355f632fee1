"""Cumulation over columns. The definition stands in `placement.graph.inheritance`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models import Level
from models.columns import Bytes8, Flags, Groups, Integers
from placement.graph.columns.lineage import Inheritance

_CUMULATES = (Level.BASIC, Level.NORMAL, Level.HIGH)


def raised_to(
    lineage: Inheritance,
    groups: Sequence[Groups],
    base: Bytes8,
    personal: Flags,
    datasets_min: int,
) -> Bytes8:
    """(N,) the level that cumulation asks of each dataset; 0 for none.

    Parameters
    ----------
    groups
        Cumulated ones, each by itself, and merged co-located ones.
    base
        (N,) base confidentiality.
    personal
        (N,) datasets with personal data.
    datasets_min
        K: how many datasets cumulate; below 2 nothing does.
    """
    raised = np.zeros(len(base), dtype=np.int8)
    if datasets_min < 2:
        return raised
    for level in _CUMULATES:  # ascending: a later raise is never below an earlier one
        counted = personal & (base >= level)
        for found in groups:
            enough = _members_of_enough(found, counted, datasets_min)
            raised[enough[counted[enough] & (base[enough] == level)]] = level + 1
        combined = np.bincount(lineage.derived[counted[lineage.source]], minlength=len(base))
        raised[combined >= datasets_min] = level + 1
    return raised


def _members_of_enough(groups: Groups, counted: Flags, datasets_min: int) -> Integers:
    """Members of the groups in which enough members are counted."""
    before = np.concatenate(([0], np.cumsum(counted[groups.members])))
    enough = np.diff(before[groups.offsets]) >= datasets_min
    members: Integers = groups.members[np.repeat(enough, np.diff(groups.offsets))]
    return members
