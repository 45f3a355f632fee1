"""How time and memory grow with the number of datasets."""

from __future__ import annotations

import math
from typing import Any

Entries = dict[str, dict[str, Any]]
LEAST = 100_000
"""Below it, the small problems' own method and what Python weighs say more than the slope."""


def curve(entries: Entries, who: str, sites: int, what: str) -> list[tuple[int, float]]:
    """(datasets, seconds or peak_mb) of a solver that found a plan, by size."""
    points = [
        (entry["datasets"], float(entry[what]))
        for entry in entries.values()
        if entry["part"] == "sizes"
        and (entry["who"], entry["sites"]) == (who, sites)
        and "to_gap_of" not in entry
        and entry.get("objective") is not None
    ]
    return sorted(points)


def slope(points: list[tuple[int, float]]) -> float | None:
    """Least-squares slope of log y against log x; of the large ones where they are two or more."""
    large = [point for point in points if point[0] >= LEAST]
    used = large if len(large) > 1 else points
    if len(used) < 2:
        return None
    xs, ys = [math.log(x) for x, _ in used], [math.log(max(y, 1e-9)) for _, y in used]
    middle, height = sum(xs) / len(xs), sum(ys) / len(ys)
    run = sum((x - middle) ** 2 for x in xs)
    return sum((x - middle) * (y - height) for x, y in zip(xs, ys, strict=True)) / run


def slopes(entries: Entries) -> dict[int, tuple[float | None, float | None]]:
    """Of ours, for each number of sites: (seconds, peak memory)."""
    sites = {e["sites"] for e in entries.values() if e["part"] == "sizes" and e["who"] == "ours"}
    return {
        s: (
            slope(curve(entries, "ours", s, "seconds")),
            slope(curve(entries, "ours", s, "peak_mb")),
        )
        for s in sites
        if len(curve(entries, "ours", s, "seconds")) > 1
    }
