"""Where use cases run: threads for reading, and few others for writing.

Writers wait for one another in the database. Were they to wait in the same threads as readers, a
queue of writers would stop every read and every health check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from api.problems import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

READERS = 24
WRITERS = 4
WAITING_MOST = 200
"""Writes that may wait; more are refused at once with 503, and nothing of them is done."""

_readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
_writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="write")
_waiting = 0


async def in_reader(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a reading use case in a thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_readers, lambda: function(*args, **kwargs))


async def in_writer(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a writing use case in one of few threads.

    It runs to its end even when the client goes away: what the database commits is told by the
    Idempotency-Key.

    Raises
    ------
    Overloaded
        When too many wait already.
    """
    global _waiting  # noqa: PLW0603  one count a process, touched by its one event loop
    if _waiting >= WAITING_MOST:
        raise Overloaded("too many writes wait for their turn; nothing was done")
    _waiting += 1
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_writers, lambda: function(*args, **kwargs))
    finally:
        _waiting -= 1
