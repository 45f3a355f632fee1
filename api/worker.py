"""`placement worker`: a process that does jobs and delivers events, and nothing else."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from api.delivering import delivering
from api.queue import job_engine
from placement.service.working import Handlers

if TYPE_CHECKING:
    from placement.service.city import City


def run_worker(city: City, handlers: Handlers) -> None:
    """Do jobs until SIGTERM or SIGINT; then give back what does not end within the grace time.

    Several workers may run beside each other, on one database. A second signal ends the process
    at once; its jobs are found again when their lease is over.

    Raises
    ------
    StoreError
        When the database does not answer at the start.
    """
    asyncio.run(_until_told(city, handlers))


async def _until_told(city: City, handlers: Handlers) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def tell(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)  # the next one is not waited for
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, number)
    with delivering(city):
        async with job_engine(city, handlers):
            await told.wait()
