"""solve_sharded(): one problem over several processes, by prices and near ties."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from distributed import Client

from models import Termination
from placement.errors import SolverError
from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.arrays.solution import Warm
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.polish.polishing import Polished, polish, region_of
from placement.optimizer.polish.solve import EXACT, solve_arrays
from placement.optimizer.polish.spreading import counts_of
from placement.optimizer.pricing.find import find_prices
from placement.optimizer.pricing.margins import BINS
from placement.optimizer.pricing.shard import Pick
from placement.optimizer.progress import OutOfTime, Watch, gap_between
from placement.optimizer.sharding.cluster import local_client
from placement.optimizer.sharding.holding import SMALL, Kept, Loader, Writer
from placement.optimizer.sharding.relay import RemoteShard, RemoteShards, at_once
from placement.optimizer.sharding.seat import Seat
from placement.optimizer.sharding.wire import Traffic

KEEPING_S = 300.0
"""How long parts may take to write down the plan, whatever the deadline."""


@dataclass(frozen=True)
class ShardedSolution:
    """Prices, bound and cost of a plan whose parts stay in the workers until asked for.

    A context manager: leaving it lets the workers forget their parts, and ends them where they
    were started for this solve.
    """

    termination: Termination
    prices: Floats
    """(R,) as in ArraySolution."""
    bound: float
    objective: float
    """EUR a year; inf without a plan."""
    core: tuple[str, ...]
    """Where infeasible: rows that cannot all hold."""
    phases: dict[str, float]
    """Seconds: reading, prices, sift, core, placing."""
    traffic: Traffic
    seats: tuple[Seat, ...] = field(repr=False)
    _ending: ExitStack = field(repr=False)

    @property
    def gap(self) -> float:
        """(objective - bound) / objective; inf without a plan."""
        return gap_between(self.objective, self.bound) if self.placed else np.inf

    @property
    def placed(self) -> bool:
        """Whether there is a plan."""
        return bool(np.isfinite(self.objective))

    def sites(self, part: int) -> Indices:
        """(U, n) sites of a part's units, in the order of its loader, -1 behind a unit's last.

        Raises
        ------
        SolverError
            Without a plan, or where the worker was lost and cannot be replaced.
        """
        seat = self.seats[part]
        if not seat.shape.units:
            return np.empty((0, 1), dtype=np.intp)
        sites: Indices = seat.ask("sites").astype(np.intp)
        return sites

    def write(self, writer: Writer) -> list[Any]:
        """Run `writer(part, problem, sites)` in every worker that holds units; its answers.

        Raises
        ------
        SolverError
        """
        filled = [seat for seat in self.seats if seat.shape.units]
        return at_once(lambda seat: seat.ask("write", writer, seat.number), filled, self.traffic)

    def close(self) -> None:
        """Let the workers forget the plan."""
        self._ending.close()

    def __enter__(self) -> ShardedSolution:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def solve_sharded(
    parts: Sequence[ArrayProblem | Loader],
    *,
    gap: float,
    watch: Watch,
    client: Client | None = None,
    start: Floats | None = None,
) -> ShardedSolution:
    """The cheapest sites of the units of all parts together, and the proof of how good they are.

    Parameters
    ----------
    parts
        Problems with the same sites, rows and right-hand sides, each with some of the units; or
        callables that make one in its worker, so that no process holds them all. A callable is
        asked again when its worker is lost, and must give the same.
    gap
        (objective - bound) / objective that is good enough.
    watch
        Deadline, cancellation and progress; phases reading, prices, sift, core, placing.
    client
        Of a Dask cluster whose workers have this package; by default processes on this machine.
        Calls are pickled: whoever reaches the cluster may run code there, so it wants TLS.
    start
        (R,) prices of a similar problem.

    Returns
    -------
    ShardedSolution
        To be closed.

    Raises
    ------
    BadInput
        As loaders do.
    SolverError
        Where parts do not belong together, a worker is lost twice, or a plan does not hold.
    """
    if not parts:
        raise SolverError("there is no part to solve")
    loaders = [partial(_itself, part) if isinstance(part, ArrayProblem) else part for part in parts]
    with ExitStack() as stack:
        if client is None:
            client = stack.enter_context(local_client(len(parts)))
        traffic = Traffic()
        seats = tuple(Seat(client, i, load, traffic, watch) for i, load in enumerate(loaders))
        for seat in seats:
            stack.callback(seat.release)
        search = _Search(seats, traffic, gap, watch, start)
        with suppress(OutOfTime):
            search.run()
        return search.answer(stack.pop_all())


def _itself(problem: ArrayProblem) -> ArrayProblem:
    return problem


@dataclass
class _Search:
    seats: tuple[Seat, ...]
    traffic: Traffic
    gap: float
    watch: Watch
    start: Floats | None
    prices: Floats = field(default_factory=lambda: np.empty(0))
    bound: float = -np.inf
    objective: float = np.inf
    infeasible: bool = False
    core: tuple[str, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        with self._phase("reading"):
            at_once(Seat.load, self.seats, self.traffic)
            self.shards = RemoteShards.of(self.seats, self.traffic)
            self._check_shapes()
        if sum(seat.shape.units * seat.shape.sites for seat in self.seats) <= SMALL:
            self._gathered()
            return
        with self._phase("prices"):
            priced = find_prices(self.shards, self.watch, start=self.start)
            self.prices, self.bound = priced.prices, priced.bound
        if np.isposinf(priced.bound) or priced.ray is not None:
            self._is_infeasible(priced.ray)
            return
        with self._phase("sift"):
            polished = Polished(*region_of(self.shards, self.prices, self.watch))
        try:
            with self._phase("core"):
                polish(polished, self.bound, self.gap, self.watch)
        finally:
            if polished.x is not None:
                self._keep(polished.pick, polished.x, polished.objective)

    def answer(self, ending: ExitStack) -> ShardedSolution:
        """What was found."""
        for seat in self.seats:
            seat.watch = Watch(KEEPING_S)
        termination = Termination.TIME_LIMIT
        bound = self.bound
        if self.infeasible:
            termination, bound = Termination.INFEASIBLE, np.inf
        elif np.isfinite(self.objective):
            same = self.objective - bound <= EXACT * abs(self.objective)
            bound = self.objective if same else min(bound, self.objective)
            if gap_between(self.objective, bound) <= self.gap:
                termination = Termination.WITHIN_GAP
        return ShardedSolution(
            termination,
            self.prices,
            bound,
            self.objective,
            self.core,
            self.phases,
            self.traffic,
            self.seats,
            ending,
        )

    def _check_shapes(self) -> None:
        """One frame for all."""
        first = self.seats[0].shape
        for seat in self.seats:
            if seat.shape.frame != first.frame:
                raise SolverError(f"part {seat.number} has other sites or rows than part 0")
        if not self.shards.shards:
            raise SolverError("no part holds any dataset")
        self.prices = np.zeros(len(first.rhs))

    def _gathered(self) -> None:
        """A small problem is solved in this process, whole."""
        pick = self.shards.near(BINS)
        start = None if self.start is None else Warm(self.start)
        found = solve_arrays(pick.problem, gap=self.gap, watch=self.watch, start=start)
        self.prices, self.bound, self.core = found.prices, found.bound, found.core
        self.phases |= found.phases
        self.infeasible = found.termination is Termination.INFEASIBLE
        if found.sites is not None:
            shape = pick.problem.units, pick.problem.sites
            self._keep(pick, counts_of(found.sites, shape), found.objective)

    def _is_infeasible(self, ray: Floats | None) -> None:
        self.infeasible = True
        if ray is not None:
            self.prices = ray
            names = self.seats[0].shape.names
            self.core = tuple(names[r] for r in np.flatnonzero(ray > 0.0).tolist())

    def _keep(self, pick: Pick, x: Indices, objective: float) -> None:
        """Every part places its units, and holds that against its own data; sums decide here."""
        watch = Watch(KEEPING_S)

        def keep(place: int) -> Kept:
            shard, own = self.shards.shards[place], pick.shard == place
            assert isinstance(shard, RemoteShard)
            copies = x[own].astype(np.min_scalar_type(int(x.max(initial=0))))
            kept: Kept = shard.seat.ask("keep", pick.units[own], copies, watch=watch)
            return kept

        with self._phase("placing"):
            try:
                kept = at_once(keep, range(len(self.shards.shards)), self.traffic)
            except OutOfTime as error:
                raise SolverError("the parts take too long to place their datasets") from error
        self._hold(kept, objective)

    def _hold(self, kept: Sequence[Kept], objective: float) -> None:
        broken = [name for one in kept for name in one.broken]
        totals = np.sum([one.totals for one in kept], axis=0)
        names, rhs = self.seats[0].shape.names, self.shards.rhs
        broken += [names[r] for r in np.flatnonzero(totals > rhs).tolist()]
        if broken:
            raise SolverError(f"the plan found breaks {broken[0]}")
        cost = math.fsum(one.cost for one in kept)
        if abs(cost - objective) > EXACT * max(abs(cost), abs(objective)):
            raise SolverError("the parts do not add up to the plan found")
        self.objective = cost
        self.watch.report(cost, self.bound)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        self.watch.enter(name, self.objective if np.isfinite(self.objective) else None, self.bound)
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - began
