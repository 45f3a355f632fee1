"""DCAT-AP out of plan files and of a service, and a real city's catalogue in, out and in again."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from models import AccessRights, CityRole
from placement.catalog import load_catalog, write_json
from placement.catalog.dcat.writing import dcat_ap
from placement.cli.app import app
from tests import builders
from tests.client_cases import DECIDED
from tests.dcat_cases import SUFFIXES, kept, violations


def invoke(*words, **environment):
    alone = {"PLACEMENT_SERVER": None, "PLACEMENT_TOKEN": None, "COLUMNS": "200"}
    return CliRunner(env=alone | environment).invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def plan(live_service):
    with live_service.client(CityRole.AUDITOR) as client:
        return client.plan(DECIDED)


@pytest.fixture
def file(plan, tmp_path):
    path = tmp_path / "plan.json"
    write_json(plan, path)
    return path


@pytest.mark.parametrize("serialization", SUFFIXES)
def test_a_plan_file_becomes_a_catalogue_that_conforms_and_reads_back(
    serialization, plan, file, tmp_path
):
    out = tmp_path / f"catalog{SUFFIXES[serialization]}"
    answer = invoke(
        "export", "dcat-ap", "--plan", file, "--serialization", serialization, "--out", out
    )
    assert answer.exit_code == 0, answer.output
    assert violations(out.read_text(encoding="utf-8"), serialization) == ""
    read = load_catalog(out, "dcat-ap")
    assert sorted(d.id for d in read.datasets) == sorted(d.id for d in plan.inputs.catalog.datasets)
    printed = invoke("export", "dcat-ap", "--plan", file, "--serialization", serialization)
    assert printed.stdout_bytes == out.read_bytes()


def test_access_is_what_datasets_inherited_and_others_can_be_left_out(plan, file, tmp_path):
    out = tmp_path / "catalog.ttl"
    assert invoke("export", "dcat-ap", "--plan", file, "--out", out).exit_code == 0
    inherited = {e.dataset: e.access_rights for e in plan.effective if e.access_rights is not None}
    read = {d.id: d.access_rights for d in load_catalog(out, "dcat-ap").datasets}
    assert {name: read[name] for name in inherited} == inherited
    public = {name for name, right in inherited.items() if right is AccessRights.PUBLIC}
    some = tmp_path / "public.ttl"
    answer = invoke("export", "dcat-ap", "--plan", file, "--only-public", "--out", some)
    assert answer.exit_code == 0
    text = some.read_text(encoding="utf-8")
    for dataset in plan.inputs.catalog.datasets:
        assert (f'dct:identifier "{dataset.id}"' in text) is (dataset.id in public)


def test_a_services_plan_is_that_of_its_file(live_service, file):
    token = live_service.token(CityRole.PROVISIONER)
    there = invoke("export", "dcat-ap", PLACEMENT_SERVER=live_service.url, PLACEMENT_TOKEN=token)
    assert there.exit_code == 0, there.output
    assert there.stdout_bytes == invoke("export", "dcat-ap", "--plan", file).stdout_bytes


def test_an_edited_plan_is_not_published(plan, tmp_path):
    document = plan.model_dump(mode="json")
    document["placements"][0]["sites"] = ["elsewhere"]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    assert invoke("export", "dcat-ap", "--plan", path).exit_code == 2


@pytest.mark.parametrize(
    "base", ["x", "ftp://a/", "https://a.example", "https://a b/", "https:///"]
)
def test_a_base_is_an_iri(base, file):
    answer = invoke("export", "dcat-ap", "--plan", file, "--base", base)
    assert answer.exit_code == 2
    assert "--base" in answer.output


def test_options_of_rdf_mean_nothing_to_other_forms(file):
    assert invoke("export", "json", "--plan", file, "--only-public").exit_code == 2


@pytest.mark.parametrize("serialization", SUFFIXES)
def test_foggia_goes_in_out_and_in_again(real_data, tmp_path, serialization):
    first = load_catalog(real_data / "dcat" / "foggia.rdf", "dcat-ap")
    assert len(first.datasets) == 7
    assert all(d.access_rights is AccessRights.PUBLIC for d in first.datasets)
    by, zero = (
        "https://creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    )
    assert {d.licences for d in first.datasets} == {(by,)}
    assert {tuple(o.licence for o in d.distributions) for d in first.datasets} == {(zero,)}
    register = builders.register()
    placements = {d.id: [register.sites[0].id] for d in first.datasets}
    text = dcat_ap(first, register, placements, serialization=serialization)
    assert violations(text, serialization) == ""
    path = tmp_path / f"again{SUFFIXES[serialization]}"
    path.write_text(text, encoding="utf-8")
    again = load_catalog(path, "dcat-ap")
    assert kept(again) == kept(first)
    assert again.municipality == first.municipality
