"""One measurement in a process of its own, watched: it is ended when it takes too long or too much.

The child says `ready` when its problem stands, `built` when a model of it does, `solved` when the
answer does, and `done` with the answer checked. Only what lies between `ready` and `solved` is
timed and weighed.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any

import psutil

TASKS = "tests.benchmarks.tasks"
LOOK_EVERY_S = 0.1
MEGABYTE = 1e6


@dataclass(frozen=True)
class Limits:
    """What a measurement may take."""

    seconds: float
    """Between `ready` and `solved`."""
    memory_gb: float = 18.0
    """Resident, of the process and all that it starts."""
    grace_s: float = 15.0
    """For whoever has been told `seconds` and needs a moment to stop."""
    set_up_s: float = 600.0
    """Before `ready` and after `solved`, each."""


@dataclass
class _Seen:
    """What the parent sees of a child."""

    at: str = "started"
    since: float = field(default_factory=time.monotonic)
    solving_s: float | None = None
    peak_mb: float = 0.0
    built: bool = False
    answer: dict[str, Any] | None = None

    def hear(self, message: dict[str, Any]) -> None:
        if message["at"] == "built":
            self.built = True
            return
        now = time.monotonic()
        if message["at"] == "solved":
            self.solving_s = now - self.since
        if message["at"] == "done":
            self.answer = message["answer"]
        self.at, self.since = message["at"], now


def measure(task: dict[str, Any], limits: Limits, module: str = TASKS) -> dict[str, Any]:
    """Run a task; its answer, or why there is none under `ended`."""
    command = [sys.executable, "-m", module, json.dumps(task)]
    with _started(command) as (child, lines):
        seen, why = _watch(child, lines, limits)
    answer = seen.answer or {"ended": why or f"failed: exit {child.returncode}"}
    if seen.answer is None:
        spent = seen.solving_s if seen.solving_s is not None else time.monotonic() - seen.since
        answer["seconds"] = round(spent, 3) if seen.at in ("ready", "solved") else None
    answer["peak_mb"] = round(max(answer.get("peak_mb", 0.0), seen.peak_mb), 1)
    return answer


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A child at the head of a group of its own, so that what it starts ends with it."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, env=environment, start_new_session=True
    )
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    try:
        yield child, child.stdout
    finally:
        _end(child)
        child.stdout.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _watch(
    child: subprocess.Popen[bytes], lines: IO[bytes], limits: Limits
) -> tuple[_Seen, str | None]:
    """Follow a child to its end, or to the limit that it exceeds."""
    seen, rest = _Seen(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(lines, selectors.EVENT_READ)
        while True:
            heard = selector.select(LOOK_EVERY_S)
            weight_mb = _weight_mb(child.pid)
            if seen.at == "ready":
                seen.peak_mb = max(seen.peak_mb, weight_mb)
            piece = lines.read() if heard else None
            *whole, rest = (rest + (piece or b"")).split(b"\n")
            for line in whole:
                seen.hear(json.loads(line))
            if piece == b"":
                child.wait()
                return seen, None
            why = _exceeded(seen, weight_mb, limits)
            if why is not None:
                return seen, why


def _exceeded(seen: _Seen, weight_mb: float, limits: Limits) -> str | None:
    if weight_mb * MEGABYTE > limits.memory_gb * 1e9:
        return f"killed: more than {limits.memory_gb:g} GB"
    solving = seen.at == "ready"
    allowed = limits.seconds + limits.grace_s if solving else limits.set_up_s
    if time.monotonic() - seen.since <= allowed:
        return None
    if not solving:
        return f"killed: {seen.at} for {allowed:g} s"
    return f"killed after {allowed:g} s" + ("" if seen.built else " of building")


def _weight_mb(pid: int) -> float:
    """Resident memory of a process and all below it."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_info().rss
    return total / MEGABYTE
