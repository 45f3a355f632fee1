"""An earlier answer in the order that this room gives to relations, and an answer out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from placement.optimizer.arrays.solution import ArraySolution, Warm
from placement.optimizer.attributes import Floats, Indices

_Array = TypeVar("_Array", Floats, Indices)


def sorted_start(start: Warm | None, flows: Indices, pairs: Indices) -> Warm | None:
    """Messages and meetings in the order of our own, where there are as many."""
    if start is None:
        return None
    return replace(
        start,
        messages=_sorted(start.messages, flows),
        apart_places=_sorted(start.apart_places, pairs),
        apart_prices=_sorted(start.apart_prices, pairs),
    )


def as_given(answer: ArraySolution, flows: Indices, pairs: Indices) -> ArraySolution:
    """Messages and meetings of an answer in the order in which relations were given."""
    return replace(
        answer,
        messages=_unsorted(answer.messages, flows),
        apart_places=_unsorted(answer.apart_places, pairs),
        apart_prices=_unsorted(answer.apart_prices, pairs),
    )


def _unsorted(values: _Array | None, order: Indices) -> _Array | None:
    if values is None:
        return None
    given = np.empty_like(values)
    given[order] = values
    return given


def _sorted(values: _Array | None, order: Indices) -> _Array | None:
    fits = values is not None and len(values) == len(order)
    return values[order] if values is not None and fits else None
