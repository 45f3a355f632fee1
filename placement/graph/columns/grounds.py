"""Non-publication grounds as bits: the union over ancestors, and its distinct sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models import Dataset
from models.columns import Integers, Numbers32
from placement.graph.columns.lineage import Inheritance
from placement.graph.columns.ranks import FIRST_GROUND

WORD = 63
"""Bits of a word: all but the sign. The first word holds the ranks, too."""
_TABLE_MAX = 1 << 22
"""Largest number for which a table is quicker than sorting."""


def declared_words(kinds: Sequence[Dataset]) -> tuple[tuple[str, ...], list[Integers]]:
    """The grounds of all kinds, sorted, and for each word of bits those that each kind declares."""
    names = tuple(sorted({ground for kind in kinds for ground in kind.non_publication_grounds}))
    places = {name: place + FIRST_GROUND for place, name in enumerate(names)}
    words = [
        np.zeros(len(kinds), dtype=np.int64)
        for _ in range(1 + max(0, FIRST_GROUND + len(names) - 1) // WORD)
    ]
    for row, kind in enumerate(kinds):
        for ground in set(kind.non_publication_grounds):
            word, bit = divmod(places[ground], WORD)
            words[word][row] |= np.int64(1) << bit
    return names, words


def distinct_grounds(
    lineage: Inheritance, first: Integers, further: Sequence[Integers], names: tuple[str, ...]
) -> tuple[Numbers32, tuple[tuple[str, ...], ...]]:
    """The set of each dataset, and the distinct sets in ascending order.

    Parameters
    ----------
    first
        (N,) bits of the first grounds over all ancestors.
    further
        (N,) bits of the others that each dataset declares, a word each.
    names
        All grounds, by bit.
    """
    values, set_of = distinct(first)
    sets = [_bits(int(value)) for value in values]
    used = WORD - FIRST_GROUND
    for word in further:
        values, part_of = distinct(lineage.united(word))
        pairs, set_of = distinct(set_of * len(values) + part_of)
        parts = [tuple(used + bit for bit in _bits(int(value))) for value in values]
        sets = [sets[pair // len(parts)] + parts[pair % len(parts)] for pair in pairs.tolist()]
        used += WORD
    texts = [tuple(names[bit] for bit in found) for found in sets]
    ascending = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts), dtype=np.int32)
    place[ascending] = np.arange(len(texts))
    return place[set_of], tuple(texts[number] for number in ascending)


def distinct(values: Integers) -> tuple[Integers, Integers]:
    """The distinct values (none below 0), ascending, and which of them each is."""
    if len(values) == 0 or values.max() >= _TABLE_MAX:
        found, which = np.unique(values, return_inverse=True)
        return found, which.astype(np.int64)
    present = np.zeros(int(values.max()) + 1, dtype=bool)
    present[values] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[values]


def _bits(value: int) -> tuple[int, ...]:
    return tuple(bit for bit in range(WORD) if value >> bit & 1)
