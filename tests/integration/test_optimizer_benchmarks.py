"""`python -m tests.benchmarks` decides a generated city through the real rooms and the real OPA.

`python -m tests.benchmarks.optimizer` solves made problems with ours and with others.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models import Catalog, SiteRegister
from tests.benchmarks.book import machine
from tests.benchmarks.city import make_city
from tests.benchmarks.goals import goals as goals_of
from tests.benchmarks.growth import slope
from tests.benchmarks.own_process import Limits, measure
from tests.benchmarks.parts import LIBRARIES
from tests.own_children import children, own_children

__all__ = ["own_children"]  # a fixture

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


# --- the optimizer against others ----------------------------------------------------------------

SMALL = {"units": 300, "sites": 8, "seed": 1}


def _peer(name: str, recipe: dict[str, Any], seconds: float) -> dict[str, Any]:
    task = {"kind": "peer", "peer": name, "libraries": LIBRARIES[name], "recipe": recipe}
    return task | {"gap": 1e-2, "limit_s": seconds}


@pytest.fixture(scope="module")
def peers() -> dict[str, dict[str, Any]]:
    return {name: measure(_peer(name, SMALL, 20.0), Limits(20.0)) for name in LIBRARIES}


@pytest.mark.parametrize("name", LIBRARIES)
def test_every_peer_solves_the_same_problem(peers: dict[str, dict[str, Any]], name: str):
    answer = peers[name]
    assert answer["feasible"] in ("exactly", "to 1e-6"), answer
    assert 0 <= answer["gap"] <= 0.01
    assert answer["solve_s"] > 0
    assert answer["build_s"] > 0
    assert answer["peak_mb"] > 30
    least = min(other["objective"] for other in peers.values())
    assert answer["bound"] <= least * (1 + 1e-6), "a bound above another's plan"
    assert answer["objective"] <= least * 1.0101


def test_the_textbook_pays_for_flows_and_keeps_pairs_apart():
    related = {**SMALL, "units": 60, "edges": 1.5, "apart": 0.2, "migration": True}
    answer = measure(_peer("PuLP + HiGHS", related, 30.0), Limits(30.0))
    assert answer["feasible"] in ("exactly", "to 1e-6"), answer
    # The objective is counted again from the plan: a missing term would open a gap.
    assert answer["gap"] <= 0.011


def test_who_takes_too_long_is_ended(own_children):
    task = _peer("PuLP + CBC", {"units": 30_000, "sites": 20}, 0.5)
    answer = measure(task, Limits(seconds=0.5, grace_s=0.5))
    assert answer["ended"] == "killed after 1 s of building"
    assert 1.0 <= answer["seconds"] < 5.0
    assert answer.get("objective") is None
    assert children(recursive=True) == []


def test_who_takes_too_much_memory_is_ended(own_children):
    task = _peer("highspy", {"units": 100_000, "sites": 20}, 30.0)
    answer = measure(task, Limits(seconds=30.0, memory_gb=0.15))
    assert answer["ended"] == "killed: more than 0.15 GB"
    assert children(recursive=True) == []


def _optimizer(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.optimizer", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_quick_run_prints_a_table_and_keeps_its_results(tmp_path: Path):
    wanted = ["--quick", "--results", str(tmp_path), "--only", "sizes", "duplicates"]
    wanted += ["--sizes", "300", "--peers", "highspy", "--limit", "5"]
    done = _optimizer(*wanted)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "optimizer.json").read_text(encoding="utf-8"))
    measured = content["measured"]
    assert {"duplicates/100", "duplicates/10000", "sizes/300x10/ours"} < set(measured)
    for key, entry in measured.items():
        assert entry["ended"], key
        assert entry["peak_mb"] > 30, key
        if entry["objective"] is not None:
            assert entry["feasible"] in ("exactly", "to 1e-6"), key
            assert entry["bound"] <= entry["objective"] * (1 + 1e-9), key
    assert measured["sizes/300x10/ours"]["feasible"] == "exactly"
    assert measured["sizes/300x10/ours to highspy"]["to_gap_of"] == "highspy"
    assert (tmp_path / "optimizer.md").read_text(encoding="utf-8") in done.stdout
    for word in ("| Goal", "highspy", "300 x 10", "Proven gap", "not measured"):
        assert word in done.stdout
    text = json.dumps(content)
    assert socket.gethostname() not in text
    assert str(ROOT) not in text
    again = _optimizer(*wanted, "--missing")
    assert again.stdout == done.stdout
    assert again.stderr == "", "nothing was missing"


@pytest.mark.parametrize("name", ["forced pair", "conflict", "exits"])
def test_what_is_asked_afterwards_is_timed(name: str):
    recipe = {"units": 3_000, "sites": 12}
    task = {"kind": "warm", "measure": name, "recipe": recipe, "solve_s": 20.0, "limit_s": 60.0}
    answer = measure(task, Limits(60.0))
    assert answer["ended"] == "measured", answer
    assert answer["measured_s"] > 0
    if name == "forced pair":
        shares = answer["details"]["share of the exact price"]
        assert 0.9 < min(shares) <= max(shares) <= 1.001, "a price is a bound, and near"
    if name == "conflict":
        assert answer["details"]["rows"] >= 1


def test_the_chart_has_the_same_bytes_every_time(tmp_path: Path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "optimizer.json").write_text(json.dumps(_results()), encoding="utf-8")
        command = [sys.executable, "-m", "tests.benchmarks.chart", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True)
    one, two = ((folder / "growth.svg").read_bytes() for folder in folders)
    assert one == two
    assert b"<svg" in one
    assert b"<dc:date>" not in one


def _results() -> dict[str, Any]:
    def entry(datasets: int, who: str, seconds: float, gap: float | None, **more: Any) -> Any:
        known = {"part": "sizes", "datasets": datasets, "sites": 20, "who": who, "limit_s": 60}
        plan = {"objective": None if gap is None else 1e6, "feasible": gap and "exactly"}
        run = {"seconds": seconds, "gap": gap, "peak_mb": 900.0, "asked_gap": 1e-4}
        return known | plan | run | {"ended": "as told"} | more

    measured = {
        "sizes/10000x20/ours": entry(10_000, "ours", 3.0, 5e-5),
        "sizes/10000x20/highspy": entry(10_000, "highspy", 40.0, 8e-5, reached_s=36.0),
        "sizes/10000x20/CP-SAT": entry(10_000, "CP-SAT", 5.0, 2e-2),
        "sizes/10000x20/ours to highspy": entry(10_000, "ours", 2.0, 8e-5, to_gap_of="highspy"),
        "sizes/1000000x20/ours": entry(1_000_000, "ours", 11.0, 1e-7),
        "sizes/1000000x20/highspy": entry(1_000_000, "highspy", 75.0, None),
    }
    return {"machine": machine(), "measured": measured}


def test_goals_stand_next_to_what_was_measured():
    goals = {goal.text: goal for goal in goals_of(_results()["measured"])}
    tenfold = goals["10,000 x 20: 10 times faster than the best of the others"]
    assert (tenfold.fate, tenfold.measured) == ("reached", "18.0 times (highspy, gap 8.0e-05)")
    million = goals["1,000,000 x 20: 10 s, gap 1e-06, 1 GB"]
    assert million.fate == "NOT reached", "a second too late"
    assert goals["never worse than the best of the others, at any size"].fate == "reached"
    assert goals["10,000,000 x 20: 60 s, 8 GB"].fate == "not measured"


def test_a_gap_that_ours_does_not_reach_is_told():
    measured = _results()["measured"]
    measured["sizes/10000x20/ours to highspy"]["gap"] = 9e-5
    goals = {goal.text: goal for goal in goals_of(measured)}
    worst = goals["never worse than the best of the others, at any size"]
    assert (worst.fate, worst.measured) == (
        "NOT reached",
        "10,000 x 20: gap of highspy not reached",
    )


def test_time_and_memory_grow_with_a_slope():
    assert slope([(100_000, 1.0), (1_000_000, 10.0), (10_000_000, 100.0)]) == pytest.approx(1.0)
    assert slope([(1_000, 50.0), (100_000, 1.0), (1_000_000, 10.0)]) == pytest.approx(1.0)
    assert slope([(1_000, 1.0)]) is None
