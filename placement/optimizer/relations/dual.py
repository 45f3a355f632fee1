"""The bound of a related problem: prices on rows, messages along flows, prices on meetings.

    L = sum_u (n_u smallest over o of min_{s in o} theta_us) - sum_r p_r b_r - sum_q lambda_q
    theta_us = c_us + sum_r p_r w_rus + messages + meetings

Messages are swept with the prices held, then prices take a Newton step on the soft bound with the
messages held, in turn: block coordinate ascent. Sweeps that leave part of the regrets with every
unit serve prices best, as a unit without regrets says nothing of what a price would move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem
from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.pricing.dual import evaluate, fold
from placement.optimizer.pricing.margins import BINS
from placement.optimizer.pricing.newton import maximise, quadratic_step
from placement.optimizer.pricing.shard import LocalShard
from placement.optimizer.pricing.soft import Soft
from placement.optimizer.pricing.spread import size_of, spreads, spreads_by_feature
from placement.optimizer.progress import Watch
from placement.optimizer.relations.graph import Graph, graph_of, visiting_order
from placement.optimizer.relations.meetings import add_meetings, price_meetings
from placement.optimizer.relations.messages import (
    add_costs,
    add_messages,
    fill_costs,
    leasts,
    relations_part,
)
from placement.optimizer.relations.sweeping import Sweeper

PORTION = 1 << 17
"""Units or flows gone through between two looks at the clock."""
ROUNDING = 1e-12
QUICK_ROUNDING = 1e-9
COARSE = (5.0, 1.5, 0.5, 0.15)
"""Temperatures of the first prices, found with the messages held."""
COARSE_STEPS = 8
SAMPLE = 40_000
"""Units that the first prices are found on."""
TEMPERATURES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
STEPS = (3, 8, 12, 15, 20, 20)
UNTIL = (0.15, 0.3, 0.5, 0.65, 0.8, 1.0)
"""Share of the time for prices after which a temperature is given up for the next."""
"""Rounds at each temperature, at most."""
CAP = 1e5
"""Prices at most, in units of what is at stake per unit of a row's weight."""
SWEEPS = 3
"""Sweeps before each step of the prices."""
FURTHER = 1.5
"""Prices go so many times as far as the messages held would have them: messages follow."""
LARGE = 0.95
"""Share of all yearly GB that large flows carry: about a third of the flows."""
EVERY, LATE_EVERY, LATE = 4, 2, 0.005
"""Of so many rounds one sweeps small flows, too; of so many at low temperatures."""
LAST_SWEEPS, LAST_GAIN = 30, 0.01
"""Sweeps at the last prices, at most, and the share of the gap asked for that one must gain."""
RESERVE, MOST_RESERVED = 0.25, 0.7
"""Share of the time that is left for plans, at least and at most."""
PLANNING = 8.0
"""Time that plans need, in times of the first two sweeps."""
LITTLE = 0.03
"""Share of the gap asked for that a round must gain for another at the same temperature."""


@dataclass
class Dual:
    """Prices, messages and meetings of one problem, and the costs that they leave."""

    problem: ArrayProblem
    watch: Watch
    prices: Floats = field(init=False)
    """(R,)"""
    messages: Floats = field(init=False)
    """(E, S)"""
    place: Indices = field(init=False)
    """(Q,) the priced site or operator of each separated pair."""
    meeting: Floats = field(init=False)
    """(Q,) its price lambda."""
    theta: Floats = field(init=False)
    """(U, S)"""
    whole: bool = field(init=False, default=False)
    """Theta is what prices, messages and meetings make it: nobody ran out of time halfway."""
    reached: float = field(init=False, default=-np.inf)
    """The best quick bound so far."""

    def __post_init__(self) -> None:
        problem = self.problem
        self.graph: Graph = graph_of(problem)
        self.watch.check()
        self.order: Indices = visiting_order(self.graph, problem.units, self.watch)
        self.rank = np.empty_like(self.order)
        self.rank[self.order] = np.arange(problem.units)
        self.prices = np.zeros(len(problem.rows))
        self.messages = np.zeros((len(self.graph.source), problem.sites))
        self.place = np.zeros(len(self.graph.first), dtype=np.intp)
        self.meeting = np.zeros(len(self.graph.first))
        self.replicas: Indices = problem.replicas[problem.class_of]
        self.single: Flags = np.asarray(self.replicas == 1)
        self.phi: Floats = np.ascontiguousarray(problem.features * problem.counts)
        self.theta = np.empty((problem.units, problem.sites))
        self.least: Floats = np.empty(problem.units)
        by_feature = spreads_by_feature(problem)
        self.stake: Floats = spreads(problem, by_feature, 0, problem.units)
        size = size_of(problem, by_feature)
        weight = np.where(size.weight > 0.0, size.weight, np.maximum(1.0, np.abs(problem.rhs)))
        self.cap: Floats = CAP * size.stake / weight
        self._forward = True
        self.sweeps = self.steps = 0
        every = np.arange(len(self.graph.source))
        self._all = Sweeper(self.graph, every, self.order, self.rank, self.watch)
        large = self._large_flows()
        self._large = Sweeper(self.graph, large, self.order, self.rank, self.watch)
        self.refresh()

    def refresh(self) -> None:
        """Theta from scratch, so that rounding does not pile up."""
        problem = self.problem
        coefficients = fold(problem, self.prices)
        self.whole = False
        k = problem.class_of
        for begin, end in portions(problem.units, self.watch):
            fill_costs(self.theta, coefficients, problem.open, k, self.phi, begin, end)
        self._add_relations(self.theta)
        self.whole = True

    def _add_relations(self, theta: Floats) -> None:
        g = self.graph
        operators = int(g.operator_of.max(initial=0)) + 1
        for begin, end in portions(len(g.source), self.watch):
            add_messages(
                theta, self.messages, g.source, g.derived, g.operator_of, operators, begin, end
            )
        add_meetings(
            theta, g.first, g.second, g.whole_operator, g.operator_of, self.place, self.meeting
        )

    def _large_flows(self) -> Indices:
        """The few flows that carry nearly everything."""
        g = self.graph
        ranked = np.argsort(-g.yearly_gb, kind="stable")
        carried = np.cumsum(g.yearly_gb[ranked])
        total = float(carried[-1]) if len(carried) else 0.0
        large: Indices = np.sort(ranked[: int(np.searchsorted(carried, LARGE * total)) + 1])
        return large

    def sweep(self, *, all_ways: bool = True, large: bool = False) -> None:
        """Once through all units, there or back in turn; or only along large flows."""
        g = self.graph
        sweeper = self._large if large else self._all
        forward, self._forward = self._forward, not self._forward
        self.sweeps += 1
        sweeper.sweep(self.theta, self.messages, self.watch, forward=forward, all_ways=all_ways)
        price_meetings(
            self.theta,
            g.first,
            g.second,
            g.whole_operator,
            g.operator_of,
            self.place,
            self.meeting,
            self.single,
        )

    def value(self) -> float:
        """L, not rounded down; BIG or more where a unit fits nowhere."""
        total = leasts(self.theta, self.graph.operator_of, self.replicas, self.least)
        return float(total - self.prices @ self.problem.rhs - self.meeting.sum())

    def bound(self) -> float:
        """L from scratch, rounded down: no plan costs less, EUR a year."""
        added = np.zeros_like(self.theta)
        self._add_relations(added)
        proven = evaluate(self.problem, self.prices, np.ascontiguousarray(added.T), self.watch)
        sizes = float(self.meeting.sum()) + 2.0 * float(self.messages.sum())
        return proven.bound - float(self.meeting.sum()) - ROUNDING * sizes

    def quick_bound(self) -> float:
        """L as kept up to date by sweeps, with ample room for their rounding."""
        value = self.value()
        sizes = np.abs(self.least).sum() + np.abs(self.prices * self.problem.rhs).sum()
        sizes += self.messages.sum() + self.meeting.sum()
        self.reached = max(self.reached, value - QUICK_ROUNDING * float(sizes))
        return value - QUICK_ROUNDING * float(sizes)

    def set_prices(self, prices: Floats) -> None:
        """Start from given prices."""
        self._move_prices(np.clip(prices, 0.0, self.cap) - self.prices)

    def set_messages(self, messages: Floats) -> None:
        """Start from given messages, cut to what is valid: 0 <= m_es <= yearly_gb_e egress_s."""
        most = self.graph.yearly_gb[:, None] * self.graph.egress
        self.messages = np.ascontiguousarray(np.clip(messages, 0.0, most), dtype=np.float64)
        self.refresh()

    def set_meetings(self, place: Indices, price: Floats) -> None:
        """Start from given prices of meetings."""
        self.place = np.array(place, dtype=np.intp)
        self.meeting = np.maximum(price, 0.0)
        self.refresh()

    def climb(self, gap: float, temperatures: tuple[float, ...] = TEMPERATURES) -> None:
        """Sweeps and price steps in turn, the temperature falling, while they gain enough.

        Raises
        ------
        OutOfTime
        """
        began, began_left = self.watch.elapsed_s, self.watch.left_s
        self.sweep()
        self.sweep()
        planning = PLANNING * (self.watch.elapsed_s - began)
        extra = np.empty((self.problem.sites, self.problem.units))
        self._relations_part(extra)
        if not self.prices.any():
            self._first_prices(extra)
        soft = Soft(self.problem, extra, self.watch)
        left = self.watch.left_s
        best, reserve = self.value(), max(RESERVE * left, min(MOST_RESERVED * left, planning))
        for tau, rounds, until in zip(TEMPERATURES, STEPS, UNTIL, strict=True):
            if tau not in temperatures:
                continue
            every = EVERY if tau > LATE else LATE_EVERY
            for turn in range(rounds):
                for _ in range(SWEEPS):
                    self.sweep(large=turn % every != 0)
                self._step(soft, extra, tau)
                now = self.quick_bound()
                self.watch.report(None, now)
                gained, best = now - best, max(best, now)
                if self.watch.left_s < reserve < np.inf:
                    return
                late = until * (began_left - reserve) < began_left - self.watch.left_s < np.inf
                if late or gained < LITTLE * gap * abs(best):
                    break
        self._last_sweeps(gap, reserve)

    def _last_sweeps(self, gap: float, reserve: float) -> None:
        """Sweeps with the prices held, while they gain enough."""
        before = self.value()
        for _ in range(LAST_SWEEPS):
            self.sweep()
            now = self.value()
            if now - before < LAST_GAIN * gap * abs(now) or self.watch.left_s < reserve < np.inf:
                break
            before = now

    def _first_prices(self, extra: Floats) -> None:
        shard = LocalShard(self.problem, extra)
        whole = self.problem.units <= 1.5 * SAMPLE
        pick = shard.near(BINS) if whole else shard.sample(SAMPLE / shard.size().stake, self.watch)
        soft = Soft(pick.problem, pick.extra, self.watch)
        prices = self.prices
        for tau in COARSE:
            prices = maximise(
                partial(soft.curve, tau=tau),
                self.problem.rhs,
                prices,
                np.zeros_like(self.cap),
                self.cap,
                steps=COARSE_STEPS,
                tolerance=1e-6 * tau * shard.size().stake,
            )
        self._move_prices(prices - self.prices)

    def _step(self, soft: Soft, extra: Floats, tau: float) -> None:
        """One Newton step of the prices, halved until the bound does not suffer."""
        if not len(self.prices):
            return
        self.steps += 1
        self._relations_part(extra)
        rhs = self.problem.rhs
        curve = soft.curve(self.prices, tau)
        low, high = -self.prices, self.cap - self.prices
        value = curve.value - float(self.prices @ rhs)
        damping = 1e-6
        for turn in range(6):
            step, promise = quadratic_step(curve.totals - rhs, curve.curvature, low, high, damping)
            if promise <= 0.0:
                return
            step = np.clip(FURTHER * step, low, high) if turn == 0 else step
            there = soft.curve(self.prices + step, tau)
            if there.value - float((self.prices + step) @ rhs) > value + 0.1 * promise:
                self._move_prices(step)
                return
            damping = max(1e-4, damping * 10.0)

    def _move_prices(self, step: Floats) -> None:
        coefficients = fold(self.problem, step) - self.problem.cost
        self.whole = False
        for begin, end in portions(self.problem.units, self.watch):
            add_costs(self.theta, coefficients, self.problem.class_of, self.phi, begin, end)
        self.prices = self.prices + step
        self.whole = True

    def _relations_part(self, extra: Floats) -> None:
        coefficients = fold(self.problem, self.prices)
        k = self.problem.class_of
        for begin, end in portions(self.problem.units, self.watch):
            relations_part(self.theta, coefficients, k, self.phi, extra, begin, end)


def portions(count: int, watch: Watch) -> Iterator[tuple[int, int]]:
    """Ranges that cover `count` things, the clock looked at before each.

    Raises
    ------
    OutOfTime
    """
    for begin in range(0, count, PORTION):
        watch.check()
        yield begin, min(begin + PORTION, count)
