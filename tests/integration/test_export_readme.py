"""The README's section on exports: every command is run, and prints what stands below it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TITLE = "Exports for infrastructure tools"
PATIENCE_S = 400
MARK = "=== block"


@pytest.fixture(scope="module")
def section() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, found, rest = text.partition(f"\n## {TITLE}\n")
    assert found, f"the README has no section {TITLE}"
    return rest.split("\n## ", 1)[0]


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Callable[[str], str]:
    """Runs a script in a folder that looks like the source tree, and is not it."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "placement").mkdir()
    (folder / "placement" / "example").symlink_to(ROOT / "placement" / "example")
    programs = folder / "bin"
    programs.mkdir()
    command = programs / "placement"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m placement.cli "$@"\n')
    command.chmod(0o755)
    path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    kept = {name: os.environ[name] for name in ("PLACEMENT_OPA_BIN",) if name in os.environ}
    environment = kept | {
        "HOME": str(folder),
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
    }

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def printed(section, shell) -> list[str]:
    """What each block printed."""
    commands = blocks(section, "sh")
    script = "\n".join(f"printf '\\n{MARK}\\n'\n{text}" for text in commands)
    parts = shell(script).split(f"\n{MARK}\n")
    assert len(parts) == len(commands) + 1
    return parts[1:]


def test_every_block_prints_what_stands_below_it(section, printed):
    found = re.findall(
        r"^```sh\n.*?^```$(?:\n\n```text\n(.*?)^```$)?", section, re.DOTALL | re.MULTILINE
    )
    assert len([text for text in found if text]) >= 5
    for shown, told in zip(found, printed, strict=True):
        lines = iter(line.rstrip() for line in told.splitlines())
        missing = [
            line
            for line in shown.splitlines()
            if line.strip() not in ("", "...") and line not in lines
        ]  # `in` takes lines until it finds one: the order counts
        assert missing == [], told[:3000]


def test_every_form_is_shown():
    from placement.cli.exporting import Form

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [form for form in Form if f"placement export {form} " not in text] == []


def test_the_data_sources_ask_for_what_there_is(section, shell, printed):
    (hcl,) = blocks(section, "hcl")
    (program,) = map(json.loads, re.findall(r"program\s*=\s*(\[.*?\])", hcl))
    (dataset,) = re.findall(r'query\s*=\s*{ dataset = "(.+?)" }', hcl)
    query = json.dumps({"dataset": dataset})
    told = json.loads(shell(f"echo '{query}' | {' '.join(program)}"))
    used = set(re.findall(r"data\.external\.\w+\.result\.(\w+)", hcl))
    assert used
    assert used <= set(told)
    assert all(isinstance(duty["code"], str) for duty in json.loads(told["host_obligations"]))
    assert f'/v1/placements/${{urlencode("{dataset}")}}' in hcl
