"""Exports in the hands of the tools they are for: Ansible, Terraform or OpenTofu, kubectl.

Ansible is a library of the tests. The others are programs: PLACEMENT_TOFU_BIN names an OpenTofu or
Terraform, else one is looked for on PATH. Where there is none, tests/unit/test_exports.py still
holds what is written against what these programs ask for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from placement.catalog import write_json
from tests import builders

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "placement" / "example" / "export"
PATIENCE_S = 300
TOFU = os.environ.get("PLACEMENT_TOFU_BIN") or shutil.which("tofu") or shutil.which("terraform")
KUBECTL = shutil.which("kubectl")

Run = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Runs a program that must succeed; answers with what it prints. `placement` is on its PATH."""
    programs = folder / "bin"
    programs.mkdir()
    command = programs / "placement"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m placement.cli "$@"\n')
    command.chmod(0o755)
    beside = Path(sys.executable).parent
    kept = {name: os.environ[name] for name in ("PLACEMENT_OPA_BIN",) if name in os.environ}
    environment = kept | {
        "PATH": os.pathsep.join([str(programs), str(beside), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
        "CHECKPOINT_DISABLE": "1",
    }

    def program(*arguments: object, stdin: str = "", **more: str) -> str:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            input=stdin,
            env=environment | more,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return program


@pytest.fixture(scope="module")
def plan(run: Run, folder: Path) -> Path:
    """A decided city whose ids and titles are hard on other tools."""
    titles = {
        "permits": f"{{{{ lookup('pipe', 'touch {folder}/owned') }}}}",
        "Open/trees": "${path.module} %{ if true }",
        "trips": "=1+1",
    }
    datasets = [
        builders.dataset(ident, title=title, replicas=2 if ident == "permits" else 1)
        for ident, title in titles.items()
    ]
    sites = (builders.site("eu-west"), builders.site("eu_west", operator="euro"))
    write_json(builders.catalog(*datasets), folder / "catalog.json")
    write_json(builders.register(*sites), folder / "sites.json")
    inputs = ("--catalog", "catalog.json", "--sites", "sites.json")
    run("placement", "decide", *inputs, "--out", "plan.json", "--quiet")
    return folder / "plan.json"


@pytest.fixture(scope="module")
def replicas(run: Run, plan: Path) -> dict[str, dict[str, Any]]:
    told = json.loads(run("placement", "export", "tfvars", "--plan", plan))
    return told["placement_replicas"]


# -- Ansible --------------------------------------------------------------------------------------


def test_ansible_reads_the_same_from_the_file_and_from_the_script(run, plan, folder, replicas):
    run("placement", "export", "ansible", "--plan", plan, "--out", "inventory.yml")
    from_file = json.loads(run("ansible-inventory", "-i", "inventory.yml", "--list"))
    script = EXAMPLE / "inventory"
    from_script = json.loads(
        run("ansible-inventory", "-i", script, "--list", PLACEMENT_PLAN=str(plan))
    )
    assert from_file == from_script
    hosts = from_file["_meta"]["hostvars"]
    assert {(h["placement_dataset"], h["placement_site"]) for h in hosts.values()} == {
        (replica["dataset"], replica["site"]) for replica in replicas.values()
    }
    alone = json.loads(
        run(
            "ansible-inventory",
            "-i",
            script,
            "--host",
            "permits__eu_west",
            PLACEMENT_PLAN=str(plan),
        )
    )
    title = replicas["permits@eu_west"]["title"]  # told plain of one host, marked in lists
    assert alone == hosts["permits__eu_west"] | {"placement_title": title}
    assert alone["placement_plan_digest"] == json.loads(plan.read_bytes())["digest"]


def test_ansible_shows_sites_that_look_alike_apart(run, plan, folder):
    run("placement", "export", "ansible", "--plan", plan, "--out", "graph.yml")
    listed = json.loads(run("ansible-inventory", "-i", "graph.yml", "--list"))
    sites = {name: group["hosts"] for name, group in listed.items() if name.startswith("site_")}
    assert len(sites) == 2
    hosts = listed["_meta"]["hostvars"]
    for members in sites.values():
        assert len({hosts[host]["placement_site"] for host in members}) == 1
    graph = run("ansible-inventory", "-i", "graph.yml", "--graph", "operator_euro")
    assert "permits__eu_west" in graph
    assert "permits__eu-west" not in graph


def test_a_playbook_makes_a_folder_for_each_replica_and_runs_no_title(run, plan, folder, replicas):
    made = folder / "made"
    for _ in ("first", "again"):
        run(
            *("ansible-playbook", "-i", EXAMPLE / "inventory", "-e", f"root={made}"),
            EXAMPLE / "folders.yml",
            PLACEMENT_PLAN=str(plan),
        )
    found = {file.parent.relative_to(made) for file in made.rglob("placement.json")}
    assert found == {Path(r["site"]) / r["dataset"] for r in replicas.values()}
    for replica in replicas.values():
        note = json.loads(
            (made / replica["site"] / replica["dataset"] / "placement.json").read_text()
        )
        assert note["title"] == replica["title"]
        assert note["obligations"] == [duty["code"] for duty in replica["host_obligations"]]
    assert not (folder / "owned").exists()


def test_ansible_stops_where_the_plan_was_edited(run, plan, folder):
    forged = folder / "forged.json"
    forged.write_text(plan.read_text().replace('"=1+1"', '"=1+2"'))
    with pytest.raises(AssertionError, match="was changed since it was decided"):
        run("ansible-inventory", "-i", EXAMPLE / "inventory", "--list", PLACEMENT_PLAN=str(forged))


# -- Terraform, OpenTofu --------------------------------------------------------------------------


@pytest.mark.skipif(TOFU is None, reason="no tofu or terraform here; PLACEMENT_TOFU_BIN names one")
def test_for_each_makes_one_thing_for_each_replica(run, plan, folder, replicas):
    module = folder / "module"
    module.mkdir()
    shutil.copy(EXAMPLE / "replicas.tf", module)
    run("placement", "export", "tfvars", "--plan", plan, "--out", module / "plan.auto.tfvars.json")
    run(TOFU, f"-chdir={module}", "fmt", "-check")
    run(TOFU, f"-chdir={module}", "init", "-input=false")
    run(TOFU, f"-chdir={module}", "apply", "-input=false", "-auto-approve")
    state = json.loads(run(TOFU, f"-chdir={module}", "show", "-json"))["values"]
    made = {r["index"]: r["values"]["output"] for r in state["root_module"]["resources"]}
    assert set(made) == set(replicas)
    for key, replica in replicas.items():
        assert made[key]["title"] == replica["title"]  # ${...} stays as it is
        assert made[key]["plan"] == json.loads(plan.read_bytes())["digest"]
    by_site = state["outputs"]["by_site"]["value"]
    assert "permits" in by_site["eu-west"]
    assert "permits" in by_site["eu_west"]


def test_external_speaks_the_protocol_of_the_data_source(run, plan, replicas):
    query = json.dumps({"dataset": "permits", "site": "eu_west"})
    told = json.loads(run("placement", "export", "terraform-external", "--plan", plan, stdin=query))
    assert all(isinstance(value, str) for value in told.values())
    there = replicas["permits@eu_west"]
    assert told["title"] == there["title"]
    assert json.loads(told["host_obligations"]) == there["host_obligations"]


@pytest.mark.parametrize("query", ["", "[]", '{"dataset": 1}', '{"dataset": "x", "dataset": "y"}'])
def test_external_fails_in_words_and_prints_nothing(plan, query):
    command = [sys.executable, "-m", "placement.cli", "export", "terraform-external"]
    done = subprocess.run(
        [*command, "--plan", str(plan)],
        input=query,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("standard input: ")
    assert "Traceback" not in done.stderr


# -- Kubernetes -----------------------------------------------------------------------------------


def deployment() -> dict[str, Any]:
    """A workload on permits, with labels of its own."""
    container = {"name": "api", "image": "registry.example/permits:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "permits-api"},
        "spec": {
            "selector": {"matchLabels": {"app": "permits"}},
            "template": {
                "metadata": {"labels": {"app": "permits"}},
                "spec": {"containers": [container]},
            },
        },
    }


def merged(into: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """What a strategic merge of objects comes to where the patch has no lists of named things."""
    both = {
        k: merged(into[k], v) if isinstance(v, dict) and k in into else v for k, v in patch.items()
    }
    return into | both


@pytest.fixture(scope="module")
def manifests(run: Run, plan: Path, folder: Path) -> Path:
    run("placement", "export", "kubernetes", "--plan", plan, "--out", "manifests")
    return folder / "manifests"


def test_a_patched_workload_is_valid_and_bound_to_its_sites(manifests):
    patch = json.loads((manifests / "patches" / "permits.json").read_text())
    patched = merged(deployment(), patch)
    kubernetes_validate.validate(patched, "1.31", strict=True)
    template = patched["spec"]["template"]
    assert template["metadata"]["labels"]["app"] == "permits"
    assert template["metadata"]["labels"]["placement.example/dataset"] == "permits"
    assert template["spec"]["containers"] == deployment()["spec"]["template"]["spec"]["containers"]
    assert '"values": ["eu-west", "eu_west"]' in json.dumps(template["spec"]["affinity"])


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl here")
def test_kubectl_merges_the_patch_as_we_do(run, manifests, folder):
    target = folder / "deployment.json"
    target.write_text(json.dumps(deployment()))
    patch = manifests / "patches" / "permits.json"
    arguments = (
        "--local",
        "-f",
        target,
        "--patch-file",
        patch,
        "--type",
        "strategic",
        "-o",
        "json",
    )
    printed = json.loads(run(KUBECTL, "patch", *arguments))
    expected = merged(deployment(), json.loads(patch.read_text()))["spec"]["template"]
    assert printed["spec"]["template"]["spec"]["affinity"] == expected["spec"]["affinity"]
    assert printed["spec"]["template"]["metadata"]["labels"] == expected["metadata"]["labels"]
    notes = expected["metadata"]["annotations"]
    assert printed["spec"]["template"]["metadata"]["annotations"] == notes


def test_every_config_map_is_valid_and_holds_the_patch_beside_it(manifests):
    listed = json.loads((manifests / "configmaps.json").read_text())
    assert len(listed["items"]) == 3
    files = {file.read_text() for file in (manifests / "patches").iterdir()}
    assert {item["data"]["patch.json"] for item in listed["items"]} == files
    for item in listed["items"]:
        kubernetes_validate.validate(item, "1.31", strict=True)
