"""The image and the compose file, as far as a machine without a container engine can tell.

What a container engine would do is done by hand: the wheel is built from only the files that the
build context lets through, and the compose file's own commands and environments are run as
processes, on other ports and folders. What the engine itself does stays unproven.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from models import CityRole, DecisionState
from placement.cli.app import app
from placement.client import Client
from placement.eligibility.binary import find_opa
from placement.settings import read_settings
from tests import oidc_server
from tests.decision_cases import PARAMETERS, catalog, register
from tests.identity_cases import claims, header, signed

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"
COMPOSE = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OPA_TOKEN = "an inbound token of more than thirty-two characters".replace(" ", "-")
PATIENCE_S = 60.0


# --- the image ---------------------------------------------------------------------------------


def build_context(folder: Path) -> Path:
    """The tree as `docker build` sees it: what the ignore file lets through."""
    rules = (REPOSITORY / "docker" / "Dockerfile.dockerignore").read_text().split()
    assert rules[0] == "**"
    for allowed in (rule[1:] for rule in rules if rule.startswith("!")):
        source, target = REPOSITORY / allowed, folder / allowed
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


def test_everything_that_is_copied_is_let_through_by_the_ignore_file(tmp_path):
    context = build_context(tmp_path)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    named = [name for names in copied for name in names.split()]
    assert len(named) >= 8
    assert [name for name in named if not (context / name).exists()] == []


def test_the_wheel_built_from_the_context_runs_the_service_s_commands(tmp_path):
    context = build_context(tmp_path / "context")
    build = [sys.executable, "-I", "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=context, check=True, capture_output=True)
    (wheel,) = (context / "dist").glob("*.whl")
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([sys.executable, "-I", *install, str(wheel)], check=True, capture_output=True)
    alone = (
        f"import sys; sys.path[:] = [{str(site)!r}] + "
        f"[p for p in sys.path if p != {str(REPOSITORY)!r}];"
        "import placement.cli; assert placement.__file__.startswith(sys.path[0]);"
        f"sys.argv = ['placement', 'setup', '--data', {str(tmp_path / 'data')!r}];"
        "placement.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", alone],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "placement.sqlite3").is_file()


def test_nothing_but_what_is_pinned_goes_into_the_image():
    text = DOCKERFILE.read_text()
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.fullmatch(r"[a-z]+:[\d.]+-[\w-]+", image) for image in images), images
    assert text.count("pip install") == len(re.findall(r"--require-hashes|--no-index", text))
    assert "USER 10001" in text.splitlines()


def test_the_tools_in_the_image_are_those_that_are_pinned():
    built = re.findall(r"^RUN go build -o /(\w+) (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    pins = {name: (REPOSITORY / ".ci" / name / "go.mod").read_text() for name in ("opa", "regal")}
    tools = {name: re.search(r"^tool (\S+)", text, re.MULTILINE) for name, text in pins.items()}
    assert dict(built) == {name: found[1] for name, found in tools.items() if found}
    image = re.search(r"^FROM golang:(\d+)\.(\d+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert image
    for text in pins.values():
        needed = re.search(r"^go (\d+)\.(\d+)", text, re.MULTILINE)
        assert needed
        assert (int(image[1]), int(image[2])) >= (int(needed[1]), int(needed[2]))


def test_the_health_check_is_a_command():
    (command,) = re.findall(r"^ +CMD (\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)
    program, *arguments = yaml.safe_load(command)
    assert program == "placement"
    asked = CliRunner().invoke(app, [*arguments, "--server", f"http://127.0.0.1:{free_port()}"])
    assert asked.exit_code == 1
    assert "no answer" in asked.output


# --- the compose file --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_pinned_unprivileged_and_cannot_write_to_their_image(name):
    service = SERVICES[name]
    assert re.fullmatch(r"placement|[\w/]+:\d[\w.-]+", service["image"])
    if name == "postgres":
        return  # the official image drops to its own user by itself
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_opa_is_of_the_version_that_is_tested():
    pinned = re.search(r"/opa v(\S+)", (REPOSITORY / ".ci" / "opa" / "go.mod").read_text())
    assert pinned
    assert SERVICES["opa"]["image"] == f"openpolicyagent/opa:{pinned[1]}-static"


def test_only_the_api_is_reachable_and_only_from_this_machine():
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:${PLACEMENT_PORT:-8000}:8000"]
    assert "--addr=127.0.0.1:8181" in SERVICES["opa"]["command"]
    assert {SERVICES[name]["network_mode"] for name in ("api", "worker")} == {"service:opa"}


def test_every_variable_is_one_that_is_read_and_that_the_example_names():
    source = (REPOSITORY / "placement" / "settings.py").read_text(encoding="utf-8")
    example = (REPOSITORY / "docker" / "example.env").read_text(encoding="utf-8")
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            assert service["image"] != "placement" or variable in source
            for name in re.findall(r"\$\{(\w+)", str(value)):
                assert f"{name}=" in example
    ignored = (REPOSITORY / ".gitignore").read_text().split()
    assert any(fnmatch.fnmatch("docker/.env", pattern) for pattern in ignored)


# --- its commands, run as it says ----------------------------------------------------------------


class Composition:
    """The services of the compose file as processes: its commands, ports and folders replaced."""

    def __init__(self, folder: Path, database: str, issuer: str) -> None:
        self.api, self.opa = free_port(), free_port()
        self._replaced = {
            "/var/lib/placement-opa": str(folder / "opa"),
            "127.0.0.1:8181": f"127.0.0.1:{self.opa}",
            "127.0.0.1:8000": f"127.0.0.1:{self.api}",
        }
        self._variables = {
            "POSTGRES_PASSWORD": "unused",
            "PLACEMENT_OPA_TOKEN": OPA_TOKEN,
            "PLACEMENT_OIDC_ISSUER": issuer,
            "PLACEMENT_OIDC_AUDIENCE": "placement",
            "PLACEMENT_WEBHOOK_HOSTS": "hooks.city.example",
            "PLACEMENT_WEBHOOK_NETWORKS": "10.1.0.0/16",
        }
        self._given = {
            "DATABASE_URL": database,
            "PLACEMENT_DATA": str(folder / "data"),
            "PLACEMENT_OPA_BIN": str(find_opa(read_settings().opa_bin)),
            "PYTHONPATH": str(REPOSITORY),
            "PATH": os.environ["PATH"],
        }
        self.url = f"http://127.0.0.1:{self.api}"

    def command(self, name: str) -> list[str]:
        words = [self._here(word) for word in SERVICES[name]["command"]]
        if name == "opa":
            return [self._given["PLACEMENT_OPA_BIN"], *words]
        words = [str(self.api) if word == "8000" else word for word in words]
        return [sys.executable, "-m", "placement.cli", *words]

    def environment(self, name: str) -> dict[str, str]:
        stated = SERVICES[name].get("environment", {})
        return {variable: self._here(str(value)) for variable, value in stated.items()} | (
            self._given
        )

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            self.command(name),
            env=self.environment(name),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)

    def _here(self, text: str) -> str:
        for name, value in self._variables.items():
            text = re.sub(rf"\$\{{{name}(:[-?][^}}]*)?\}}", value, text)
        for there, here in self._replaced.items():
            text = text.replace(there, here)
        return text


@pytest.fixture
def composition(tmp_path, postgres_url) -> Iterator[tuple[Composition, str]]:
    with oidc_server.oidc_server() as server:
        composed = Composition(tmp_path, postgres_url, server.issuer)
        setup = subprocess.run(
            composed.command("setup"),
            env=composed.environment("setup"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert setup.returncode == 0, setup.stderr
        with ExitStack() as running:
            for name in ("opa", "api", "worker"):
                running.enter_context(composed.running(name))
            wait_until_ready(composed.url)
            yield composed, server.issuer


def test_the_composed_services_decide_and_approve(composition):
    composed, issuer = composition
    require_a_token(composed.opa)
    with (
        Client(composed.url, person(issuer, CityRole.DATA_MANAGEMENT_OFFICE)) as office,
        Client(composed.url, person(issuer, CityRole.GOVERNANCE_BOARD)) as board,
    ):
        office.import_records(catalog(), register())
        office.set_parameters(PARAMETERS)
        number = office.result(office.decide().id)["decision"]
        assert board.approve(number).state is DecisionState.APPROVED
        placed = {placement.dataset for placement in office.placements()}
        assert placed == {dataset.id for dataset in catalog().datasets}


def require_a_token(port: int) -> None:
    url = f"http://127.0.0.1:{port}/v1/data/authz/decision"
    for headers in ({}, {"authorization": "Bearer another"}):
        asked = httpx.post(url, json={"input": {}}, headers=headers, trust_env=False)
        assert asked.status_code == 401


def wait_until_ready(url: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/ready", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the service was not ready in time")


def person(issuer: str, role: CityRole) -> str:
    now = time.time()
    stated = claims(iss=issuer, roles=[role.value], iat=now, nbf=now, exp=now + 600, sub=role.value)
    return signed(header(), stated)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
