"""Prices on meetings: a place that both of a separated pair would take costs either of them."""

from __future__ import annotations

from typing import Any

from placement.optimizer.attributes import Flags, Floats, Indices
from placement.optimizer.compiling import compiled
from placement.optimizer.relations.messages import BIG, SHUT


@compiled
def price_meetings(
    theta: Floats,
    first: Indices,
    second: Indices,
    whole: Flags,
    operator_of: Indices,
    place: Indices,
    price: Floats,
    single: Flags,
) -> None:
    """The best price lambda_q of one place, site or operator, that both of a pair would take.

    x_i + x_j <= 1 at the place lowers the bound by lambda and raises either's cost there by it.
    With regrets r_i, r_j of avoiding the place, any lambda between them gains min(r_i, r_j).
    """
    for q in range(len(first)):
        i, j = first[q], second[q]
        if not (single[i] and single[j]):
            continue
        if price[q] > 0.0:
            _charge(theta, i, j, place[q], whole[q], operator_of, -price[q])
            price[q] = 0.0
        p, r = _regret(theta[i], whole[q], operator_of)
        p2, r2 = _regret(theta[j], whole[q], operator_of)
        if p != p2:
            continue
        low, high = min(r, r2), max(r, r2)
        fair = low if high > SHUT else 0.5 * (low + high)
        if 0.0 < fair < SHUT:
            place[q], price[q] = p, fair
            _charge(theta, i, j, p, whole[q], operator_of, fair)


@compiled
def _regret(theta: Floats, whole: bool, operator_of: Indices) -> Any:
    """The best place, and how much dearer the best elsewhere is."""
    best = 0
    for s in range(len(theta)):
        if theta[s] < theta[best]:
            best = s
    p = operator_of[best] if whole else best
    other = BIG
    for s in range(len(theta)):
        at = operator_of[s] if whole else s
        if at != p and theta[s] < other:
            other = theta[s]
    return p, (other - theta[best] if other < SHUT else BIG)


@compiled
def _charge(
    theta: Floats, i: int, j: int, p: int, whole: bool, operator_of: Indices, amount: float
) -> None:
    for s in range(theta.shape[1]):
        if (operator_of[s] if whole else s) == p:
            theta[i, s] += amount
            theta[j, s] += amount


@compiled
def add_meetings(
    theta: Floats,
    first: Indices,
    second: Indices,
    whole: Flags,
    operator_of: Indices,
    place: Indices,
    price: Floats,
) -> None:
    """Either unit of a pair pays for its priced place."""
    for q in range(len(first)):
        if price[q] > 0.0:
            _charge(theta, first[q], second[q], place[q], whole[q], operator_of, price[q])
