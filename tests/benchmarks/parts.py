"""The parts of the optimizer's benchmark: which problems, who solves them, within which limits."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.book import Book

LIBRARIES = {
    "PuLP + CBC": ["pulp"],
    "PuLP + HiGHS": ["pulp", "highspy"],
    "highspy": ["highspy", "scipy.sparse"],
    "CP-SAT": [],
}
"""What each peer loads before its clock starts; CP-SAT has a process of its own for that."""

EXACT = 1e-12
"""A peer's gap below this is rounding."""


@dataclass(frozen=True)
class Wanted:
    """What to measure."""

    sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    sites: tuple[int, ...] = (10, 20, 50)
    peers: tuple[str, ...] = tuple(LIBRARIES)
    limit_s: float = 60.0
    repeat: int | None = None
    """None for three up to 10,000 datasets, and one above."""
    seed: int = 1
    quick: bool = False

    def repeats(self, datasets: int) -> int:
        """How often a small solve is measured."""
        return self.repeat if self.repeat is not None else 3 if datasets <= 10_000 else 1

    def limit(self, seconds: float) -> float:
        """Seconds for a solve, or few when it must be quick."""
        return min(seconds, self.limit_s) if self.quick else seconds


def asked_gap(datasets: int, sites: int) -> float:
    """What a solver may stop at: few datasets do not divide as finely over many sites."""
    if datasets <= 10_000:
        return 1e-4
    return 1e-5 if datasets <= 100_000 else 1e-6 if sites < 50 else 2e-6


def _recipe(wanted: Wanted, datasets: int, sites: int, **more: Any) -> dict[str, Any]:
    return {"units": datasets, "sites": sites, "seed": wanted.seed, **more}


def _ours(recipe: dict[str, Any], gap: float, limit_s: float) -> dict[str, Any]:
    return {"kind": "ours", "recipe": recipe, "gap": gap, "limit_s": limit_s}


def _peer(name: str, recipe: dict[str, Any], gap: float, limit_s: float) -> dict[str, Any]:
    task = {"kind": "peer", "peer": name, "libraries": LIBRARIES[name], "recipe": recipe}
    return task | {"gap": gap, "limit_s": limit_s}


# --- sizes ---------------------------------------------------------------------------------------


def sizes(book: Book, wanted: Wanted) -> None:
    """Every size against every peer, then ours to the gap that the best of them proved."""
    for sites in wanted.sites:
        beaten: set[str] = set()
        for datasets in sorted(wanted.sizes):
            _size(book, wanted, datasets, sites, beaten)


def _size(book: Book, wanted: Wanted, datasets: int, sites: int, beaten: set[str]) -> None:
    recipe, gap = _recipe(wanted, datasets, sites), asked_gap(datasets, sites)
    about = {"part": "sizes", "datasets": datasets, "sites": sites}
    key, times = f"sizes/{datasets}x{sites}", wanted.repeats(datasets)
    task = _ours(recipe, gap, wanted.limit_s)
    book.run(f"{key}/ours", task, about | {"who": "ours"}, times)
    found = []
    for peer in wanted.peers:
        label = about | {"who": peer}
        if peer in beaten:
            book.note(f"{key}/{peer}", label | {"ended": "not run: no plan of fewer datasets"})
            continue
        task = _peer(peer, recipe, gap, wanted.limit_s)
        entry = book.run(f"{key}/{peer}", task, label, times)
        if entry.get("objective") is None:
            beaten.add(peer)
        else:
            found.append(entry)
    book.forget(f"{key}/ours to ")
    best = best_of(found)
    if best is not None:
        task = _ours(recipe, max(best["gap"], EXACT), wanted.limit_s)
        label = about | {"who": "ours", "to_gap_of": best["who"]}
        book.run(f"{key}/ours to {best['who']}", task, label, times)


def reached_s(entry: dict[str, Any]) -> float:
    """Seconds after which a solver had proven the gap that it ended with."""
    reached = entry.get("reached_s")
    return float(entry["seconds"] if reached is None else min(reached, entry["seconds"]))


def best_of(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The peer that proved the gap asked for soonest; where none did, the smallest gap."""

    def rank(entry: dict[str, Any]) -> tuple[float, float]:
        return max(entry["gap"], entry["asked_gap"]), reached_s(entry)

    return min((entry for entry in found if entry.get("gap") is not None), key=rank, default=None)


# --- relations -----------------------------------------------------------------------------------

RELATED = {"edges": 1.5, "apart": 0.05, "migration": True}


def relations(book: Book, wanted: Wanted) -> None:
    """Lineage, pairs apart and migration; the textbook's model where it may finish."""
    plans = [(10_000, 45.0, 1e-4), (100_000, 45.0, 1e-4), (1_000_000, 150.0, 3e-4)]
    plans = [(1_000, 45.0, 1e-4), *plans] if not wanted.quick else [(1_000, 10.0, 1e-3)]
    for datasets, limit_s, gap in plans:
        recipe = _recipe(wanted, datasets, 20, **RELATED)
        about = {"part": "relations", "datasets": datasets, "sites": 20}
        task, key = _ours(recipe, gap, wanted.limit(limit_s)), f"relations/{datasets}x20"
        book.run(f"{key}/ours", task, about | {"who": "ours"})
        if datasets <= 10_000:
            task = _peer("PuLP + HiGHS", recipe, gap, wanted.limit(120.0))
            book.run(f"{key}/PuLP + HiGHS", task, about | {"who": "PuLP + HiGHS"})


# --- duplicates ----------------------------------------------------------------------------------


def duplicates(book: Book, wanted: Wanted) -> None:
    """A million datasets, of which few are different, against as many that all are."""
    datasets, distinct = (10_000, 100) if wanted.quick else (1_000_000, 1_152)
    for some in (distinct, None):
        recipe = _recipe(wanted, datasets, 20, distinct=some)
        task = _ours(recipe, asked_gap(datasets, 20), wanted.limit_s)
        about = {"part": "duplicates", "datasets": datasets, "sites": 20, "who": "ours"}
        name = some or datasets
        book.run(f"duplicates/{name}", task, about | {"distinct": name})


# --- warm ----------------------------------------------------------------------------------------


def warm(book: Book, wanted: Wanted) -> None:
    """What a decision is asked afterwards: it starts from the last prices."""
    middle = 10_000 if wanted.quick else 100_000
    conflicts = (1_000, 10_000) if wanted.quick else (1_000, 100_000, 1_000_000)
    plans = [("forced pair", middle), ("what-if", middle), ("exits", middle)]
    plans += [("conflict", datasets) for datasets in conflicts]
    for measure, datasets in plans:
        task = {
            "kind": "warm",
            "measure": measure,
            "recipe": _recipe(wanted, datasets, 20),
            "gap": asked_gap(datasets, 20),
            "solve_s": wanted.limit_s,
            "limit_s": 10 * wanted.limit_s,
        }
        about = {"part": "warm", "measure": measure, "datasets": datasets, "sites": 20}
        entry = book.run(f"warm/{measure}/{datasets}", task, about)
        if entry["ended"].startswith("skipped"):
            print(f"{measure}, {datasets:,} datasets: {entry['ended']}", file=sys.stderr)


# --- end to end ----------------------------------------------------------------------------------


def end_to_end(book: Book, wanted: Wanted) -> None:
    """`placement decide` from Parquet, phase by phase."""
    from tests.benchmarks.end_to_end import decide_city

    datasets = 10_000 if wanted.quick else 1_000_000
    about = {"part": "end-to-end", "datasets": datasets, "who": "placement decide"}
    key = f"end-to-end/{datasets}"
    if book.has(key):
        return
    print(f"{key} ...", end=" ", file=sys.stderr, flush=True)
    entry = decide_city(datasets, wanted.seed, 20 * wanted.limit_s, book.memory_gb)
    print(entry["ended"], file=sys.stderr, flush=True)
    book.note(key, about | entry)


PARTS = {
    "sizes": sizes,
    "relations": relations,
    "duplicates": duplicates,
    "warm": warm,
    "end-to-end": end_to_end,
}
