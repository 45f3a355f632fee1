"""What crosses between processes: calls, failures, and how many bytes that was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from distributed.protocol import pickle as pickled

from placement.errors import BadInput, Defect, PlacementError, SolverError
from placement.optimizer.progress import OutOfTime

packed: Callable[[Any], bytes] = pickled.dumps
"""Pickled, functions without an address by their code."""
unpacked: Callable[[bytes], Any] = pickled.loads


@dataclass(frozen=True)
class Call:
    """A question to a worker."""

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    ticket: int
    """Rises with every call: everything up to a ticket can be stopped."""
    left_s: float
    """How long the answer may take."""


@dataclass(frozen=True)
class Failure:
    """Why a worker has no answer: out of time, bad input (with its defects), or anything else."""

    out_of_time: bool
    message: str
    defects: tuple[Defect, ...] = ()

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What a worker says of an exception."""
        if isinstance(error, BadInput):
            return cls(out_of_time=False, message="", defects=error.defects)
        known = isinstance(error, PlacementError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        return cls(isinstance(error, OutOfTime), message)

    def as_error(self, part: int) -> Exception:
        """The same here."""
        if self.out_of_time:
            return OutOfTime()
        if self.defects:
            return BadInput(self.defects)
        return SolverError(f"part {part}: {self.message}")


@dataclass(frozen=True)
class Exchange:
    """One question to all parts, or some, and their answers."""

    name: str
    parts: int
    sent: int
    """Bytes, of all parts together."""
    received: int


ROUNDS = frozenset({"evaluate", "survey"})
"""Exchanges of prices for row totals: one pass over all units each."""


@dataclass
class Traffic:
    """Everything that crossed, pickled."""

    exchanges: list[Exchange] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Calls in here are one exchange for each name."""
        try:
            yield
        finally:
            with self._lock:
                for name, calls in self._open.items():
                    sent, received = (sum(column) for column in zip(*calls, strict=True))
                    self.exchanges.append(Exchange(name, len(calls), sent, received))
                self._open.clear()

    def note(self, name: str, sent: int, received: int) -> None:
        """One call was answered."""
        with self._lock:
            self._open.setdefault(name, []).append((sent, received))

    @property
    def rounds(self) -> list[Exchange]:
        """Exchanges of prices for row totals."""
        return [one for one in self.exchanges if one.name in ROUNDS]

    def bytes(self, *names: str) -> int:
        """Sent and received by exchanges of these names; of all where none is given."""
        some = [one for one in self.exchanges if not names or one.name in names]
        return sum(one.sent + one.received for one in some)
