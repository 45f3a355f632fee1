"""Exact sums of whole numbers by cell, whatever their size, at the speed of `numpy.bincount`.

`bincount` adds in float64, in which whole numbers below 2^53 add up without rounding as long as
every partial sum stays below it. Where the sum of all values could reach 2^52, values are split
into limbs of so few bits that it cannot, and the limbs' sums are put together as Python integers.
So every sum is exact for all values a column can hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.columns import Integers, Numbers32

Whole = NDArray[np.object_]
"""Python integers: no sum or product of them runs over."""

EXACT_BITS = 52
BLOCK = 1 << 17


def add_up(values: Integers) -> int:
    """The exact sum of values of 0 or more."""
    return sum(int(sums[0]) << shift for sums, shift in _limbs(values, None, 1))


def add_up_by(cells: Integers, values: Integers, size: int) -> Whole:
    """(size,) for each cell the exact sum of its values of 0 or more."""
    total: Whole = np.zeros(size, dtype=object)
    for sums, shift in _limbs(values, cells, size):
        total = total + sums.astype(np.int64).astype(object) * (1 << shift)
    return total


def _limbs(
    values: Integers, cells: Integers | None, size: int
) -> Iterator[tuple[NDArray[np.float64], int]]:
    """Sums of each limb, exact, with the number of bits they are to be shifted by."""
    for shift, mask in _splits(values):
        sums = np.zeros(size)
        for begin in range(0, len(values), BLOCK):
            part = values[begin : begin + BLOCK]
            limb = part if mask is None else (part >> shift) & mask
            where = np.zeros(len(part), np.intp) if cells is None else cells[begin : begin + BLOCK]
            sums += np.bincount(where, weights=limb, minlength=size)
        yield sums, shift


def _splits(values: Integers) -> Iterator[tuple[int, int | None]]:
    """(shift, mask) of each limb; one without a mask where all values add up exactly anyway."""
    if not len(values) or float(values.sum(dtype=np.float64)) < 2.0**EXACT_BITS:
        yield 0, None
        return
    bits = EXACT_BITS - len(values).bit_length()
    for shift in range(0, int(values.max()).bit_length(), bits):
        yield shift, (1 << bits) - 1


def count_by(rows: Numbers32, sites: Numbers32, shape: tuple[int, int]) -> Integers:
    """(rows, sites) how many entries each cell has; entries without a site, -1, count nowhere."""
    counts = np.zeros(shape[0] * shape[1], dtype=np.int64)
    for begin in range(0, len(rows), BLOCK):
        at = sites[begin : begin + BLOCK]
        cells = rows[begin : begin + BLOCK].astype(np.int64) * shape[1] + at
        counts += np.bincount(cells[at >= 0], minlength=len(counts))
    return counts.reshape(shape)


def sorted_set(values: Integers) -> Integers:
    """The distinct values, ascending: by sorting, several times faster than by hashing."""
    ordered = np.sort(values)
    new = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]


def distinct(codes: Integers, space: int) -> tuple[Integers, Integers]:
    """The codes that occur, ascending, and for each entry the number of its code.

    Parameters
    ----------
    codes
        (N,) from 0 to space - 1.
    """
    if space > 4 * len(codes) + BLOCK:
        found, number = np.unique(codes, return_inverse=True)
        return found, number.ravel()
    present = np.zeros(space, dtype=np.bool_)
    present[codes] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[codes]
