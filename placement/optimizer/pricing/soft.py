"""The bound with soft minima: smooth in the prices, so that Newton's method applies.

With temperature T_u = tau * spread_u, a unit with one replica counts

    -T_u log sum_s exp(-c'_us / T_u)        x_us = exp(-c'_us / T_u) / sum_t exp(-c'_ut / T_u)

instead of its least cost: less by at most T_u log S. A unit with n replicas fills operators as
fermions fill levels: with v_o = -T log sum_{s in o} exp(-c'_s / T),

    max over mu of  n mu - T sum_o log(1 + exp((mu - v_o) / T))
    x_s = y_o exp((v_o - c'_s) / T),  y_o = 1 / (1 + exp((v_o - mu) / T)),  sum_o y_o = n.

The gradient in prices is the total load less the right-hand sides. With h_s = y_o (1 - y_o)
x_s / y_o / sqrt(sum_o y_o (1 - y_o)), minus the Hessian in a unit's costs is

    1/T (diag x - x x')                               one replica
    1/T (diag x - sum_o x_o x_o' - h h')              n replicas, x_o the part of x with operator o.

Rows that weigh all classes alike only need second moments of x times features, site by site
(S F x S F); rows with weights by class are formed unit by unit. (Entropy smoothing: Nesterov 2005,
Smooth minimization of non-smooth functions.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from placement.optimizer.arrays.problem import ArrayProblem, pair_weights
from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.pricing.dual import Folded, in_pieces
from placement.optimizer.pricing.spread import NOTHING, spreads, spreads_by_feature
from placement.optimizer.progress import Watch

LEVELLING = 40
"""Steps to the level of a unit with replicas, at most."""
LEVEL = 1e-10
"""Replicas that may be missing there."""
FAR = 700.0
"""Exponents beyond overflow."""
EVERY = 40.0
"""Temperatures above the last level at which every operator is filled."""


@dataclass(frozen=True)
class Curve:
    """The soft bound at some prices."""

    value: float
    """EUR a year, without the right-hand sides."""
    totals: Floats
    """(R,)"""
    curvature: Floats
    """(R, R) minus the Hessian."""


@dataclass(frozen=True)
class _Piece:
    """What does not change with prices or temperature, for some units."""

    begin: int
    end: int
    counts: Floats
    spread: Floats
    phi: Floats
    """(F', n) features that the alike rows read."""
    own: tuple[Floats, ...]
    """For each row with weights by class: (n_sites, n)."""


@dataclass(frozen=True)
class _Moments:
    value: float
    load: Floats
    """(F', S)"""
    own_totals: Floats
    """(E,)"""
    first: Floats
    """(F', F', S) sum_u m/T x phi phi'"""
    second: Floats
    """(F' S, F' S)"""
    own_first: Floats
    """(E, F', S)"""
    own_second: Floats
    """(E, F' S)"""
    own_own: Floats
    """(E, E)"""

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.value + other.value,
            self.load + other.load,
            self.own_totals + other.own_totals,
            self.first + other.first,
            self.second + other.second,
            self.own_first + other.own_first,
            self.own_second + other.own_second,
            self.own_own + other.own_own,
        )


class Soft:
    """The soft bound of one problem, to be asked for again and again.

    Parameters
    ----------
    extra
        (S, U) added to the costs.
    """

    def __init__(
        self, problem: ArrayProblem, extra: Floats | None = None, watch: Watch | None = None
    ) -> None:
        self.problem = problem
        self.extra = extra
        self.watch = watch
        rows = problem.rows
        self.alike = [r for r, row in enumerate(rows) if len(row.weights) == 1]
        self.own = [r for r, row in enumerate(rows) if len(row.weights) != 1]
        read = [rows[r].features for r in self.alike]
        self.used = np.unique(np.concatenate(read)) if read else np.empty(0, dtype=np.intp)
        self.weights = np.zeros((len(self.alike), len(self.used), problem.sites))
        for e, r in enumerate(self.alike):
            at = np.searchsorted(self.used, rows[r].features)
            self.weights[e][np.ix_(at, rows[r].sites)] = rows[r].weights[0]
        self.operators = [
            np.flatnonzero(problem.operator_of == o) for o in np.unique(problem.operator_of)
        ]
        self.meetings = _meetings([rows[r].sites for r in self.own])
        self.by_feature = spreads_by_feature(problem)
        self.pieces = {piece.begin: piece for piece in in_pieces(problem, self._prepare, watch)}

    def _prepare(self, begin: int, end: int) -> _Piece:
        problem = self.problem
        spread = spreads(problem, self.by_feature, begin, end)
        units = np.arange(begin, end)
        return _Piece(
            begin,
            end,
            problem.counts[begin:end],
            np.maximum(spread, NOTHING * float(spread.mean()) or 1.0),
            np.ascontiguousarray(problem.features[self.used, begin:end]),
            tuple(
                np.ascontiguousarray(pair_weights(problem, problem.rows[r], units).T)
                for r in self.own
            ),
        )

    def curve(self, prices: Floats, tau: float) -> Curve:
        """Value, gradient and curvature at these prices and this temperature."""
        folded = Folded(self.problem, prices, self.extra)

        def work(begin: int, _end: int) -> _Moments:
            return self._moments(folded, self.pieces[begin], tau)

        parts = in_pieces(self.problem, work, self.watch)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return self._contract(total)

    def _moments(self, folded: Folded, piece: _Piece, tau: float) -> _Moments:
        """Sums over the units of a piece."""
        problem = self.problem
        heat = tau * piece.spread
        costs = folded.costs(piece.begin, piece.end)
        if folded.single:
            values, x = _soft_least(costs, heat)
            squares: list[tuple[Floats, Sequence[Indices]]] = [(x, [np.arange(len(x))])]
        else:
            k = problem.class_of[piece.begin : piece.end]
            values, x, squares = self._mixed(costs, heat, problem.replicas[k])
        return self._sums(piece, float((values * piece.counts).sum()), x, heat, squares)

    def _mixed(
        self, costs: Floats, heat: Floats, replicas: Indices
    ) -> tuple[Floats, Floats, list[tuple[Floats, Sequence[Indices]]]]:
        """Units with one replica, and those with more, side by side."""
        one = replicas == 1
        values, x = np.empty(len(heat)), np.empty_like(costs)
        held = np.zeros_like(costs)
        values[one], x[:, one] = _soft_least(costs[:, one], heat[one])
        if not one.all():
            several = ~one
            values[several], x[:, several], held[:, several] = _soft_smallest(
                costs[:, several], heat[several], replicas[several], self.operators
            )
        alone, shared = np.where(one, x, 0.0), np.where(one, 0.0, x)
        return (
            values,
            x,
            [
                (alone + held, [np.arange(len(x))]),
                (shared, self.operators),
            ],
        )

    def _sums(
        self,
        piece: _Piece,
        value: float,
        x: Floats,
        heat: Floats,
        squares: list[tuple[Floats, Sequence[Indices]]],
    ) -> _Moments:
        stiff = piece.counts / heat
        used, sites = len(piece.phi), len(x)
        phi = piece.phi
        load = (x @ (phi * piece.counts).T).T
        products = (phi[:, None, :] * phi[None, :, :] * stiff).reshape(used * used, x.shape[1])
        first = (x @ products.T).T.reshape(used, used, sites)
        own_x = [
            w * x[self.problem.rows[r].sites] for w, r in zip(piece.own, self.own, strict=True)
        ]
        own_totals = np.array([float((part * piece.counts).sum()) for part in own_x])
        own_first = np.zeros((len(own_x), used, sites))
        for e, r in enumerate(self.own):
            own_first[e][:, self.problem.rows[r].sites] = ((own_x[e] * stiff) @ phi.T).T
        own_own = self._own_pairs(piece, own_x, stiff)
        second = np.zeros((used, sites, used, sites))
        own_second = np.zeros((len(own_x), used, sites))
        root = np.sqrt(stiff)
        for part, groups in squares:
            for group in groups:
                scaled = part[group] * root
                spread = (phi[:, None, :] * scaled[None]).reshape(used * len(group), x.shape[1])
                block = (spread @ spread.T).reshape(used, len(group), used, len(group))
                second[:, group[:, None], :, group[None, :]] += block.transpose(1, 3, 0, 2)
                if own_x:
                    lines = self._own_lines(piece, scaled, group)
                    own_own -= lines @ lines.T
                    both = (lines @ spread.T).reshape(len(own_x), used, len(group))
                    own_second[:, :, group] += both
        flat = used * sites
        return _Moments(
            value,
            load,
            own_totals,
            first,
            second.reshape(flat, flat),
            own_first,
            own_second.reshape(len(own_x), flat),
            own_own,
        )

    def _own_lines(self, piece: _Piece, scaled: Floats, group: Indices) -> Floats:
        """(E, n) load on each row with weights by class, from the sites of a group."""
        place = np.full(self.problem.sites, -1)
        place[group] = np.arange(len(group))
        lines = np.zeros((len(self.own), scaled.shape[1]))
        for e, r in enumerate(self.own):
            at = place[self.problem.rows[r].sites]
            there = at >= 0
            if there.any():
                lines[e] = (piece.own[e][there] * scaled[at[there]]).sum(axis=0)
        return lines

    def _own_pairs(self, piece: _Piece, own_x: Sequence[Floats], stiff: Floats) -> Floats:
        """(E, E) sum_u m/T sum_s x w w' over rows with weights by class."""
        pairs = np.zeros((len(self.own), len(self.own)))
        for e, other, at, there in self.meetings:
            product = np.einsum("sn,sn,n->", own_x[e][at], piece.own[other][there], stiff)
            pairs[e, other] = pairs[other, e] = product
        return pairs

    def _contract(self, sums: _Moments) -> Curve:
        """From sites and features to rows."""
        alike, own = np.array(self.alike, dtype=np.intp), np.array(self.own, dtype=np.intp)
        w = self.weights
        flat = w.reshape(len(alike), w.shape[1] * w.shape[2])
        rows = len(self.problem.rows)
        totals, curvature = np.zeros(rows), np.zeros((rows, rows))
        totals[alike] = np.einsum("efs,fs->e", w, sums.load)
        totals[own] = sums.own_totals
        curvature[np.ix_(alike, alike)] = (
            np.einsum("efs,fgs,hgs->eh", w, sums.first, w, optimize=True)
            - flat @ sums.second @ flat.T
        )
        cross = np.einsum("efs,hfs->eh", sums.own_first, w) - sums.own_second @ flat.T
        curvature[np.ix_(own, alike)] = cross
        curvature[np.ix_(alike, own)] = cross.T
        curvature[np.ix_(own, own)] = sums.own_own
        return Curve(sums.value, totals, curvature)


def _meetings(sites: Sequence[Indices]) -> list[tuple[int, int, Indices, Indices]]:
    """Pairs of rows that share sites, and where these stand in either."""
    found = []
    for e, own in enumerate(sites):
        for other in range(e, len(sites)):
            _, at, there = np.intersect1d(own, sites[other], return_indices=True)
            if len(at):
                found.append((e, other, at, there))
    return found


def _soft_least(costs: Floats, heat: Floats) -> tuple[Floats, Floats]:
    """(n,) soft minima of (S, n) costs, and (S, n) shares of the sites. `costs` is overwritten."""
    best = costs.min(axis=0)
    costs -= best
    costs *= -1.0 / heat
    x = np.exp(costs, out=costs)
    total = x.sum(axis=0)
    x /= total
    return best - heat * np.log(total), x


def _soft_smallest(
    costs: Floats, heat: Floats, replicas: Indices, operators: Sequence[Indices]
) -> tuple[Floats, Floats, Floats]:
    """(n,) soft sums of the n_u least operators, (S, n) shares x, and (S, n) h."""
    x, v = np.empty_like(costs), np.empty((len(operators), len(heat)))
    for o, sites in enumerate(operators):
        reach = np.isfinite(costs[sites]).any(axis=0)
        level = np.where(reach, costs[sites], 0.0)
        v[o], x[sites] = _soft_least(level, heat)
        v[o] = np.where(reach, v[o], np.inf)
    mu = _level(v, heat, replicas)
    fill = _filled(v, mu, heat)
    room = fill * (1.0 - fill)
    root = np.sqrt(np.maximum(room.sum(axis=0), np.finfo(np.float64).tiny))
    held = np.empty_like(x)
    for o, sites in enumerate(operators):
        held[sites] = x[sites] * (room[o] / root)
        x[sites] *= fill[o]
    values = replicas * mu - heat * np.logaddexp(0.0, (mu - v) / heat).sum(axis=0)
    return values, x, held


def _filled(v: Floats, mu: Floats, heat: Floats) -> Floats:
    """(O, n) y at this mu."""
    filled: Floats = 1.0 / (1.0 + np.exp(np.clip((v - mu) / heat, -FAR, FAR)))
    return filled


def _level(v: Floats, heat: Floats, replicas: Indices) -> Floats:
    """(n,) mu at which sum_o y_o = n_u: Newton's steps, halving the bracket where they leave it.

    At v_(n) - T log O too little is filled and at v_(n + 1) + T log O too much, v_(i) the i-th
    smallest level. Any mu gives a valid, lower soft value.
    """
    operators, units = v.shape
    ordered = np.sort(np.concatenate([v, np.full((1, units), np.inf)]), axis=0)
    wide = heat * np.log(operators + 1.0)
    full = np.take_along_axis(ordered, replicas[None], axis=0)[0]
    last = np.take_along_axis(ordered, replicas[None] - 1, axis=0)[0]
    low, high = last - wide, np.where(np.isfinite(full), full + wide, last + EVERY * heat)
    mu: Floats = 0.5 * (low + high)
    for _ in range(LEVELLING):
        y = _filled(v, mu, heat)
        missing = replicas - y.sum(axis=0)
        if np.abs(missing).max(initial=0.0) < LEVEL:
            break
        low, high = np.where(missing > 0.0, mu, low), np.where(missing > 0.0, high, mu)
        slope = np.maximum((y * (1.0 - y)).sum(axis=0), np.finfo(np.float64).tiny)
        step = mu + np.clip(heat * missing / slope, low - high, high - low)
        mu = np.where((step > low) & (step < high), step, 0.5 * (low + high))
    return mu
