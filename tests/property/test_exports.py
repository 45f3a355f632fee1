"""Exports of any placements that the models allow: valid names, nothing mixed up, one order."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from typing import Any

import pyarrow.parquet as pq
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models import AccessRights, ApprovedPlacement, GdprCategory, HostObligation, Level
from placement.cli.views.machine import as_csv
from placement.provision.exports import Export, ansible, export_of, kubernetes, tables, terraform
from placement.provision.exports.export import document
from placement.provision.exports.names import label, object_name
from placement.provision.exports.texts import json_text
from tests.export_cases import hosted, placement, plan

ALIKE = st.sampled_from(
    ["eu-west", "eu_west", "EU-west", "eu.west", "eu/west", "eu:22", "1e3", "a__b"]
)
IDS = (
    ALIKE
    | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,12}", fullmatch=True)
    | st.from_regex(r"[a-z][a-z-]{60,199}", fullmatch=True)
)
TEXTS = st.sampled_from(
    ["{{ 7 * 7 }}", "${path.module}", "=1+1", "yes", "1e3", "#jinja2: x"]
) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).map(str.strip).filter(bool)
DUTIES = st.builds(HostObligation, code=IDS, requirement=TEXTS)
VALID = {
    "group": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "host": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "label": re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)"),
    "object": re.compile(r"[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?"),
}


@st.composite
def cities(draw: st.DrawFn) -> tuple[list[ApprovedPlacement], dict[str, str]]:
    """Placements, and the operators of the sites that they are at."""
    sites = draw(st.dictionaries(IDS, IDS, min_size=1, max_size=4))
    found = []
    for dataset in draw(st.lists(IDS, unique=True, min_size=1, max_size=4)):
        at = draw(st.lists(st.sampled_from(sorted(sites)), unique=True, min_size=1, max_size=3))
        roles = st.lists(IDS, max_size=3).map(tuple)
        hosts = [
            hosted(site, *draw(st.lists(DUTIES, max_size=3)), operator=sites[site]) for site in at
        ]
        found.append(
            placement(
                dataset,
                *hosts,
                title=draw(TEXTS),
                department=draw(st.none() | TEXTS),
                from_sites=draw(roles),
                confidentiality=draw(st.none() | st.sampled_from(Level)),
                gdpr_category=draw(st.none() | st.sampled_from(GdprCategory)),
                access_rights=draw(st.none() | st.sampled_from(AccessRights)),
                readers=draw(roles),
                volume_gb=draw(st.integers(0, 10**12)),
            )
        )
    return found, sites


def exported(city: tuple[list[ApprovedPlacement], dict[str, str]]) -> Export:
    placements, sites = city
    return export_of(placements, plan(sites), 7)


def every_form(export: Export) -> dict[str, Any]:
    return {
        "ansible": ansible.static_inventory(export),
        "script": ansible.script_list(export),
        "tfvars": terraform.variables(export),
        "kubernetes": kubernetes.config_maps(export),
        "patches": kubernetes.patches(export),
        "csv": as_csv(tables.COLUMNS, tables.rows(export)),
        "json": json_text(document(export)),
        "parquet": tables.parquet(export),
    }


def shuffled(city: Any, seed: int) -> Any:
    chance = random.Random(seed)

    def mixed(items: Any) -> Any:
        return tuple(chance.sample(list(items), len(items)))

    placements, sites = city
    again = [
        placed.model_copy(
            update={
                "sites": mixed(
                    [
                        host.model_copy(update={"host_obligations": mixed(host.host_obligations)})
                        for host in placed.sites
                    ]
                ),
                "readers": mixed(placed.readers),
                "from_sites": mixed(placed.from_sites),
            }
        )
        for placed in mixed(placements)
    ]
    return again, dict(mixed(sites.items()))


@settings(max_examples=40)
@given(cities(), st.integers(0, 2**32))
def test_the_order_of_the_parts_never_matters(city, seed):
    assert every_form(exported(shuffled(city, seed))) == every_form(exported(city))


@settings(max_examples=40)
@given(cities())
def test_every_replica_is_one_host_in_the_groups_of_its_own_ids(city):
    export = exported(city)
    told = json.loads(ansible.script_list(export))
    hosts = told["_meta"]["hostvars"]
    assert len(hosts) == len(export.replicas)
    groups = {name: set(told[name]["hosts"]) for name in told["all"]["children"]}
    assert set(told) == {"_meta", "all", *groups}
    assert not set(groups) & set(hosts)
    assert all(VALID["host"].fullmatch(host) for host in hosts)
    assert all(VALID["group"].fullmatch(group) for group in groups)
    for kind in ("dataset", "site", "operator"):
        by_id: dict[str, set[str]] = {}
        for host, facts in hosts.items():
            by_id.setdefault(facts[f"placement_{kind}"], set()).add(host)
        found = [members for name, members in groups.items() if name.startswith(f"{kind}_")]
        assert sorted(map(sorted, found)) == sorted(map(sorted, by_id.values()))


@settings(max_examples=40)
@given(cities())
def test_a_static_inventory_says_what_the_script_says(city):
    export = exported(city)
    listed = json.loads(ansible.script_list(export))

    class Loader(yaml.SafeLoader):
        """Knows Ansible's tag."""

    Loader.add_constructor("!unsafe", lambda _, node: {"__ansible_unsafe": node.value})
    static = yaml.load(ansible.static_inventory(export), Loader)["all"]
    assert static["vars"] == listed["all"]["vars"]
    assert static["hosts"] == listed["_meta"]["hostvars"]
    assert {name: list(group["hosts"]) for name, group in static["children"].items()} == {
        name: listed[name]["hosts"] for name in listed["all"]["children"]
    }


@given(st.sets(IDS, max_size=30))
def test_names_for_kubernetes_are_valid_and_never_shared(ids):
    labels, objects = {label(ident) for ident in ids}, {object_name(ident) for ident in ids}
    assert len(labels) == len(objects) == len(ids)
    assert all(VALID["label"].fullmatch(name) for name in labels)
    assert all(VALID["object"].fullmatch(name) for name in objects)


@settings(max_examples=40)
@given(cities())
def test_every_patch_allows_the_sites_of_its_dataset_and_no_other(city):
    export = exported(city)
    placements, sites = city
    for item in json.loads(kubernetes.config_maps(export))["items"]:
        template = json.loads(item["data"]["patch.json"])["spec"]["template"]
        required = template["spec"]["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        ((requirement,),) = (term["matchExpressions"] for term in required["nodeSelectorTerms"])
        allowed = {site for site in sites if label(site) in requirement["values"]}
        (placed,) = (p for p in placements if p.dataset == item["data"]["dataset"])
        assert allowed == {host.site for host in placed.sites}
        for key, value in template["metadata"]["labels"].items():
            assert VALID["label"].fullmatch(key.split("/")[1])
            assert VALID["label"].fullmatch(value)


@settings(max_examples=40)
@given(cities())
def test_tables_give_back_what_went_in(city):
    export = exported(city)
    content = as_csv(tables.COLUMNS, tables.rows(export)).decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    ids = [(replica.dataset, replica.site, str(replica.volume_gb)) for replica in export.replicas]
    assert [(row["dataset"], row["site"], row["volume_gb"]) for row in rows] == ids
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=+-@" and cell]
    stored = pq.read_table(io.BytesIO(tables.parquet(export))).to_pylist()
    assert [row["title"] for row in stored] == [replica.title for replica in export.replicas]
    assert [row["host_obligations"] for row in stored] == [
        [duty.model_dump() for duty in replica.host_obligations] for replica in export.replicas
    ]


@settings(max_examples=40)
@given(cities())
def test_terraform_gets_one_answer_for_each_replica(city):
    export = exported(city)
    replicas = json.loads(terraform.variables(export))["placement_replicas"]
    assert len(replicas) == len(export.replicas)
    for replica in export.replicas:
        query = {"dataset": replica.dataset, "site": replica.site}
        told = json.loads(terraform.external(export, query))
        assert all(isinstance(value, str) for value in told.values())
        given_there = replicas[f"{replica.dataset}@{replica.site}"]
        assert told["title"] == given_there["title"] == replica.title
        assert json.loads(told["host_obligations"]) == given_there["host_obligations"]
