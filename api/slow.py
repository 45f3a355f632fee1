"""Threads for reads that take seconds: explanations, comparisons, checks before an approval.

They are few, so that whoever asks for many of them delays such questions alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SLOW = 2

_slow = ThreadPoolExecutor(SLOW, thread_name_prefix="slow")


async def in_slow_reader(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a use case that only reads, and that works for long, in one of few threads."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_slow, lambda: function(*args, **kwargs))
