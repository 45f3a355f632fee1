"""Compiled functions, kept on disk where that is possible, and waited for beside the watch.

Compiling cannot be interrupted; waiting for it can.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from placement.optimizer.progress import Watch

GLANCE_S = 0.1
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


def compiled_inline(function: _F) -> _F:
    """The same for what runs at every step: each call would count references to all arrays."""
    return _compiled(function, {"inline": "always"})


class Preparation:
    """A first run of compiled functions on something tiny, in a thread of its own.

    Parameters
    ----------
    first_run
        Calls everything once, which compiles whatever is not kept on disk.
    """

    def __init__(self, first_run: Callable[[], None]) -> None:
        self._first_run = first_run
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def wait(self, watch: Watch) -> None:
        """Wait until everything is compiled; at once where it is.

        With a watch without a deadline, when a process starts, no solve waits later.

        Raises
        ------
        OutOfTime
            When the watch ends the wait; compiling goes on for whoever comes next.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="compile", daemon=True)
                self._thread.start()
        while self._thread.is_alive():
            watch.check()
            self._thread.join(GLANCE_S)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._first_run()
        except Exception as error:  # noqa: BLE001 (raised again by whoever waits)
            self._error = error


def _compiled(function: _F, options: dict[str, Any]) -> _F:
    import numba

    try:
        answer: _F = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        answer = numba.njit(nogil=True, **options)(function)
    return answer
