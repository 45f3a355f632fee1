"""Contracts over HTTP and on the command line."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from api.routes import procurement
from models import CityRole
from models.procurement import ClauseChecklist, ProcurementReport
from placement.cli.app import app
from tests import procurement_cases as cases
from tests.asking_cases import asking
from tests.client_cases import live_service
from tests.decision_cases import (
    PARAMETERS,
    city,
    keep,
    make_city,
    shipped_engine,
)

__all__ = ["city", "live_service", "make_city", "shipped_engine"]  # fixtures

REPORT = "/v1/procurement/report"
CLAUSES = "/v1/procurement/clauses"


@pytest.fixture
def ask(city):
    keep(city, cases.catalog(), cases.register(), PARAMETERS)
    with asking(city, procurement.routes) as asked:

        def ask(who: str, path: str, **more: Any) -> Any:
            return asked(who, "GET", path, **more)

        yield ask


def test_the_report_over_http(ask):
    answer = ask("board", REPORT, params={"ending_within_days": 3650})
    assert answer.status_code == 200, answer.text
    found = ProcurementReport.model_validate(answer.json())
    assert [finding.contract.id for finding in found.collection] == ["poor", "sound", "unused"]
    assert found.ending_within_days == 3650
    assert found.missed


def test_a_report_is_for_who_sees_everything_and_clauses_are_for_all(ask):
    refused = ask("green", REPORT)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert "poor" not in refused.text
    clauses = ask("green", CLAUSES)
    found = ClauseChecklist.model_validate(clauses.json())
    assert found.clauses
    assert clauses.headers["etag"] == f'"{found.policy_revision}"'
    again = ask("green", CLAUSES, headers={"if-none-match": clauses.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("days", ["-1", "3651", "soon"])
def test_days_are_a_number_of_days(ask, days):
    assert ask("board", REPORT, params={"ending_within_days": days}).status_code == 400


@pytest.fixture
def run(tmp_path):
    asked = cases.request(tmp_path)
    city = ["--catalog", asked.catalog, "--sites", asked.sites, "--parameters", asked.parameters]

    def run(*arguments):
        return CliRunner().invoke(
            app, ["procurement", "report", *map(str, city), "--quiet", *arguments]
        )

    return run


def test_the_command_says_what_is_missed_and_ends_with_1(run):
    answer = run()
    assert answer.exit_code == 1, answer.output
    assert (
        "poor (collection, Slecht B.V.): 2 clauses missed, 3 datasets endangered" in answer.output
    )
    assert "derived from scans" in answer.output
    assert "No contract: 1 clause missed, 1 dataset endangered" in answer.output
    assert "unused" in answer.output


def test_the_command_in_json_and_csv(run):
    document = json.loads(run("--format", "json").stdout)
    assert document.pop("missed") == len(ProcurementReport.model_validate(document).missed)
    rows = list(csv.DictReader(io.StringIO(run("--format", "csv").stdout)))
    hit = {(row["contract"], row["dataset"], row["derived_from"]) for row in rows}
    assert ("poor", "scan-maps", "scans") in hit
    assert ("", "cars", "") in hit


def test_a_command_without_files_or_a_service_says_what_it_needs():
    answer = CliRunner().invoke(app, ["procurement", "report"])
    assert answer.exit_code == 2
    assert "--catalog and --sites" in answer.output


def test_a_catalogue_in_columns_is_refused_by_name(tmp_path):
    arguments = [
        "--catalog",
        str(tmp_path),
        "--sites",
        str(tmp_path),
        "--format-catalog",
        "columns",
    ]
    answer = CliRunner().invoke(app, ["procurement", "report", *arguments])
    assert answer.exit_code == 2
    assert "in columns" in answer.output


def test_the_commands_of_a_service(live_service, monkeypatch):
    monkeypatch.setenv("PLACEMENT_TOKEN", live_service.token(CityRole.GOVERNANCE_BOARD))
    at = ["--server", live_service.url]
    report = CliRunner().invoke(app, ["procurement", "report", *at, "--format", "json"])
    document = json.loads(report.stdout)
    assert document["municipality"] == "Testburg"
    assert [finding["site"] for finding in document["hosting"]] == ["hoster"]
    assert report.exit_code == (1 if document["missed"] else 0)
    clauses = CliRunner().invoke(app, ["procurement", "clauses", *at])
    assert clauses.exit_code == 0
    assert clauses.stdout.startswith("# Clauses for a tender")
    both = CliRunner().invoke(app, ["procurement", "clauses", *at, "--policies", "policies"])
    assert both.exit_code == 2
