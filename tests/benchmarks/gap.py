"""Generalised assignment: `make bench-gap DIR=...`, or `python -m tests.benchmarks.gap --help`.

Files hold agents and items, costs agent by agent, loads agent by agent, and capacities; cost is to
be as low as can be. DIR/best-known.csv, where it is there, names files and their best known values;
without it every file below DIR is read. `--make d 20 400` makes an instance of type c, d or e
instead (Chu and Beasley, 1997; Yagiura, Ibaraki and Glover, 2004), to be held against its bound.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, Row
from placement.optimizer.arrays.solution import violations
from placement.optimizer.polish.solve import solve_arrays
from placement.optimizer.progress import Watch

TIGHT = 0.8
"""Capacities: this share of all loads at a site, spread over the sites."""


@dataclass(frozen=True)
class Case:
    """An instance: sites are agents, units are items."""

    name: str
    cost: np.ndarray
    """(S, U)"""
    load: np.ndarray
    """(S, U)"""
    capacity: np.ndarray
    """(S,)"""
    best_known: float | None = None

    def problem(self):
        """Every item a class of its own, one feature that is always 1, one row a site."""
        sites, units = self.cost.shape
        rows = [
            Row(
                f"capacity[{s}]",
                np.array([s]),
                np.array([0]),
                self.load[s].reshape(units, 1, 1).astype(float),
                float(self.capacity[s]),
            )
            for s in range(sites)
        ]
        return ArrayProblem(
            class_of=np.arange(units),
            features=np.ones((1, units)),
            counts=np.ones(units),
            cost=np.ascontiguousarray(self.cost.T[:, None, :].astype(float)),
            open=np.ascontiguousarray(self.capacity >= self.load.T),
            replicas=np.ones(units, dtype=np.intp),
            operator_of=np.arange(sites),
            rows=tuple(rows),
        )


def read_case(path, name=None, best_known=None):
    """One file of the OR-Library's format."""
    numbers = np.array(path.read_text(encoding="ascii").split(), dtype=np.int64)
    sites, units = int(numbers[0]), int(numbers[1])
    cost, load = numbers[2 : 2 + 2 * sites * units].reshape(2, sites, units)
    capacity = numbers[2 + 2 * sites * units :][:sites]
    return Case(name or path.name, cost, load, capacity, best_known)


def read_cases(folder):
    """All instances of a folder, with best known values where a table names them."""
    table = folder / "best-known.csv"
    if not table.is_file():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [read_case(path, str(path.relative_to(folder))) for path in files]
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        read_case(folder / row["Path"], row["Path"], float(row["Best known solution value"]))
        for row in rows
    ]


def make_case(kind, sites, units, seed=1):
    """An instance of type c, d or e.

    c: cost U[10, 50], load U[5, 25]; d: load U[1, 100], cost 111 - load + U[-10, 10];
    e: load 1 - 10 ln U(0, 1], cost 1000 / load - 10 U[0, 1].
    """
    rng = np.random.default_rng(seed)
    shape = sites, units
    if kind == "c":
        cost, load = rng.integers(10, 51, shape), rng.integers(5, 26, shape)
    elif kind == "d":
        load = rng.integers(1, 101, shape)
        cost = 111 - load + rng.integers(-10, 11, shape)
    else:
        load = np.floor(1 - 10 * np.log(1 - rng.random(shape))).astype(np.int64)
        cost = np.floor(1000 / load - 10 * rng.random(shape)).astype(np.int64)
    capacity = np.floor(TIGHT * load.sum(axis=1) / sites).astype(np.int64)
    return Case(f"made-{kind}{sites:02d}{units}-{seed}", cost, load, capacity)


def run_case(case, seconds, gap=0.0, seed=0):
    """Solve one, print its line; whether the plan holds, and whether it is the best known."""
    problem = case.problem()
    began, worked = time.monotonic(), time.process_time()
    answer = solve_arrays(problem, gap=gap, watch=Watch(seconds), seed=seed)
    took, worked = time.monotonic() - began, time.process_time() - worked
    if answer.sites is None:
        print(f"{case.name:26} no plan in {took:.1f} s", flush=True)
        return False, False
    holds = not violations(problem, answer.sites)
    reached = case.best_known is not None and answer.objective <= case.best_known
    known = "-" if case.best_known is None else f"{case.best_known:.0f}"
    print(
        f"{case.name:26} {problem.sites:3} x {problem.units:<5} {answer.objective:9.0f} {known:>9}"
        f" {answer.bound:11.2f} {answer.gap:9.4%} {took:6.1f} s {worked:6.1f} cpu"
        f"{'' if reached or case.best_known is None else '  not reached'}"
        f"{'' if holds else '  DOES NOT HOLD'}",
        flush=True,
    )
    return holds, reached


def main():
    """Run what is asked for; 1 where a plan is missing or does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gap", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=60.0, help="limit for each")
    parser.add_argument("--only", nargs="+", default=[], help="parts of names")
    parser.add_argument("--make", nargs=3, action="append", metavar=("TYPE", "AGENTS", "ITEMS"))
    parser.add_argument("--seed", type=int, default=1, help="of made instances")
    arguments = parser.parse_args()
    cases = read_cases(arguments.folder) if arguments.folder else []
    cases = [c for c in cases if not arguments.only or any(o in c.name for o in arguments.only)]
    cases += [make_case(k, int(m), int(n), arguments.seed) for k, m, n in arguments.make or []]
    if not cases:
        parser.error("no instances: name a folder, or --make")
    print("name, agents x items, objective, best known, bound, gap, seconds, processor seconds")
    results = [run_case(case, arguments.seconds) for case in cases]
    known = sum(case.best_known is not None for case in cases)
    reached = sum(reached for _, reached in results)
    print(f"{reached} of {known} reach the best known value")
    sys.exit(0 if all(holds for holds, _ in results) else 1)


if __name__ == "__main__":
    main()
