"""The job engine: litestar-queues brings the ids of jobs to workers, on the same database.

What a job is, and that its effect happens once, is not the engine's business: see
`placement.service.working`. The engine may lose a delivery or make it twice; a sweeper announces
again what waits too long, and a job is claimed once.

    commit -> wake -> delivery -> worker -> execute        sweeper: overdue jobs -> delivery
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from litestar_queues import QueueConfig, QueueService, Worker, WorkerConfig, task
from litestar_queues.backends.advanced_alchemy import (
    QueueTaskModel,
    SQLAlchemyBackend,
    SQLAlchemyBackendConfig,
)
from litestar_queues.models import QueuedTaskRecord

from placement.errors import NotFound, StoreError
from placement.service.jobs import overdue
from placement.service.working import Handlers, execute
from placement.store.deliveries import create_tables, delivery_database
from placement.store.failures import store_errors

if TYPE_CHECKING:
    from placement.service.city import City

CONCURRENCY = 2
"""Jobs that one process does at once: a policy check need not wait for a long solve."""
POLL_S = 1.0
"""How long a delivery of another process may lie before an idle worker sees it. One of its own
process wakes the worker at once, and so does any on PostgreSQL."""
SWEEP_S = 2.0
FORGET_S = 60.0
GRACE_S = 5.0
"""Seconds that a job may still take when its worker is to stop; then it is given back."""
LEAVE_S = 2.0
"""Seconds that a job given back has for leaving its thread."""
KEPT = timedelta(hours=1)
"""How long the engine keeps deliveries that are over."""
ENGINE_HEARTBEAT_S = 3.0
ENGINE_STALE_S = 12.0
"""A delivery whose worker is silent for longer is over, and may be made again."""

_LOG = logging.getLogger("placement.jobs")


class Deliveries(SQLAlchemyBackend):
    """The engine's store, which also wakes the worker of its own process."""

    def __init__(self, *, config: QueueConfig, backend_config: SQLAlchemyBackendConfig) -> None:
        super().__init__(config, backend_config=backend_config)
        self._announced = asyncio.Event()

    async def notify_new_task(self, record: QueuedTaskRecord) -> None:
        """A delivery is stored."""
        self._announced.set()
        await super().notify_new_task(record)

    async def wait_for_wakeups(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        """Wait for a delivery by this process, or whatever the database tells of others."""
        told = asyncio.ensure_future(super().wait_for_wakeups(timeout=timeout))
        announced = asyncio.ensure_future(self._announced.wait())
        try:
            await asyncio.wait((told, announced), return_when=asyncio.FIRST_COMPLETED)
            return announced.done() or told.result()
        finally:
            self._announced.clear()
            for waiting in (told, announced):
                waiting.cancel()
            await asyncio.gather(told, announced, return_exceptions=True)


class Doing:
    """Does delivered jobs, each in a thread of its own."""

    def __init__(self, city: City, handlers: Handlers) -> None:
        self._city = city
        self._handlers = handlers

    async def do(self, job: str) -> None:
        """Do a job; when cancelled, which is how the engine shuts down, give it back."""
        stop = threading.Event()
        work = _in_thread(lambda: self._execute(job, stop), f"job-{job[:8]}")
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([work], timeout=LEAVE_S)
            raise

    def _execute(self, job: str, stop: threading.Event) -> None:
        try:
            execute(self._city, job, self._handlers, stop)
        except NotFound:
            _LOG.warning("a delivery names job %s, which does not exist", job)
        except StoreError:
            _LOG.warning("job %s could not be claimed; the sweeper will bring it again", job)


@task("placement.job", requeue_on_shutdown=True)
async def deliver(job: str, doing: Doing) -> None:
    """What the engine runs: all that it knows is the job's id."""
    await doing.do(job)


@asynccontextmanager
async def job_engine(city: City, handlers: Handlers, *, works: bool = True) -> AsyncIterator[None]:
    """Announce the city's jobs while the block runs, and do them.

    Leaving the block gives running jobs a grace time, and then back to the queue.

    Parameters
    ----------
    handlers
        What to do, by kind of job.
    works
        False: only announce them; workers are other processes.

    Raises
    ------
    StoreError
        When the database does not answer.
    """
    await asyncio.to_thread(create_tables, city.store, QueueTaskModel.metadata)
    database = delivery_database(city.store)
    doing = Doing(city, handlers)

    async def inject(*_: object) -> Mapping[str, object]:
        return {"doing": doing}

    stored = SQLAlchemyBackendConfig(
        sqlalchemy_config=database, worker_wakeups=not city.store.is_sqlite
    )
    config = QueueConfig(
        namespace="placement",
        queue_backend=stored,
        task_dependency_resolver=inject,
        initialize_schedules=False,
        worker=_worker_config(),
    )
    try:
        deliveries = Deliveries(config=config, backend_config=stored)
        with store_errors():  # the engine lets those of its own connections through
            async with QueueService(config, queue_backend=deliveries) as service:
                with _announcing(city, service):
                    async with _working(city, service) if works else contextlib.nullcontext():
                        yield
    finally:
        await database.get_engine().dispose()


def _worker_config() -> WorkerConfig:
    return WorkerConfig(
        placement="external",  # this module starts and stops the worker, not a plugin
        max_concurrency=CONCURRENCY,
        batch_size=CONCURRENCY,
        poll_interval=POLL_S,
        poll_backoff_max=None,
        heartbeat_interval=ENGINE_HEARTBEAT_S,
        stale_after=ENGINE_STALE_S,
        stale_check_interval=2 * SWEEP_S,
        expiry_check_interval=None,
        reconcile_interval=3600,
        # The lease of the job is what counts. Work is not thrown away for the engine's sake.
        cancel_on_claim_loss=False,
        graceful_shutdown_timeout=GRACE_S,
        final_cancel_timeout=LEAVE_S + 1,
        requeue_on_shutdown=True,
    )


async def _announce(service: QueueService, job: str) -> None:
    """Deliver a job, unless a delivery of it is under way."""
    await service.enqueue(deliver, key=job, job=job)


@contextlib.contextmanager
def _announcing(city: City, service: QueueService) -> Iterator[None]:
    """Let the city wake us from any thread; what goes wrong is left to the sweeper."""
    loop, before = asyncio.get_running_loop(), city.wake

    def wake(job: str) -> None:
        loop.call_soon_threadsafe(start, job)

    def start(job: str) -> None:
        announcing = loop.create_task(_announce(service, job))
        under_way.add(announcing)
        announcing.add_done_callback(told)

    def told(announcing: asyncio.Task[None]) -> None:
        under_way.discard(announcing)
        if not announcing.cancelled() and announcing.exception() is not None:
            _LOG.warning(
                "a job was not announced; the sweeper will", exc_info=announcing.exception()
            )

    under_way: set[asyncio.Task[None]] = set()
    city.wake = wake
    try:
        yield
    finally:
        city.wake = before
        for announcing in under_way:
            announcing.cancel()


@asynccontextmanager
async def _working(city: City, service: QueueService) -> AsyncIterator[None]:
    worker = Worker(service)
    running = asyncio.create_task(worker.start(), name="job-worker")
    sweeping = asyncio.create_task(_sweep(city, service), name="job-sweeper")
    try:
        await worker.wait_started()
        yield
    finally:
        sweeping.cancel()
        await worker.stop()
        await asyncio.gather(sweeping, running, return_exceptions=True)


async def _sweep(city: City, service: QueueService) -> None:
    """Announce overdue jobs, and let the engine forget deliveries that are over; for ever."""
    clock = asyncio.get_running_loop().time
    forgot = clock()
    while True:
        try:
            for job in await asyncio.to_thread(overdue, city):
                await _announce(service, job)
            if clock() > forgot + FORGET_S:
                await service.get_queue_backend().cleanup_terminal(datetime.now(UTC) - KEPT)
                forgot = clock()
        except Exception:  # noqa: BLE001  whatever it is, jobs must be swept again
            _LOG.exception("the sweep failed; the next one follows")
        await asyncio.sleep(SWEEP_S)


def _in_thread(work: Callable[[], None], name: str) -> asyncio.Future[None]:
    """Run work in a daemon thread: work that does not leave cannot keep the process alive."""
    done: concurrent.futures.Future[None] = concurrent.futures.Future()

    def run() -> None:
        try:
            work()
            done.set_result(None)
        except BaseException as error:  # noqa: BLE001  handed to whoever waits
            done.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return asyncio.wrap_future(done)
