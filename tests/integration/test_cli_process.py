"""The command as a process: how fast it starts, and how it behaves among other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Typer itself imports pydantic to read arguments; what costs time is building our models.
HEAVY = (
    "models",
    "networkx",
    "pulp",
    "highspy",
    "numpy",
    "rdflib",
    "requests",
    "opa_client",
    "httpx",
    "sqlalchemy",
    "litestar",
    "uvicorn",
    "cryptography",
)
PLACEMENT = (sys.executable, "-m", "placement.cli")


def environment(**changes: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    return (
        kept
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        | changes
    )


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[bytes]:
    command = [*PLACEMENT, *arguments]
    return subprocess.run(
        command, env=environment(**changes), capture_output=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["decide", "--help"],
        ["audit", "verify", "--help"],
        ["policies", "--help"],
        ["--version"],
        ["nope"],
        ["decisions", "show"],
    ],
)
def test_help_and_usage_errors_import_nothing_heavy(arguments: Sequence[str]):
    program = f"""
import sys
sys.argv = ["placement", *{arguments!r}]
from placement.cli import main
try:
    main()
except SystemExit:
    pass
print("\\nloaded:", *(name for name in {HEAVY!r} if name in sys.modules))
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    assert result.stdout.splitlines()[-1].split() == ["loaded:"]


def test_a_reader_who_leaves_early_gets_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [*PLACEMENT, "schema", "plan"],
            env=environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert result.returncode == 0
    assert result.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_answer_that_finds_no_room_is_exit_5():
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*PLACEMENT, "schema", "plan"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert result.returncode == 5
    assert len(result.stderr.splitlines()) == 1
    assert b"cannot be written" in result.stderr


def test_a_closed_standard_output_is_exit_5():
    command = f"exec '{sys.executable}' -m placement.cli schema plan >&-"
    result = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment(),
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert result.returncode == 5
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["decide", "--help"], ["schema", "sites"]])
def test_a_locale_without_utf8(arguments: Sequence[str]):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = run(*arguments, **plain)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_what_was_typed_is_shown_even_where_the_locale_cannot():
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = run("décide\x1b[2J", **plain)
    assert result.returncode == 2
    assert result.stderr.isascii()
    assert b"\x1b" not in result.stderr


@pytest.mark.parametrize("columns", ["1", "60", "notanumber"])
def test_help_fits_terminals_of_any_width(columns: str):
    result = run("decide", "--help", COLUMNS=columns)
    assert result.returncode == 0
    assert b"--catalog" in result.stdout.replace(b"\n", b"") or columns == "1"


def test_a_missing_input_is_named(tmp_path: Path):
    missing = str(tmp_path / "nowhere.json")
    result = run("decide", "--catalog", missing, "--sites", missing, "--format", "json", "-q")
    assert result.returncode == 2
    assert result.stdout == b""
    problem = json.loads(result.stderr)
    assert problem["code"] == "bad_input"
    assert {defect["file"] for defect in problem["defects"]} == {missing}
