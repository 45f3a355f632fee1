"""What the optimizer is meant to reach, next to what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.parts import best_of, reached_s

Entries = dict[str, dict[str, Any]]
GIGABYTE_MB = 1e3
STRETCH = {"relations/1000000x20/ours": 60}


@dataclass(frozen=True)
class Goal:
    """One goal and its fate."""

    text: str
    measured: str
    reached: bool | None
    """None where it was not measured."""

    @property
    def fate(self) -> str:
        """As a word."""
        return {True: "reached", False: "NOT reached", None: "not measured"}[self.reached]


@dataclass(frozen=True)
class Duel:
    """Ours against the best of the others at one size, to the same proven gap."""

    datasets: int
    sites: int
    peer: dict[str, Any] | None
    """None where no other found and proved anything."""
    ours: dict[str, Any] | None
    """None where ours did not reach the peer's gap."""

    @property
    def ratio(self) -> float | None:
        """How many times faster ours is; none where it cannot be said."""
        if self.peer is None or self.ours is None:
            return None
        return reached_s(self.peer) / max(self.ours["seconds"], 1e-3)


def duels(entries: Entries) -> list[Duel]:
    """One for each size that was measured with peers."""
    sizes = {
        (e["datasets"], e["sites"])
        for e in entries.values()
        if e["part"] == "sizes" and e["who"] != "ours"
    }
    return [_duel(entries, *size) for size in sorted(sizes, key=lambda size: size[::-1])]


def _duel(entries: Entries, datasets: int, sites: int) -> Duel:
    key = f"sizes/{datasets}x{sites}"
    best = best_of(
        [e for k, e in entries.items() if k.startswith(f"{key}/") and e["who"] != "ours"]
    )
    if best is None:
        return Duel(datasets, sites, None, entries.get(f"{key}/ours"))
    again = entries.get(f"{key}/ours to {best['who']}", {})
    # Within a per mille: both count the gap in floating point, from objectives of their own.
    matched = again.get("gap") is not None and again["gap"] <= best["gap"] * 1.001 + 1e-9
    return Duel(datasets, sites, best, again if matched else None)


def goals(entries: Entries) -> list[Goal]:
    """All of them, in the order of the results."""
    found = [_never_worse(entries)]
    found += [_faster(entries, 10_000, 20, 10), _faster(entries, 100_000, 10, 50)]
    found += [
        _solved(entries, "sizes/1000000x20/ours", 10, 1e-6, 1),
        _solved(entries, "sizes/1000000x50/ours", 30, 2e-6),
        _solved(entries, "sizes/10000000x20/ours", 60, None, 8),
        _duplicates(entries),
        _solved(entries, "relations/10000x20/ours", 45, 1e-4),
        _solved(entries, "relations/100000x20/ours", 45, 1e-4),
        _solved(entries, "relations/1000000x20/ours", 150, 3e-4),
    ]
    found += _related_duels(entries)
    found += _warm(entries)
    return [*found, _certificate(entries)]


def _never_worse(entries: Entries) -> Goal:
    text = "never worse than the best of the others, at any size"
    all_of = duels(entries)
    if not all_of:
        return Goal(text, "", None)
    worse = [
        f"{duel.datasets:,} x {duel.sites}: "
        + (f"{duel.ratio:.2f} times" if duel.ratio else f"gap of {duel.peer['who']} not reached")
        for duel in all_of
        if duel.peer is not None and (duel.ratio is None or duel.ratio < 1)
    ]
    worse += filter(None, (_dearer(entries, duel) for duel in all_of))
    return Goal(text, "; ".join(worse) or f"at none of {len(all_of)} sizes", not worse)


def _dearer(entries: Entries, duel: Duel) -> str | None:
    """Whether another's plan is cheaper than ours after as long; plans within the gap are equal."""
    key = f"sizes/{duel.datasets}x{duel.sites}"
    ours = entries.get(f"{key}/ours", {})
    others = [
        entry["objective"]
        for name, entry in entries.items()
        if name.startswith(f"{key}/") and entry["who"] != "ours" and entry.get("objective")
    ]
    if not others or ours.get("objective") is None or ours["gap"] <= ours["asked_gap"]:
        return None
    ahead = ours["objective"] / min(others) - 1
    return f"{duel.datasets:,} x {duel.sites}: {100 * ahead:.4f} % dearer" if ahead > 0 else None


def _faster(entries: Entries, datasets: int, sites: int, times: float) -> Goal:
    text = f"{datasets:,} x {sites}: {times:g} times faster than the best of the others"
    for duel in duels(entries):
        if (duel.datasets, duel.sites) != (datasets, sites):
            continue
        if duel.peer is None:
            return Goal(text, "no other proved anything", duel.ours is not None)
        against = f"{duel.peer['who']}, gap {duel.peer['gap']:.1e}"
        if duel.ratio is None:
            return Goal(text, f"gap not reached ({against})", False)
        return Goal(text, f"{duel.ratio:.1f} times ({against})", duel.ratio >= times)
    return Goal(text, "", None)


def _solved(
    entries: Entries, key: str, seconds: float, gap: float | None, memory_gb: float | None = None
) -> Goal:
    part, size, _ = key.split("/")
    datasets, sites = size.split("x")
    text = f"{int(datasets):,} x {sites}{' with relations' if part == 'relations' else ''}: "
    text += f"{seconds:g} s" + (f", gap {gap:g}" if gap else "")
    text += f", {memory_gb:g} GB" if memory_gb else ""
    text += f" (better still: {STRETCH[key]} s)" if key in STRETCH else ""
    entry = entries.get(key)
    if entry is None or entry["ended"].startswith("skipped"):
        return Goal(text, "", None)
    if entry.get("gap") is None:
        return Goal(text, f"no plan: {entry['ended']}", False)
    measured = f"{entry['seconds']:.1f} s, gap {entry['gap']:.1e}"
    measured += f", {entry['peak_mb'] / GIGABYTE_MB:.2f} GB, plan feasible {entry['feasible']}"
    reached = entry["seconds"] <= seconds and entry["feasible"] == "exactly"
    reached = reached and (gap is None or entry["gap"] <= gap)
    reached = reached and (memory_gb is None or entry["peak_mb"] <= memory_gb * GIGABYTE_MB)
    return Goal(text, measured, reached)


def _duplicates(entries: Entries) -> Goal:
    text = "1,000,000 datasets of 1,152 kinds: as fast as 1,000,000 different"
    few, all_of = entries.get("duplicates/1152"), entries.get("duplicates/1000000")
    if few is None or all_of is None or few.get("gap") is None or all_of.get("gap") is None:
        return Goal(text, "", None)
    measured = f"{few['seconds']:.1f} s, gap {few['gap']:.1e}, against {all_of['seconds']:.1f} s"
    return Goal(text, measured, few["seconds"] <= all_of["seconds"])


def _related_duels(entries: Entries) -> Iterator[Goal]:
    for datasets in (1_000, 10_000):
        text = f"{datasets:,} x 20 with relations: no dearer than the textbook's model"
        ours = entries.get(f"relations/{datasets}x20/ours", {})
        theirs = entries.get(f"relations/{datasets}x20/PuLP + HiGHS")
        if theirs is None or ours.get("objective") is None:
            yield Goal(text, "", None)
        elif theirs.get("objective") is None:
            yield Goal(text, f"it has no plan: {theirs['ended']}", True)
        else:
            ahead = ours["objective"] / theirs["objective"] - 1
            measured = f"{100 * ahead:+.4f} % in {ours['seconds']:.1f} s"
            measured += f" against {theirs['seconds']:.1f} s"
            # Where both proved their gap, plans differ within it.
            yield Goal(text, measured, ahead <= (ours["gap"] or 0.0))


def _warm(entries: Entries) -> Iterator[Goal]:
    wanted = [("forced pair", "price of forcing a pair", 1e-3), ("exits", "all exits", 6.0)]
    wanted.append(("conflict", "an irreducible conflict", 0.3))
    for measure, name, most in wanted:
        limit = f"{most * 1e3:g} ms" if most < 0.01 else f"{most:g} s"
        found = [e for e in entries.values() if e.get("measure") == measure]
        found.sort(key=lambda entry: entry["datasets"])
        for entry in found or [{"ended": "skipped", "datasets": 0}]:
            at = f" at {entry['datasets']:,}" if entry["datasets"] else ""
            spent = entry.get("measured_s")
            if spent is None:
                ran = not entry["ended"].startswith("skipped")
                yield Goal(f"{name}{at}: {limit}", entry["ended"], False if ran else None)
                continue
            shown = f"{spent * 1e6:.0f} us" if spent < 0.01 else f"{spent:.2f} s"
            yield Goal(f"{name}{at}: {limit}", shown, spent <= most)


def _certificate(entries: Entries) -> Goal:
    text = "1,000,000 end to end: the certificate at most a third"
    phases = entries.get("end-to-end/1000000", {}).get("phases")
    if not phases:
        return Goal(text, "", None)
    whole = sum(phases.values())
    share = phases.get("certificate", 0.0) / whole
    return Goal(text, f"{100 * share:.0f} % of {whole:.1f} s", share <= 1 / 3)
