"""What a worker does: hold a part of the units, and answer for it."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from placement.errors import SolverError
from placement.optimizer.arrays.problem import ArrayProblem, load_of, row_totals
from placement.optimizer.arrays.solution import plan_cost, violations
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.polish.resting import LocalResting, Rest
from placement.optimizer.polish.spreading import sites_of, spread_out
from placement.optimizer.pricing.content import class_keys, unit_keys
from placement.optimizer.pricing.dual import Part, in_pieces
from placement.optimizer.pricing.merge import Merged, merge
from placement.optimizer.pricing.shard import Pick
from placement.optimizer.pricing.spread import Size
from placement.optimizer.progress import OutOfTime, Watch
from placement.optimizer.sharding.wire import Call, Failure, packed, unpacked

Loader = Callable[[], ArrayProblem]
Writer = Callable[[int, ArrayProblem, Indices], Any]
"""Part, its problem, and (U, n) sites: whatever it returns comes back."""

SMALL = 60_000
"""Pairs up to which equal units of a part stay apart: the whole problem may be solved at once."""
BLOCK = 1 << 17
"""Units of which a plan is checked at once."""


@dataclass(frozen=True)
class Shape:
    """What the controller knows of a part."""

    units: int
    sites: int
    mark: int
    """Of what the units are, whatever their order."""
    frame: str
    """Of the sites and rows, which all parts share."""
    names: tuple[str, ...]
    rhs: Floats


@dataclass(frozen=True)
class Kept:
    """What the plan of a part costs and weighs, and what it breaks by itself."""

    cost: float
    totals: Floats
    broken: tuple[str, ...]


class Held(LocalResting):
    """A part whose near ties are bounded in number."""

    def near_most(self, bins: int, most: int) -> Pick:
        """The units in the first bins, but no more than so many; those beyond leave the bins."""
        near = np.flatnonzero(self._bins < bins)
        if len(near) > most:
            some = self.problem.take(near)
            keys = unit_keys(some, class_keys(some), 0, some.units)
            order = np.lexsort((keys, self._bins[near]))
            self._bins[near[order[most:]]] = bins
        return self.near(bins)


class Keeper:
    """A part in this process: its units, near ties, and where they are placed."""

    def __init__(self, cancel: threading.Event | None = None) -> None:
        self.cancel = cancel
        self._sites: Indices | None = None

    def load(self, loader: Loader) -> Shape:
        """Take in a part."""
        self.problem = problem = loader()
        if problem.related:
            raise SolverError("datasets with relations cannot be sharded by dataset")
        if (problem.counts != 1.0).any():
            raise SolverError("equal units are merged inside the solver, not before")
        pairs = problem.units * problem.sites
        same = Merged(problem, np.arange(problem.units))
        self.merged = merge(problem) if pairs > SMALL else same
        self.parts = {False: Held(self.merged.problem)}
        return Shape(
            problem.units,
            problem.sites,
            _mark(problem),
            _frame(problem),
            tuple(row.name for row in problem.rows),
            problem.rhs,
        )

    def part(self, free: bool) -> Held:
        """The part; or the same in which nothing costs anything."""
        if free and free not in self.parts:
            problem = self.merged.problem
            self.parts[free] = Held(replace(problem, cost=np.zeros_like(problem.cost)))
        return self.parts[free]

    def size(self, watch: Watch, *, free: bool) -> Size:
        """As `Shard.size`."""
        return self.part(free).size(watch)

    def evaluate(self, watch: Watch, prices: Floats, *, free: bool) -> Part:
        """As `Shard.evaluate`."""
        return self.part(free).evaluate(prices, watch)

    def survey(self, watch: Watch, prices: Floats, *, free: bool) -> tuple[Part, Indices]:
        """As `Shard.survey`."""
        return self.part(free).survey(prices, watch)

    def near(self, _watch: Watch, bins: int, most: int, *, free: bool) -> Pick:
        """As `Shard.near`, at most so many units."""
        return self.part(free).near_most(bins, most)

    def sample(self, watch: Watch, rate: float, *, free: bool) -> Pick:
        """As `Shard.sample`."""
        return self.part(free).sample(rate, watch)

    def settle(self, watch: Watch, prices: Floats, bins: int, *, free: bool) -> Rest:
        """As `Resting.settle`."""
        return self.part(free).settle(prices, bins, watch)

    def keep(self, _watch: Watch, units: Indices, x: Indices) -> Kept:
        """Place the near ties as decided, everybody else at rest, and hold that against the part.

        Parameters
        ----------
        units, x
            (n,) near ties, and (n, S) copies of each at each site.
        """
        problem, merged = self.problem, self.merged.problem
        held = self.part(free=False)
        width = int(merged.replicas.max(initial=1))
        rest = getattr(held, "sites", np.full((merged.units, width), -1, dtype=np.intp))
        x = x.astype(np.intp)
        if merged.units == problem.units:
            rest[units] = -1
            own = sites_of(x, merged.replicas[merged.class_of[units]])
            rest[units, : own.shape[1]] = own[:, : rest.shape[1]]
            self._sites = rest
        else:
            self._sites = spread_out(self._copies(rest, units, x), self.merged.group)[:, None]
        return _held_against(problem, self._sites)

    def _copies(self, rest: Indices, units: Indices, x: Indices) -> Indices:
        """(G, S) copies of merged units."""
        merged = self.merged.problem
        copies = np.zeros((merged.units, merged.sites), dtype=np.intp)
        unit, column = np.nonzero(rest >= 0)
        np.add.at(copies, (unit, rest[unit, column]), merged.counts[unit].astype(np.intp))
        copies[units] = x
        return copies

    def sites(self, _watch: Watch) -> Indices:
        """(U, n) sites of the part's units, in two bytes each."""
        return self._placed().astype(np.int16)

    def write(self, _watch: Watch, writer: Writer, part: int) -> Any:
        """What a writer makes of the sites, here."""
        return writer(part, self.problem, self._placed())

    def _placed(self) -> Indices:
        if self._sites is None:
            raise SolverError("the part has no plan")
        return self._sites


class Holder:
    """A keeper as a Dask actor: pickled calls in, pickled answers out, failures among them."""

    def __init__(self) -> None:
        self._keeper = Keeper()
        self._loaded = False
        self._stopped = -1
        self._now = -1, threading.Event()

    def ask(self, request: bytes) -> bytes:
        """The answer to a call."""
        try:
            answer = self._answer(unpacked(request))
        except Exception as error:  # noqa: BLE001  whatever it is, the controller must know
            answer = Failure.of(error)
        return packed(answer)

    async def stop(self, ticket: int) -> None:
        """Leave off whatever was asked up to this ticket. Runs beside `ask`."""
        self._stopped = max(self._stopped, ticket)
        now, cancel = self._now
        if now <= ticket:
            cancel.set()

    def _answer(self, call: Call) -> Any:
        cancel = threading.Event()
        self._now = call.ticket, cancel
        if call.ticket <= self._stopped:
            raise OutOfTime
        if call.name == "load":
            return self._keeper.load(*call.arguments)
        watch = Watch(call.left_s, cancel=cancel)
        return getattr(self._keeper, call.name)(watch, *call.arguments, **call.options)


def _held_against(problem: ArrayProblem, sites: Indices) -> Kept:
    """A plan's cost and totals, block by block, as large parts leave little memory."""
    costs, broken = [], set()
    totals = np.zeros(len(problem.rows))
    for begin in range(0, problem.units, BLOCK):
        units = np.arange(begin, min(begin + BLOCK, problem.units))
        block, at = problem.take(units), sites[units]
        broken.update(violations(replace(block, rows=()), at))
        totals += row_totals(block, load_of(block, at))
        costs.append(plan_cost(block, at))
    return Kept(math.fsum(costs), totals, tuple(sorted(broken)))


def _mark(problem: ArrayProblem) -> int:
    """Sum of the units' keys, in 64 bits."""
    keys = class_keys(problem)

    def work(begin: int, end: int) -> int:
        return int(unit_keys(problem, keys, begin, end).sum())

    return sum(in_pieces(problem, work)) % (1 << 64)


def _frame(problem: ArrayProblem) -> str:
    """Digest of the sites and rows."""
    digest = hashlib.sha256(repr([row.name for row in problem.rows]).encode())
    for row in problem.rows:
        digest.update(repr((row.sites.tolist(), row.features.tolist(), row.rhs)).encode())
    digest.update(repr((problem.operator_of.tolist(), problem.cost.shape[1:])).encode())
    return digest.hexdigest()
