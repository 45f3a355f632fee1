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
# where a row is overloaded. kappa falls with the temperature: reduced costs are kept cold
# while loads are still hot, for near ties are what loads can be evened out with.

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from placement.optimizer.compiling import compiled, compiled_inline

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


@compiled_inline
def draw(random: Any) -> Any:
    """The next 64 random bits (Marsaglia, xorshift)."""
    random[0] ^= random[0] << np.uint64(13)
    random[0] ^= random[0] >> np.uint64(7)
    random[0] ^= random[0] << np.uint64(17)
    return random[0]


@compiled_inline
def below(random: Any, most: int) -> Any:
    """A random number, 0 <= it < most."""
    return np.int64(((draw(random) >> np.uint64(32)) * np.uint64(most)) >> np.uint64(32))


@compiled_inline
def energy(
    price: Any, dear: Any, rows: Any, weights: Any, room: Any, at: int, comes: int, leaves: int
) -> Any:
    """Of the site's own rows, after one unit comes and another leaves (or nobody)."""
    total = 0.0
    for k in range(rows.shape[1]):
        r = rows[at, k]
        if r < 0:
            break
        left = room[r]
        if comes >= 0:
            left -= weights[comes, at, k]
        if leaves >= 0:
            left += weights[leaves, at, k]
        total += price[r] * left if left >= 0.0 else -dear[r] * left
    return total


@compiled
def rest(g: Ground, s: State, at: int) -> float:
    """Energy of a site as it is."""
    total: float = energy(g.price, g.dear, g.own_rows, g.own_weights, s.room, at, NOBODY, NOBODY)
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
def find_chain(  # noqa: C901 (one loop: calls would count references to all arrays)
    g: Ground, s: State, c: Chain, start: int, site: int, heat: tuple[float, float, int]
) -> Any:
    """Links of a chain that starts with this shift, 0 for none, and how many were looked at.

    `heat`: kappa, the threshold, and how many links may be looked at.
    """
    kappa, threshold, most = heat
    price, dear, rows, weights, room = g.price, g.dear, g.own_rows, g.own_weights, s.room
    reduced, near, nears, members, count = g.reduced, g.near, g.nears, s.members, s.count
    penalty, seen, end, turn, option = s.penalty, c.seen, c.end, c.turn, c.option
    units, first, paid, left = c.unit, c.first, c.paid, c.left
    home, length, worst = s.site[start], len(c.unit), s.worst[0]
    units[0], end[0], turn[0], option[0] = start, site, 0, 0
    paid[0] = kappa * (reduced[start, site] - reduced[start, home])
    relief = penalty[home]
    gone = energy(price, dear, rows, weights, room, home, NOBODY, start) - relief
    total = paid[0] + gone - penalty[site]
    total += energy(price, dear, rows, weights, room, site, start, NOBODY)
    if total <= threshold and settles(g, s, c, 1, home, total, threshold):
        return 1, 1
    looked, depth, links = 1, 0, 0
    if length == 1 or count[site] == 0:
        return 0, looked
    first[0] = below(s.random, count[site])
    seen[home], seen[site] = True, True
    while depth >= 0:
        at, k = end[depth], option[depth]
        if turn[depth] == count[at]:
            seen[at] = False
            depth -= 1
            continue
        j = turn[depth] + first[depth]
        unit = members[at, j - count[at] if j >= count[at] else j]
        if k == 0:
            looked += 1
            left[depth] = paid[depth] - penalty[at] - kappa * reduced[unit, at]
            left[depth] += energy(price, dear, rows, weights, room, at, units[depth], unit)
        if k == nears[unit] or left[depth] - relief - worst > threshold:
            turn[depth] += 1
            option[depth] = 0
            continue
        option[depth] = k + 1
        to = near[unit, k]
        cost = left[depth] + kappa * reduced[unit, to]
        looked += 1
        if to != home and (seen[to] or cost - relief - penalty[to] > threshold):
            continue
        units[depth + 1], end[depth + 1] = unit, to
        if to == home:
            total = cost + energy(price, dear, rows, weights, room, home, unit, start) - relief
        else:
            total = cost + gone - penalty[to]
            total += energy(price, dear, rows, weights, room, to, unit, NOBODY)
        if total <= threshold and settles(g, s, c, depth + 2, home, total, threshold):
            links = depth + 2
            break
        if to != home and depth + 2 < length and looked < most and count[to] > 0:
            depth += 1
            paid[depth], turn[depth], option[depth], seen[to] = cost, 0, 0, True
            first[depth] = below(s.random, count[to])
    seen[home] = False
    for i in range(depth + 1):
        seen[end[i]] = False
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
    s.penalty[home] = rest(g, s, home)
    for i in range(links):
        s.penalty[c.end[i]] = rest(g, s, c.end[i])


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
        s.penalty[at] = rest(g, s, at)


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
