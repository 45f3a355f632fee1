"""Questions to a draft: the same as to any OPA, answered by one that lives for one question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from placement.errors import PolicyEngineError
from placement.review.sandbox import SandboxError
from placement.review.workspace import RULES_FOLDER, Workspace, decoded, first_line, shorter

QUERY_CPU_S = 10
"""Of one question, for reading the policies and for up to 5,000 pairs."""
ANSWER_BYTES = 64 * 1024 * 1024


class DraftHost:
    """Answers from a draft in the sandbox. It has the methods of an OPA that an engine asks."""

    def __init__(self, here: Workspace) -> None:
        self._here = here
        told = re.search(rb"^Version: (\S+)$", here.opa("version").out, re.MULTILINE)
        self._version = told[1].decode() if told else "unknown"
        self._limits = shorter(here.tools.limits, cpu_s=QUERY_CPU_S, output_bytes=ANSWER_BYTES)

    def query(self, rule: str, document: Mapping[str, Any], seconds: float) -> tuple[Any, str]:
        """The result of a rule, and OPA's version. Raises PolicyEngineError."""
        try:
            limits = replace(self._limits, wall_s=min(seconds, self._limits.wall_s))
            answer = self._here.evaluate(rule, document, limits)
            return answer["result"][0]["expressions"][0]["value"], self._version
        except SandboxError as error:
            raise PolicyEngineError(f"data.{rule.replace('/', '.')}: {error}") from error
        except (KeyError, IndexError, TypeError) as error:
            raise PolicyEngineError(f"data.{rule.replace('/', '.')} is undefined") from error

    def close(self) -> None:
        """Nothing is left to end."""


def obligations(here: Workspace) -> tuple[str, ...]:
    """The codes of all obligations that the rules state in their METADATA, sorted.

    Raises
    ------
    SandboxError
    """
    ran = here.opa("inspect", "--annotations", "--format", "json", RULES_FOLDER)
    if ran.stopped or ran.code != 0:
        raise SandboxError(ran.stopped or first_line(ran))
    stated = (item.get("annotations") or {} for item in decoded(ran.out).get("annotations") or ())
    return tuple(
        sorted(
            {
                str(note["title"])
                for note in stated
                if "title" in note and "severity" in (note.get("custom") or {})
            }
        )
    )
