"""`placement decide` from Parquet to Parquet, as anybody would run it, and where its time goes.

The measured process (`python -m tests.benchmarks.end_to_end JSON`) writes a generated city, says
that it is ready, and runs the command, which answers with the seconds of its phases.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.own_process import Limits, measure

CITY = "tests.benchmarks.big_city"
SITES = 20
PLAN = "plan.parquet"


def decide_city(
    datasets: int, seed: int, limit_s: float, memory_gb: float = 18.0
) -> dict[str, Any]:
    """Seconds, peak memory of everything the command starts, and its phases."""
    if importlib.util.find_spec(CITY) is None:
        return {"ended": f"skipped: there is no {CITY}"}
    task = {"datasets": datasets, "seed": seed, "limit_s": limit_s}
    limits = Limits(limit_s, memory_gb)
    return measure(task, limits, module="tests.benchmarks.end_to_end")


def main() -> None:
    """Write a city, decide it, and tell the parent."""
    task = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "city"
        _write_city(folder, task)
        _say("ready")
        began = time.perf_counter()
        done = subprocess.run(_command(folder), check=False, stdout=subprocess.PIPE)
        spent = time.perf_counter() - began
        _say("solved")
        _say("done", answer=_answer(done, spent, folder))


def _write_city(folder: Path, task: dict[str, Any]) -> None:
    """In a process of its own, so that its memory is gone before the command begins."""
    size = [str(number) for number in (task["datasets"], SITES, task["seed"])]
    command = [sys.executable, "-m", CITY, str(folder), *size]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _command(folder: Path) -> list[str]:
    inputs = [f"--catalog={folder}", "--format-catalog=columns", f"--sites={folder / 'sites.json'}"]
    inputs.append(f"--parameters={folder / 'parameters.json'}")
    output = [f"--out={folder.parent / PLAN}", "--format=json", "--quiet"]
    return [sys.executable, "-m", "placement.cli", "decide", *inputs, *output]


def _answer(done: subprocess.CompletedProcess[bytes], spent: float, folder: Path) -> dict[str, Any]:
    answer: dict[str, Any] = {"seconds": round(spent, 3)}
    if done.returncode != 0:
        return answer | {"ended": f"failed: exit {done.returncode}"}
    said = json.loads(done.stdout)
    plan = folder.parent / PLAN
    known = {name: said["plan"][name] for name in ("objective_eur", "gap")}
    known["phases"] = said["phases"]
    size = round(plan.stat().st_size / 1e6, 1) if plan.exists() else None
    return answer | known | {"plan_mb": size, "ended": str(said["plan"]["termination"])}


def _say(at: str, **more: Any) -> None:
    print(json.dumps({"at": at, **more}), flush=True)


if __name__ == "__main__":
    main()
