"""Commands on a real service: what they show, how they leave; and auditing without any service."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models import Catalog, CityRole, Plan, SiteRegister
from placement.catalog import write_json
from placement.cli.app import app
from tests import decision_cases
from tests.client_cases import DECIDED

Run = Callable[..., Result]
OFFICE = CityRole.DATA_MANAGEMENT_OFFICE
BOARD = CityRole.GOVERNANCE_BOARD


@pytest.fixture
def run(live_service) -> Run:
    """Runs a command on the service as somebody with a role."""

    def command(*arguments: object, role: CityRole = OFFICE, subject: str = "") -> Result:
        environment = {
            "COLUMNS": "200",
            "PLACEMENT_SERVER": live_service.url,
            "PLACEMENT_TOKEN": live_service.token(role, subject),
            "DATABASE_URL": None,
            "PLACEMENT_DATA": None,
        }
        return CliRunner(env=environment).invoke(app, [str(argument) for argument in arguments])

    return command


def answered(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def rows(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


# -- the commands that also work on files -----------------------------------------------------


def test_decide_proposes_and_shows_the_plan(run, tmp_path):
    out = tmp_path / "plan.json"
    result = run("decide", "--title", "by command", "--out", out, "--gap", "0.2%")
    assert result.exit_code == 0, result.stderr
    assert "Testburg: 5 datasets placed" in result.stdout
    (number,) = re.findall(r"^decision (\d+): proposed$", result.stderr, re.MULTILINE)
    plan = Plan.model_validate_json(out.read_bytes())
    assert str(plan.parameters.gap) == "0.002"
    assert plan.parameters.alternatives_min == decision_cases.PARAMETERS.alternatives_min
    shown = answered(run("decisions", "show", number, "--format", "json"))
    assert (shown["title"], shown["plan"]) == ("by command", plan.digest)
    again = run("decisions", "plan", number, "--format", "json")
    assert Plan.model_validate_json(again.stdout) == plan
    verified = run("verify", out)
    assert verified.exit_code == 0
    assert "The plan holds." in verified.stdout


def test_a_plan_that_somebody_changed_does_not_hold(run, tmp_path):
    plan = answered(run("decisions", "plan", DECIDED, "--format", "json"))
    plan["placements"][0]["sites"] = ["archive"]
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(plan), encoding="utf-8")
    result = run("verify", forged)
    assert result.exit_code == 1
    assert "does NOT hold" in result.stdout


def test_no_plan_is_exit_1(run, tmp_path):
    harsh = tmp_path / "parameters.json"
    harsh.write_text('{"alternatives_min": 3, "critical_level": 0}', encoding="utf-8")
    out = tmp_path / "plan.json"
    result = run("decide", "--parameters", harsh, "--out", out)
    assert result.exit_code == 1, result.stderr
    assert "No plan" in result.stdout
    assert "unresolved" in result.stderr
    assert not out.exists()


def test_check_and_explain(run):
    assert rows(run("check", "--format", "csv"))[0]["dataset"] == "bag"
    explained = run("explain", "bag")
    assert explained.exit_code == 0
    assert explained.stdout.startswith("bag rests at ")


def test_files_are_worked_on_here_though_a_service_is_named(run, tmp_path):
    absent = tmp_path / "catalog.json"
    result = run("check", "--catalog", absent, "--sites", absent)
    assert result.exit_code == 2
    assert str(absent) in result.stderr


def test_import_brings_native_files(run, tmp_path):
    catalog, sites = tmp_path / "catalog.json", tmp_path / "sites.json"
    write_json(decision_cases.catalog(), catalog)
    write_json(decision_cases.register(), sites)
    assert Catalog.model_validate_json(catalog.read_bytes()).datasets
    assert SiteRegister.model_validate_json(sites.read_bytes()).sites
    both = answered(
        run("import", "catalog", catalog, "--sites", sites, "--dry-run", "--format", "json")
    )
    assert both["dry_run"] is True
    half = run("import", "sites", sites)
    assert half.exit_code == 0
    assert half.stdout.startswith("Nothing changes: version ")


def test_an_import_that_does_not_fit_says_where(run, tmp_path):
    catalog = tmp_path / "catalog.json"
    homeless = decision_cases.catalog()
    moved = homeless.datasets[1].model_copy(update={"current_site": "atlantis"})
    write_json(homeless.model_copy(update={"datasets": (moved,), "relations": ()}), catalog)
    result = run("import", "catalog", catalog)
    assert result.exit_code == 2
    assert "atlantis" in result.stderr


def test_schemas_of_the_service_are_ours(run, live_service):
    there = run("schema", "sites", "--server", live_service.url)
    assert answered(there) == answered(run("schema", "sites"))


# -- the life of a decision -------------------------------------------------------------------


def test_placements_as_table_json_and_csv(run):
    assert "bag/maps:v1" in run("placements").stdout
    items = answered(run("placements", "--department", "Green", "--format", "json"))["items"]
    assert {item["department"] for item in items} == {"Green"}
    found = rows(run("placements", "--format", "csv"))
    assert {row["decision"] for row in found} == {str(DECIDED)}
    assert run("placements", "bag").stdout.startswith("bag rests at ")
    assert run("placements", "atlantis").exit_code == 7


def test_what_if_compares_and_promises_nothing(run):
    result = run("what-if", "--require", "trees=hoster", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert "It cannot be approved." in result.stdout
    assert f"Against decision {DECIDED}" in result.stdout
    assert run("what-if", "--without", "atlantis").exit_code == 2
    assert run("what-if", "--require", "trees").exit_code == 2


def test_decisions_are_listed_compared_and_moved_by_whom_it_concerns(run):
    (number,) = re.findall(r"^decision (\d+): ", run("decide", "-q").stderr, re.MULTILINE)
    assert number in {row["number"] for row in rows(run("decisions", "list", "--format", "csv"))}
    assert "Before and after" in run("decisions", "diff", number).stdout
    refused = run("decisions", "approve", number)
    assert refused.exit_code == 6
    assert refused.stdout == ""
    withdrawn = run("decisions", "withdraw", number, "--reason", "a test", role=BOARD)
    assert withdrawn.stdout == f"Decision {number} is withdrawn.\n"
    late = run("decisions", "approve", number, "--format", "json", role=BOARD)
    assert late.exit_code == 7
    assert json.loads(late.stderr)["code"] == "conflict"
    events = rows(run("decisions", "show", number, "--format", "csv"))
    assert [event["state"] for event in events] == ["proposed", "withdrawn"]


def test_jobs(run):
    jobs = rows(run("jobs", "list", "--kind", "decide", "--format", "csv"))
    first = jobs[-1]["id"]
    assert "Decide".lower() in run("jobs", "show", first, "--wait").stdout
    assert answered(run("jobs", "cancel", first, "--format", "json"))["state"] == "done"
    assert run("jobs", "show", "0" * 32).exit_code == 7


def test_a_replay_by_the_service(run, live_service):
    result = run("replay", DECIDED, "--server", live_service.url, "-q")
    assert result.exit_code == 0, result.stderr
    assert f"Decision {DECIDED} is reproduced to the last digit." in result.stdout


# -- policies, keys ---------------------------------------------------------------------------


def test_the_first_steps_of_a_policy_change(run, tmp_path):
    reviewer = CityRole.SECURITY_REVIEWER
    folder = tmp_path / "policies"
    assert run("policies", "show", "--out", folder, role=reviewer).exit_code == 0
    assert run("policies", "show", "--out", folder, role=reviewer).exit_code == 2
    data = folder / "data.json"
    data.write_text(data.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    made = run(
        "policies", "draft", folder, "--title", "a line", "--format", "json",
        role=reviewer, subject="cas",
    )  # fmt: skip
    draft = answered(made)["id"]
    drafts = rows(run("policies", "list", "--drafts", "--format", "csv"))
    assert draft in {row["id"] for row in drafts}
    edited = run(
        "policies", "draft", folder, "--title", "b", "--draft", draft, role=reviewer, subject="cas"
    )
    assert edited.exit_code == 0, edited.stderr
    impact = run("policies", "impact", draft)
    assert "0 become ineligible" in impact.stdout
    own = run("policies", "review", draft, "--accept", role=reviewer, subject="cas")
    assert own.exit_code == 6
    unchecked = run("policies", "review", draft, "--accept", role=reviewer, subject="dirk")
    assert unchecked.exit_code == 7
    rejected = run("policies", "review", draft, "--reject", role=reviewer, subject="dirk")
    assert "rejected" in rejected.stdout
    assert run("policies", "approve", draft, role=BOARD).exit_code == 7
    assert run("policies", "publish", draft, role=BOARD).exit_code == 7
    assert run("policies", "rollback", 99, role=BOARD).exit_code == 7
    used = rows(run("policies", "usage", "--format", "csv"))
    assert len(used) >= 30
    assert rows(run("policies", "list", "--format", "csv"))[-1]["number"] == "1"


def test_keys_and_me(run):
    key = answered(
        run("keys", "create", "--label", "mover", "--role", "provisioner", "--format", "json")
    )
    ident = key["key"]["id"]
    assert key["token"].startswith("plk_")
    assert ident in run("keys", "list").stdout
    assert key["token"] not in run("keys", "list", "--format", "json").stdout
    assert run("keys", "revoke", ident).exit_code == 0
    assert run("keys", "create", "--label", "x", "--role", "king").exit_code == 2
    assert run("keys", "create", "--label", "x", "--role", "governance_board").exit_code == 6
    assert "data_management_office" in run("me").stdout


def test_nobody_and_nowhere(run, live_service):
    runner = CliRunner(env={"PLACEMENT_SERVER": None, "PLACEMENT_TOKEN": None})
    assert runner.invoke(app, ["me"]).exit_code == 2
    assert runner.invoke(app, ["me", "--server", live_service.url]).exit_code == 6
    assert runner.invoke(app, ["me", "--server", "http://127.0.0.1:1"]).exit_code == 8
    assert runner.invoke(app, ["me", "--server", "http://example.org"]).exit_code == 2
    assert runner.invoke(app, ["health", "--server", live_service.url]).exit_code == 0


# -- auditors ---------------------------------------------------------------------------------


def test_auditors_list_keep_and_copy(run, live_service):
    auditor = CityRole.AUDITOR
    listed = rows(run("audit", "list", "--action", "decision_approved", "--format", "csv",
                      role=auditor))  # fmt: skip
    assert [row["subject"] for row in listed] == [f"decision/{DECIDED}"]
    copied = run("audit", "export", role=auditor)
    assert copied.exit_code == 0
    *records, last = copied.stdout.splitlines()
    assert json.loads(last)["head"]["sequence"] == len(records)
    said = run("audit", "verify", "--server", live_service.url, role=auditor)
    assert said.exit_code == 0
    assert f"says {live_service.url}" in said.stdout
    assert run("audit", "list").exit_code == 6


@pytest.fixture
def copied(live_service, tmp_path) -> Path:
    """A copy of the service's folder, as an auditor takes one: without any private key."""
    folder = tmp_path / "copy"
    (folder / "keys").mkdir(parents=True)
    shutil.copytree(live_service.data / "keys" / "audit.public", folder / "keys" / "audit.public")
    source = sqlite3.connect(live_service.data / "placement.sqlite3")
    target = sqlite3.connect(folder / "placement.sqlite3")
    source.backup(target)
    source.close()
    target.close()
    return folder


def test_the_log_is_verified_without_the_service(run, copied):
    result = run("audit", "verify", "--data", copied, "--format", "json")
    found = answered(result)
    assert found["holds"] is True
    assert found["records"] > 5


def test_a_log_that_was_tampered_with_is_exit_1_with_each_defect(run, copied):
    with sqlite3.connect(copied / "placement.sqlite3") as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        assert database.execute("DELETE FROM audit WHERE sequence = 3").rowcount == 1
    database.close()
    result = run("audit", "verify", "--data", copied)
    assert result.exit_code == 1
    assert "does NOT hold" in result.stdout
    assert "- record " in result.stdout
    assert json.loads(run("audit", "verify", "--data", copied, "--format", "json").stdout)[
        "defects"
    ]


def test_a_head_that_was_kept_tells_that_the_log_was_cut_off(run, copied, tmp_path):
    kept = tmp_path / "head.json"
    later = run("audit", "head", "--format", "json", role=CityRole.AUDITOR).stdout
    kept.write_text(later, encoding="utf-8")
    holds = run("audit", "verify", "--data", copied, "--head", kept)
    known = json.loads(run("audit", "verify", "--data", copied, "--format", "json").stdout)
    assert (holds.exit_code == 0) == (known["head"]["sequence"] >= json.loads(later)["sequence"])
    beyond = json.loads(later) | {"sequence": json.loads(later)["sequence"] + 1000}
    kept.write_text(json.dumps(beyond), encoding="utf-8")
    assert run("audit", "verify", "--data", copied, "--head", kept).exit_code == 1
    assert run("audit", "verify", "--data", copied, "--head", tmp_path / "none").exit_code == 7


def test_a_database_that_is_not_there_does_not_hold(run, tmp_path):
    for command in (("audit", "verify"), ("replay", "1")):
        result = run(*command, "--data", tmp_path / "nowhere")
        assert result.exit_code == 5
        assert result.stdout == ""
    assert not (tmp_path / "nowhere").exists()


def test_a_decision_is_replayed_without_the_service(run, copied):
    result = run("replay", DECIDED, "--data", copied, "--format", "json")
    found = answered(result)
    assert (found["reproduced"], found["exact"], found["own_policies"]) == (True, True, True)
    by_number = run("replay", DECIDED, "--policies", 1, "--data", copied)
    assert by_number.exit_code == 0
    assert run("replay", 999, "--data", copied).exit_code == 7
