"""Messages along flows: each source pays for egress in advance, its derived unit gets it back.

A flow e from i to j costs h_s = yearly_gb egress_s when i rests at s and j with another operator.
A message 0 <= m_s <= h_s is added to i's cost at s; j is granted A_o = max_{t in o} m_t at every
site of operator o. As m_s - A_o <= h_s [op(s) != o], the sum of what both pay is never more than
the flow costs, so that the sum of the units' own minima is a lower bound on every plan. Nothing
is lost by the form: any split alpha_s + beta_o <= h_s [op(s) != o] is met or beaten by such a
message, after a constant has moved from one end to the other.

A sweep visits the units in order and hands a share of each unit's regrets theta_us - min_s theta_us
on to its flows, which pass on all they can to the other end and give back what is left
(sequential tree-reweighted passing: Kolmogorov 2006, Convergent tree-reweighted message passing
for energy minimization; giving back: Tourani et al. 2018, MPLP++). The bound never falls.
"""

from __future__ import annotations

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.compiling import compiled, compiled_for_numbers
from placement.optimizer.relations.prefetching import prefetch

BIG = 1e30
"""Cost of a closed pair: messages are lost in it, and products with it stay finite."""
SHUT = 1e29
"""Costs from here on are those of closed pairs."""
AHEAD = 6
"""Units between asking for a unit's rows and the visit, twice as many for its links."""
KEPT = 0.3
"""Weight of the flows behind a unit in the share that those ahead of it get."""


@compiled
def fill_costs(
    theta: Floats,
    coefficients: Floats,
    opened: Flags,
    class_of: Indices,
    phi: Floats,
    begin: int,
    end: int,
) -> None:
    """theta_us = sum_f coefficients[k, f, s] phi[f, u], or BIG where closed, u in begin..end."""
    for u in range(begin, end):
        k = class_of[u]
        for s in range(theta.shape[1]):
            theta[u, s] = 0.0
        for f in range(phi.shape[0]):
            for s in range(theta.shape[1]):
                theta[u, s] += coefficients[k, f, s] * phi[f, u]
        for s in range(theta.shape[1]):
            if not opened[k, s]:
                theta[u, s] = BIG


@compiled
def add_messages(
    theta: Floats,
    messages: Floats,
    source: Indices,
    derived: Indices,
    operator_of: Indices,
    operators: int,
    begin: int,
    end: int,
) -> None:
    """Sources pay their messages, derived units are granted them, for flows begin..end."""
    peaks = np.zeros(operators)
    for e in range(begin, end):
        peaks[:] = 0.0
        i, j = source[e], derived[e]
        for s in range(theta.shape[1]):
            peaks[operator_of[s]] = max(peaks[operator_of[s]], messages[e, s])
        for s in range(theta.shape[1]):
            theta[i, s] += messages[e, s]
            theta[j, s] -= peaks[operator_of[s]]


@compiled
def least_of(theta: Floats, operator_of: Indices, replicas: int, work: Floats) -> float:
    """The sum of the n smallest operators' minima; BIG or more where too few are open.

    work: (O,) scratch.
    """
    if replicas == 1:
        least = BIG
        for s in range(len(theta)):
            if theta[s] < least:
                least = theta[s]
        return least
    work[:] = BIG
    for s in range(len(theta)):
        o = operator_of[s]
        if theta[s] < work[o]:
            work[o] = theta[s]
    total = 0.0
    for _ in range(replicas):
        best = 0
        for o in range(len(work)):
            if work[o] < work[best]:
                best = o
        total += work[best]
        work[best] = BIG
    return total


@compiled_for_numbers
def _exchange(
    messages: Floats,
    theta: Floats,
    e: int,
    i: int,
    j: int,
    h: Floats,
    members: Indices,
    begins: Indices,
    share: float,
    from_source: bool,
    raw: Floats,
    old: Floats,
    grant: Floats,
) -> None:
    """Hand a share of one end's regrets to the other, settle the message, give back the rest.

    Site s = members[x] is with operator o for begins[o] <= x < begins[o + 1]. The message is moved
    by a constant so that it touches h; A_o is then its peak, and never negative.
    """
    for o in range(len(old)):
        peak = 0.0
        for x in range(begins[o], begins[o + 1]):
            peak = max(peak, messages[e, members[x]])
        old[o] = peak
    if from_source:
        _paid(messages, theta, e, i, share, raw)
    else:
        _granted(theta, j, h, members, begins, share, old, grant, raw)
    room = BIG
    for s in range(len(raw)):
        left = h[s] - raw[s] if theta[i, s] < SHUT else BIG
        room = min(room, left)
    for o in range(len(old)):
        peak = 0.0
        for x in range(begins[o], begins[o + 1]):
            s = members[x]
            level = raw[s] + room if theta[i, s] < SHUT else 0.0
            peak = max(peak, level)
        back = old[o] - peak
        for x in range(begins[o], begins[o + 1]):
            s = members[x]
            fresh = min(peak, h[s]) if theta[i, s] < SHUT else 0.0
            theta[i, s] += fresh - messages[e, s]
            theta[j, s] += back
            messages[e, s] = fresh


@compiled_for_numbers
def _paid(messages: Floats, theta: Floats, e: int, i: int, share: float, raw: Floats) -> None:
    """raw_s = m_s less a share of what s costs the source more than its best site."""
    least = BIG
    for s in range(len(raw)):
        least = min(least, theta[i, s])
    for s in range(len(raw)):
        raw[s] = messages[e, s] - share * (theta[i, s] - least)


@compiled_for_numbers
def _granted(
    theta: Floats,
    j: int,
    h: Floats,
    members: Indices,
    begins: Indices,
    share: float,
    old: Floats,
    grant: Floats,
    raw: Floats,
) -> None:
    """raw_s = min(D_op(s), h_s + min of the other D): the most the source may pay for D_o granted.

    D_o = A_o + share * (min_{t in o} theta_jt - min_t theta_jt).
    """
    least = BIG
    for o in range(len(old)):
        low = BIG
        for x in range(begins[o], begins[o + 1]):
            low = min(low, theta[j, members[x]])
        grant[o] = low
        least = min(least, low)
    low, second, low_at = BIG, BIG, -1
    for o in range(len(old)):
        grant[o] = old[o] + share * (grant[o] - least) if grant[o] < SHUT else BIG
        if grant[o] < low:
            low, second, low_at = grant[o], low, o
        elif grant[o] < second:
            second = grant[o]
    for o in range(len(old)):
        away = second if o == low_at else low
        for x in range(begins[o], begins[o + 1]):
            s = members[x]
            raw[s] = min(grant[o], h[s] + away)


@compiled
def sweep(
    theta: Floats,
    messages: Floats,
    order: Indices,
    rank: Indices,
    start: Indices,
    pair: Indices,
    mate: Indices,
    leads: Flags,
    yearly_gb: Floats,
    egress: Floats,
    members: Indices,
    begins: Indices,
    kept: float,
    all_ways: bool,
    later: Indices,
) -> None:
    """Visit the units of `order`; each hands its regrets to the flows towards units after it.

    theta: (U, S) costs with prices and messages, kept up to date; messages: (E, S). `all_ways`
    hands them to all flows alike, and keeps a share, which leaves regrets with every unit; (U,)
    `later` is how many more flows of a unit are still to come in this sweep.
    """
    raw, h = np.zeros(theta.shape[1]), np.zeros(theta.shape[1])
    old, grant = np.zeros(len(begins) - 1), np.zeros(len(begins) - 1)
    forward = rank[order[0]] < rank[order[-1]] if len(order) else True
    for n in range(len(order)):
        _fetch_ahead(theta, messages, order, n, start, pair, mate)
        u = order[n]
        begin, end = start[u], start[u + 1]
        ahead = end - begin
        if not all_ways:
            ahead = 0
            for x in range(begin, end):
                ahead += (rank[mate[x]] > rank[u]) == forward
        if ahead == 0:
            continue
        parts = (
            ahead + later[u] + 1.0 if all_ways else max(float(ahead), kept * (end - begin - ahead))
        )
        for x in range(begin, end):
            if not all_ways and (rank[mate[x]] > rank[u]) != forward:
                continue
            e, v = pair[x], mate[x]
            for s in range(len(h)):
                h[s] = yearly_gb[e] * egress[s]
            i, j = (u, v) if leads[x] else (v, u)
            share = 1.0 / parts
            _exchange(
                messages, theta, e, i, j, h, members, begins, share, leads[x], raw, old, grant
            )
            parts -= 1.0


@compiled
def _fetch_ahead(
    theta: Floats,
    messages: Floats,
    order: Indices,
    n: int,
    start: Indices,
    pair: Indices,
    mate: Indices,
) -> None:
    """Ask for what the visits after the n-th need: where links are, then links, then rows."""
    if n + 3 * AHEAD < len(order):
        prefetch(start, order[n + 3 * AHEAD])
    if n + 2 * AHEAD < len(order):
        w = order[n + 2 * AHEAD]
        prefetch(mate, start[w])
        prefetch(pair, start[w])
        prefetch(theta, w)
    if n + AHEAD < len(order):
        w = order[n + AHEAD]
        for x in range(start[w], start[w + 1]):
            prefetch(theta, mate[x])
            prefetch(messages, pair[x])


@compiled
def leasts(theta: Floats, operator_of: Indices, replicas: Indices, out: Floats) -> float:
    """out[u]: what u costs at least; their sum. `replicas` is (U,)."""
    work = np.empty(operator_of.max() + 1)
    total = 0.0
    for u in range(theta.shape[0]):
        out[u] = least_of(theta[u], operator_of, replicas[u], work)
        total += out[u]
    return total


@compiled
def add_costs(
    theta: Floats, coefficients: Floats, class_of: Indices, phi: Floats, begin: int, end: int
) -> None:
    """theta_us += sum_f coefficients[k, f, s] phi[f, u]; closed pairs stay closed."""
    for u in range(begin, end):
        k = class_of[u]
        for f in range(phi.shape[0]):
            for s in range(theta.shape[1]):
                theta[u, s] += coefficients[k, f, s] * phi[f, u]


@compiled
def relations_part(
    theta: Floats,
    coefficients: Floats,
    class_of: Indices,
    phi: Floats,
    out: Floats,
    begin: int,
    end: int,
) -> None:
    """out[s, u] = theta_us - sum_f coefficients[k, f, s] phi[f, u]; 0 where closed."""
    block = 64
    for low in range(begin, end, block):
        high = min(low + block, end)
        for s in range(theta.shape[1]):
            for u in range(low, high):
                value = theta[u, s]
                if value < SHUT:
                    for f in range(phi.shape[0]):
                        value -= coefficients[class_of[u], f, s] * phi[f, u]
                    out[s, u] = value
                else:
                    out[s, u] = 0.0


@compiled
def next_regrets(theta: Floats, at: Indices, out: Floats) -> None:
    """out[u]: how much dearer than its best is the best site of u where it does not rest."""
    for u in range(theta.shape[0]):
        least, other = BIG, BIG
        for s in range(theta.shape[1]):
            least = min(least, theta[u, s])
            here = False
            for c in range(at.shape[1]):
                here |= at[u, c] == s
            if not here:
                other = min(other, theta[u, s])
        out[u] = other - least
