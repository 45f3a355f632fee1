"""`placement export`: of plan files that are whole and of no others, and of a service's plan."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from models import CityRole, Plan, Violation, sha256_of
from placement.catalog import write_json
from placement.certificate import plan_digest
from placement.cli.app import app
from placement.errors import BadInput, Conflict, NotFound, ServiceError
from placement.service import exporting
from tests.client_cases import DECIDED

FORMS = ("ansible", "tfvars", "kubernetes", "csv", "json", "parquet")
Run = Callable[..., Result]


def invoke(*arguments: object, **environment: str | None) -> Result:
    alone = {"PLACEMENT_SERVER": None, "PLACEMENT_TOKEN": None, "COLUMNS": "200"}
    words = ["export", *(str(argument) for argument in arguments)]
    return CliRunner(env=alone | environment).invoke(app, words)


@pytest.fixture
def run(live_service) -> Run:
    """Exports from the service as somebody with a role."""

    def command(*arguments: object, role: CityRole = CityRole.PROVISIONER) -> Result:
        token = live_service.token(role)
        return invoke(*arguments, PLACEMENT_SERVER=live_service.url, PLACEMENT_TOKEN=token)

    return command


@pytest.fixture(scope="module")
def decided(live_service) -> Plan:
    """The approved plan."""
    with live_service.client(CityRole.AUDITOR) as client:
        return client.plan(DECIDED)


@pytest.fixture
def file(decided, tmp_path) -> Path:
    path = tmp_path / "plan.json"
    write_json(decided, path)
    return path


def resigned(plan: Plan, **changes: Any) -> Plan:
    """A plan edited by somebody who knows how digests are made."""
    edited = plan.model_copy(update=changes)
    return edited.model_copy(update={"digest": plan_digest(edited)})


# -- plan files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_file_appears_whole_and_says_what_is_printed(form, file, tmp_path):
    if form == "kubernetes":
        out = tmp_path / "manifests"
        assert invoke(form, "--plan", file, "--out", out).exit_code == 0
        written = (out / "configmaps.json").read_bytes()
    else:
        out = tmp_path / "out"
        result = invoke(form, "--plan", file, "--out", out)
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"{form} written to {out}\n"
        written = out.read_bytes()
    assert invoke(form, "--plan", file).stdout_bytes == written


def test_an_edited_plan_is_refused(file):
    text = file.read_text(encoding="utf-8")
    plan = json.loads(text)
    plan["placements"][0]["sites"] = ["archive"]
    file.write_text(json.dumps(plan), encoding="utf-8")
    for form in FORMS:
        result = invoke(form, "--plan", file)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.splitlines() == [
            f"{file}: digest: the plan was changed since it was decided: it is no plan"
        ]


def test_an_edited_plan_with_a_new_digest_is_refused_by_what_does_not_fit(decided):
    first, *others = decided.placements
    elsewhere = next(s for s in decided.eligibility.sites if s not in first.sites)
    moved = (first.model_copy(update={"sites": (elsewhere,)}), *others)
    unknown = (first.model_copy(update={"sites": ("nowhere",)}), *others)
    failing = decided.certificate.checks[0].model_copy(update={"holds": False})
    certificate = decided.certificate.model_copy(
        update={"checks": (failing, *decided.certificate.checks[1:])}
    )
    table = decided.eligibility
    for changes, told in (
        ({"placements": moved}, "objective"),
        ({"placements": unknown}, "nowhere"),
        ({"placements": tuple(others)}, "placements"),
        ({"certificate": certificate}, "the certificate does not hold"),
        (
            {"eligibility": table.model_copy(update={"profile_of": (99,) * len(moved)})},
            "profile_of",
        ),
        ({"eligibility": table.model_copy(update={"sites": table.sites[:-1]})}, "sites"),
        ({"effective": decided.effective[1:]}, "effective"),
        ({"municipality": "Elsewhere"}, "the plan is for Elsewhere"),
    ):
        with pytest.raises(BadInput, match=told):
            exporting.of_plan(resigned(decided, **changes), "plan.json")
    exporting.of_plan(resigned(decided), "plan.json")


def test_a_denied_site_is_not_exported_whatever_the_digest_says(decided):
    """A plan whose own verdicts deny a placement is no plan."""
    table, placed = decided.eligibility, decided.placements[0]
    column = table.sites.index(placed.sites[0])
    denial = Violation(obligation="residency.no", message="not here")
    rows = [list(row) for row in table.verdicts]
    rows[placed.profile][column] = rows[placed.profile][column].model_copy(
        update={"violations": (denial,)}
    )
    denying = table.model_copy(update={"verdicts": tuple(map(tuple, rows))})
    with pytest.raises(BadInput) as error:
        exporting.of_plan(resigned(decided, eligibility=denying), "plan.json")
    assert "eligibility" in str(error.value) or "policies" in str(error.value)
    assert "not here" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ansible",), "a plan file is expected"),
        (("csv", "--list"), "only for ansible"),
        (("csv", "--label-prefix", "x.example"), "only for kubernetes"),
        (("ansible", "--list", "--host", "x"), "either --list or --host"),
        (("ansible", "--list", "--out", "x"), "reads standard output"),
        (("terraform-external", "--out", "x"), "reads standard output"),
        (("json", "--plan", "p", "--server", "http://127.0.0.1:1"), "leave out --plan"),
        (("xml", "--plan", "p"), "xml"),
    ],
)
def test_options_that_mean_nothing_are_refused(arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_what_is_in_the_way_stays_as_it_is(file, tmp_path):
    there = tmp_path / "manifests"
    there.mkdir()
    assert invoke("kubernetes", "--plan", file, "--out", there).exit_code == 2
    assert list(there.iterdir()) == []
    before = file.read_bytes()
    assert invoke("csv", "--plan", file, "--out", file).exit_code == 2
    assert file.read_bytes() == before


# -- a service ------------------------------------------------------------------------------------


def test_the_approved_plan_is_exported_as_its_file_is_but_for_its_number(run, file, decided):
    there, here = (json.loads(r.stdout) for r in (run("json"), invoke("json", "--plan", file)))
    assert there.pop("decision") == DECIDED
    assert here.pop("decision") is None
    assert there == here
    assert there["plan_digest"] == decided.digest
    assert there["certificate_digest"] == sha256_of(decided.certificate)


@pytest.mark.parametrize("form", FORMS)
def test_a_provisioner_gets_every_form(form, run, decided):
    result = run(form)
    assert result.exit_code == 0, result.stderr
    assert decided.digest.encode() in result.stdout_bytes


def test_every_form_names_every_replica(run, decided):
    expected = sorted((p.dataset, site) for p in decided.placements for site in p.sites)
    rows = csv.DictReader(io.StringIO(run("csv").stdout))
    assert [(row["dataset"], row["site"]) for row in rows] == expected
    table = pq.read_table(io.BytesIO(run("parquet").stdout_bytes)).to_pylist()
    assert [(row["dataset"], row["site"]) for row in table] == expected
    hosts = json.loads(run("ansible", "--list").stdout)["_meta"]["hostvars"].values()
    assert sorted((h["placement_dataset"], h["placement_site"]) for h in hosts) == expected
    maps = json.loads(run("kubernetes").stdout)["items"]
    assert [item["data"]["dataset"] for item in maps] == sorted({d for d, _ in expected})


@pytest.mark.parametrize("role", [CityRole.DATA_STEWARD, CityRole.DATA_USER])
def test_whoever_may_not_read_the_plan_exports_nothing(role, run):
    result = run("json", role=role)
    assert result.exit_code in (6, 7)  # 7 where not even a placement may be seen
    assert result.stdout == ""


def test_the_http_data_source_gets_json_that_jsondecode_reads(live_service, decided):
    placed = decided.placements[0]
    answer = httpx.get(
        f"{live_service.url}/v1/placements/{placed.dataset}",
        headers={
            "Authorization": f"Bearer {live_service.token(CityRole.PROVISIONER)}",
            "Accept": "application/json",
        },
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    told = answer.json()
    assert [host["site"] for host in told["sites"]] == list(placed.sites)
    assert {"operator", "host_obligations"} <= set(told["sites"][0])


def test_placements_that_are_not_the_plans_are_refused(live_service, decided):
    with live_service.client(CityRole.PROVISIONER) as client:
        placements = tuple(client.placements())
    assert exporting.standing_decision(placements) == DECIDED
    other = placements[0].model_copy(update={"decision": DECIDED + 1})
    with pytest.raises(Conflict):
        exporting.standing_decision((*placements, other))
    with pytest.raises(NotFound):
        exporting.standing_decision(())
    for strange in (
        placements[0].model_copy(update={"volume_gb": 1}),
        placements[0].model_copy(update={"sites": ()}),
        placements[0].model_copy(update={"dataset": "stranger"}),
    ):
        with pytest.raises(ServiceError, match="not those of the plan of decision"):
            exporting.of_approved((strange, *placements[1:]), decided, DECIDED)
    with pytest.raises(ServiceError):
        exporting.of_approved((*placements, placements[0]), decided, DECIDED)
