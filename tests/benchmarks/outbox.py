"""How fast a service delivers events to a local receiver, alone and beside receivers that are down.

python -m tests.benchmarks.outbox [--events N] [--datasets N] [--postgres] [--out FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import postgres
from tests.crash_cases import environment
from tests.outbox_cases import (
    LOOPBACK,
    CountingReceiver,
    append,
    counting_receiver,
    event,
    open_folder,
    subscribe,
)

AT_ONCE = 5_000
PATIENCE_S = 3_600.0
DOWN = ("http://127.0.0.1:9/", "/slow", "/status/503")
"""A port that nobody listens on, a receiver that hangs, and one that fails."""


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.outbox", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--datasets", type=int, default=10_000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--out", type=Path, help="also write the results as JSON")
    asked = parser.parse_args()
    results: dict[str, Any] = {"events": asked.events, "datasets": asked.datasets}
    results["database"] = "postgresql" if asked.postgres else "sqlite"
    results["load_before"] = os.getloadavg()[0]
    results["alone"] = run(asked.events, asked.datasets, asked.postgres, ())
    fewer = max(1, asked.events // 5)
    results["beside_receivers_down"] = run(fewer, asked.datasets, asked.postgres, DOWN)
    results["load_after"] = os.getloadavg()[0]
    print(json.dumps(results, indent=2))
    if asked.out is not None:
        asked.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def run(events: int, datasets: int, on_postgres: bool, down: tuple[str, ...]) -> dict[str, Any]:
    """Drain events to one receiver, beside subscriptions to others that are down."""
    with contextlib.ExitStack() as undo:
        folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="placement-bench-"))
        data, url = Path(folder), None
        if on_postgres:
            server = undo.enter_context(postgres.running())
            server.run("CREATE DATABASE city")
            url = server.url("city")
        receiver = undo.enter_context(counting_receiver())
        began = time.perf_counter()
        appended_s = _filled(data, url, receiver, events, datasets, down)
        _say(f"{events:,} events are there after {time.perf_counter() - began:.0f} s")
        process = undo.enter_context(_serving(data, url))
        seen = receiver.until("/ok", events, PATIENCE_S)
        cpu = _cpu_s(process.pid)
        took = seen["last"] - seen["first"]
        return {
            "events": events,
            "receivers_down": len(down),
            "append_s": round(appended_s, 2),
            "drain_s": round(took, 2),
            "events_per_s": round(events / took, 1),
            "posts": seen["posts"],
            "service_cpu_s": round(cpu, 1),
        }


def _filled(
    data: Path,
    url: str | None,
    receiver: CountingReceiver,
    events: int,
    datasets: int,
    down: tuple[str, ...],
) -> float:
    """Write the events and those who want them; seconds in the transactions of the events."""
    store, seal = open_folder(data, url)
    for other in down:
        subscribe(store, seal, other if other.startswith("http") else receiver.url(other))
    subscribe(store, seal, receiver.url())
    spent = 0.0
    for start in range(0, events, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, events))
        made = [event(f"d{number % datasets}", number) for number in numbers]
        began = time.perf_counter()
        append(store, made)
        spent += time.perf_counter() - began
    store.close()
    return spent


@contextlib.contextmanager
def _serving(data: Path, url: str | None) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "placement.cli", "serve", "--dev", "--port", "0"]
    env = environment(**LOOPBACK) | ({"DATABASE_URL": url} if url else {})
    with (data / "serve.log").open("wb") as log:
        process = subprocess.Popen([*command, "--data", str(data)], env=env, stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _cpu_s(pid: int) -> float:
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
