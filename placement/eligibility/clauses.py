"""Reads from the policies themselves what they ask contracts to say.

A rule that a contract can meet states its clause in its METADATA, beside its severity::

    # custom:
    #   severity: mandatory
    #   clause:
    #     contract: hosting                  or collection
    #     states: [site.exit_notice_days]    where the city's records say whether it is there
    #     text: The city may leave at a notice of at most {openness.exit_notice_days_max} days.

A name in braces is a threshold of the same policies. OPA parses the METADATA (`opa inspect`), so a
rule that a city adds is in the checklist without anybody listing it, and one it removes is gone.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models import HostObligation, Severity, Source
from models.procurement import ClauseChecklist, ContractClause, ContractKind
from placement.eligibility.binary import find_opa
from placement.eligibility.bundle import Bundle
from placement.eligibility.decoding import strict_json
from placement.errors import PolicyEngineError

_SECONDS = 30.0
_FOLDER = "policies"
_THRESHOLD = re.compile(r"\{([^{}]*)\}")


class _Stated(BaseModel):
    """METADATA of a rule with a clause, as it has to be written."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: str
    description: str
    related_resources: list[Source] = Field(min_length=1)
    severity: Severity
    contract: ContractKind
    states: list[str] = Field(min_length=1)
    text: str = Field(min_length=1)


def stated_clauses(bundle: Bundle, opa_bin: str | None) -> ClauseChecklist:
    """Every clause that the rules of a bundle state, and everything they ask of hosts.

    Parameters
    ----------
    bundle
        The policies; only they are read, none is evaluated.
    opa_bin
        The OPA to read them with; none: the one on PATH.

    Raises
    ------
    PolicyEngineError
        When there is no OPA, it cannot read the policies, or a clause is not whole: a checklist
        that lacks one would be taken for complete.
    """
    binary = find_opa(opa_bin)
    with tempfile.TemporaryDirectory(prefix="placement-clauses-") as name:
        folder = Path(name)
        bundle.write(folder / _FOLDER)
        inspected = _opa(binary, folder, "inspect", "--annotations", "--format", "json", _FOLDER)
        thresholds = _opa(
            binary, folder, "eval", "--bundle", _FOLDER, "--format", "json", "data.thresholds"
        )
    rules = list(_rules(inspected))
    known = _value(thresholds)
    clauses = [_clause(rule, known) for path, rule in rules if path == "violations" and _has(rule)]
    duties = {rule["title"]: rule for path, rule in rules if path == "host_obligations"}
    return ClauseChecklist(
        policy_revision=bundle.digest,
        clauses=tuple(sorted(clauses, key=lambda clause: (clause.contract, clause.obligation))),
        host_obligations=tuple(
            HostObligation(code=code, requirement=_sentence(duties[code]["description"]))
            for code in sorted(duties)
        ),
    )


def _opa(binary: Path, folder: Path, *arguments: str) -> Any:
    """What OPA prints, decoded; it sees nothing of our environment."""
    try:
        ran = subprocess.run(
            [binary, *arguments],
            cwd=folder,
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        return strict_json(ran.stdout)
    except subprocess.CalledProcessError as error:
        said = " ".join((error.stderr or error.stdout).decode("utf-8", "replace").split())
        raise PolicyEngineError(f"OPA cannot read the policies: {said[:500]}") from error
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise PolicyEngineError(f"OPA cannot read the policies: {error}") from error


def _rules(inspected: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The last part of the path of every rule with a title, and its METADATA."""
    found = inspected.get("annotations") if isinstance(inspected, dict) else None
    for item in found or ():
        note, path = item.get("annotations") or {}, item.get("path") or ({"value": ""},)
        if note.get("title") and note.get("scope") == "rule":
            yield str(path[-1]["value"]), note


def _has(rule: Mapping[str, Any]) -> bool:
    return "clause" in (rule.get("custom") or {})


def _clause(rule: Mapping[str, Any], thresholds: Mapping[str, Any]) -> ContractClause:
    custom = rule["custom"]
    clause = custom["clause"] if isinstance(custom["clause"], dict) else {}
    try:
        stated = _Stated.model_validate({**rule, "severity": custom.get("severity"), **clause})
        return ContractClause(
            obligation=stated.title,
            contract=stated.contract,
            text=_THRESHOLD.sub(lambda name: _threshold(name[1], thresholds), stated.text.strip()),
            requirement=stated.description,
            severity=stated.severity,
            sources=tuple(stated.related_resources),
            states=tuple(stated.states),
        )
    except (ValidationError, LookupError) as error:
        what = error.errors()[0] if isinstance(error, ValidationError) else None
        why = f"{'.'.join(map(str, what['loc']))}: {what['msg']}" if what else error.args[0]
        raise PolicyEngineError(f"the clause of {rule['title']} is not whole: {why}") from error


def _threshold(name: str, thresholds: Mapping[str, Any]) -> str:
    """A threshold as a tender shows it. Raises LookupError where there is none of that name."""
    value: Any = thresholds
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise LookupError(f"{{{name}}} is no threshold that a text can show")


def _value(evaluated: Any) -> Mapping[str, Any]:
    try:
        value = evaluated["result"][0]["expressions"][0]["value"]
    except (KeyError, IndexError, TypeError):
        return {}  # policies without thresholds
    return value if isinstance(value, dict) else {}


def _sentence(text: str) -> str:
    """A requirement without the detail that completes it for one dataset."""
    return text if text.endswith(".") else f"{text}."
