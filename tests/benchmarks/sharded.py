"""python -m tests.benchmarks.sharded --units 1000000 --sites 20 --shards 1 2 4

One problem over several processes: what sharding costs, and what crosses between them. With
--estimate, what a billion datasets would take, from what was measured.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from placement.optimizer.arrays.solution import violations
from placement.optimizer.pricing.shard import LocalShard
from placement.optimizer.pricing.sift import CORE_MOST, ROUNDS
from placement.optimizer.progress import Watch
from placement.optimizer.sharding.cluster import local_client
from placement.optimizer.sharding.solve import solve_sharded
from tests.benchmarks.instances import Recipe, make_instance

GAP = 1e-6
LIMIT_S = 300.0
PICKED_MOST = ROUNDS * CORE_MOST * 80
"""Bytes of the near ties of every programme at their most, at 80 bytes a unit."""


@dataclass(frozen=True)
class Measured:
    """One solve over processes."""

    units: int
    sites: int
    shards: int
    seconds: float
    """Without loading."""
    phases: dict[str, float]
    bound: float
    objective: float
    gap: float
    rounds: int
    """Prices for row totals, once over all units each."""
    round_bytes: float
    """Sent and received by one part, in the largest round."""
    picked_bytes: int
    """Samples, near ties and where these go, of all parts, in all."""
    pass_core_s: float
    """One round: seconds of one core, all parts one after another, for these units."""
    part_mb: float
    """Resident memory of the largest worker at its peak, beyond that of an empty one, MB."""
    empty_mb: float
    """Of a worker without a part: Python, NumPy, Dask."""
    broken: int


def made_part(recipe, part, parts):
    """Every parts-th unit of a made problem, made where it is wanted."""
    problem = make_instance(recipe)
    return problem.take(np.arange(part, problem.units, parts))


def saved_part(path):
    """What a worker does with its slice of a catalogue."""
    with path.open("rb") as file:
        return pickle.load(file)


def looked_at(part, problem, sites):
    """In the worker: what its plan breaks by itself, memory, and one round on one core."""
    peak = _peak_mb()
    broken = violations(replace(problem, rows=()), sites)
    shard, prices = LocalShard(problem), np.ones(len(problem.rows))
    began = time.process_time()
    shard.survey(prices)
    return len(broken), peak, time.process_time() - began


def _peak_mb():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 / 1e6


def measured(problem, shards, folder):
    """Solve a problem in so many parts, each in a process of its own."""
    paths = [folder / f"{part}.pickle" for part in range(shards)]
    for part, path in enumerate(paths):
        with path.open("wb") as file:
            pickle.dump(problem.take(np.arange(part, problem.units, shards)), file, protocol=5)
    with local_client(shards, workers=shards) as client:
        empty = max(client.run(_peak_mb).values())
        loaders = [partial(saved_part, path) for path in paths]
        with solve_sharded(loaders, gap=GAP, watch=Watch(LIMIT_S), client=client) as answer:
            looks = answer.write(looked_at)
            traffic = answer.traffic
            return Measured(
                units=problem.units,
                sites=problem.sites,
                shards=shards,
                seconds=sum(answer.phases.values()) - answer.phases["reading"],
                phases={name: round(seconds, 2) for name, seconds in answer.phases.items()},
                bound=answer.bound,
                objective=answer.objective,
                gap=answer.gap,
                rounds=len(traffic.rounds),
                round_bytes=max((one.sent + one.received) / one.parts for one in traffic.rounds),
                picked_bytes=traffic.bytes("sample", "near", "keep"),
                pass_core_s=sum(seconds for _, _, seconds in looks),
                part_mb=max(peak for _, peak, _ in looks) - empty,
                empty_mb=empty,
                broken=sum(broken for broken, _, _ in looks),
            )


@dataclass(frozen=True)
class Assumed:
    """What nobody measured here."""

    cores: int = 16
    """Of one machine."""
    memory_gb: float = 64.0
    eur_hour: float = 0.80
    """Of one such machine, rented on demand."""
    speedup: float = 0.7
    """Of a core among as many busy ones: they share the memory's bandwidth."""
    wire_mb_s: float = 100.0
    """Of the controller's network."""
    latency_s: float = 0.01
    """Of a call and its answer."""
    spare: float = 0.7
    """Share of the memory that may be full."""
    reading_mb_s: float = 100.0
    """Of one machine, from its slice of the catalogue."""
    row_bytes: float = 40.0
    """Of one dataset in the catalogue's columns that are read."""


def estimated(row, units, assumed):
    """What a problem of so many units takes, from one that was measured.

    With N units, n measured ones in k parts, P a core's seconds for a round of these, B a part's
    bytes a round, K the rounds, M the bytes of memory a unit, E those of
    an empty worker, D the bytes of picks:

        machines = ceil(N M / (memory spare - cores E))     one part a core
        parts    = machines cores
        round    = N P / n / (parts speedup) + parts B / wire + latency
        own      = prices + sift + core - K P / k      the controller's share, as measured
        placing  = placing, as measured, times (N / parts) / (n / k)
        seconds  = K round + D / wire + own + placing
        reading  = N row_bytes / (machines reading)
        cost     = machines (reading + seconds) / 3600 EUR/hour

    D is what was measured and PICKED_MOST: a pick does not grow beyond sift.CORE_MOST units.
    """
    memory = row.part_mb * 1e6 * row.shards / row.units
    room = assumed.memory_gb * 1e9 * assumed.spare - assumed.cores * row.empty_mb * 1e6
    machines = math.ceil(units * memory / room)
    parts = machines * assumed.cores
    wire = assumed.wire_mb_s * 1e6
    scan = units * row.pass_core_s / row.units / (parts * assumed.speedup)
    exchange = parts * row.round_bytes / wire + assumed.latency_s
    picks = PICKED_MOST + row.picked_bytes
    own = sum(row.phases[name] for name in ("prices", "sift", "core"))
    own = max(0.0, own - row.rounds * row.pass_core_s / row.shards)
    placing = row.phases["placing"] * (units / parts) / (row.units / row.shards)
    seconds = row.rounds * (scan + exchange) + picks / wire + own + placing
    reading = units * assumed.row_bytes / (machines * assumed.reading_mb_s * 1e6)
    return {
        "units": units,
        "machines": machines,
        "parts": parts,
        "memory_gb": units * memory / 1e9,
        "rounds": row.rounds,
        "numbers_a_round_and_part": row.round_bytes / 8,
        "round_mb_all_parts": parts * row.round_bytes / 1e6,
        "wire_mb_in_all": (row.rounds * parts * row.round_bytes + picks) / 1e6,
        "round_s": scan + exchange,
        "seconds": seconds,
        "reading_s": reading,
        "eur": machines * assumed.eur_hour * (seconds + reading) / 3600,
    }


def main():
    """Print a line for each number of shards, and an estimate on demand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--estimate", type=int, nargs="?", const=1_000_000_000, metavar="UNITS")
    parser.add_argument("--eur-hour", type=float, default=Assumed.eur_hour)
    asked = parser.parse_args()
    problem = make_instance(Recipe(asked.units, asked.sites))
    rows = []
    for shards in asked.shards:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(problem, shards, Path(folder)))
        print(json.dumps(asdict(rows[-1])), flush=True)
    if asked.estimate:
        answer = estimated(rows[-1], asked.estimate, Assumed(eur_hour=asked.eur_hour))
        print(json.dumps({name: round(value, 3) for name, value in answer.items()}, indent=1))


if __name__ == "__main__":
    main()
