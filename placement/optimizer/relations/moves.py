"""Moves of single replicas, judged exactly: costs, flows, rows and what must stay apart.

The state of a search is `at`, (U, n) site of each replica, -1 behind a unit's last; `totals`,
(R,) of the rows; `held`, (G, 3) units at each segregation's site that carry the one duty, the
other, any.
"""

from __future__ import annotations

import numpy as np

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.compiling import compiled
from placement.optimizer.relations.tables import Tables

SHUT = 1e29
"""Costs from here on are those of forbidden sites."""
FORBIDDEN = 1e30
MEETING = 1e12
"""EUR: more than any plan saves by a meeting of separated units."""


@compiled
def weight(t: Tables, u: int, x: int) -> float:
    """What unit u weighs in entry x."""
    offset = t.entry_weight[x] + t.entry_stride[x] * t.class_of[u]
    return float(t.weights[offset] * t.phi[u, t.entry_feature[x]])


@compiled
def count_all(t: Tables, at: Indices, totals: Floats, held: Indices) -> None:
    """Totals and segregation counts from scratch."""
    totals[:] = 0.0
    held[:] = 0
    for u in range(at.shape[0]):
        for c in range(at.shape[1]):
            if at[u, c] >= 0:
                put(t, totals, held, u, at[u, c], 1)


@compiled
def put(t: Tables, totals: Floats, held: Indices, u: int, s: int, sign: int) -> None:
    """Add a replica of u at s to the counts, or take it away."""
    for x in range(t.entry_start[s], t.entry_start[s + 1]):
        totals[t.entry_row[x]] += sign * weight(t, u, x)
    k = t.class_of[u]
    for g in range(len(t.rule_site)):
        if t.rule_site[g] == s:
            one, other = t.rule_one[g, k], t.rule_other[g, k]
            held[g, 0] += sign * one
            held[g, 1] += sign * other
            held[g, 2] += sign * (one or other)


@compiled
def _meets(t: Tables, at: Indices, u: int, s: int) -> bool:
    """Whether a separated unit is in the way of u at s."""
    for x in range(t.apart_start[u], t.apart_start[u + 1]):
        v = t.apart_mate[x]
        whole = t.apart_whole[t.apart_pair[x]]
        for c in range(at.shape[1]):
            p = at[v, c]
            if p == s or (whole and p >= 0 and t.operator_of[p] == t.operator_of[s]):
                return True
    return False


@compiled
def _segregated(t: Tables, held: Indices, u: int, s: int) -> bool:
    """Whether carriers of the other duty are in the way of u at s, where it is not yet."""
    k = t.class_of[u]
    for g in range(len(t.rule_site)):
        if t.rule_site[g] == s:
            one, other = t.rule_one[g, k], t.rule_other[g, k]
            meets = held[g, 0] + one > 0 and held[g, 1] + other > 0
            if (one or other) and held[g, 2] > 0 and meets:
                return True
    return False


@compiled
def replica_costs(
    t: Tables, cost: Floats, at: Indices, held: Indices, u: int, c: int, out: Floats
) -> None:
    """out[s]: what replica c of u costs at s, flows included; huge where it must not rest."""
    k = t.class_of[u]
    for s in range(len(out)):
        out[s] = 0.0 if t.open[k, s] else FORBIDDEN
    for f in range(t.phi.shape[1]):
        for s in range(len(out)):
            out[s] += cost[k, f, s] * t.phi[u, f]
    _add_flows(t, at, u, out)
    if at.shape[1] > 1 or t.apart_start[u] < t.apart_start[u + 1] or len(t.rule_site):
        _forbid(t, at, held, u, c, out)
    if t.many_start[u] < t.many_start[u + 1]:
        _add_transports(t, at, u, c, out)


@compiled
def _add_flows(t: Tables, at: Indices, u: int, out: Floats) -> None:
    """Flows between single replicas, the mates at rest."""
    for x in range(t.flow_start[u], t.flow_start[u + 1]):
        p = at[t.flow_mate[x], 0]
        gb = t.flow_gb[t.flow_pair[x]]
        leads = t.flow_leads[x]
        for s in range(len(out)):
            if t.operator_of[s] != t.operator_of[p]:
                out[s] += gb * t.egress[s if leads else p]


@compiled
def _forbid(t: Tables, at: Indices, held: Indices, u: int, c: int, out: Floats) -> None:
    """Sites where replica c would meet another replica, a separated unit or the other duty."""
    for s in range(len(out)):
        if out[s] >= SHUT:
            continue
        forbidden = _meets(t, at, u, s) or (s != at[u, c] and _segregated(t, held, u, s))
        for other in range(at.shape[1]):
            if other != c and at[u, other] >= 0:
                forbidden |= t.operator_of[s] == t.operator_of[at[u, other]]
        if forbidden:
            out[s] = FORBIDDEN


@compiled
def _add_transports(t: Tables, at: Indices, u: int, c: int, out: Floats) -> None:
    """Flows with several replicas at an end, for each site of replica c."""
    here = at[u, c]
    for s in range(len(out)):
        if out[s] >= SHUT:
            continue
        at[u, c] = s
        for x in range(t.many_start[u], t.many_start[u + 1]):
            v = t.many_mate[x]
            i, j = (u, v) if t.many_leads[x] else (v, u)
            out[s] += t.many_gb[t.many_pair[x]] * transport(t, at, i, j)
    at[u, c] = here


@compiled
def transport(t: Tables, at: Indices, i: int, j: int) -> float:
    """EUR per yearly GB: every site of j is fed from the cheapest of i, or its own operator's."""
    cheapest = np.inf
    for c in range(at.shape[1]):
        if at[i, c] >= 0:
            cheapest = min(cheapest, t.egress[at[i, c]])
    away = 0
    for d in range(at.shape[1]):
        if at[j, d] < 0:
            continue
        near = False
        for c in range(at.shape[1]):
            if at[i, c] >= 0 and t.operator_of[at[i, c]] == t.operator_of[at[j, d]]:
                near = True
        away += not near
    return cheapest * away if away else 0.0


@compiled
def overload_change(
    t: Tables, totals: Floats, fine: Floats, u: int, s: int, to: int, change: Floats
) -> float:
    """sum_r fine_r times the change of the excess of row r. `change`: (R,) zeros, left as zeros."""
    for x in range(t.entry_start[s], t.entry_start[s + 1]):
        change[t.entry_row[x]] -= weight(t, u, x)
    for x in range(t.entry_start[to], t.entry_start[to + 1]):
        change[t.entry_row[x]] += weight(t, u, x)
    total = 0.0
    for end in range(2):
        site = s if end == 0 else to
        for x in range(t.entry_start[site], t.entry_start[site + 1]):
            r = t.entry_row[x]
            if change[r] != 0.0:
                before = max(0.0, totals[r] - t.limit[r])
                after = max(0.0, totals[r] + change[r] - t.limit[r])
                total += fine[r] * (after - before)
                change[r] = 0.0
    return total


@compiled
def descend(
    t: Tables,
    cost: Floats,
    fine: Floats,
    at: Indices,
    totals: Floats,
    held: Indices,
    units: Indices,
    least: float,
) -> int:
    """Move each replica of `units` to where costs and fines for overloads fall most; moves made.

    cost: (K, F, S), with prices or without; fine: (R,) EUR per unit of excess, infinite where
    no row may be overloaded more than it is; least: EUR a year that a move must bring.
    """
    out = np.empty(t.open.shape[1])
    change = np.zeros(len(totals))
    moved = 0
    for u in units:
        for c in range(at.shape[1]):
            s = at[u, c]
            if s < 0:
                continue
            replica_costs(t, cost, at, held, u, c, out)
            best, best_at = -least, -1
            for to in range(len(out)):
                if to == s or out[to] >= SHUT:
                    continue
                gain = out[to] - out[s]
                bound = best
                if gain >= bound and not _may_help(t, totals, s):
                    continue
                gain += overload_change(t, totals, fine, u, s, to, change)
                if gain < best:
                    best, best_at = gain, to
            if best_at >= 0:
                put(t, totals, held, u, s, -1)
                put(t, totals, held, u, best_at, 1)
                at[u, c] = best_at
                moved += 1
    return moved


@compiled
def _may_help(t: Tables, totals: Floats, s: int) -> bool:
    """Whether leaving s relieves a row."""
    for x in range(t.entry_start[s], t.entry_start[s + 1]):
        r = t.entry_row[x]
        if totals[r] > t.limit[r] or t.weights[t.entry_weight[x]] < 0.0:
            return True
    return False


@compiled
def decode(
    t: Tables,
    theta: Floats,
    messages: Floats,
    order: Indices,
    at: Indices,
    held: Indices,
    totals: Floats,
    replicas: Indices,
) -> None:
    """A first plan: units in `order` take their best site at theta, decided neighbours' as is.

    A flow to a decided unit counts with what it costs, one to another with its message. Places
    that separation or segregation forbids are taken only where nothing else is left.
    """
    sites = theta.shape[1]
    out, forbidden = np.empty(sites), np.zeros(sites, dtype=np.bool_)
    peaks = np.zeros(sites)
    for u in order:
        for s in range(sites):
            out[s] = theta[u, s]
            forbidden[s] = _meets(t, at, u, s) or _segregated(t, held, u, s)
        _add_decided(t, messages, at, u, peaks, out)
        for c in range(replicas[u]):
            best = _first(out, forbidden)
            if best < 0:
                break
            at[u, c] = best
            put(t, totals, held, u, best, 1)
            for s in range(sites):
                if t.operator_of[s] == t.operator_of[best]:
                    out[s] = FORBIDDEN


@compiled
def _add_decided(
    t: Tables, messages: Floats, at: Indices, u: int, peaks: Floats, out: Floats
) -> None:
    """For flows to decided units, what they cost instead of their messages."""
    for x in range(t.flow_start[u], t.flow_start[u + 1]):
        p = at[t.flow_mate[x], 0]
        if p < 0:
            continue
        e, leads = t.flow_pair[x], t.flow_leads[x]
        peaks[:] = 0.0
        for s in range(len(out)):
            peaks[t.operator_of[s]] = max(peaks[t.operator_of[s]], messages[e, s])
        for s in range(len(out)):
            out[s] += -messages[e, s] if leads else peaks[t.operator_of[s]]
            if t.operator_of[s] != t.operator_of[p]:
                out[s] += t.flow_gb[e] * t.egress[s if leads else p]


@compiled
def _first(out: Floats, forbidden: Flags) -> int:
    """The cheapest open site, a forbidden one only where there is no other; -1 for none."""
    best = -1
    for s in range(len(out)):
        if out[s] >= SHUT:
            continue
        better = best < 0 or forbidden[s] < forbidden[best]
        if better or (forbidden[s] == forbidden[best] and out[s] < out[best]):
            best = s
    return best


@compiled
def margins(
    t: Tables, cost: Floats, at: Indices, held: Indices, units: Indices, out: Floats
) -> None:
    """out[n, s]: how much dearer the unit is with its dearest replica at s, mates at rest."""
    work = np.empty(t.open.shape[1])
    for n in range(len(units)):
        u = units[n]
        out[n] = FORBIDDEN
        for c in range(at.shape[1]):
            if at[u, c] < 0:
                continue
            replica_costs(t, cost, at, held, u, c, work)
            here = work[at[u, c]]
            for s in range(len(work)):
                if work[s] < SHUT and work[s] - here < out[n, s]:
                    out[n, s] = work[s] - here
        for c in range(at.shape[1]):
            if at[u, c] >= 0:
                out[n, at[u, c]] = 0.0


@compiled
def replica_sums(
    t: Tables, cost: Floats, at: Indices, differ: Flags, piece: Indices, sums: Floats
) -> None:
    """Adds what units that differ cost, with every relation they have, to sums[piece].

    A relation between two of them counts once, with the piece that both are in; a meeting of a
    separated pair costs 1e12.
    """
    for u in range(at.shape[0]):
        if not differ[u]:
            continue
        k, p = t.class_of[u], piece[u]
        for c in range(at.shape[1]):
            s = at[u, c]
            if s >= 0:
                for f in range(t.phi.shape[1]):
                    sums[p] += cost[k, f, s] * t.phi[u, f]
        sums[p] += _flow_sum(t, at, differ, u)
        for x in range(t.apart_start[u], t.apart_start[u + 1]):
            v = t.apart_mate[x]
            if v > u or not differ[v]:
                sums[p] += MEETING * _meetings(t, at, u, v, t.apart_whole[t.apart_pair[x]])


@compiled
def _meetings(t: Tables, at: Indices, u: int, v: int, whole: bool) -> int:
    """Pairs of replicas of u and v at one site, or with one operator."""
    count = 0
    for a in at[u]:
        for b in at[v]:
            if a >= 0 and b >= 0:
                count += a == b or (whole and t.operator_of[a] == t.operator_of[b])
    return count


@compiled
def _flow_sum(t: Tables, at: Indices, differ: Flags, u: int) -> float:
    """What u's flows cost; one to a unit that differs, too, is its source's."""
    total = 0.0
    for x in range(t.flow_start[u], t.flow_start[u + 1]):
        v = t.flow_mate[x]
        if t.flow_leads[x] or not differ[v]:
            i, j = (u, v) if t.flow_leads[x] else (v, u)
            s = at[i, 0]
            if t.operator_of[s] != t.operator_of[at[j, 0]]:
                total += t.flow_gb[t.flow_pair[x]] * t.egress[s]
    for x in range(t.many_start[u], t.many_start[u + 1]):
        v = t.many_mate[x]
        if t.many_leads[x] or not differ[v]:
            i, j = (u, v) if t.many_leads[x] else (v, u)
            total += t.many_gb[t.many_pair[x]] * transport(t, at, i, j)
    return total
