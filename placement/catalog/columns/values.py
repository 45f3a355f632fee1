"""Checks and conversions of whole columns: which values are wrong, and the numbers as integers.

Every function answers with a mask of the rows that are not right; what exactly is wrong with
one, the models say.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.columns import MICRO, Flags, Integers
from placement.catalog.columns.codes import codes_of, list_bounds

LARGEST = 10**12
"""Most gigabytes of one dataset, and a month."""
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$"
_UNPRINTABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}]"
_PRINTABLE, _DELETE, _C1_LEAD = 0x20, 0x7F, 0xC2
"""The first printable byte; DEL; the first byte of U+0080 to U+00BF in UTF-8."""
_TITLE_MAX = 500
_FLOAT_EXACT = 1e9
"""Below it, a float has at most one decimal of six places that it is nearest to."""


def wrong_identifiers(array: Any) -> Flags:
    """(n,) texts that are no id; null is none, either."""
    return _by_value(array, lambda texts: pc.invert(pc.match_substring_regex(texts, _IDENTIFIER)))


def wrong_titles(array: Any) -> Flags:
    """(n,) texts that are empty, longer than 500 characters, or hold control characters."""

    def wrong(texts: Any) -> Any:
        length = pc.utf8_length(pc.utf8_trim_whitespace(texts))
        size = pc.or_(pc.less(length, 1), pc.greater(length, _TITLE_MAX))
        return pc.or_(size, _unprintable(texts))

    return _by_value(array, wrong)


def wrong_texts(array: Any) -> Flags:
    """(n,) texts that hold control characters."""
    return _by_value(array, _unprintable)


def missing(array: Any) -> Flags:
    """(n,) nulls."""
    return _flags(array.is_null())


def wrong_lists(array: Any, longest: int) -> Flags:
    """(n,) lists that are too long, repeat a member, or hold null or control characters."""
    bounds = list_bounds(array)
    lengths = np.diff(bounds)
    bad: Flags = lengths > longest
    inside = array.flatten()
    owner = np.repeat(np.arange(len(array)), lengths)
    bad[owner[missing(inside) | wrong_texts(inside)]] = True
    members = codes_of(inside)
    keys = np.sort(owner * members.count + members.of)
    again = keys[1:][keys[1:] == keys[:-1]]
    bad[again // members.count] = True
    return bad


def whole(array: Any) -> tuple[Integers, Flags]:
    """(n,) whole gigabytes, and which rows are none (0 there)."""
    if not pa.types.is_integer(array.type):
        return np.zeros(len(array), dtype=np.int64), np.ones(len(array), dtype=np.bool_)
    inside = pc.and_(pc.greater_equal(array, 0), pc.less_equal(array, LARGEST))
    right = pc.fill_null(inside, pa.scalar(value=False))
    zero = pa.scalar(0, array.type)
    amounts: Integers = pc.if_else(right, array, zero).cast(pa.int64()).to_numpy()
    return amounts, ~_flags(right)


def micro(array: Any) -> tuple[Integers, Flags]:
    """(n,) millionths of monthly gigabytes, and which rows have none that is exact (0 there).

    A float stands for the decimal that a person wrote, 0.1 for 0.1: the shortest one that reads
    as this float. Floats of less than 64 bits are refused: what was written is lost.
    """
    kind = array.type
    if pa.types.is_integer(kind):
        amounts, bad = whole(array)
        return amounts * MICRO, bad
    if pa.types.is_float64(kind):
        return _from_floats(array)
    if pa.types.is_decimal(kind):
        return _from_decimals(array)
    return np.zeros(len(array), dtype=np.int64), np.ones(len(array), dtype=np.bool_)


def micro_of(value: Decimal | float) -> int:
    """Millionths in one amount, which must have at most six decimals."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    scaled = exact * MICRO
    if not 0 <= exact <= LARGEST or scaled != int(scaled):
        raise ValueError(f"{value} is no amount of at most six decimals")
    return int(scaled)


def _from_floats(array: Any) -> tuple[Integers, Flags]:
    amounts = pc.fill_null(array, -1.0).to_numpy(zero_copy_only=False)
    bad: Flags = ~((amounts >= 0) & (amounts <= LARGEST))
    plain = np.where(bad, 0.0, amounts)
    scaled = np.rint(plain * MICRO)
    bad |= scaled / MICRO != plain
    result = np.where(bad, 0.0, scaled).astype(np.int64)
    for row in np.flatnonzero(plain >= _FLOAT_EXACT).tolist():
        try:
            result[row], bad[row] = micro_of(float(plain[row])), False
        except ValueError:
            result[row], bad[row] = 0, True
    return result, bad


def _from_decimals(array: Any) -> tuple[Integers, Flags]:
    try:
        exact = array.cast(pa.decimal128(38, 6))
    except pa.ArrowInvalid:
        return _one_by_one(array)
    bad = missing(exact)
    words = np.frombuffer(exact.buffers()[1], dtype="<i8").reshape(-1, 2)
    low, high = words[exact.offset : exact.offset + len(exact)].T
    bad |= (high != 0) | (low < 0) | (low > LARGEST * MICRO)
    return np.where(bad, 0, low), bad


def _one_by_one(array: Any) -> tuple[Integers, Flags]:
    """Some value does not fit; the slow way tells which."""
    result = np.zeros(len(array), dtype=np.int64)
    bad = np.zeros(len(array), dtype=np.bool_)
    for row, value in enumerate(array.to_pylist()):
        try:
            result[row] = micro_of(value)
        except (TypeError, ValueError):
            bad[row] = True
    return result, bad


def _by_value(array: Any, check: Callable[[Any], Any]) -> Flags:
    """A check of distinct values where they are known, else of all; null passes."""
    if pa.types.is_null(array.type):
        return np.zeros(len(array), dtype=np.bool_)
    if pa.types.is_dictionary(array.type):
        found = check(array.dictionary).take(array.indices)
    else:
        found = check(array)
    return _flags(pc.fill_null(found, pa.scalar(value=False)))


def _unprintable(texts: Any) -> Any:
    """Each text whether it holds control characters; first all bytes are looked at together."""
    data = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    if (data < _PRINTABLE).any() or (data == _DELETE).any() or (data == _C1_LEAD).any():
        return pc.match_substring_regex(texts, _UNPRINTABLE)
    return _all_false(len(texts))


def _all_false(size: int) -> Any:
    return pa.Array.from_buffers(pa.bool_(), size, [None, pa.py_buffer(bytes(size // 8 + 1))])


def _flags(array: Any) -> Flags:
    flags: Flags = array.to_numpy(zero_copy_only=False).astype(np.bool_)
    return flags
