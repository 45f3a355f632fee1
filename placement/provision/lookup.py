"""Looking names up as the system does, without letting one slow name hold up the others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a name for a port; OSError where there are none."""

_MOST_AT_ONCE = 32
_Key = tuple[str, int]


class _SystemLookup:
    """getaddrinfo in threads of its own. Who asks for a name that is being asked waits with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[_Key, Future[Sequence[str]]] = {}
        self._threads: ThreadPoolExecutor | None = None

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        waiting = asyncio.wrap_future(self._ask((host, port)))
        # Who gives up leaves the answer to the others; nobody need take it.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(waiting)

    def _ask(self, key: _Key) -> Future[Sequence[str]]:
        with self._lock:
            asked = self._asked.get(key)
            if asked is not None:
                return asked
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="lookup")
            asked = self._asked[key] = self._threads.submit(_addresses, *key)
        asked.add_done_callback(lambda _: self._forget(key))
        return asked

    def _forget(self, key: _Key) -> None:
        with self._lock:
            del self._asked[key]


def _addresses(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [_text(sockaddr) for _, _, _, _, sockaddr in found]


def _text(sockaddr: tuple[object, ...]) -> str:
    """The address; with its zone, where it has one."""
    address = str(sockaddr[0])
    zone = sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{address}%{zone}" if zone and "%" not in address else address


system_lookup: Lookup = _SystemLookup()
