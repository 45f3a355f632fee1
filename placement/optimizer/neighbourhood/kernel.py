"""Compiled: annealed ejection chains. Import it late, for numba takes a while to load.

A chain moves a unit from its home to another site, there makes another unit leave for a third,
and so on; it ends where the last unit finds room, or comes back home. Chains are searched depth
first. A partial chain is dropped as soon as what it has cost, less all that its open ends could
ever give back, is above the threshold drawn for it (Metropolis: -T ln u), so that most die at
once and long ones are cheap. After Yagiura, Ibaraki and Glover, "An ejection chain approach for
the generalized assignment problem", INFORMS Journal on Computing 16 (2004), with annealing in the
place of their tabu lists.
"""

# The energy of a plan is  kappa sum_u r_us + sum_r (price_r room_r | -dear_r room_r), the latter
# where a row is overloaded. kappa falls to 1 with the temperature: reduced costs are kept cold
# while loads are still hot, for near ties are what loads can be evened out with.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

_F = TypeVar("_F", bound=Callable[..., Any])

compiled = cast("Callable[[_F], _F]", numba.njit(cache=True, nogil=True))

NOBODY = -1
EVERY = 16
"""Chains between two updates of the temperature."""


class Ground(NamedTuple):
    """What stays: arrays as in placement.optimizer.neighbourhood.pairs."""

    cost: Any
    reduced: Any
    own_rows: Any
    own_weights: Any
    shared_rows: Any
    shared_weights: Any
    price: Any
    """(R,) per unit of room left."""
    dear: Any
    """(R,) per unit of overload."""
    near: Any
    """(U, C) sites in order of reduced cost."""
    nears: Any
    """(U,) how many of them are near ties."""
    movable: Any
    """Units with two near ties or more."""


class State(NamedTuple):
    """A plan, feasible or not, and the best feasible one."""

    site: Any
    room: Any
    members: Any
    """(S, U) units at each site, in any order."""
    count: Any
    place: Any
    """(U,) where in its site's list a unit stands."""
    penalty: Any
    """(S,) energy of the rows that only this site loads."""
    best: Any
    value: Any
    """(2,) cost of the plan and of the best one."""
    worst: Any
    """(1,) the largest penalty of a site, as it was a while ago."""
    random: Any


class Chain(NamedTuple):
    """A chain being searched, one entry a link."""

    unit: Any
    end: Any
    turn: Any
    """How many members of the end have been tried."""
    first: Any
    """Which one was tried first."""
    option: Any
    """How many sites of the present member have been tried."""
    paid: Any
    left: Any
    """paid, and the present member has left."""
    seen: Any
    """(S,)"""
    change: Any
    """(R,) of rooms of shared rows."""


@compiled
def draw(random: Any) -> Any:
    """The next 64 random bits (Marsaglia, xorshift)."""
    random[0] ^= random[0] << np.uint64(13)
    random[0] ^= random[0] >> np.uint64(7)
    random[0] ^= random[0] << np.uint64(17)
    return random[0]


@compiled
def below(random: Any, most: int) -> Any:
    """A random number, 0 <= it < most."""
    return np.int64(((draw(random) >> np.uint64(32)) * np.uint64(most)) >> np.uint64(32))


@compiled
def energy(g: Ground, s: State, at: int, comes: int, leaves: int) -> float:
    """Of the site's own rows, after one unit comes and another leaves (or nobody)."""
    total = 0.0
    for k in range(g.own_rows.shape[1]):
        r = g.own_rows[at, k]
        if r < 0:
            break
        room = s.room[r]
        if comes >= 0:
            room -= g.own_weights[comes, at, k]
        if leaves >= 0:
            room += g.own_weights[leaves, at, k]
        total += g.price[r] * room if room >= 0.0 else -g.dear[r] * room
    return total


@compiled
def _book(change: Any, rows: Any, weights: Any, unit: int, at: int, sign: float) -> None:
    for k in range(rows.shape[1]):
        r = rows[at, k]
        if r < 0:
            break
        change[r] += sign * weights[unit, at, k]


@compiled
def settles(
    g: Ground, s: State, c: Chain, links: int, home: int, cost: float, threshold: float
) -> bool:
    """Whether a finished chain may be carried out: shared rows counted, too."""
    if cost > threshold or g.shared_rows.shape[1] == 0:
        return cost <= threshold
    c.change[:] = 0.0
    at = home
    for i in range(links):
        _book(c.change, g.shared_rows, g.shared_weights, c.unit[i], at, 1.0)
        at = c.end[i]
        _book(c.change, g.shared_rows, g.shared_weights, c.unit[i], at, -1.0)
    for r in range(len(c.change)):
        if c.change[r] != 0.0:
            before, after = s.room[r], s.room[r] + c.change[r]
            cost += g.price[r] * after if after >= 0.0 else -g.dear[r] * after
            cost -= g.price[r] * before if before >= 0.0 else -g.dear[r] * before
    return cost <= threshold


@compiled
def _open(s: State, c: Chain, depth: int, unit: int, end: int, paid: float) -> None:
    """A link whose end is full, so that somebody has to leave."""
    c.unit[depth], c.end[depth], c.paid[depth] = unit, end, paid
    c.turn[depth], c.option[depth] = 0, 0
    c.first[depth] = below(s.random, s.count[end])
    c.seen[end] = True


@compiled
def _deeper(s: State, c: Chain, depth: int) -> int:
    """The link just tried becomes the last of the chain, where somebody could leave."""
    end = c.end[depth + 1]
    if s.count[end] == 0:
        return depth
    _open(s, c, depth + 1, c.unit[depth + 1], end, c.paid[depth + 1])
    return depth + 1


@compiled
def _member(s: State, c: Chain, depth: int) -> Any:
    at = c.end[depth]
    j = c.turn[depth] + c.first[depth]
    return s.members[at, j - s.count[at] if j >= s.count[at] else j]


@compiled
def _pass(c: Chain, depth: int) -> None:
    c.turn[depth] += 1
    c.option[depth] = 0


@compiled
def next_link(
    g: Ground, s: State, c: Chain, depth: int, home: int, kappa: float, threshold: float
) -> int:
    """One attempt to continue: 0 nothing yet, 1 finished, 2 a link to go deeper from."""
    at, first = c.end[depth], c.unit[0]
    unit = _member(s, c, depth)
    k = c.option[depth]
    if k == 0:
        moved = energy(g, s, at, c.unit[depth], unit) - s.penalty[at]
        c.left[depth] = c.paid[depth] + moved - kappa * g.reduced[unit, at]
        if c.left[depth] - s.penalty[home] - s.worst[0] > threshold:
            _pass(c, depth)
            return 0
    if k == g.nears[unit]:
        _pass(c, depth)
        return 0
    c.option[depth] = k + 1
    to = g.near[unit, k]
    if to == at:
        return 0
    paid = c.left[depth] + kappa * g.reduced[unit, to]
    c.unit[depth + 1], c.end[depth + 1] = unit, to
    if to == home:
        total = paid + energy(g, s, home, unit, first) - s.penalty[home]
        return int(settles(g, s, c, depth + 2, home, total, threshold))
    if c.seen[to] or paid - s.penalty[home] - s.penalty[to] > threshold:
        return 0
    total = paid + energy(g, s, home, NOBODY, first) - s.penalty[home]
    total += energy(g, s, to, unit, NOBODY) - s.penalty[to]
    if settles(g, s, c, depth + 2, home, total, threshold):
        return 1
    c.paid[depth + 1] = paid
    return 2


@compiled
def find_chain(
    g: Ground, s: State, c: Chain, unit: int, to: int, heat: tuple[float, float, int]
) -> Any:
    """Links of a chain that starts with this shift, 0 for none, and how many were looked at.

    `heat`: kappa, the threshold, and how many links may be looked at.
    """
    kappa, threshold, most = heat
    home = s.site[unit]
    c.unit[0], c.end[0] = unit, to
    paid = kappa * (g.reduced[unit, to] - g.reduced[unit, home])
    total = paid + energy(g, s, home, NOBODY, unit) - s.penalty[home]
    total += energy(g, s, to, unit, NOBODY) - s.penalty[to]
    if settles(g, s, c, 1, home, total, threshold):
        return 1, 1
    looked, depth, links = 1, 0, 0
    if len(c.unit) == 1 or s.count[to] == 0:
        return 0, looked
    _open(s, c, 0, unit, to, paid)
    c.seen[home] = True
    while depth >= 0 and links == 0:
        if c.turn[depth] == s.count[c.end[depth]]:
            c.seen[c.end[depth]] = False
            depth -= 1
            continue
        looked += 1
        found = next_link(g, s, c, depth, home, kappa, threshold)
        if found == 1:
            links = depth + 2
        elif found == 2 and depth + 2 < len(c.unit) and looked < most:
            depth = _deeper(s, c, depth)
    c.seen[home] = False
    for i in range(depth + 1):
        c.seen[c.end[i]] = False
    return links, looked


@compiled
def carry_out(g: Ground, s: State, c: Chain, links: int) -> None:
    """Move the units of a chain."""
    home = s.site[c.unit[0]]
    at = home
    for i in range(links):
        unit, to = c.unit[i], c.end[i]
        _book(s.room, g.own_rows, g.own_weights, unit, at, 1.0)
        _book(s.room, g.shared_rows, g.shared_weights, unit, at, 1.0)
        _book(s.room, g.own_rows, g.own_weights, unit, to, -1.0)
        _book(s.room, g.shared_rows, g.shared_weights, unit, to, -1.0)
        s.value[0] += g.cost[unit, to] - g.cost[unit, at]
        last = s.members[at, s.count[at] - 1]
        s.members[at, s.place[unit]] = last
        s.place[last] = s.place[unit]
        s.count[at] -= 1
        s.members[to, s.count[to]] = unit
        s.place[unit] = s.count[to]
        s.count[to] += 1
        s.site[unit] = to
        at = to
    s.penalty[home] = energy(g, s, home, NOBODY, NOBODY)
    for i in range(links):
        s.penalty[c.end[i]] = energy(g, s, c.end[i], NOBODY, NOBODY)


@compiled
def settle(g: Ground, s: State, rhs: Any) -> None:
    """Rooms, penalties and cost anew from the plan: sums of steps drift."""
    s.room[:] = rhs
    s.value[0] = 0.0
    for unit in range(len(s.site)):
        at = s.site[unit]
        s.value[0] += g.cost[unit, at]
        _book(s.room, g.own_rows, g.own_weights, unit, at, -1.0)
        _book(s.room, g.shared_rows, g.shared_weights, unit, at, -1.0)
    for at in range(len(s.count)):
        s.penalty[at] = energy(g, s, at, NOBODY, NOBODY)


@compiled
def keep(g: Ground, s: State, rhs: Any) -> None:
    """Remember the plan where it holds and is the best so far."""
    if s.value[0] < s.value[1] - 1e-9 * abs(s.value[0]) and s.room.min() >= -1e-9:
        settle(g, s, rhs)
        if s.room.min() >= 0.0 and s.value[0] < s.value[1]:
            s.value[1] = s.value[0]
            s.best[:] = s.site


@compiled
def anneal(
    g: Ground, s: State, c: Chain, rhs: Any, heat: tuple[float, float, float], most: int, work: int
) -> None:
    """Try chains until about `work` links have been looked at.

    `heat`: temperature at the beginning, at the end, and the one of reduced costs.
    """
    begin, end, cold = heat
    looked, tick = 0, 0
    temperature = begin
    while looked < work:
        if tick % EVERY == 0:
            temperature = begin * (end / begin) ** (looked / work)
            s.worst[0] = s.penalty.max()
        tick += 1
        unit = g.movable[below(s.random, len(g.movable))]
        to = g.near[unit, below(s.random, g.nears[unit])]
        looked += 1
        if to == s.site[unit]:
            continue
        uniform = (np.float64(draw(s.random) >> np.uint64(11)) + 1.0) * 2.0**-53
        kappa = max(1.0, temperature / cold)
        links, more = find_chain(g, s, c, unit, to, (kappa, -temperature * np.log(uniform), most))
        looked += more
        if links:
            carry_out(g, s, c, links)
            keep(g, s, rhs)
