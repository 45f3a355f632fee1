"""Ranks as bits: the maximum over ancestors becomes a union, several attributes in one word.

An attribute with the ranks 0..m and unknown on top has m + 1 bits. Rank r sets the r lowest of
them and unknown sets all, so that (a | b) is the code of max(a, b).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import AccessRights, GdprCategory, Level
from models.columns import Bytes8, Integers
from placement.graph.ranks import UNKNOWN, rank


@dataclass(frozen=True)
class Ladder:
    """The bits of one attribute in a word."""

    top: int
    """m, the highest known rank."""
    shift: int

    @property
    def end(self) -> int:
        """The first bit that is not the attribute's."""
        return self.shift + self.top + 1

    def code(self, value: Level | GdprCategory | AccessRights | None) -> int:
        """The bits of a declared value."""
        return int(self.codes()[rank(value)])

    def codes(self) -> Integers:
        """(UNKNOWN + 1,) the bits of every rank."""
        steps = np.minimum(np.arange(UNKNOWN + 1), self.top)
        steps[UNKNOWN] = self.top + 1
        return ((np.int64(1) << steps) - 1) << self.shift

    def ranks(self, words: Integers) -> Bytes8:
        """The rank that stands in each word."""
        of_bits = np.zeros(1 << (self.top + 1), dtype=np.int8)
        codes = self.codes() >> self.shift
        known = np.arange(self.top + 1, dtype=np.int8)
        of_bits[codes[: self.top + 1]] = known
        of_bits[codes[UNKNOWN]] = UNKNOWN
        found: Bytes8 = of_bits[(words >> self.shift) & (len(of_bits) - 1)]
        return found


CONFIDENTIALITY = Ladder(len(Level) - 1, 0)
GDPR_CATEGORY = Ladder(len(GdprCategory) - 1, CONFIDENTIALITY.end)
ACCESS_RIGHTS = Ladder(len(AccessRights) - 1, GDPR_CATEGORY.end)
FIRST_GROUND = ACCESS_RIGHTS.end
"""The bit of the first non-publication ground."""
