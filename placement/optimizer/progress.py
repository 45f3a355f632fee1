"""How a solve is going, how long it may still take, and whether anybody still wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a solve stands."""

    phase: str
    """reading, arrays, prices, sift, relations, polish, core or search."""
    incumbent: float | None
    """EUR a year of the best plan so far."""
    bound: float | None
    """EUR a year below which no plan can cost."""
    gap: float | None
    """(incumbent - bound) / incumbent."""
    elapsed_s: float


def gap_between(objective: float, bound: float) -> float:
    """(objective - bound) / objective, never negative; 0 where the objective is 0."""
    return max(0.0, objective - bound) / objective if objective > 0 else 0.0


class OutOfTime(Exception):
    """The deadline passed, or the solve was cancelled. Never leaves this room."""


class Watch:
    """The clock of one solve: deadline, cancellation and progress in one place."""

    def __init__(
        self,
        limit_s: float,
        progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._start = time.monotonic()
        self._limit_s = limit_s
        self._progress = progress
        self._cancel = cancel
        self.phase = "reading"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the solve began."""
        return time.monotonic() - self._start

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; 0 when it has passed or the solve was cancelled."""
        return 0.0 if self.cancelled else max(0.0, self._limit_s - self.elapsed_s)

    @property
    def cancelled(self) -> bool:
        """Somebody asked to stop."""
        return self._cancel is not None and self._cancel.is_set()

    @property
    def expired(self) -> bool:
        """No time left, or cancelled."""
        return self.left_s <= 0.0

    def check(self) -> None:
        """Leave work that HiGHS cannot interrupt.

        Raises
        ------
        OutOfTime
        """
        if self.expired:
            raise OutOfTime

    def within(self, limit_s: float) -> Watch:
        """The same watch with an earlier deadline: at most `limit_s` from now."""
        part = Watch(min(self._limit_s, self.elapsed_s + limit_s), self._progress, self._cancel)
        part._start, part.phase = self._start, self.phase
        return part

    def extended(self, limit_s: float) -> Watch:
        """The same watch with a new deadline, `limit_s` from now."""
        later = Watch(self.elapsed_s + limit_s, self._progress, self._cancel)
        later._start, later.phase = self._start, self.phase
        return later

    def quiet(self) -> Watch:
        """The same watch without reports: for a part, whose numbers are not those of the whole."""
        part = Watch(self._limit_s, None, self._cancel)
        part._start, part.phase = self._start, self.phase
        return part

    def enter(self, phase: str, incumbent: float | None = None, bound: float | None = None) -> None:
        """Begin a phase, and report it."""
        self.phase = phase
        self.report(incumbent, bound)

    def report(self, incumbent: float | None, bound: float | None) -> None:
        """Tell whoever asked how it goes."""
        if self._progress is None:
            return
        known = incumbent is not None and bound is not None
        gap = gap_between(incumbent or 0.0, bound or 0.0) if known else None
        self._progress(Progress(self.phase, incumbent, bound, gap, self.elapsed_s))
