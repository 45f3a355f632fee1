"""Tables and chart from a results file: `python -m tests.benchmarks.chart [FOLDER]`.

Writes optimizer.md and growth.svg beside optimizer.json. The same results make the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl

from tests.benchmarks.book import read
from tests.benchmarks.growth import curve, slope
from tests.benchmarks.parts import LIBRARIES
from tests.benchmarks.tables import report

RESULTS = Path(__file__).resolve().parent / "results"
STYLES = {
    "ours": ("#0b6e4f", "o", "-"),
    "PuLP + CBC": ("#b5651d", "s", "--"),
    "PuLP + HiGHS": ("#8c1c13", "^", "--"),
    "highspy": ("#5b3a8c", "v", "--"),
    "CP-SAT": ("#33658a", "D", "--"),
}
PANELS = (("seconds", "Seconds, building and solving"), ("peak_mb", "Peak memory, MB"))


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.chart", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=RESULTS)
    folder: Path = parser.parse_args().folder
    content = read(folder)
    (folder / "optimizer.md").write_text(report(content), encoding="utf-8")
    draw(content, folder / "growth.svg")


def draw(content: dict[str, Any], file: Path) -> None:
    """Time and memory against the number of datasets, a column for each number of sites."""
    mpl.use("svg")
    from matplotlib import pyplot as plt

    settings: Any = {"svg.hashsalt": "placement", "svg.fonttype": "path", "font.size": 9}
    entries = content["measured"]
    sites = sorted({e["sites"] for e in entries.values() if e["part"] == "sizes"})
    with mpl.rc_context(settings):
        figure, axes = plt.subplots(
            len(PANELS), len(sites), figsize=(4 * len(sites), 7), sharex=True, sharey="row"
        )
        for row, (what, label) in enumerate(PANELS):
            for column, s in enumerate(sites):
                axis = axes[row][column] if len(sites) > 1 else axes[row]
                _panel(axis, entries, s, what)
                if column == 0:
                    axis.set_ylabel(label)
                if row == 0:
                    axis.set_title(f"{s} sites")
                else:
                    axis.set_xlabel("Datasets")
        figure.tight_layout()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def _panel(axis: Any, entries: dict[str, dict[str, Any]], sites: int, what: str) -> None:
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    for who in ("ours", *LIBRARIES):
        points = curve(entries, who, sites, what)
        if not points:
            continue
        steep = slope(points) if who == "ours" else None
        label = who if steep is None else f"{who}, slope {steep:.2f}"
        color, marker, line = STYLES[who]
        axis.plot(*zip(*points, strict=True), line, color=color, marker=marker, label=label, ms=4)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc="upper left", fontsize=7)


if __name__ == "__main__":
    main()
