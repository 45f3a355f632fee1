"""The README's walk-through of the service: every block is run, in order, by one shell."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from models import SignedHead

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATIENCE_S = 400
MARK = "=== block"


def blocks() -> list[str]:
    """The shell blocks of the walk-through."""
    section = README.split("\n### A walk-through\n", 1)[1].split("\n### ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A home of its own, and the `placement` command of this source tree."""
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "placement"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m placement.cli "$@"\n')
    command.chmod(0o755)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PLACEMENT_OPA_BIN", "PLACEMENT_REGAL_BIN", "LANG", "XDG_CACHE_HOME")
    }
    return kept | {
        "HOME": str(tmp_path),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }


def run(script: str, environment: Mapping[str, str]) -> tuple[int, str, str]:
    """A script in a process group of its own, of which nothing is left behind."""
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            out, err = shell.communicate(timeout=PATIENCE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
    return shell.returncode, out, err


def told(out: str, commands: Sequence[str]) -> list[str]:
    """What each block printed."""
    parts = re.split(rf"^{MARK} \d+$\n", out, flags=re.MULTILINE)
    assert len(parts) == len(commands) + 1, out[-2000:]
    return parts[1:]


def test_every_block_of_the_walk_through_does_what_it_says(environment, tmp_path):
    commands = blocks()
    assert "PORT=8000\n" in commands[0]
    commands[0] = commands[0].replace("PORT=8000\n", f"PORT={free_port()}\n")
    script = "\n".join(
        f"printf '\\n{MARK} {number}\\n'\n{text}" for number, text in enumerate(commands)
    )
    code, out, err = run(script, environment)
    assert code == 0, f"{out[-3000:]}\n{err[-3000:]}"
    (started, me, imported, parameters, decided, compared, approved, placed, moved, audited,
     policed, stopped) = told(out, commands)  # fmt: skip
    assert json.loads(started)["ready"] is True
    assert json.loads(me)["principal"]["roles"] == ["data_management_office"]
    assert "109 datasets added" in imported
    assert json.loads(parameters)["moves_max"] == 60
    assert "event: progress" in decided
    assert re.findall(r"^event: (\w+)$", decided, re.MULTILINE)[-1] == "done"
    assert re.fullmatch(r"\s*[\d.]+\s+403\s*", compared)
    assert approved.strip() == "approved"
    assert '"dataset":"civil-registry"' in placed
    assert "\nFalse\n" in placed
    assert "Decision 1 is in force." in moved
    assert audited.split()[0] == "True"
    assert "The audit log holds." in audited
    assert "Decision 1 is reproduced to the last digit." in audited
    assert re.search(r"^ +2 +active ", policed, re.MULTILINE), policed
    assert stopped.strip() == ""
    kept = (tmp_path / "placement-demo" / "kept-head.json").read_text(encoding="utf-8")
    assert SignedHead.model_validate_json(kept).sequence > 0
