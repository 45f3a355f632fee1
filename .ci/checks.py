"""Run the project's checks, all of them even when one fails, and say at the end which did.

    python .ci/checks.py                  every check
    python .ci/checks.py lint policies    those of the named groups

Run it through `make test`, which provides the environment. A check whose tool is missing fails.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = ("models", "placement", "api", "tests", ".ci/setup.py", ".ci/checks.py")
SCHEMAS = shlex.split(os.environ.get("SCHEMAS", "python -m placement.eligibility.schemas"))
# The share of Rego lines that the Rego tests must run, in percent.
COVERAGE = 100


@dataclass(frozen=True)
class Check:
    group: str
    title: str
    passes: Callable[[], bool]


def run(*command: str) -> bool:
    print(f"$ {shlex.join(command)}", flush=True)
    try:
        return subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0
    except FileNotFoundError:
        print(f"{command[0]} is missing: run this through make, which installs it.")
        return False


# --- what the tree holds -----------------------------------------------------------------------

REGISTRIES = (
    r"pypi[.]org|pythonhosted[.]org|proxy[.]golang[.]org|sum[.]golang[.]org|registry[.]npmjs"
    r"|deb[.]debian[.]org|crates[.]io|repo[.]maven|repo1[.]maven"
)
HOME_PATHS = r"""(^|[\s"'`=:(\[,])/(work|root|tmp|home/\w+|Users/\w+)/\w"""


def committed_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [path for name in names if name and (path := REPOSITORY / name).is_file()]


def tree_is_portable() -> bool:
    """No file names a package registry's host, or a path of the machine it was written on."""
    pattern = re.compile(f"({REGISTRIES}|{HOME_PATHS})")
    clean = True
    for path in committed_files():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if pattern.search(line):
                print(f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}")
                clean = False
    return clean


def types() -> bool:
    return run("mypy", *(name for name in SOURCES if (REPOSITORY / name).exists()))


# --- the policies ------------------------------------------------------------------------------


def rego_types() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return run(*SCHEMAS, folder) and run(
            "opa", "check", "--strict", "--bundle", "--schema", folder, "policies"
        )


def rego_coverage() -> bool:
    command = [
        "opa",
        "test",
        "--bundle",
        "--timeout",
        "60s",
        "--coverage",
        "--format",
        "json",
        "policies",
    ]
    print(f"$ {shlex.join(command)}", flush=True)
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    try:
        report = json.loads(result.stdout)
        covered = float(report["coverage"])
    except (ValueError, KeyError):
        print(result.stdout[-2000:] + result.stderr[-2000:])
        print("opa gave no coverage report.")
        return False
    for name, file in sorted(report["files"].items()):
        for gap in file.get("not_covered", []):
            print(f"{name}:{gap['start']['row']}-{gap['end']['row']} is run by no test")
    print(f"{covered:g} % of the policy lines are run by a test; {COVERAGE} % is required.")
    return covered >= COVERAGE and result.returncode == 0


# --- all of them, in the order a reader wants to hear of them ------------------------------------

CHECKS = (
    Check("lint", "Python style (ruff check)", lambda: run("ruff", "check", ".")),
    Check("lint", "Python format (ruff format)", lambda: run("ruff", "format", "--check", ".")),
    Check("lint", "Which room imports which (lint-imports)", lambda: run("lint-imports")),
    Check("lint", "No registry host and no local path in the tree", tree_is_portable),
    Check("types", "Python types (mypy --strict)", types),
    Check(
        "policies",
        "Rego format (opa fmt)",
        lambda: run("opa", "fmt", "--fail", "--list", "policies"),
    ),
    Check("policies", "Rego types against the models' schemas (opa check)", rego_types),
    Check(
        "policies",
        "Rego tests (opa test)",
        lambda: run("opa", "test", "--bundle", "--timeout", "60s", "--fail-on-empty", "policies"),
    ),
    Check("policies", "Rego test coverage (opa test --coverage)", rego_coverage),
    Check("policies", "Rego style (regal lint)", lambda: run("regal", "lint", "policies")),
    # Files side by side: what a file starts (OPA, PostgreSQL, servers) is started once.
    Check(
        "unit",
        "Python tests (pytest)",
        lambda: run("pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"),
    ),
)
GROUPS = tuple(dict.fromkeys(check.group for check in CHECKS))


def main(groups: list[str]) -> int:
    if unknown := set(groups) - set(GROUPS):
        print(f"No such group: {', '.join(sorted(unknown))}. There are: {', '.join(GROUPS)}.")
        return 2
    outcomes: list[tuple[Check, bool, float]] = []
    for check in CHECKS:
        if groups and check.group not in groups:
            continue
        print(f"\n=== {check.title} {'=' * max(3, 90 - len(check.title))}", flush=True)
        started = time.monotonic()
        outcomes.append((check, check.passes(), time.monotonic() - started))
    return summarize(outcomes)


def summarize(outcomes: list[tuple[Check, bool, float]]) -> int:
    print(f"\n=== Summary {'=' * 83}")
    for check, passed, seconds in outcomes:
        print(f"{'ok    ' if passed else 'FAILED'}  {seconds:6.1f} s  {check.title}")
    failed = [check for check, passed, _ in outcomes if not passed]
    for group in dict.fromkeys(check.group for check in failed):
        print(f"Run `make {group}` to repeat the {group} checks alone.")
    print(f"\nchecks: {len(outcomes) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
