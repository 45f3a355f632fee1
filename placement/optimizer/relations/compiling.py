"""Compiled functions, kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_F = TypeVar("_F", bound=Callable[..., Any])


def compiled(function: _F) -> _F:
    """Compile a function that no thread waits for, and keep it for the next process.

    Where no folder can be written to, NUMBA_CACHE_DIR, the package's own or the user's, every
    process compiles for itself.
    """
    return _compiled(function, {})


def compiled_for_numbers(function: _F) -> _F:
    """The same for functions that never see nan and to which zero has no sign.

    Sums stay in their order; minima and maxima become single instructions.
    """
    return _compiled(function, {"fastmath": {"nnan", "nsz"}})


def _compiled(function: _F, options: dict[str, Any]) -> _F:
    try:
        answer: _F = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        answer = numba.njit(nogil=True, **options)(function)
    return answer
