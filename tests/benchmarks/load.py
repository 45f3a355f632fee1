"""A load of requests at a fixed rate, from a process of its own.

Open loop: a request starts when its time has come, whether or not earlier ones were answered, so
that a slow server is not spared. Latency counts from the time a request should have started.

    python -m tests.benchmarks.load < load.json > result.json
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
import uvloop


@dataclass(frozen=True)
class Load:
    """What to send. Rate 0: one after the other, as fast as answers come."""

    url: str
    seconds: float
    rate: float
    method: str
    paths: tuple[str, ...]
    """Taken in turn."""
    bodies: tuple[Any, ...] = ()
    """JSON bodies, taken in turn."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What came back; latencies in milliseconds."""

    answered: int
    failed: int
    p50: float
    p99: float
    worst: float
    rate: float
    """Answers a second."""


async def measure(load: Load) -> Measured:
    """Send a load and wait for all its answers."""
    latencies: list[float] = []
    failed = 0
    clock = time.perf_counter
    connector = aiohttp.TCPConnector(limit=200)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(
        load.url, headers=load.headers, connector=connector, timeout=timeout
    ) as session:

        async def ask(number: int, due: float) -> None:
            nonlocal failed
            body = load.bodies[number % len(load.bodies)] if load.bodies else None
            path = load.paths[number % len(load.paths)]
            try:
                async with session.request(load.method, path, json=body) as answer:
                    await answer.read()
                    failed += answer.status != 200
            except (aiohttp.ClientError, TimeoutError):
                failed += 1
            latencies.append((clock() - due) * 1000)

        began = clock()
        if load.rate:
            await _at_rate(load, ask)
        else:
            number = 0
            while clock() - began < load.seconds:
                await ask(number, clock())
                number += 1
        took = clock() - began
    latencies.sort()
    return Measured(
        answered=len(latencies) - failed,
        failed=failed,
        p50=round(_quantile(latencies, 0.5), 2),
        p99=round(_quantile(latencies, 0.99), 2),
        worst=round(latencies[-1], 2),
        rate=round((len(latencies) - failed) / took, 1),
    )


async def _at_rate(load: Load, ask: Any) -> None:
    clock = time.perf_counter
    began = clock()
    asked = []
    for number in range(int(load.seconds * load.rate)):
        due = began + number / load.rate
        if (early := due - clock()) > 0:
            await asyncio.sleep(early)
        asked.append(asyncio.create_task(ask(number, due)))
    await asyncio.gather(*asked)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    given = json.load(sys.stdin)
    given["paths"], given["bodies"] = tuple(given["paths"]), tuple(given.get("bodies", ()))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(measure(Load(**given))))))
