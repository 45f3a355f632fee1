"""How long and how hot the rounds of a search are: melts, each twice as long as the one before.

A melt forgets the plan it begins with. Twice as many links go into warm rounds, which keep the
plan in the main and are short, so that one of them ends well sooner or later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HOT, WARM = 5.0, 2.0
"""Grains: temperature at the beginning of a melt and of a warm round."""
LEAST_WORK = 4_000_000
"""Links of the first round at least."""
WORK_A_UNIT = 50_000
"""Links of the first round for each unit: shorter ones of large problems find no plan at all."""
LONGER, WARMS = 2, 2
"""How many times as long a melt is as the one before, and its warm rounds together as itself."""


@dataclass(frozen=True)
class Round:
    """One round of annealing."""

    work: int
    """Links each search looks at."""
    heat: float
    """Grains: temperature at the beginning."""


def rounds_for(units: int) -> Iterator[Round]:
    """Rounds without end: a melt, warm rounds, a longer melt, and so on."""
    work = max(LEAST_WORK, WORK_A_UNIT * units)
    times = 1
    while True:
        yield Round(times * work, HOT)
        for _ in range(WARMS * times):
            yield Round(work, WARM)
        times *= LONGER
