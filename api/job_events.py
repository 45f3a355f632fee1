"""What happens to jobs, for whoever listens: read from the database, so that any replica can tell.

One task a process looks at all jobs that somebody listens to, however many listeners there are. A
listener is only told the latest state: a slow one misses steps, and nothing piles up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from api.problems import Overloaded
from api.threads import in_reader
from models import Job, JobState
from placement.errors import PlacementError, StoreError

LOOK_S = 0.3
QUIET_S = 15.0
"""A comment this often tells proxies and clients that the stream is alive; and the client is asked
again whether it may listen."""
LONGEST_S = 600.0
"""Then the client connects again, by itself."""
MOST_STREAMS = 200
RETRY_MS = 1000

_LOG = logging.getLogger("placement.jobs")

Look = Callable[[Sequence[str]], dict[str, Job]]


class Listener:
    """Somebody who waits for news of one job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._changed = asyncio.Event()

    def tell(self, job: Job) -> None:
        """News, if they are."""
        if (job.state, job.progress_sequence) != (self.job.state, self.job.progress_sequence):
            self.job = job
            self._changed.set()

    async def changed(self, seconds: float) -> bool:
        """Wait for news; false when there were none for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class JobFeed:
    """Tells the listeners of one process.

    Parameters
    ----------
    look
        Reads jobs by id; runs in a thread.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._listeners: set[Listener] = set()
        self._looking: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    @property
    def looks(self) -> bool:
        """Whether the database is being asked: only while somebody listens."""
        return self._looking is not None and not self._looking.done()

    def require_room(self) -> None:
        """Refuse one listener too many. Raises Overloaded."""
        if self.streams >= MOST_STREAMS:
            raise Overloaded("too many clients listen to jobs; read the job instead")

    @contextmanager
    def listening(self, job: Job) -> Iterator[Listener]:
        """Listen to a job while the block runs. Raises Overloaded."""
        self.require_room()
        listener = Listener(job)
        self._listeners.add(listener)
        if not self.looks:
            self._looking = asyncio.create_task(self._keep_looking(), name="job-feed")
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _keep_looking(self) -> None:
        while self._listeners:
            wanted = tuple({listener.job.id for listener in self._listeners})
            try:
                found = await in_reader(self._look, wanted)
            except StoreError:
                _LOG.warning("the database is away; listeners to jobs wait")
                found = {}
            for listener in tuple(self._listeners):
                if listener.job.id in found:
                    listener.tell(found[listener.job.id])
            await asyncio.sleep(LOOK_S)


async def job_events(
    feed: JobFeed, job: Job, seen: int | None, admit: Callable[[], Awaitable[object]]
) -> AsyncGenerator[bytes]:
    """The server-sent events of a job, until it has ended.

    Parameters
    ----------
    seen
        Number of the last progress that the client has: Last-Event-ID.
    admit
        Asks again whether the client may listen. What it raises ends the stream.
    """
    clock = asyncio.get_running_loop().time
    asked, end = clock(), clock() + LONGEST_S
    with feed.listening(job) as listener:
        yield b"retry: %d\n\n" % RETRY_MS
        told = seen if seen is not None else -1
        while True:
            current = listener.job
            if current.state.final:
                yield _ended(current)
                return
            if current.progress_sequence > max(told, 0):
                told = current.progress_sequence
                yield _event("progress", current.progress.model_dump_json(), told)
            if not await listener.changed(QUIET_S):
                yield b": still here\n\n"
            if clock() > end:
                return
            if clock() > asked + QUIET_S:
                if not await _admitted(admit):
                    return
                asked = clock()


async def _admitted(admit: Callable[[], Awaitable[object]]) -> bool:
    try:
        await admit()
    except PlacementError:
        return False
    return True


def _ended(job: Job) -> bytes:
    return _event(_NAMES[job.state], job.model_dump_json(), job.progress_sequence)


_NAMES = {
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def _event(name: str, data: str, number: int) -> bytes:
    return f"id: {number}\nevent: {name}\ndata: {data}\n\n".encode()
