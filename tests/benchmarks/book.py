"""The results of a benchmark as one JSON file, written after every measurement."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.own_process import Limits, measure

LIBRARIES = ("numpy", "scipy", "numba", "pulp", "highspy", "ortools", "pyarrow", "distributed")
FILE = "optimizer.json"


def memory_limit_gb() -> float:
    """For one solve: 18 GB, or three quarters of a smaller machine's memory."""
    return min(18.0, round(0.75 * psutil.virtual_memory().total / 1e9, 1))


def machine() -> dict[str, Any]:
    """What the numbers depend on; no name of a host, a user or a path."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    return {
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


@dataclass
class Book:
    """Measurements by key, such as `sizes/1000x10/ours`."""

    folder: Path | None = None
    """Where the file lies; none to keep nothing."""
    keep: bool = False
    """What the file already holds is not measured again."""
    memory_gb: float = field(default_factory=memory_limit_gb)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder is not None and (self.folder / FILE).exists():
            self.entries = read(self.folder)["measured"]

    def has(self, key: str) -> bool:
        """Whether a measurement need not be made again."""
        entry = self.entries.get(key, {"ended": "skipped"})
        return self.keep and not entry["ended"].startswith(("skipped", "failed"))

    def forget(self, beginning: str) -> None:
        """Drop what an earlier run measured and this one may not, unless it is to be kept."""
        if not self.keep:
            gone = [key for key in self.entries if key.startswith(beginning)]
            self.entries = {k: e for k, e in self.entries.items() if k not in gone}

    def run(
        self, key: str, task: dict[str, Any], about: dict[str, Any], repeat: int = 1
    ) -> dict[str, Any]:
        """Measure a task, up to `repeat` times, in processes of their own; the median run.

        A run that took half its time limit, or had no answer, is not repeated.
        """
        if self.has(key):
            return self.entries[key]
        limits = Limits(task["limit_s"], self.memory_gb)
        load = round(os.getloadavg()[0], 2)
        runs = []
        for _ in range(repeat):
            runs.append(self._once(key, task, limits))
            seconds = runs[-1].get("seconds")
            if seconds is None or seconds > limits.seconds / 2:
                break
        middle = median_run(runs)
        entry = (
            about
            | middle
            | {
                "limit_s": task["limit_s"],
                "asked_gap": task.get("gap"),
                "load_before": load,
                "all_seconds": [run.get("seconds") for run in runs],
            }
        )
        return self.note(key, entry)

    def _once(self, key: str, task: dict[str, Any], limits: Limits) -> dict[str, Any]:
        print(f"{key} ...", end=" ", file=sys.stderr, flush=True)
        answer = measure(task, limits)
        if "solve_s" in answer:
            answer["seconds"] = round(answer["build_s"] + answer["solve_s"], 3)
        print(_brief(answer), file=sys.stderr, flush=True)
        return answer

    def note(self, key: str, entry: dict[str, Any]) -> dict[str, Any]:
        """Keep an entry, and write the file."""
        self.entries[key] = entry
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.content(), indent=1, sort_keys=True, allow_nan=False)
            draft = self.folder / f"{FILE}.new"
            draft.write_text(text + "\n", encoding="utf-8")
            draft.replace(self.folder / FILE)
        return entry

    def content(self) -> dict[str, Any]:
        """What the file holds."""
        return {"machine": machine(), "measured": self.entries}


def read(folder: Path) -> dict[str, Any]:
    """The content of a results file."""
    content: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return content


def median_run(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run with the median seconds; of an even number, the slower of the two in the middle."""
    timed = [run for run in runs if run.get("seconds") is not None]
    if not timed:
        return runs[-1]
    middle = statistics.median_high(run["seconds"] for run in timed)
    return next(run for run in timed if run["seconds"] == middle)


def _brief(answer: dict[str, Any]) -> str:
    parts = []
    if answer.get("seconds") is not None:
        parts.append(f"{answer['seconds']:.2f} s")
    if answer.get("gap") is not None:
        parts.append(f"gap {answer['gap']:.1e}")
    parts += [f"{answer['peak_mb']:,.0f} MB", answer.get("ended", "")]
    return ", ".join(part for part in parts if part)
