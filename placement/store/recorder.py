"""Group commit: many threads' audit records in one transaction.

A commit costs a disk flush and the city's row. Hundreds of checks a second cannot each have their
own, and none may be answered before its record is safe: so they wait together for one.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, TypeVar

from models import AuditEvent, AuditRecord
from placement.errors import PlacementError, StoreError
from placement.store.audit import storable
from placement.store.engine import BUSY_S, Store, Transaction

T = TypeVar("T")

MOST_TOGETHER = 500
"""Callers of one transaction: it holds the city's row for milliseconds."""
LINGER_S = 0.006
"""How long a batch waits for more events while several callers record at a time. A caller alone
does not wait: nobody follows before it is answered."""
MOST_WAITING = 2000
"""Callers that may wait. More are refused at once: their answers would come too late."""


@dataclass(frozen=True)
class _Waiting:
    action: Callable[[Transaction], Any]
    done: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True)
class _Refused:
    """What an action raised: it concerns nobody else."""

    error: PlacementError


class Recorder:
    """Writes what happened to the audit log. Safe to use from several threads, and after a fork.

    Parameters
    ----------
    store
        With an audit key.
    most_waiting
        How many callers may wait before others are refused.
    patience_s
        Seconds a caller waits; what it asked for may still be recorded later.
    """

    def __init__(
        self, store: Store, most_waiting: int = MOST_WAITING, patience_s: float = 2 * BUSY_S
    ) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._patience_s = patience_s
        self._closed = False
        self._writer: threading.Thread | None = None
        self.begin_again()
        _recorders.add(self)

    def record(self, events: Sequence[AuditEvent]) -> tuple[AuditRecord, ...]:
        """Append events to the chain, in their order; returns once they are durable.

        Raises
        ------
        StoreError
            When they were not recorded, or nobody knows whether they were.
        TypeError, ValueError
            When an event has no JSON form. Others' events are not affected.
        """
        if not events:
            return ()
        ready = tuple(storable(event) for event in events)
        done = self.submit(lambda tx: tuple(tx.record(event) for event in ready))
        try:
            return done.result(self._patience_s)
        except FutureTimeout as error:
            raise StoreError("the record was not written in time") from error

    def submit(self, action: Callable[[Transaction], T]) -> Future[T]:
        """Do something small in the next transaction, together with others.

        Parameters
        ----------
        action
            Reads, decides and records, in this order; anything but recording it leaves alone. A
            PlacementError that it raises before it recorded anything is its own affair.

        Returns
        -------
        Future
            What the action came to, once it is durable; or what it raised; or StoreError.

        Raises
        ------
        StoreError
            When too many wait, or the recorder is closed.
        """
        waiting = _Waiting(action)
        with self._lock:
            if self._closed:
                raise StoreError("the recorder is closed")
            try:
                self._queue.put_nowait(waiting)
            except queue.Full as error:
                raise StoreError("too many records wait to be written; try again") from error
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(target=self._run, name="recorder", daemon=True)
                self._writer.start()
        return waiting.done

    @property
    def takes(self) -> bool:
        """Whether events are taken at all: it is not closed, and not too many wait."""
        return not self._closed and not self._queue.full()

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        with self._lock:
            self._closed = True
            writer = self._writer
        if writer is not None:
            self._queue.put(None)
            writer.join()

    def begin_again(self) -> None:
        """After a fork: the child has neither the writer's thread nor those who wait for it."""
        self._lock = threading.Lock()
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(self._most_waiting)
        self._writer = None

    def _run(self) -> None:
        several = False
        while True:
            batch, ended = self._batch(LINGER_S if several else 0.0)
            if batch:
                self._write(batch)
            if ended:
                return
            several = len(batch) > 1

    def _batch(self, linger_s: float) -> tuple[list[_Waiting], bool]:
        """Everything that waits, up to a limit; and whether nothing follows."""
        batch: list[_Waiting] = []
        while len(batch) < MOST_TOGETHER:
            if len(batch) == 1 and linger_s:
                time.sleep(linger_s)
            try:
                waiting = self._queue.get(block=not batch)
            except queue.Empty:
                break
            if waiting is None:
                return batch, True
            batch.append(waiting)
        return batch, False

    def _write(self, batch: list[_Waiting]) -> None:
        batch = [each for each in batch if each.done.set_running_or_notify_cancel()]
        try:
            with self._store.writing() as tx:
                outcomes = [_outcome(each.action, tx) for each in batch]
        except BaseException as error:  # noqa: BLE001  whatever it is, everybody who waits must hear
            # Each raises one of its own: a shared exception would collect everybody's traceback.
            text = str(error) if isinstance(error, StoreError) else "the records were not written"
            for waiting in batch:
                failure = StoreError(text)
                failure.__cause__ = error
                waiting.done.set_exception(failure)
            return
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, _Refused):
                waiting.done.set_exception(outcome.error)
            else:
                waiting.done.set_result(outcome)


def _outcome(action: Callable[[Transaction], Any], tx: Transaction) -> Any:
    before = tx.city.audit_sequence
    try:
        return action(tx)
    except StoreError:
        raise
    except PlacementError as error:
        if tx.city.audit_sequence != before:
            raise
        return _Refused(error)


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _after_fork() -> None:
    """Every recorder of a child process begins again."""
    for recorder in _recorders:
        recorder.begin_again()


os.register_at_fork(after_in_child=_after_fork)
