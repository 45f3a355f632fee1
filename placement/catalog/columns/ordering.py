"""One order for relations, whatever the order they were read in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.columns import Derivations, Groups, Integers, Separations


@dataclass(frozen=True)
class Linked:
    """All relations between rows of datasets."""

    derivations: Derivations
    co_located: Groups
    separated: Separations
    cumulated: Groups


def ordered_derivations(found: Derivations, order: Integers) -> Derivations:
    """Derivations in the order given: by source, then derived."""
    return Derivations(
        found.source[order],
        found.derived[order],
        found.monthly_transfer_ugb[order],
        found.ends_inheritance[order],
    )


def canonical_groups(groups: Groups, extra: Integers) -> tuple[Groups, Integers]:
    """Groups with ascending members, in the order of their members, then of `extra`.

    Members become bytes, the most significant first, so that groups compare as texts do.

    Parameters
    ----------
    groups
        G groups.
    extra
        (G,) one more number of each, from 0 to 255.

    Returns
    -------
    groups, extra
        Reordered.
    """
    if not len(groups):
        return groups, extra
    lengths = np.diff(groups.offsets)
    owner = np.repeat(np.arange(len(groups)), lengths)
    members = groups.members[np.lexsort((groups.members, owner))]
    order = _by_bytes(Groups(groups.offsets, members), extra)
    starts, sizes = groups.offsets[:-1][order], lengths[order]
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    at = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes) + np.repeat(starts, sizes)
    return Groups(offsets, members[at]), extra[order]


def _by_bytes(groups: Groups, extra: Integers) -> Integers:
    """(G,) groups in the order of their members followed by `extra`."""
    keys = np.insert(groups.members, groups.offsets[1:], extra)
    bounds = (groups.offsets + np.arange(len(groups) + 1)) * 8
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(keys.astype(">i8").tobytes())]
    texts = pa.Array.from_buffers(pa.large_binary(), len(groups), buffers)
    order: Integers = pc.sort_indices(texts).to_numpy().astype(np.int64)
    return order
