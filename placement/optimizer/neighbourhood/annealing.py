"""Rounds of annealed ejection chains, two searches side by side, cut into slices of a blink."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.neighbourhood.pairs import Pairs
from placement.optimizer.neighbourhood.schedule import HOT, Round
from placement.optimizer.progress import Watch

if TYPE_CHECKING:
    from placement.optimizer.neighbourhood.kernel import Chain, Ground, State

SEARCHES = 2
"""Side by side, each with random numbers of its own; the better plan counts, then the first."""
SLICE = 1_000_000
"""Links looked at between two looks at the watch: 0.05 to 0.1 s."""
GRAIN = 0.02
"""Share of what a unit's weight is worth at the prices that counts as one grain."""
APART = 0.3
"""Share of the mean distance between the two nearest sites that does."""
SMALLEST = 1e-9
COOL = 0.7
"""Grains: temperature at the end of a round."""
COLD, COLDER = 0.2, 0.6
"""Grains: temperature of reduced costs at first and at most, and its share in the second search."""
COLDEST = 0.02
NEAR, MOST_NEAR = 2.5, 6
"""Grains within which sites tie, and how many do at most."""
DEAR, LAST_DEAR = 1.0, 8.0
"""Prices that an overload costs, and at the end of a round, when it has to go."""
LEAST_DEAR = 4.0
"""Grains that an overload as large as a mean weight costs at least."""
LAST = 0.8
"""Share of a round after which overloads are that dear."""
LINKS = 8
"""Of a chain at most."""
LOOKS = 2_000
"""Links looked at for one chain at most."""


@dataclass(frozen=True)
class Found:
    """The best plan of a round."""

    cost: float
    """EUR a year, inf where no plan held."""
    sites: Indices


class Annealer:
    """The searches of one problem at given prices."""

    def __init__(self, pairs: Pairs, prices: Floats, seed: int) -> None:
        priced = pairs.priced(prices)
        self.pairs, self.prices, self.seed = pairs, prices, seed
        self.reduced: Floats = priced - priced.min(axis=1, keepdims=True)
        self.order = np.argsort(self.reduced, axis=1, kind="stable")
        self.grain = self._grain()
        self.dear = DEAR
        self.cold = COLD

    def round(self, number: int, task: Round, watch: Watch, start: Indices | None = None) -> Found:
        """Anneal from a plan, feasible or not.

        Parameters
        ----------
        number
            Of the round: each has random numbers of its own.
        task
            How long and how hot.
        watch
            Cooling is hastened where time would not suffice; without time, the start is the end.
        start
            (U,) sites; by default the cheapest at the prices.
        """
        from placement.optimizer.neighbourhood import kernel

        first = self.order[:, 0] if start is None else start
        ground = self._ground()
        if not len(ground.movable) or watch.expired:
            return self._better([(self._cost(first), first.copy())])
        states = [self._state(first, number * SEARCHES + k) for k in range(SEARCHES)]
        chains = [self._chain() for _ in states]
        for state in states:
            kernel.settle(ground, state, self.pairs.rhs)
        with ThreadPoolExecutor(SEARCHES) as threads:
            self._cool(ground, states, chains, task, watch, threads)
        plans = [(float(state.value[1]), state.best) for state in states]
        best = self._better([*plans, (self._cost(first), first.copy())])
        self._heed(bool(np.isfinite(best.cost)))
        if task.heat >= HOT:
            self._learn(*(cost for cost, _ in plans))
        return best

    def _heed(self, found: bool) -> None:
        """While no plan is known the next round is hotter, overloads dearer; then as at first."""
        self.grain = self._grain() if found else 2.0 * self.grain
        self.dear = DEAR if found else 4.0 * self.dear

    def _learn(self, usual: float, colder: float) -> None:
        """Reduced costs get closer to how cold the better search had them.

        What is best depends on whether rows can be filled with near ties alone.
        """
        if colder < usual:
            self.cold = max(self.cold * COLDER**0.5, COLDEST)
        elif usual < colder:
            self.cold = min(self.cold / COLDER**0.5, COLD)

    def _cool(
        self,
        ground: Ground,
        states: list[State],
        chains: list[Chain],
        task: Round,
        watch: Watch,
        threads: ThreadPoolExecutor,
    ) -> None:
        from placement.optimizer.neighbourhood import kernel

        rhs, done, step = self.pairs.rhs, 0.0, min(1.0, SLICE / task.work)
        last = False
        while done < 1.0 and not watch.expired:
            if done >= LAST and not last:
                last = True
                ground = ground._replace(dear=ground.dear * LAST_DEAR / DEAR)
                for state in states:
                    kernel.settle(ground, state, rhs)
            until = min(1.0, done + step)
            heat = (self._temperature(task, done), self._temperature(task, until))
            began = time.monotonic()
            jobs = [
                threads.submit(
                    kernel.anneal,
                    _own(ground),
                    state,
                    chain,
                    rhs,
                    (*heat, self.grain * self.cold * COLDER**k),
                    LOOKS,
                    min(SLICE, task.work),
                )
                for k, (state, chain) in enumerate(zip(states, chains, strict=True))
            ]
            for job in jobs:
                job.result()
            took, done = time.monotonic() - began, until
            if took * (1.0 - done) > step * watch.left_s:
                step = took * (1.0 - done) / max(watch.left_s, took)

    def _temperature(self, task: Round, done: float) -> float:
        return float(self.grain * task.heat * (COOL / task.heat) ** done)

    def _grain(self) -> float:
        """EUR a year: the scale of what is left over at a good plan."""
        units, first = np.arange(self.pairs.units), self.order[:, 0]
        worth = 0.0
        for incidence in (self.pairs.own, self.pairs.shared):
            price = np.append(self.prices, 0.0)[incidence.rows[first]]
            worth += float((np.abs(incidence.weights[units, first]) * price).sum())
        second = (
            np.partition(self.reduced, 1, axis=1)[:, 1] if self.pairs.sites > 1 else np.zeros(1)
        )
        finite = second[np.isfinite(second)]
        apart = float(finite.mean()) if len(finite) else 0.0
        return max(GRAIN * worth / max(1, self.pairs.units), APART * apart, SMALLEST)

    def _least_dear(self) -> float:
        """EUR a year per unit of overload, for prices that are next to nothing.

        Prices are zero where exact ties alone could fill the rows; overloads must not be free.
        """
        units, first = np.arange(self.pairs.units), self.order[:, 0]
        weights = [np.abs(i.weights[units, first]) for i in (self.pairs.own, self.pairs.shared)]
        heavy = np.concatenate([each[each > 0] for each in weights])
        return LEAST_DEAR * self.grain / float(heavy.mean()) if len(heavy) else self.grain

    def _ground(self) -> Ground:
        from placement.optimizer.neighbourhood.kernel import Ground

        pairs = self.pairs
        near = np.ascontiguousarray(self.order[:, :MOST_NEAR])
        ties = np.take_along_axis(self.reduced, near, axis=1) <= NEAR * self.grain
        nears = ties.sum(axis=1)
        positive = self.prices[self.prices > 0]
        typical = max(float(positive.mean()) if len(positive) else 0.0, self._least_dear())
        return Ground(
            cost=pairs.cost,
            reduced=self.reduced,
            own_rows=pairs.own.rows,
            own_weights=pairs.own.weights,
            shared_rows=pairs.shared.rows,
            shared_weights=pairs.shared.weights,
            price=self.prices,
            dear=self.dear * np.maximum(self.prices, typical),
            near=near,
            nears=nears,
            movable=np.flatnonzero(nears > 1),
        )

    def _state(self, sites: Indices, number: int) -> State:
        from placement.optimizer.neighbourhood.kernel import State

        pairs = self.pairs
        members = np.zeros((pairs.sites, pairs.units), dtype=np.intp)
        place = np.zeros(pairs.units, dtype=np.intp)
        for s in range(pairs.sites):
            here = np.flatnonzero(sites == s)
            members[s, : len(here)] = here
            place[here] = np.arange(len(here))
        return State(
            site=sites.astype(np.intp),
            room=pairs.room(sites),
            members=members,
            count=np.bincount(sites, minlength=pairs.sites).astype(np.intp),
            place=place,
            penalty=np.zeros(pairs.sites),
            best=sites.astype(np.intp),
            value=np.array([np.inf, np.inf]),
            worst=np.zeros(1),
            random=np.random.SeedSequence([self.seed, number]).generate_state(1, np.uint64) | 1,
        )

    def _chain(self) -> Chain:
        from placement.optimizer.neighbourhood.kernel import Chain

        def whole() -> Indices:
            return np.zeros(LINKS, dtype=np.intp)

        return Chain(
            unit=whole(),
            end=whole(),
            turn=whole(),
            first=whole(),
            option=whole(),
            paid=np.zeros(LINKS),
            left=np.zeros(LINKS),
            seen=np.zeros(self.pairs.sites, dtype=np.bool_),
            change=np.zeros(len(self.pairs.rhs)),
        )

    def _cost(self, sites: Indices) -> float:
        return self.pairs.cost_of(sites) if self.pairs.holds(sites) else np.inf

    def _better(self, plans: list[tuple[float, Indices]]) -> Found:
        cost, sites = min(plans, key=lambda plan: plan[0])
        return Found(cost, sites)


def _own(ground: Ground) -> Ground:
    """The same under names of its own: searches side by side must not count one's references."""
    return ground._replace(**{name: part.view() for name, part in ground._asdict().items()})
