"""Checks a draft: limits, types, format, style, tests, coverage; each defect at file:row:col.

Every program runs in the sandbox. What cannot be checked is a defect: nothing passes unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from models import DraftDefect, DraftReport, PolicyFiles, sha256_of
from placement.review.limits import limit_defects
from placement.review.sandbox import Ran, SandboxError
from placement.review.workspace import (
    DRAFT_FOLDER,
    RULES_FOLDER,
    Tools,
    Workspace,
    decoded,
    first_line,
    workspace,
)

QUERY_SECONDS = 2
"""Each test of a draft ends after so many seconds."""
MAX_DEFECTS = 200
"""A report is read by people."""
_MESSAGE = 1_000
_COVERAGE = Decimal(100)

Ask = Callable[[Workspace], Iterable[DraftDefect]]
"""Asks the draft sample questions; knows the shape that answers must have."""


def check_draft(policies: PolicyFiles, tools: Tools, ask: Ask) -> DraftReport:
    """Everything that is wrong with a draft.

    Parameters
    ----------
    policies
        The draft. It is hostile until somebody vouched for it.
    ask
        Called when the draft is otherwise in order.
    """
    digest = sha256_of(policies)
    limits = limit_defects(policies)
    if limits:
        return DraftReport(digest=digest, defects=limits[:MAX_DEFECTS])
    tests, coverage = 0, Decimal(0)
    try:
        with workspace(policies, tools) as here:
            found = [*_types(here)]
            if not found:
                found += [*_format(here, policies), *_style(here)]
                failed, tests = _tests(here)
                found += failed
                gaps, coverage = ([], Decimal(0)) if failed else _coverage(here)
                found += gaps
            if not found:
                found += ask(here)
    except SandboxError as error:
        found = [_defect("sandbox", "", str(error))]
    return DraftReport(
        digest=digest,
        defects=tuple(dict.fromkeys(found))[:MAX_DEFECTS],
        tests=tests,
        coverage=coverage,
    )


def _types(here: Workspace) -> Iterator[DraftDefect]:
    """Rules as OPA will run them, then with the tests, which may use a little more."""
    for folder, allowed in ((RULES_FOLDER, "rules.json"), (DRAFT_FOLDER, "tests.json")):
        ran = here.opa(
            *("check", "--strict", "--bundle", "--schema", "schemas", "--capabilities", allowed),
            *("--max-errors", "50", "--format", "json", folder),
        )
        if ran.code == 0 and not ran.stopped:
            continue
        errors = _json_of(ran).get("errors")
        found = [_opa_error(error) for error in errors] if isinstance(errors, list) else []
        yield from found or [_failed("check", ran)]
        return


def _opa_error(error: Any) -> DraftDefect:
    message = str(error.get("message", "")) if isinstance(error, dict) else ""
    location = (error.get("location") if isinstance(error, dict) else None) or {}
    check = "capabilities" if message.startswith("undefined function") else "check"
    return _located(check, location, message or "it does not compile")


def _format(here: Workspace, policies: PolicyFiles) -> Iterator[DraftDefect]:
    ran = here.opa("fmt", "--list", DRAFT_FOLDER)
    if ran.stopped or ran.code != 0:
        yield _failed("fmt", ran)
        return
    for line in ran.out.decode("utf-8", errors="replace").splitlines()[:MAX_DEFECTS]:
        name = _relative(line.strip())
        formatted = here.opa("fmt", f"{DRAFT_FOLDER}/{name}")
        wanted = formatted.out.decode("utf-8", errors="replace")
        row = _first_difference(policies.files.get(name, ""), wanted)
        yield _defect("fmt", name, "not in OPA's format; run `opa fmt --write`", row, 1)


def _first_difference(given: str, wanted: str) -> int:
    ours, theirs = given.split("\n"), wanted.split("\n")
    for number, (a, b) in enumerate(zip(ours, theirs, strict=False), start=1):
        if a != b:
            return number
    return min(len(ours), len(theirs))


def _style(here: Workspace) -> Iterator[DraftDefect]:
    if here.tools.regal is None:
        yield _defect("regal", "", "regal is missing: name it in PLACEMENT_REGAL_BIN")
        return
    config = ["--config-file", "regal.yaml"] if here.tools.regal_config is not None else []
    ran = here.regal("lint", *config, "--format", "json", DRAFT_FOLDER)
    violations = _json_of(ran).get("violations")
    if ran.stopped or not isinstance(violations, list) or (ran.code != 0 and not violations):
        yield _failed("regal", ran)
        return
    for violation in violations:
        message = f"{violation.get('title')}: {violation.get('description')}"
        yield _located("regal", violation.get("location") or {}, message)


def _tests(here: Workspace) -> tuple[list[DraftDefect], int]:
    ran = _opa_test(here, "json")
    cases = _document_of(ran)
    if ran.stopped or not isinstance(cases, list):
        return [_failed("test", ran)], 0
    failed = [
        _located("test", case.get("location") or {}, f"{case.get('name')} {_outcome(case)}")
        for case in cases
        if _outcome(case)
    ]
    if not cases:
        failed.append(_defect("test", "", "there are no tests"))
    elif ran.code != 0 and not failed:
        failed.append(_failed("test", ran))
    return failed, len(cases)


def _outcome(case: Any) -> str:
    """What is wrong with a test; empty when it passed."""
    error = case.get("error")
    if error is not None:
        told = error.get("message") if isinstance(error, dict) else error
        return f"could not be run: {told}"
    if case.get("skip"):
        return "is skipped"
    if case.get("fail"):
        return "fails"
    return ""


def _coverage(here: Workspace) -> tuple[list[DraftDefect], Decimal]:
    ran = _opa_test(here, "json", "--coverage")
    report = _json_of(ran)
    percent, files = report.get("coverage"), report.get("files")
    if ran.stopped or not isinstance(percent, int | float) or not isinstance(files, dict):
        return [_failed("coverage", ran)], Decimal(0)
    gaps = [
        _defect("coverage", _relative(name), "no test runs this", int(gap["start"]["row"]), 1)
        for name, file in sorted(files.items())
        for gap in file.get("not_covered") or ()
    ]
    coverage = Decimal(str(percent))
    if not gaps and coverage < _COVERAGE:
        gaps.append(_defect("coverage", "", f"tests run {coverage} % of the lines, not all"))
    return gaps, coverage


def _opa_test(here: Workspace, form: str, *more: str) -> Ran:
    return here.opa(
        *("test", "--bundle", "--capabilities", "tests.json", "--timeout", f"{QUERY_SECONDS}s"),
        *("--format", form, *more, DRAFT_FOLDER),
    )


def _failed(check: str, ran: Ran) -> DraftDefect:
    return _defect(check, "", ran.stopped or first_line(ran))


def _json_of(ran: Ran) -> dict[str, Any]:
    document = _document_of(ran)
    return document if isinstance(document, dict) else {}


def _document_of(ran: Ran) -> Any:
    """The JSON on whichever of its two outputs the tool chose."""
    for printed in (ran.out, ran.err):
        try:
            return decoded(printed)
        except SandboxError:
            continue
    return None


def _located(check: str, location: Any, message: str) -> DraftDefect:
    row, column = location.get("row"), location.get("col")
    return _defect(
        check,
        _relative(str(location.get("file", ""))),
        message,
        row if isinstance(row, int) and row > 0 else 0,
        column if isinstance(column, int) and column > 0 else 0,
    )


def _relative(name: str) -> str:
    """The path in the draft; OPA's coverage report names the bundle's folder twice."""
    folder, _, rest = name.lstrip("/").partition("/")
    return _relative(rest) if folder in (RULES_FOLDER, DRAFT_FOLDER) else name


def _defect(check: str, file: str, message: str, row: int = 0, column: int = 0) -> DraftDefect:
    shown = "".join(c if c.isprintable() else " " for c in message)[:_MESSAGE]
    return DraftDefect(check=check, file=file[:200], row=row, column=column, message=shown)
