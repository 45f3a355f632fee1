"""`python -m tests.benchmarks` decides a generated city through the real rooms and the real OPA."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from models import Catalog, SiteRegister
from tests.benchmarks.city import make_city

ROOT = Path(__file__).resolve().parents[2]


def test_a_small_run_prints_and_writes_every_stage(tmp_path: Path):
    out = tmp_path / "results.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--sizes", "100", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(out.read_text(encoding="utf-8"))
    stages = {"set-up", "graph", "eligibility", "build", "solve", "certificate", "all"}
    assert set(run["seconds"]) == stages
    assert run["result"]["termination"] == "within_gap"
    assert run["result"]["certificate_holds"] is True
    assert 0 <= run["result"]["gap"] <= 0.001
    assert {"capacity", "concentration_volume"} <= set(run["result"]["binding"])
    assert run["memory_mb"]["placement"] > 0
    names = [other["name"] for other in run["compared"]]
    assert names == ["PuLP + highs", "PuLP + cbc"]
    ours = run["result"]["objective_eur"]
    for other in run["compared"]:
        assert abs(other["objective"] / ours - 1) < 0.002, "the textbook solves another problem"
    for word in ("objective", "bound", "gap", "peak memory", "against"):
        assert word in done.stdout


def test_a_seed_makes_the_same_city_and_another_seed_another():
    assert make_city(50, seed=1) == make_city(50, seed=1)
    assert make_city(50, seed=1) != make_city(50, seed=2)


def test_a_generated_city_is_written_and_read_like_any_other():
    catalog, register, _ = make_city(50, seed=3)
    assert Catalog.model_validate_json(catalog.model_dump_json()) == catalog
    assert SiteRegister.model_validate_json(register.model_dump_json()) == register
