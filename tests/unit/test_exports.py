"""Exports as other tools read them: names, texts that look like code, types, what is missing."""

from __future__ import annotations

import csv
import io
import json
import re

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pyarrow.parquet as pq
import pytest
import yaml

from models import HostObligation, sha256_of
from placement.cli.views.machine import as_csv
from placement.errors import BadInput
from placement.provision.exports import ansible, kubernetes, names, tables, terraform
from placement.provision.exports.export import document
from tests.export_cases import LOGGED, OWN_KEYS, export, hosted, placement, plan

TEMPLATE = "{{ lookup('pipe', 'touch owned') }}"
EXTERNAL_ANSWER = {
    # What the `external` provider demands of a program: one object whose values are all texts.
    "type": "object",
    "additionalProperties": {"type": "string"},
    "required": ["dataset", "site", "operator", "plan_digest"],
}


def defects(error: pytest.ExceptionInfo[BadInput]) -> str:
    return str(error.value)


# -- names ----------------------------------------------------------------------------------------


def test_ids_that_want_one_name_get_it_neither():
    found = names.apart({"site/eu-west": "site_eu_west", "site/eu_west": "site_eu_west"})
    assert len(set(found.values())) == 2
    assert all(re.fullmatch(r"site_eu_west_[0-9a-f]{16}", name) for name in found.values())


def test_an_id_made_to_look_like_a_digested_one_stays_apart():
    first = names.apart({"a-b": "a_b", "a_b": "a_b"})
    forged = names.apart({"a-b": "a_b", "a_b": "a_b", "forged": first["a-b"]})
    assert len(set(forged.values())) == 3
    assert names.apart({"a-b": "a_b", "c": "c"}) == {"a-b": "a_b", "c": "c"}


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("spui-dc", True),
        ("EU.west_1", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("north/1", False),
        ("ends-", False),
        ("x-0123456789abcdef", False),
    ],
)
def test_labels_keep_what_kubernetes_allows(text, same):
    found = names.label(text)
    assert (found == text) is same
    assert len(found) <= 63
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", found)


def test_a_label_that_a_digested_one_could_be_is_digested_itself():
    digested = names.label("north/1")
    assert names.label(digested) != digested


def test_objects_of_ids_that_differ_in_case_differ():
    assert names.object_name("Trees") != names.object_name("trees") == "trees"


# -- Ansible --------------------------------------------------------------------------------------


def groups(listing: str) -> dict[str, list[str]]:
    told = json.loads(listing)
    return {name: group["hosts"] for name, group in told.items() if name not in ("_meta", "all")}


def test_replicas_are_hosts_in_groups_by_what_playbooks_ask_for():
    found = groups(ansible.script_list(export()))
    permits = ["permits__eu-west", "permits__north_1"]
    assert found["dataset_permits"] == permits
    assert found["obligation_security_own_keys"] == ["permits__eu-west"]
    assert found["obligation_security_log"] == [*permits, "trips__eu_west"]
    assert found["operator_city"] == ["Open_trees__eu-west", "permits__eu-west"]
    assert found["class_high"] == [*permits, "trips__eu_west"]
    assert found["class_unknown"] == found["gdpr_unknown"] == ["Open_trees__eu-west"]
    assert found["storage_object"] == ["Open_trees__eu-west", *permits, "trips__eu_west"]


def test_sites_alike_to_ansible_have_groups_of_their_own():
    found = groups(ansible.script_list(export()))
    sites = {name: hosts for name, hosts in found.items() if name.startswith("site_eu_west")}
    assert sorted(map(len, sites.values())) == [1, 2]
    assert "site_eu_west" not in found


def test_a_site_that_holds_nothing_has_no_group_but_keeps_its_name():
    lone = export(placement("permits", hosted("eu-west")))
    (name,) = (n for n in groups(ansible.script_list(lone)) if n.startswith("site_"))
    assert name != "site_eu_west"


def test_hosts_carry_what_a_playbook_needs():
    told = json.loads(ansible.script_list(export()))
    found = told["_meta"]["hostvars"]["permits__eu-west"]
    assert found["placement_dataset"] == "permits"
    assert found["placement_site"] == "eu-west"
    assert found["placement_operator"] == "city"
    assert found["placement_other_sites"] == ["north/1"]
    assert found["placement_volume_gb"] == 100
    assert (found["placement_confidentiality"], found["placement_classification"]) == (3, "high")
    assert found["placement_host_obligations"] == [LOGGED.model_dump(), OWN_KEYS.model_dump()]
    assert found["placement_readers"] == ["clerk", "registrar"]
    of_plan = told["all"]["vars"]
    assert of_plan["placement_decision"] == 7
    assert of_plan["placement_plan_digest"] == plan().digest
    assert of_plan["placement_certificate_digest"] == sha256_of(plan().certificate)


def test_one_host_has_the_variables_that_it_has_in_the_list():
    told = json.loads(ansible.script_list(export()))
    alone = json.loads(ansible.script_host(export(), "trips__eu_west"))
    assert alone == told["all"]["vars"] | told["_meta"]["hostvars"]["trips__eu_west"]
    with pytest.raises(BadInput, match="not in the inventory"):
        ansible.script_host(export(), "trips__eu-west")


def test_texts_that_ansible_would_run_are_marked():
    duty = HostObligation(code="security.odd", requirement="#jinja2: x")
    odd = export(
        placement("permits", hosted("eu-west", duty), title=TEMPLATE, department="{% x %}")
    )
    found = json.loads(ansible.script_host(odd, "permits__eu-west"))
    assert found["placement_title"] == {"__ansible_unsafe": TEMPLATE}
    assert found["placement_department"] == {"__ansible_unsafe": "{% x %}"}
    (obligation,) = found["placement_host_obligations"]
    assert obligation == {"code": duty.code, "requirement": {"__ansible_unsafe": "#jinja2: x"}}
    static = ansible.static_inventory(odd)
    assert f'placement_title: !unsafe "{TEMPLATE}"' in static
    assert static.count("!unsafe") == 3
    with pytest.raises(yaml.constructor.ConstructorError):
        yaml.safe_load(static)  # whoever does not know the tag stops, rather than drops it


# -- Terraform ------------------------------------------------------------------------------------


def test_variables_have_one_type_whatever_is_missing():
    told = json.loads(terraform.variables(export()))
    assert set(told) == {"placement_plan", "placement_replicas"}
    replicas = told["placement_replicas"]
    assert set(replicas) == {
        "Open/trees@eu-west", "permits@eu-west", "permits@north/1", "trips@eu_west"
    }  # fmt: skip
    assert len({tuple(replica) for replica in replicas.values()}) == 1
    assert replicas["Open/trees@eu-west"]["confidentiality"] is None


@pytest.mark.parametrize(
    "query",
    [{"dataset": "trips"}, {"dataset": "permits", "site": "north/1"}, {"dataset": "Open/trees"}],
)
def test_external_answers_with_texts_alone(query):
    told = json.loads(terraform.external(export(), query))
    jsonschema.validate(told, EXTERNAL_ANSWER)
    assert told["dataset"] == query["dataset"]
    assert told.get("site") == query.get("site", told["site"])
    assert isinstance(json.loads(told["host_obligations"]), list)


def test_external_says_nothing_where_there_is_nothing():
    told = json.loads(terraform.external(export(), {"dataset": "Open/trees"}))
    assert told["gdpr_category"] == told["confidentiality"] == told["department"] == ""
    assert json.loads(told["host_obligations"]) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ([], "an object"),
        ({}, "dataset: missing"),
        ({"dataset": 3}, "dataset: a text is expected"),
        ({"dataset": "trips", "where": "x"}, "where: not a key"),
        ({"dataset": "nobody"}, "the plan places no dataset nobody"),
        ({"dataset": "trips", "site": "eu-west"}, "does not rest at eu-west, but at eu_west"),
        ({"dataset": "permits"}, "name one of eu-west, north/1"),
    ],
)
def test_external_refuses_what_it_cannot_answer(query, message):
    with pytest.raises(BadInput) as error:
        terraform.external(export(), query)
    assert message in defects(error)


# -- Kubernetes -----------------------------------------------------------------------------------


def test_config_maps_are_what_kubernetes_takes():
    told = json.loads(kubernetes.config_maps(export()))
    assert [item["data"]["dataset"] for item in told["items"]] == ["Open/trees", "permits", "trips"]
    for item in told["items"]:
        kubernetes_validate.validate(item, "1.31", strict=True)
        assert json.loads(item["data"]["patch.json"])["spec"]["template"]
    assert len({item["metadata"]["name"] for item in told["items"]}) == 3


def test_a_patch_binds_a_workload_to_the_sites():
    patch = json.loads(kubernetes.patches(export())["permits.json"])
    template = patch["spec"]["template"]
    affinity = template["spec"]["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    sites = sorted(["eu-west", names.label("north/1")])
    assert term == {
        "matchExpressions": [{"key": "placement.example/site", "operator": "In", "values": sites}]
    }
    labels = template["metadata"]["labels"]
    assert labels == {
        "placement.example/dataset": "permits",
        "placement.example/classification": "high",
        "placement.example/gdpr-category": "personal",
        "placement.example/access-rights": "non_public",
        "placement.example/obligation.security.log": "required",
        "placement.example/obligation.security.own_keys": "required",
    }
    notes = template["metadata"]["annotations"]
    assert json.loads(notes["placement.example/sites"]) == ["eu-west", "north/1"]
    obligations = json.loads(notes["placement.example/host-obligations"])
    assert obligations["north/1"] == [LOGGED.model_dump()]
    assert notes["placement.example/plan-digest"] == plan().digest


def test_the_prefix_of_labels_is_the_citys_own():
    told = kubernetes.config_maps(export(), "data.testburg.example")
    assert "data.testburg.example/site" in told
    assert "placement.example" not in told


@pytest.mark.parametrize(
    "prefix", ["", "Town", "a b", "kubernetes.io", "x.k8s.io", "a" * 254, "a\n"]
)
def test_a_prefix_that_kubernetes_refuses_is_refused(prefix):
    with pytest.raises(BadInput, match="label prefix"):
        kubernetes.config_maps(export(), prefix)


# -- tables ---------------------------------------------------------------------------------------


def test_csv_has_a_row_for_each_replica_and_no_formulas():
    odd = export(placement("permits", title='=HYPERLINK("x")', department="@SUM(1)\n, second"))
    content = as_csv(tables.COLUMNS, tables.rows(odd)).decode()
    assert content.endswith("\r\n")
    (row,) = csv.DictReader(io.StringIO(content, newline=""))
    assert row["title"] == '\'=HYPERLINK("x")'
    assert row["department"] == "'@SUM(1)\n, second"
    assert row["host_obligations"] == "security.log security.own_keys"
    assert row["readers"] == "clerk registrar"
    assert row["plan_digest"] == plan().digest


def test_parquet_has_one_schema_whatever_is_in_it():
    def table(*placements):
        return pq.read_table(io.BytesIO(tables.parquet(export(*placements))))

    full, bare = table(), table(placement("trees", hosted("eu-west"), from_sites=(), readers=()))
    assert full.schema.remove_metadata() == bare.schema.remove_metadata()
    assert full.schema.names == list(tables.COLUMNS)
    assert full.num_rows == 4
    row = full.to_pylist()[1]
    assert (row["dataset"], row["site"], row["confidentiality"]) == ("permits", "eu-west", 3)
    assert row["host_obligations"] == [LOGGED.model_dump(), OWN_KEYS.model_dump()]
    assert full.schema.metadata[b"placement.plan_digest"].decode() == plan().digest
    assert not full.schema.field("site").nullable
    assert full.schema.field("gdpr_category").nullable


def test_json_has_everything_once_for_each_dataset():
    told = document(export())
    assert told["format"] == "placement-export/1"
    trees, permits, _ = told["placements"]
    assert trees["confidentiality"] is None
    assert [host["site"] for host in permits["sites"]] == ["eu-west", "north/1"]
    assert permits["sites"][0]["country"] == "NL"
    assert permits["cost_eur_per_year"]["storage"] == "12.5"
