"""The deliverer's thread: an event loop of its own, so that no request waits for a receiver."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from placement.service.delivering import Deliverer
from placement.service.lane import GRACE_S

if TYPE_CHECKING:
    from placement.service.city import City

LEAVE_S = 3 * GRACE_S
"""Seconds that the thread has for leaving; then its leases run out by themselves."""

_LOG = logging.getLogger("placement.delivering")


@contextmanager
def delivering(city: City) -> Iterator[None]:
    """Deliver the city's events while the block runs."""
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    begun = threading.Event()

    async def work() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        begun.set()
        await Deliverer(city).run(stop)

    def run() -> None:
        import uvloop

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(work())
        except Exception:  # noqa: BLE001  requests are served without it
            _LOG.exception("deliveries have ended")
        finally:
            begun.set()

    thread = threading.Thread(target=run, name="delivering", daemon=True)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        for loop, stop in loops:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(stop.set)
        thread.join(LEAVE_S)
