"""A private folder with a draft and what the tools need, and the tools run inside it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models import PolicyFiles
from placement.review.capabilities import RULES, TESTS, allowed
from placement.review.sandbox import Limits, Ran, SandboxError, run

RULES_FOLDER = "rules"
"""Without tests: what OPA will run."""
DRAFT_FOLDER = "draft"
"""With tests."""
_GO = {
    # Collect garbage hard before the memory limit ends the program.
    "GOMEMLIMIT": "400MiB",
    "GOMAXPROCS": "2",
}


@dataclass(frozen=True)
class Tools:
    """The programs that look at drafts."""

    opa: Path
    regal: Path | None
    """None: it is not there, and no draft passes."""
    regal_config: str | None = None
    """The project's own, as YAML; a draft brings none."""
    schemas: Mapping[str, bytes] = field(default_factory=dict)
    """File name -> JSON Schema of a question."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Workspace:
    """A folder in which nothing is trusted but the tools."""

    folder: Path
    tools: Tools

    def opa(self, *arguments: str, limits: Limits | None = None) -> Ran:
        """Run OPA here. Raises SandboxError."""
        return run(
            [self.tools.opa, *arguments], self.folder, limits or self.tools.limits, dict(_GO)
        )

    def regal(self, *arguments: str) -> Ran:
        """Run regal here. Raises SandboxError."""
        if self.tools.regal is None:
            raise SandboxError("regal is missing")
        home = {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        return run([self.tools.regal, *arguments], self.folder, self.tools.limits, dict(_GO) | home)

    def evaluate(self, rule: str, document: Mapping[str, Any], limits: Limits) -> Any:
        """What the draft answers: OPA's JSON, whose shape is not checked.

        Parameters
        ----------
        rule
            Path of a rule below `data`, with "/".

        Raises
        ------
        SandboxError
            When OPA fails or reaches a limit, telling why.
        """
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".json") as question:
            json.dump(document, question)
            question.flush()
            ran = self.opa(
                *("eval", "--bundle", RULES_FOLDER, "--capabilities", "rules.json"),
                *("--input", Path(question.name).name, "--format", "json"),
                *("--strict-builtin-errors", f"data.{rule.replace('/', '.')}"),
                limits=limits,
            )
        if ran.stopped:
            raise SandboxError(ran.stopped)
        answer = decoded(ran.out)
        if ran.code != 0 or not isinstance(answer, dict) or "errors" in answer:
            raise SandboxError(_told(answer) or first_line(ran))
        return answer


@contextlib.contextmanager
def workspace(policies: PolicyFiles, tools: Tools) -> Iterator[Workspace]:
    """A workspace with these files, which passed the limits; it is removed in the end.

    Raises
    ------
    SandboxError
        When the sandbox cannot be built, or OPA does not tell its capabilities.
    """
    with tempfile.TemporaryDirectory(prefix="placement-draft-") as name:  # mode 0700
        folder = Path(name)
        for path, text in policies.files.items():
            _write(folder / DRAFT_FOLDER / path, text.encode())
            if not path.endswith("_test.rego"):
                _write(folder / RULES_FOLDER / path, text.encode())
        for path, schema in tools.schemas.items():
            _write(folder / "schemas" / path, schema)
        if tools.regal_config is not None:
            _write(folder / "regal.yaml", tools.regal_config.encode())
        here = Workspace(folder, tools)
        told = here.opa("capabilities", "--current")
        try:
            for path, builtins in (("rules.json", RULES), ("tests.json", TESTS)):
                _write(folder / path, allowed(told.out, builtins))
        except (ValueError, KeyError, TypeError) as error:
            raise SandboxError(f"OPA does not tell its capabilities: {first_line(told)}") from error
        yield here


def shorter(limits: Limits, *, cpu_s: int, output_bytes: int | None = None) -> Limits:
    """The same limits with less time."""
    return replace(limits, cpu_s=cpu_s, output_bytes=output_bytes or limits.output_bytes)


def decoded(out: bytes) -> Any:
    """One JSON document. Raises SandboxError."""
    try:
        return json.loads(out, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SandboxError("it printed something other than JSON") from error


def first_line(ran: Ran) -> str:
    """Why it failed, in a line of bounded length."""
    lines: Sequence[str] = [line for line in ran.text.splitlines() if line.strip()]
    line = lines[0] if lines else f"it ended with exit code {ran.code}"
    return "".join(c if c.isprintable() else " " for c in line)[:500]


def _told(answer: Any) -> str:
    """The first error that OPA tells in JSON."""
    try:
        return str(answer["errors"][0]["message"])[:500]
    except (KeyError, IndexError, TypeError):
        return ""


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content)


def _no_constant(text: str) -> float:
    raise ValueError(text)
