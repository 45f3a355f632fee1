"""Where a solve starts: an earlier answer, in the order that this room gives to relations."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from placement.optimizer.attributes import Floats, Indices
from placement.optimizer.polish.solve import Warm

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


def _sorted(values: _Array | None, order: Indices) -> _Array | None:
    fits = values is not None and len(values) == len(order)
    return values[order] if values is not None and fits else None
