"""Results as Markdown that also reads well on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.benchmarks.goals import Duel, Entries, duels, goals
from tests.benchmarks.growth import slopes
from tests.benchmarks.parts import reached_s

NONE = "-"


def report(content: dict[str, Any]) -> str:
    """The whole of optimizer.md."""
    entries: Entries = content["measured"]
    parts = [
        ("The optimizer, measured", [_machine(content["machine"])]),
        ("Goals", _goals(entries)),
        ("Against the best of the others, to the same proven gap", _duels(entries)),
        ("Every solver at every size", _sizes(entries)),
        ("Growth with the number of datasets", _growth(entries)),
        ("Lineage, pairs apart and migration", _relations(entries)),
        ("Duplicates", _duplicates(entries)),
        ("Warm", _warm(entries)),
        ("`placement decide`, end to end", _end_to_end(entries)),
    ]
    blocks: list[str] = []
    for title, lines in parts:
        text = list(lines)
        if text:
            mark = "##" if blocks else "#"
            blocks.append(f"{mark} {title}\n\n" + "\n".join(text))
    return "\n\n".join(blocks) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table with columns of even width; none without rows."""
    cells = [list(row) for row in rows]
    if not cells:
        return []
    widths = [max(len(line[c]) for line in [header, *cells]) for c in range(len(header))]
    lines = [list(header), ["-" * width for width in widths], *cells]
    return [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]


def _machine(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"{facts['cores']} cores ({facts['processor']}), {facts['memory_gb']:g} GB,"
        f" {facts['system']}, Python {facts['python']}; {versions}.\n\n"
        "Every solve runs in a process of its own. Seconds are for building and solving, memory is"
        " the peak of what is resident, the gap is (objective - bound) / objective with the"
        " objective counted again from the plan; MB and GB are powers of ten."
    )


def _goals(entries: Entries) -> list[str]:
    rows = [(goal.text, goal.measured or NONE, goal.fate) for goal in goals(entries)]
    return table(("Goal", "Measured", "Fate"), rows)


def _duels(entries: Entries) -> list[str]:
    header = "Datasets x sites", "Best other", "Its seconds", "Its gap", "Ours, seconds", "Ratio"
    return table(header, [_duel(duel) for duel in duels(entries)])


def _duel(duel: Duel) -> tuple[str, ...]:
    size = f"{duel.datasets:,} x {duel.sites}"
    ours = seconds(duel.ours.get("seconds")) if duel.ours else "gap not reached"
    if duel.peer is None:
        return size, "no gap proven", NONE, NONE, ours, NONE
    ratio = f"{duel.ratio:.1f}" if duel.ratio is not None else NONE
    its = seconds(reached_s(duel.peer))
    return size, duel.peer["who"], its, gap(duel.peer["gap"]), ours, ratio


SOLVE = "Seconds", "of them building", "Peak MB", "Objective, EUR a year", "Proven gap"
CHECKED = "Feasible", "Ended", "Runs"


def _solve(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        seconds(entry.get("seconds")),
        seconds(entry.get("build_s")),
        f"{entry['peak_mb']:,.0f}" if entry.get("peak_mb") else NONE,
        f"{entry['objective']:,.2f}" if entry.get("objective") is not None else NONE,
        gap(entry.get("gap")),
        entry.get("feasible") or NONE,
        entry["ended"],
        str(len(entry.get("all_seconds", []))),
    )


def _of(entries: Entries, part: str) -> Iterator[dict[str, Any]]:
    found = [entry for entry in entries.values() if entry["part"] == part]
    yield from sorted(found, key=_place)


def _place(entry: dict[str, Any]) -> tuple[Any, ...]:
    ours = entry.get("who") != "ours", entry.get("to_gap_of", ""), entry.get("who", "")
    return entry.get("sites", 0), entry["datasets"], *ours


def _sizes(entries: Entries) -> list[str]:
    rows = []
    for entry in _of(entries, "sizes"):
        who = entry["who"]
        who += f", to the gap of {entry['to_gap_of']}" if "to_gap_of" in entry else ""
        rows.append((f"{entry['datasets']:,} x {entry['sites']}", who, *_solve(entry)))
    return table(("Datasets x sites", "Solver", *SOLVE, *CHECKED), rows)


def _relations(entries: Entries) -> list[str]:
    rows = [
        (f"{entry['datasets']:,} x {entry['sites']}", entry["who"], *_solve(entry))
        for entry in _of(entries, "relations")
    ]
    return table(("Datasets x sites", "Solver", *SOLVE, *CHECKED), rows)


def _duplicates(entries: Entries) -> list[str]:
    rows = [
        (f"{entry['datasets']:,} x {entry['sites']}", f"{entry['distinct']:,}", *_solve(entry))
        for entry in _of(entries, "duplicates")
    ]
    return table(("Datasets x sites", "Different", *SOLVE, *CHECKED), rows)


def _growth(entries: Entries) -> list[str]:
    rows = [
        (f"{sites} sites", *(f"N^{slope:.2f}" if slope is not None else NONE for slope in found))
        for sites, found in sorted(slopes(entries).items())
    ]
    return table(("", "Seconds grow as", "Peak memory grows as"), rows)


def _warm(entries: Entries) -> list[str]:
    rows = []
    for entry in _of(entries, "warm"):
        details = "; ".join(f"{k}: {v}" for k, v in entry.get("details", {}).items())
        spent = entry.get("measured_s")
        shown = NONE if spent is None else f"{spent * 1e6:.0f} us" if spent < 0.01 else ""
        what = f"{entry['datasets']:,} x {entry['sites']}", entry["measure"]
        rows.append((*what, shown or f"{spent:.2f} s", details or NONE, entry["ended"]))
    return table(("Datasets x sites", "Measure", "Time", "Details", "Ended"), rows)


def _end_to_end(entries: Entries) -> list[str]:
    lines = []
    for entry in _of(entries, "end-to-end"):
        phases = entry.get("phases") or {}
        whole = sum(phases.values()) or 1.0
        rows = [(name, f"{s:.2f}", f"{100 * s / whole:.1f} %") for name, s in phases.items()]
        spent, peak = seconds(entry.get("seconds")), entry.get("peak_mb", 0.0)
        lines.append(
            f"{entry['datasets']:,} datasets: {entry['ended']}, {spent} s, peak {peak:,.0f} MB."
        )
        lines += ["", *table(("Phase", "Seconds", "Share"), rows)] if rows else []
    return lines


def seconds(value: float | None) -> str:
    """With two decimals."""
    return NONE if value is None else f"{value:,.2f}"


def gap(value: float | None) -> str:
    """With two digits."""
    return NONE if value is None else f"{value:.1e}"
