"""Rows of arrays asked for before they are needed: sweeps jump through far more than caches hold.

Half of a sweep's time at a million units would be waiting for memory.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

tools: Any = cgutils
view_of: Any = make_array
LINE = 64
"""Bytes that a processor fetches at once."""
LINES = 3
"""Of a row, at most: twenty numbers."""


def _prefetch(_context: Any, array: Any, _row: Any) -> Any:
    """Have array[row] brought near, without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        zero = context.get_constant(types.intp, 0)
        place = [args[1]] + [zero] * (kind.ndim - 1)
        view = view_of(kind)(context, builder, args[0])
        first = tools.get_item_pointer(context, builder, kind, view, place)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        fetch = tools.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
            "llvm.prefetch.p0i8",
        )
        for line in range(LINES if kind.ndim > 1 else 1):
            there = builder.gep(
                builder.bitcast(first, byte), [ir.Constant(ir.IntType(64), LINE * line)]
            )
            to_write, near, data = number(1), number(3), number(1)
            builder.call(fetch, [there, to_write, near, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


prefetch: Any = intrinsic(_prefetch)
"""prefetch(array, row)"""
