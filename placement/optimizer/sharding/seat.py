"""Where a part lives: an actor in a worker, asked over the wire, replaced once when lost."""

from __future__ import annotations

import itertools
import time
from typing import Any

from distributed import Client

from placement.errors import SolverError
from placement.optimizer.progress import OutOfTime, Watch
from placement.optimizer.sharding.holding import Holder, Loader, Shape
from placement.optimizer.sharding.wire import Call, Failure, Traffic, packed, unpacked

POLL_S = 0.1
"""How often a wait looks at the watch,"""
ALIVE_S = 2.0
"""and how often at whether the worker is still there."""
RETURN_S = 60.0
"""How long a lost worker may take to be replaced where no other is left."""
CHANGES = frozenset({"near", "settle", "keep"})
"""Calls that leave something behind, besides a survey, which begins anew."""


_Said = tuple[str, tuple[Any, ...], dict[str, Any]]
"""A call's name, arguments and options."""


class _Lost(Exception):
    """The worker does not answer any more."""


class Seat:
    """One part and the worker that holds it.

    Every answer depends on the part and on what was asked since the last survey. When the worker
    is lost, another loads the part, hears the same again, and so gives the same answers.

    Parameters
    ----------
    number
        Of the part.
    watch
        For calls that bring none.
    """

    def __init__(
        self, client: Client, number: int, loader: Loader, traffic: Traffic, watch: Watch
    ) -> None:
        self.number = number
        self.watch = watch
        self._client: Any = client
        self._future: Any = None
        self._loader, self._traffic = loader, traffic
        self._tickets = itertools.count()
        self._said: list[_Said] = []
        self._replaced = False
        self._address = ""

    def load(self) -> Shape:
        """Have a worker take in the part.

        Raises
        ------
        BadInput, OutOfTime, SolverError
        """
        try:
            self.shape = self._take(self.watch)
        except _Lost as lost:
            self._replace(lost, self.watch)
        return self.shape

    def ask(self, name: str, *arguments: Any, watch: Watch | None = None, **options: Any) -> Any:
        """What the worker answers.

        Raises
        ------
        BadInput, OutOfTime, SolverError
        """
        watch = watch or self.watch
        if name == "survey":
            self._said = [one for one in self._said if one[2] != options]
        try:
            answer = self._once(name, arguments, options, watch)
        except _Lost as lost:
            answer = self._replace(lost, watch, (name, arguments, options))
        if name == "survey" or name in CHANGES:
            self._said.append((name, arguments, options))
        return answer

    def release(self) -> None:
        """Let the worker forget the part."""
        if self._future is not None:
            self._future.release()

    def _replace(self, lost: _Lost, watch: Watch, *asked: _Said) -> Any:
        """Another worker takes the part, hears all it must know, and what was asked; its answer."""
        if self._replaced:
            raise SolverError(f"part {self.number}: its worker was lost twice: {lost}") from lost
        self._replaced = True
        known, answer = getattr(self, "shape", None), None
        try:
            shape = self._take(watch)
            if known is not None and (shape.mark, shape.frame) != (known.mark, known.frame):
                raise SolverError(f"part {self.number} changed while it was being worked on")
            self.shape = shape
            for name, arguments, options in (*self._said, *asked):
                answer = self._once(name, arguments, options, watch)
        except _Lost as again:
            text = f"part {self.number}: its worker was lost, and so was the next: {again}"
            raise SolverError(text) from again
        return answer

    def _take(self, watch: Watch) -> Shape:
        self._address = self._another(watch)
        try:
            with self._client.as_current():
                self._future = self._client.submit(
                    Holder, actor=True, workers=[self._address], pure=False
                )
                self._actor = self._wait(self._future, None, watch)
        except OutOfTime:
            raise
        except Exception as error:
            raise _Lost(str(error)) from error
        shape: Shape = self._once("load", (self._loader,), {}, watch)
        return shape

    def _another(self, watch: Watch) -> str:
        """A worker, not the one that was lost."""
        until = time.monotonic() + RETURN_S
        while time.monotonic() < until:
            watch.check()
            there = sorted(self._workers() - {self._address})
            if there:
                return there[self.number % len(there)]
            time.sleep(POLL_S)
        raise _Lost("no worker is left")

    def _workers(self) -> set[str]:
        try:
            return set(self._client.nthreads())
        except Exception as error:
            raise _Lost(f"the scheduler does not answer: {error}") from error

    def _once(
        self, name: str, arguments: tuple[Any, ...], options: dict[str, Any], watch: Watch
    ) -> Any:
        watch.check()
        ticket = next(self._tickets)
        request = packed(Call(name, arguments, options, ticket, watch.left_s))
        try:
            pending = self._actor.ask(request)
        except Exception as error:
            raise _Lost(str(error)) from error
        reply = self._wait(pending, ticket, watch)
        self._traffic.note(name, len(request), len(reply))
        answer = unpacked(reply)
        if isinstance(answer, Failure):
            raise answer.as_error(self.number)
        return answer

    def _wait(self, pending: Any, ticket: int | None, watch: Watch) -> Any:
        """The answer, looking at the watch and the worker meanwhile."""
        looked = time.monotonic()
        while True:
            try:
                return pending.result(timeout=POLL_S)
            except TimeoutError:
                pass
            except Exception as error:
                raise _Lost(str(error)) from error
            if watch.expired:
                if ticket is not None:
                    self._actor.stop(ticket)
                raise OutOfTime
            if time.monotonic() - looked > ALIVE_S:
                looked = time.monotonic()
                if self._address not in self._workers():
                    raise _Lost("the scheduler misses it")
