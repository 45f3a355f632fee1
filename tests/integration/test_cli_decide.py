"""The main job through the real command, the real policies and the real OPA."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from models import Plan
from placement.catalog import write_json
from tests import builders

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
PATIENCE_S = 120

# Never true, and takes OPA longer than any test waits: time to interfere with a decision.
SLOW_RULE = """package residency

violations contains "never" if {
	numbers_of := numbers.range(1, 30000)
	count([1 | some a in numbers_of; some b in numbers_of; a * b < 0]) > 0
}
"""


@dataclass(frozen=True)
class City:
    """Two datasets and three sites, one of them out of bounds for personal data."""

    folder: Path

    @property
    def inputs(self) -> list[str]:
        catalog, sites = self.folder / "catalog.json", self.folder / "sites.json"
        return ["--catalog", str(catalog), "--sites", str(sites)]

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"


def american_site() -> Any:
    return builders.site(
        "uscloud", operator="acme", country="US", object_price_eur_per_gb_month=Decimal("0.001")
    )


@pytest.fixture
def city(tmp_path: Path) -> City:
    operators = (
        builders.operator("city"),
        builders.operator(
            "acme", country="US", parent_jurisdiction="US", extraterritorial_exposure=True
        ),
    )
    sites = (
        builders.site("townhall"),
        builders.site("depot", object_price_eur_per_gb_month=Decimal("0.05")),
        american_site(),
    )
    datasets = (builders.dataset("permits"), builders.dataset("trips", volume_gb=40))
    write_json(builders.catalog(*datasets), tmp_path / "catalog.json")
    write_json(builders.register(*sites, operators=operators), tmp_path / "sites.json")
    return City(tmp_path)


@pytest.fixture
def slow_policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    (folder / "residency" / "slow.rego").write_text(SLOW_RULE)
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "placement.cli", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PLACEMENT_POLICIES": str(POLICIES),
    }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@contextlib.contextmanager
def deciding(city: City, policies: Path) -> Iterator[subprocess.Popen[str]]:
    """A decision in progress; whatever it leaves behind is ended."""
    arguments = ["decide", *city.inputs, "--policies", str(policies), "--out", str(city.plan)]
    process = subprocess.Popen(
        command(*arguments),
        # Longer than our patience: nobody who interrupts is made to wait for OPA's deadline.
        env=environment() | {"PLACEMENT_OPA_DEADLINE_S": "3600"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.communicate()


def busy_opa(process: subprocess.Popen[str]) -> psutil.Process:
    """The OPA below this process, once it is in the middle of the slow rule."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the decision ended by itself: {process.communicate()}")
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "opa" in child.name() and child.cpu_times().user > 1:
                    return child
        time.sleep(0.05)
    pytest.fail("OPA never started to work")


def decide(city: City) -> Plan:
    result = run("decide", *city.inputs, "--out", str(city.plan))
    assert result.returncode == 0, result.stderr
    return Plan.model_validate_json(city.plan.read_bytes())


# --- decided -----------------------------------------------------------------------------------


def test_a_plan_is_decided_written_and_verified(city):
    result = run("decide", *city.inputs, "--out", str(city.plan), "--format", "json")
    assert result.returncode == 0, result.stderr
    assert result.stdout == city.plan.read_text()
    plan = Plan.model_validate_json(result.stdout)
    assert {p.dataset: p.sites for p in plan.placements} == {
        "permits": ("townhall",),
        "trips": ("townhall",),
    }
    assert plan.certificate.holds
    checked = run("verify", str(city.plan), *city.inputs)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "The plan holds." in checked.stdout


def test_the_answer_is_on_stdout_and_progress_on_stderr(city):
    result = run("decide", *city.inputs)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Testburg: 2 datasets placed at 1 of 3 sites")
    assert result.stderr
    quiet = run("decide", *city.inputs, "--quiet", "--format", "csv")
    assert quiet.stderr == ""
    rows = list(csv.DictReader(io.StringIO(quiet.stdout)))
    assert [(row["dataset"], row["site"]) for row in rows] == [
        ("permits", "townhall"),
        ("trips", "townhall"),
    ]


def test_a_terminal_sees_progress_and_then_the_answer(city):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("decide", *city.inputs),
        env=environment() | {"TERM": "xterm-256color", "COLUMNS": "60"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as screen:  # noqa: PTH123
        while chunk := screen.read(4096):  # ends with an OSError when the last writer leaves
            seen += chunk
    assert process.wait(timeout=PATIENCE_S) == 0
    assert b"Testburg: 2 datasets placed" in seen
    assert b"\x1b[" in seen


def test_a_plan_edited_by_hand_fails_naming_the_violation(city):
    decide(city)
    document = json.loads(city.plan.read_text())
    document["placements"][0]["sites"] = ["uscloud"]
    city.plan.write_text(json.dumps(document))
    result = run("verify", str(city.plan), *city.inputs)
    assert result.returncode == 1, result.stderr
    assert "does NOT hold" in result.stdout
    assert "permits" in result.stdout
    assert "residency." in result.stdout
    assert "uscloud" in result.stdout


def test_a_plan_cut_short_is_bad_input(city):
    decide(city)
    city.plan.write_bytes(city.plan.read_bytes()[:-100])
    result = run("verify", str(city.plan), *city.inputs)
    assert result.returncode == 2
    assert "plan.json" in result.stderr
    assert "Traceback" not in result.stderr


def test_explain_tells_the_violations_and_the_price_of_other_sites(city):
    decide(city)
    result = run("explain", str(city.plan), "permits")
    assert result.returncode == 0, result.stderr
    assert "permits rests at townhall" in result.stdout
    depot = next(line for line in result.stdout.splitlines() if "depot:" in line)
    assert "a year more" in depot
    assert "uscloud: not allowed" in result.stdout
    assert "residency." in result.stdout


@pytest.mark.parametrize("arguments", [("nothing",), ("permits", "--site", "nowhere")])
def test_explain_of_something_unknown_is_bad_input(city, arguments):
    decide(city)
    result = run("explain", str(city.plan), *arguments)
    assert result.returncode == 2
    assert arguments[-1] in result.stderr


def test_the_real_catalogue_of_amsterdam_over_the_real_price_lists(real_data, tmp_path):
    inputs = [
        *("--format-catalog", "amsterdam-schema"),
        *("--catalog", str(real_data / "amsterdam-schema")),
        *("--format-sites", "eu-cloud-prices"),
        *("--sites", str(real_data / "eu-cloud-prices")),
    ]
    out = tmp_path / "plan.json"
    result = run("decide", *inputs, "--out", str(out), "--format", "csv")
    assert result.returncode == 0, result.stdout + result.stderr
    plan = Plan.model_validate_json(out.read_bytes())
    assert len(plan.placements) == 112
    assert plan.certificate.holds
    assert len(list(csv.DictReader(io.StringIO(result.stdout)))) >= 112
    checked = run("verify", str(out), *inputs)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- no plan -----------------------------------------------------------------------------------


def test_a_dataset_without_an_eligible_site_is_exit_1_with_the_reasons(city):
    register = builders.register(
        american_site(),
        operators=(
            builders.operator("acme", country="US", parent_jurisdiction="US"),
            builders.operator("city"),
        ),
    )
    write_json(register, city.folder / "sites.json")
    result = run("decide", *city.inputs, "--out", str(city.plan), "--format", "json")
    assert result.returncode == 1, result.stderr
    answer = json.loads(result.stdout)
    assert answer["answer"] == "no_eligible_site"
    assert [item["dataset"] for item in answer["datasets"]] == ["permits", "trips"]
    assert not city.plan.exists()
    table = run("decide", *city.inputs)
    assert table.returncode == 1
    assert "2 datasets cannot be placed" in table.stdout
    assert "residency." in table.stdout
    assert run("check", *city.inputs).returncode == 1


def test_too_much_data_for_the_eligible_sites_is_infeasible(city):
    sites = (builders.site("townhall", capacity_gb=100), builders.site("depot", capacity_gb=10))
    write_json(builders.register(*sites), city.folder / "sites.json")
    result = run("decide", *city.inputs, "--out", str(city.plan), "--format", "json")
    assert result.returncode == 1, result.stderr
    answer = json.loads(result.stdout)
    assert answer["answer"] == "infeasible"
    assert "capacity[townhall]" in answer["core"]
    assert not city.plan.exists()


def test_check_answers_without_choosing(city):
    result = run("check", *city.inputs, "--format", "csv")
    assert result.returncode == 0, result.stderr
    eligible = {
        (row["dataset"], row["site"]): row["eligible"]
        for row in csv.DictReader(io.StringIO(result.stdout))
    }
    assert eligible[("permits", "townhall")] == "true"
    assert eligible[("permits", "uscloud")] == "false"


# --- no answer ---------------------------------------------------------------------------------


def test_defects_of_both_files_are_reported_at_once(city):
    for name, key in (("catalog.json", "datasets"), ("sites.json", "sites")):
        path = city.folder / name
        document = json.loads(path.read_text())
        document[key][0]["surprise"] = 1
        path.write_text(json.dumps(document))
    result = run("decide", *city.inputs, "--out", str(city.plan))
    assert result.returncode == 2
    assert "catalog.json" in result.stderr
    assert "sites.json" in result.stderr
    assert result.stderr.count("surprise") == 2
    assert not city.plan.exists()


def test_a_missing_opa_is_exit_3(city):
    result = subprocess.run(
        command("decide", *city.inputs, "--out", str(city.plan)),
        env=environment() | {"PLACEMENT_OPA_BIN": str(city.folder / "no-opa")},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert not city.plan.exists()


def test_killing_opa_in_the_middle_is_exit_3_without_a_plan(city, slow_policies):
    with deciding(city, slow_policies) as process:
        busy_opa(process).kill()
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert not city.plan.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_decision_takes_opa_with_it(city, slow_policies, number, code):
    with deciding(city, slow_policies) as process:
        opa = busy_opa(process)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, stderr
        assert stdout == ""
        assert "Traceback" not in stderr
        assert not city.plan.exists()
        psutil.wait_procs([opa], timeout=PATIENCE_S)
        assert not opa.is_running()
