"""The watch over one attempt at a job: signs of life, progress, and whether it is still wanted."""

from __future__ import annotations

import logging
import threading
import time
from decimal import Decimal
from types import TracebackType

from models import JobProgress
from placement.errors import StoreError
from placement.steps import Step
from placement.store.engine import Store
from placement.store.jobs import Jobs

LOOK_S = 0.2
"""How often to see whether the job is still held: a cancellation shows within it."""
NEWS_S = 0.5
"""How often to write progress, at most."""
SIGN_OF_LIFE_S = 2.0
"""How often to write a sign of life; the lease is several of them."""

_LOG = logging.getLogger("placement.jobs")


class Watch:
    """A thread beside the work. Use it as a context manager.

    Parameters
    ----------
    store, job, worker
        Which attempt at which job.
    stop
        Set when the worker shuts down: the job is given back, without waiting for its handler.
    """

    def __init__(self, store: Store, job: str, worker: str, stop: threading.Event) -> None:
        self._store = store
        self._job = job
        self._worker = worker
        self._stop = stop
        self.cancel = threading.Event()
        """Nobody wants the work of this attempt any more."""
        self.lost = False
        """The job is not ours any more: cancelled, taken over, or given back."""
        self._step: Step | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{job[:8]}", daemon=True)

    def __enter__(self) -> Watch:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The attempt is over."""
        self._over.set()
        self._thread.join()

    def report(self, step: Step) -> None:
        """Take news; the latest is written soon. Never blocks, never fails."""
        self._step = step

    def _run(self) -> None:
        told = time.monotonic()  # claiming was the first sign of life
        while not self._over.wait(LOOK_S):
            since = time.monotonic() - told
            step = self._step if since >= NEWS_S else None
            try:
                if self._stop.is_set():
                    held = self._give_back()
                elif step is not None or since >= SIGN_OF_LIFE_S:
                    held = self._tell(step)
                    told = time.monotonic()
                else:
                    held = self._look()
            except StoreError:
                _LOG.warning("job %s: no sign of life, the database is away", self._job)
                continue
            if not held:
                self.lost = True
                self.cancel.set()
                return

    def _give_back(self) -> bool:
        with self._store.noting() as tx:
            Jobs(tx).release(self._job, self._worker)
        return False

    def _look(self) -> bool:
        with self._store.reading() as tx:
            return Jobs(tx).holds(self._job, self._worker)

    def _tell(self, step: Step | None) -> bool:
        with self._store.noting() as tx:
            held = Jobs(tx).news(self._job, self._worker, _progress(step))
        if self._step is step:
            self._step = None
        return held


def _progress(step: Step | None) -> JobProgress | None:
    if step is None:
        return None
    return JobProgress(
        phase=step.phase,
        message=step.message,
        incumbent_eur=_decimal(step.incumbent, "0.01"),
        bound_eur=_decimal(step.bound, "0.01"),
        gap=_decimal(step.gap, "0.000001"),
    )


def _decimal(number: float | None, unit: str) -> Decimal | None:
    """Rounded for people; none for what is not known yet, which solvers call infinite."""
    if number is None or not abs(number) < 1e15:
        return None
    return Decimal(repr(number)).quantize(Decimal(unit))
