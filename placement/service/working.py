"""What a worker does with a job: claim it, do it under a watch, end it together with its effect.

    claim -> handler (watched: signs of life, progress, cancellation) -> ending

A handler does the slow work outside any transaction and answers with an *ending*: what it writes,
run in the one writing transaction that also ends the job. If the attempt no longer holds the job
by then, nothing is written. So a worker may die at any point, and be followed by another one,
without an effect that happens twice.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from models import Job, JobKind
from placement.errors import BadInput, PlacementError, PolicyEngineError, StoreError
from placement.service.watching import Watch
from placement.steps import Report
from placement.store.engine import Transaction
from placement.store.jobs import MAX_ATTEMPTS, Jobs

if TYPE_CHECKING:
    from placement.service.city import City

BACKOFF = tuple(timedelta(seconds=pause) for pause in (2, 5, 15, 45))
"""How long a job waits after an attempt that failed for reasons that pass."""
ENDING_PAUSES_S = (0.5, 2.0)
"""The work is done and the database is away: how long to wait before writing the ending again."""
MAX_DEFECTS = 1000

_LOG = logging.getLogger("placement.jobs")


@dataclass(frozen=True)
class Refused:
    """The job fails, and yet what its ending wrote stays: such as a record of the reason."""

    code: str
    """Of an error in `placement.errors`."""
    detail: str


JobEnding = Callable[[Transaction], dict[str, Any] | Refused]
"""Writes a job's effect and answers with its result (plain JSON). It may be run again when its
transaction could not be committed; what it raises rolls everything back and fails the job."""

Handler = Callable[["City", Job, Report, threading.Event], JobEnding]
"""Does a job outside transactions. It may raise; when the event is set, nobody wants the work any
more and it should raise JobCancelled soon. StoreError and PolicyEngineError are tried again."""

Handlers = Mapping[JobKind, Handler]


def execute(
    city: City, job: str, handlers: Handlers, stop: threading.Event | None = None
) -> Job | None:
    """Do a job, unless it is done, held by a living worker, or not due yet.

    Parameters
    ----------
    handlers
        What to do, by kind of job.
    stop
        Set it to give the job back: the worker shuts down, and another one may begin at once.

    Returns
    -------
    Job | None
        The job as it was claimed. None: there was nothing to do.

    Raises
    ------
    StoreError
        When the job could not be claimed; nothing has happened.
    NotFound
        When there is no such job.
    """
    worker = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex}"
    with city.store.noting() as tx:
        claimed = Jobs(tx).claim(job, worker)
    if claimed is not None:
        _Attempt(city, claimed, worker, stop or threading.Event()).run(handlers)
    return claimed


class _Attempt:
    """One attempt at one job."""

    def __init__(self, city: City, job: Job, worker: str, stop: threading.Event) -> None:
        self._city = city
        self._job = job
        self._worker = worker
        self._stop = stop

    def run(self, handlers: Handlers) -> None:
        """Do the job and end it, if it is still ours then. Never raises for the job's sake."""
        with Watch(self._city.store, self._job.id, self._worker, self._stop) as watch:
            try:
                handler = handlers[self._job.kind]
                self._end(handler(self._city, self._job, watch.report, watch.cancel))
            except Exception as error:  # noqa: BLE001  whatever it is, the job ends with it
                self._failed(error, watch)

    def _end(self, ending: JobEnding) -> None:
        """Write the ending; a database that is away for a moment costs no work."""
        for pause in ENDING_PAUSES_S:
            try:
                return self._end_once(ending)
            except StoreError:
                _LOG.warning("job %s: the ending is not written yet", self._job.id)
                time.sleep(pause)
        return self._end_once(ending)

    def _end_once(self, ending: JobEnding) -> None:
        with self._city.store.writing() as tx:
            jobs = Jobs(tx)
            if not jobs.hold(self._job.id, self._worker):
                return
            ended = ending(tx)
            if isinstance(ended, Refused):
                jobs.finish(self._job.id, self._worker, problem=asdict(ended))
            else:
                jobs.finish(self._job.id, self._worker, result=ended)

    def _failed(self, error: Exception, watch: Watch) -> None:
        """Fail the job, or give it back. When that fails, too, its lease will run out."""
        if watch.lost:
            return
        try:
            with self._city.store.noting() as tx:
                jobs = Jobs(tx)
                if self._passes(error):
                    after = BACKOFF[min(self._job.attempt, len(BACKOFF)) - 1]
                    jobs.release(self._job.id, self._worker, after=after)
                elif jobs.hold(self._job.id, self._worker):
                    jobs.finish(self._job.id, self._worker, problem=problem_of(error))
        except StoreError:
            _LOG.exception("job %s: the end of an attempt is not recorded", self._job.id)

    def _passes(self, error: Exception) -> bool:
        passing = isinstance(error, StoreError | PolicyEngineError)
        return passing and self._job.attempt < MAX_ATTEMPTS


def problem_of(error: Exception) -> dict[str, Any]:
    """Code and text of an error of ours; of any other the text stays in the log."""
    if not isinstance(error, PlacementError):
        _LOG.error("a job failed", exc_info=error)
        return {"code": PlacementError.code, "detail": "an unexpected error; the log says more"}
    problem: dict[str, Any] = {"code": error.code, "detail": str(error)}
    if isinstance(error, BadInput):
        problem["defects"] = [asdict(defect) for defect in error.defects[:MAX_DEFECTS]]
    return problem
