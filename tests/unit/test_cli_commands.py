"""Commands over a hand-made service: what they ask, what they answer, how they leave."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from models import Plan, Stale
from placement import service
from placement.cli.app import app
from placement.errors import (
    BadInput,
    CertificateError,
    Defect,
    GapNotReached,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlacementError,
    PolicyEngineError,
    PolicyRevisionMismatch,
    ServiceError,
    SolverError,
    StaleProposal,
    StoreError,
)
from tests import builders, cli_cases

CITY = ("--catalog", "catalog.json", "--sites", "sites.json")


@pytest.fixture
def answers(monkeypatch):
    """Replaces use cases of the service; collects the arguments they were called with."""
    calls = []

    def install(name, answer):
        def use_case(*arguments):
            calls.append(arguments)
            if isinstance(answer, BaseException):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        monkeypatch.setattr(service, name, use_case)
        return calls

    return install


def run(*arguments: str, **environment: str | None) -> Result:
    environment = {"COLUMNS": "100", "PLACEMENT_SERVER": None, **environment}
    return CliRunner(env=environment).invoke(app, [str(argument) for argument in arguments])


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- decide ------------------------------------------------------------------------------------


def test_decide_hands_every_option_to_the_service(answers):
    calls = answers("decide", cli_cases.decided())
    result = run(
        "decide", *CITY, "--format-catalog", "amsterdam-schema", "--format-sites",
        "eu-cloud-prices", "--parameters", "p.json", "--policies", "rules", "--current",
        "old.json", "--time-limit", "7", "--gap", "0.5%",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    request = calls[0][0]
    assert request == service.Request(
        catalog=Path("catalog.json"),
        sites=Path("sites.json"),
        catalog_format="amsterdam-schema",
        sites_format="eu-cloud-prices",
        parameters=Path("p.json"),
        policies=Path("rules"),
        current=Path("old.json"),
        time_limit_s=7,
        gap=Decimal("0.005"),
    )


def test_decide_leaves_what_was_not_given_to_the_parameters(answers):
    calls = answers("decide", cli_cases.decided())
    assert run("decide", *CITY).exit_code == 0
    request = calls[0][0]
    assert (request.time_limit_s, request.gap, request.policies) == (None, None, None)
    assert (request.catalog_format, request.sites_format) == ("native", "native")


def test_decide_reads_the_settings_of_the_environment(answers):
    calls = answers("decide", cli_cases.decided())
    run("decide", *CITY, PLACEMENT_OPA_BIN="my-opa")
    assert calls[0][1].opa_bin == "my-opa"


def test_a_table_tells_what_was_decided_what_it_costs_and_how_far_it_is_proven(answers):
    answers("decide", cli_cases.decided())
    result = run("decide", *CITY)
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "Testburg: 2 datasets placed at 2 of 3 sites" in words
    assert "EUR 1,234.50 a year, within 0.0406 % of the cheapest" in words
    assert "Dual bound 1,234.00" in words
    assert "Price bound 1,230.00" in words
    assert "Price gap 0.3646 %" in words
    assert "all 2 checks hold" in words
    assert "encrypt with the city's keys (security.own_keys) townhall (2), eucloud (1)" in words
    assert "townhall city on premise, NL 2 200 66.7 2.0 734 59.5" in words
    assert "Not used: uscloud" in words
    assert "permits normal BBN2, personal, restricted eucloud, townhall 1,000.01" in words


def test_a_table_warns_of_synthetic_and_assumed_values(answers):
    made_up = builders.dataset("trips", synthetic=("volume_gb",))
    source = cli_cases.catalog(made_up, assumptions=("every reader is in the Netherlands",))
    answers("decide", cli_cases.decided(source=source))
    stdout = run("decide", *CITY).stdout
    assert "volume_gb (1 dataset)" in stdout
    assert "every reader is in the Netherlands" in stdout


def test_a_table_without_synthetic_or_assumed_values_does_not_warn(answers):
    answers("decide", cli_cases.decided())
    assert "Take care" not in run("decide", *CITY).stdout


def test_weights_are_not_passed_off_as_money(answers):
    weighed = cli_cases.costs("1000.00").model_copy(update={"preference": Decimal("234.50")})
    answers("decide", cli_cases.decided(costs_eur_per_year=weighed))
    words = " ".join(run("decide", *CITY).stdout.split())
    assert "EUR 1,000.00 of it is money; EUR 234.50 weighs the preferences" in words


def test_a_table_says_when_time_ran_out(answers):
    answers("decide", cli_cases.decided(termination="time_limit"))
    assert "time limit" in run("decide", *CITY).stdout


def test_departments_are_told_apart(answers):
    source = cli_cases.catalog(
        builders.dataset("permits"), builders.dataset("trips", owner_department="Mobility")
    )
    answers("decide", cli_cases.decided(source=source))
    words = " ".join(run("decide", *CITY).stdout.split())
    assert "Civil affairs 1 1,000 eucloud, townhall" in words
    assert "Mobility 1 234 townhall" in words


def test_json_is_the_plan_file_byte_for_byte(answers, tmp_path):
    answers("decide", cli_cases.decided())
    out = tmp_path / "plan.json"
    result = run("decide", *CITY, "--out", out, "--format", "json")
    assert result.exit_code == 0
    assert result.stdout_bytes == out.read_bytes()
    assert run("decide", *CITY, "--format", "json").stdout_bytes == out.read_bytes()
    assert Plan.model_validate_json(out.read_bytes()) == cli_cases.plan()
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    assert result.stderr == f"plan written to {out}\n"


def test_csv_has_one_row_for_each_dataset_and_site_and_adds_up(answers):
    answers("decide", cli_cases.decided())
    rows = records(run("decide", *CITY, "--format", "csv").stdout)
    assert [(row["dataset"], row["site"]) for row in rows] == [
        ("permits", "eucloud"),
        ("permits", "townhall"),
        ("trips", "townhall"),
    ]
    assert [row["eur_per_year"] for row in rows] == ["500.01", "500.00", "234.49"]
    assert rows[0]["country"] == "DE"
    assert rows[0]["replicas"] == "2"
    assert rows[0]["confidentiality"] == "2"
    assert rows[0]["host_obligations"] == "security.own_keys"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝"])
def test_csv_texts_cannot_be_formulas(answers, start):
    source = cli_cases.catalog(builders.dataset("permits", title=f"{start}cmd|' /C calc'!A0"))
    answers("decide", cli_cases.decided(source=source))
    (row, _) = records(run("decide", *CITY, "--format", "csv").stdout)
    assert row["title"] == f"'{start}cmd|' /C calc'!A0"


def test_progress_goes_to_stderr_and_can_be_silenced(answers):
    def decide(_request, _settings, progress):
        progress(cli_cases.Step("solve", "searching", incumbent=1200.0, bound=1000.0, gap=0.2))
        progress(cli_cases.Step("solve", "searching", incumbent=1200.0, bound=1000.0, gap=0.2))
        return cli_cases.decided()

    answers("decide", decide)
    loud = run("decide", *CITY)
    assert loud.stderr == "solve: searching (incumbent EUR 1,200, bound EUR 1,000, gap 20 %)\n"
    assert "searching" not in loud.stdout
    assert run("decide", *CITY, "--quiet").stderr == ""


# --- answers without a plan ----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize("answer", [cli_cases.no_eligible_site(), cli_cases.infeasible()])
def test_no_plan_is_exit_1_and_leaves_the_file_as_it_was(answers, tmp_path, answer, form):
    answers("decide", answer)
    out = tmp_path / "plan.json"
    out.write_text("what was there")
    assert run("decide", *CITY, "--out", out, "--format", form).exit_code == 1
    assert out.read_text() == "what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_no_eligible_site_groups_the_sites_that_fail_alike(answers):
    answers("decide", cli_cases.no_eligible_site())
    lines = [line.strip() for line in run("decide", *CITY).stdout.splitlines()]
    assert "No plan: 1 dataset cannot be placed. Nothing was written." in lines
    assert "Nearest to eligible: eucloud, with 1 violation." in lines
    assert lines.count("mfa is false") == 1
    assert "- access.second_factor: all 3 sites" in lines
    assert lines.count("- BIO 9.4.2 (urn:bio:9.4.2)") == 1
    assert lines.count(f"- access.second_factor (municipal): {MFA_TEXT}") == 1
    assert "uscloud: the site is in US" in lines


MFA_TEXT = "Every role logs in with a second factor."


def test_no_eligible_site_as_json_and_csv(answers):
    answers("decide", cli_cases.no_eligible_site())
    document = json.loads(run("decide", *CITY, "--format", "json").stdout)
    assert document["answer"] == "no_eligible_site"
    assert document["datasets"][0]["dataset"] == "trips"
    rows = records(run("decide", *CITY, "--format", "csv").stdout)
    assert len(rows) == 4
    assert rows[-1] == {
        "dataset": "trips",
        "site": "uscloud",
        "obligation": "access.second_factor",
        "severity": "municipal",
        "message": "mfa is false",
    }


def test_eligible_sites_that_are_too_few_are_not_called_ineligible(answers):
    answer = cli_cases.no_eligible_site()
    free = answer.datasets[0].reasons[0].model_copy(update={"violations": ()})
    item = answer.datasets[0].model_copy(update={"reasons": (free, answer.datasets[0].reasons[1])})
    answers("decide", answer.model_copy(update={"datasets": (item,)}))
    stdout = run("decide", *CITY).stdout
    assert "Eligible, but not enough for its replicas: townhall." in stdout
    assert "Nearest" not in stdout


def test_infeasible_names_the_core(answers):
    answers("decide", cli_cases.infeasible())
    stdout = run("decide", *CITY).stdout
    assert "- capacity[townhall]" in stdout
    assert "- townhall holds 100 GB" in stdout
    document = json.loads(run("decide", *CITY, "--format", "json").stdout)
    assert document["answer"] == "infeasible"
    assert document["core"] == ["assignment[trips]", "capacity[townhall]"]
    rows = records(run("decide", *CITY, "--format", "csv").stdout)
    assert rows[0] == {"kind": "constraint", "text": "assignment[trips]"}


# --- no answer -----------------------------------------------------------------------------------

DEFECTS = (
    Defect("sites.json", "site b", "capacity_gb", "is negative"),
    Defect("catalog.json", "dataset a", "volume_gb", "is missing"),
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput(DEFECTS), 2),
        (PolicyEngineError("OPA died"), 3),
        (PolicyRevisionMismatch("other policies"), 3),
        (SolverError("no"), 4),
        (GapNotReached("late"), 4),
        (CertificateError("capacity"), 4),
        (StoreError("disk full"), 5),
        (NotAuthenticated("who?"), 6),
        (NotAllowed("no"), 6),
        (NotFound("nothing"), 7),
        (StaleProposal("changed"), 7),
        (ServiceError("away"), 8),
        (PlacementError("odd"), 70),
        (RuntimeError("odd"), 70),
        (OSError(5, "odd"), 70),
        (BrokenPipeError(32, "to OPA"), 70),
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
    ],
)
@pytest.mark.parametrize("command", ["decide", "check"])
def test_each_error_has_its_exit_code_and_says_nothing_on_stdout(
    answers, tmp_path, error, code, command
):
    answers(command, error)
    out = ("--out", tmp_path / "plan.json") if command == "decide" else ()
    result = run(command, *CITY, *out)
    assert result.exit_code == code
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_defects_are_listed_one_a_line(answers):
    answers("decide", BadInput(DEFECTS))
    assert run("decide", *CITY).stderr.splitlines() == [
        "catalog.json: dataset a: volume_gb: is missing",
        "sites.json: site b: capacity_gb: is negative",
    ]


def test_errors_are_json_when_json_is_asked_for(answers):
    answers("decide", BadInput(DEFECTS))
    result = run("decide", *CITY, "--format", "json")
    assert result.stdout == ""
    problem = json.loads(result.stderr)
    assert (problem["code"], problem["exit_code"]) == ("bad_input", 2)
    assert problem["defects"][0] == {
        "file": "catalog.json",
        "record": "dataset a",
        "field": "volume_gb",
        "message": "is missing",
    }


def test_what_changed_under_a_proposal_is_named(answers):
    changes = (Stale(what="policies", decided_on="aaa", now="bbb"),)
    answers("decide", StaleProposal("decide again", changes))
    told = ["decide again", "policies: decided on aaa, now bbb"]
    assert run("decide", *CITY).stderr.splitlines() == told
    problem = json.loads(run("decide", *CITY, "--format", "json").stderr)
    assert problem["changes"] == told[1:]


def test_an_internal_error_is_one_line_with_the_way_to_the_traceback(answers):
    answers("decide", RuntimeError("two\nlines"))
    stderr = run("decide", *CITY, PLACEMENT_DEBUG=None).stderr
    assert stderr == (
        "internal error: RuntimeError: two (set PLACEMENT_DEBUG=1 to see the traceback)\n"
    )
    assert "Traceback" in run("decide", *CITY, PLACEMENT_DEBUG="1").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("move",),
        ("decide",),
        ("decide", "--catalog", "c.json"),
        ("decide", *CITY, "--format", "xml"),
        ("decide", *CITY, "--format-catalog", "shapefile"),
        ("decide", *CITY, "--time-limit", "0"),
        ("decide", *CITY, "--time-limit", "soon"),
        ("decide", *CITY, "--gap", "1.5"),
        ("decide", *CITY, "--gap", "nan"),
        ("decide", *CITY, "--gap", "-0.1"),
        ("decide", *CITY, "--gap", "wide"),
        ("decide", *CITY, "--sideways"),
        ("explain", "plan.json"),
        ("import", "shapefile", "source", "--out", "x.json"),
        ("import", "dcat-ap", "source"),
        ("schema", "decision"),
        ("decide", *CITY, "--server", "http://127.0.0.1:1"),
        ("decide", "--server", "http://127.0.0.1:1", "--policies", "rules"),
        ("decide", *CITY, "--title", "plan"),
        ("check", "--format-catalog", "dcat-ap", "--server", "http://127.0.0.1:1"),
        ("verify", "plan.json", "--current", "old.json", "--server", "http://127.0.0.1:1"),
        ("explain", "permits"),
        ("explain", "plan.json", "permits", "--server", "http://127.0.0.1:1"),
        ("explain", "plan.json", "permits", "trips"),
        ("import", "dcat-ap", "source", "--out", "x.json", "--server", "http://127.0.0.1:1"),
        ("import", "catalog", "c.json", "--out", "x.json"),
        ("import", "dcat-ap", "source", "--out", "x.json", "--dry-run"),
        ("placements",),
        ("placements", "bag", "--site", "townhall"),
        ("decisions", "approve"),
        ("decisions", "approve", "0"),
        ("what-if", "--require", "bag"),
        ("audit", "verify", "--server", "http://127.0.0.1:1", "--head", "head.json"),
        ("replay", "1", "--server", "http://127.0.0.1:1", "--data", "folder"),
        ("policies", "review", "0" * 32),
        ("keys", "create", "--label", "x"),
    ],
)
def test_usage_errors_are_exit_2_in_one_line(answers, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "--help" in result.stderr


def test_usage_errors_are_json_when_json_is_asked_for():
    problem = json.loads(run("decide", "--format", "json").stderr)
    assert (problem["code"], problem["exit_code"]) == ("usage", 2)
    assert "--catalog" in problem["detail"]


@pytest.mark.parametrize("bad", ["missing/plan.json", ".", "catalog.json", "link.json"])
def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    answers, tmp_path, monkeypatch, bad
):
    monkeypatch.chdir(tmp_path)
    Path("catalog.json").write_text("{}")
    Path("link.json").symlink_to("catalog.json")
    calls = answers("decide", cli_cases.decided())
    result = run("decide", *CITY, "--out", bad)
    assert result.exit_code == 2
    assert "--out" in result.stderr
    assert calls == []
    assert Path("catalog.json").read_text() == "{}"


def test_the_current_plan_may_be_replaced_by_the_new_one(answers, tmp_path):
    answers("decide", cli_cases.decided())
    plan = tmp_path / "plan.json"
    plan.write_text("the old plan")
    plan.chmod(0o600)
    assert run("decide", *CITY, "--current", plan, "--out", plan).exit_code == 0
    assert Plan.model_validate_json(plan.read_bytes()) == cli_cases.plan()
    assert plan.stat().st_mode & 0o777 == 0o600


# --- verify, check, explain, import, schema ------------------------------------------------------


def test_verify_exits_0_when_everything_holds(answers):
    calls = answers("verify", cli_cases.certificate())
    result = run("verify", "plan.json", *CITY, "--policies", "rules", "--parameters", "p.json")
    assert result.exit_code == 0
    assert "The plan holds." in result.stdout
    assert calls[0][0] == Path("plan.json")
    assert calls[0][1].policies == Path("rules")
    assert calls[0][1].parameters == Path("p.json")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_verify_exits_1_naming_what_fails(answers, form):
    answers("verify", cli_cases.certificate("townhall is 5 GB too full"))
    result = run("verify", "plan.json", *CITY, "--format", form)
    assert result.exit_code == 1
    assert "townhall is 5 GB too full" in result.stdout


def test_verify_prints_every_check(answers):
    answers("verify", cli_cases.certificate("too full", "fuller"))
    lines = [line.split() for line in run("verify", "plan.json", *CITY).stdout.splitlines()]
    assert ["assignment", "ok", "2"] in lines
    assert ["capacity", "FAILED", "2"] in lines
    document = json.loads(run("verify", "plan.json", *CITY, "--format", "json").stdout)
    assert document["holds"] is False
    rows = records(run("verify", "plan.json", *CITY, "--format", "csv").stdout)
    assert [(row["check"], row["holds"], row["failure"]) for row in rows] == [
        ("assignment", "true", ""),
        ("capacity", "false", "too full"),
        ("capacity", "false", "fuller"),
    ]


def test_check_shows_the_matrix_and_what_rules_sites_out(answers):
    answers("check", cli_cases.report())
    result = run("check", *CITY)
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "permits normal BBN2, personal, restricted 2/3 oo." in words
    assert "residency.stays_in_eea 2 2 1" in words
    assert "Every dataset has an eligible site." in words


def test_check_exits_1_when_a_dataset_has_no_site(answers):
    answers("check", cli_cases.report(unplaceable=True))
    result = run("check", *CITY)
    assert result.exit_code == 1
    assert "trips cannot be placed" in result.stdout


def test_check_as_json_and_csv(answers):
    answers("check", cli_cases.report())
    document = json.loads(run("check", *CITY, "--format", "json").stdout)
    assert document["answer"] == "eligible"
    assert document["datasets"][0] == {
        "dataset": "permits",
        "profile": 0,
        "eligible_sites": ["townhall", "eucloud"],
    }
    rows = records(run("check", *CITY, "--format", "csv").stdout)
    assert len(rows) == 6
    assert rows[2] == {
        "dataset": "permits",
        "title": "Permits",
        "site": "uscloud",
        "eligible": "false",
        "obligations": "residency.stays_in_eea",
        "messages": "the site is in US",
    }


def test_explain_says_why_here_and_why_not_elsewhere(answers):
    answers("read_plan", cli_cases.plan())
    calls = answers("explain", cli_cases.explanation())
    result = run("explain", "plan.json", "permits", "--site", "uscloud")
    assert result.exit_code == 0
    assert calls[0] == (Path("plan.json"),)
    assert calls[1][:3] == (cli_cases.plan(), "permits", "uscloud")
    words = " ".join(result.stdout.split())
    assert "permits rests at eucloud, townhall" in words
    assert "inherits high from register" in words
    assert "permits <- register" in words
    assert "uscloud: not allowed - residency.stays_in_eea: the site is in US" in words
    assert "GDPR, chapter V (urn:celex:32016R0679)" in words
    assert "full: not while everything else stays where it is, because of capacity[full]" in words
    assert "alone: EUR 12.30 a year more, with everything else where it is" in words
    assert "again: EUR 4.00 a year more, with the whole plan decided again" in words
    assert "never: not possible: it cannot hold together with capacity[never]" in words


def test_explain_as_json_and_csv(answers):
    answers("read_plan", cli_cases.plan())
    answers("explain", cli_cases.explanation())
    document = json.loads(run("explain", "plan.json", "permits", "--format", "json").stdout)
    assert document["placement"]["sites"] == ["eucloud", "townhall"]
    rows = records(run("explain", "plan.json", "permits", "--format", "csv").stdout)
    assert [(row["site"], row["answer"]) for row in rows] == [
        ("eucloud", "placed"),
        ("townhall", "placed"),
        ("uscloud", "violation"),
        ("full", "blocked"),
        ("alone", "costlier"),
        ("again", "costlier"),
        ("never", "blocked"),
    ]


def test_import_lists_what_it_assumed(answers, tmp_path):
    calls = answers("import_file", ("volumes come from seed 7",))
    out = tmp_path / "catalog.json"
    result = run("import", "dcat-ap", "city.ttl", "--out", out)
    assert result.exit_code == 0
    assert calls == [("dcat-ap", Path("city.ttl"), out, None)]
    assert "1 assumption, also in the file" in result.stdout
    assert "- volumes come from seed 7" in result.stdout


def test_version():
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("placement 0.")


def leaves(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command, sub-commands too."""
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from leaves(below, *path, name)


@pytest.mark.parametrize("command", list(leaves(get_command(app))))
def test_every_command_explains_itself(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage: placement" in result.stdout.replace("root", "placement")
