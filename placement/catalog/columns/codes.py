"""Equal values by equal numbers: how rows are grouped without looking at each.

A column of n values becomes n whole numbers 0..count - 1, equal where the values are; columns
are combined by code = code_1 * count_2 + code_2 and numbered again before that could overflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.columns import Integers

_SAFE = 2**62


@dataclass(frozen=True)
class Codes:
    """Numbers of n values."""

    of: Integers
    """(n,) from 0 to count - 1."""
    count: int


def arrow_of(values: Integers) -> Any:
    """Whole numbers as a pyarrow array that shares their memory."""
    plain = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(plain), [None, pa.py_buffer(plain)])


def first_rows(codes: Codes) -> Integers:
    """(count,) the first row that has each code; n for a code that no row has."""
    size = len(codes.of)
    first = np.full(codes.count, size, dtype=np.int64)
    first[codes.of[::-1]] = np.arange(size - 1, -1, -1, dtype=np.int64)
    return first


def renumbered(values: Integers) -> Codes:
    """Codes of any whole numbers, in the order of their first appearance."""
    encoded = arrow_of(values).dictionary_encode()
    return Codes(encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary))


def combined(columns: Sequence[Codes], size: int) -> Codes:
    """Codes of rows: equal where all columns are."""
    result = Codes(np.zeros(size, dtype=np.int64), 1)
    for column in columns:
        if column.count <= 1:
            continue
        if result.count * column.count >= _SAFE:
            result = renumbered(result.of)
        result = Codes(result.of * column.count + column.of, result.count * column.count)
    return renumbered(result.of)


def codes_of(array: Any) -> Codes:
    """Codes of a column of texts, numbers, flags, lists or structs; null is a value, too."""
    kind = array.type
    if pa.types.is_null(kind):
        return Codes(np.zeros(len(array), dtype=np.int64), 1)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _list_codes(array)
    if pa.types.is_struct(kind):
        parts = [codes_of(part) for part in array.flatten()]
        return combined([*parts, _nulls(array)], len(array))
    if not pa.types.is_dictionary(kind):
        array = array.dictionary_encode()
    indices = array.indices.cast(pa.int64())
    filled = pc.fill_null(indices, -1) if indices.null_count else indices
    return Codes(filled.to_numpy() + 1, len(array.dictionary) + 1)


def presence(array: Any) -> Codes:
    """0 for null, 1 for a value."""
    return Codes(1 - _nulls(array).of, 2)


def list_bounds(array: Any) -> Integers:
    """(n + 1,) offsets of each list's members in `array.flatten()`; a null list has none."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])


def _nulls(array: Any) -> Codes:
    return Codes(array.is_null().to_numpy(zero_copy_only=False).astype(np.int64), 2)


def _list_codes(array: Any) -> Codes:
    """Member after member: rows that agree so far and in the next one keep one code."""
    bounds = list_bounds(array)
    starts, lengths = bounds[:-1], np.diff(bounds)
    members = codes_of(array.flatten())
    so_far = np.zeros(len(array), dtype=np.int64)
    for position in range(int(lengths.max(initial=0))):
        rows = np.flatnonzero(lengths > position)
        following = members.of[starts[rows] + position]
        so_far[rows] = renumbered(so_far[rows] * members.count + following).of
    longest = int(lengths.max(initial=0))
    return renumbered(so_far * (longest + 1) + lengths)
