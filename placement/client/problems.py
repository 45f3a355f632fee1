"""From the service's problem documents back to the errors that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
from pydantic import ValidationError

from models import Stale
from placement.errors import BadInput, Defect, PlacementError, ServiceError, StaleProposal


def error_of(answer: httpx.Response) -> PlacementError:
    """The error that an answer stands for; never a success."""
    try:
        return error_named(answer.json())
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"the service answered {answer.status_code} without saying why")


def error_named(problem: Any) -> PlacementError:
    """The error that a problem document names. Raises KeyError, TypeError: it is none."""
    code, detail = str(problem["code"]), str(problem["detail"])
    if code == BadInput.code:
        return BadInput(_defects(problem) or [Defect("", "", "", detail)])
    if code == StaleProposal.code:
        return StaleProposal(detail, _changes(problem))
    error = _BY_CODE.get(code)
    if error is None:
        return ServiceError(f"{code}: {detail}")
    return error(detail)


def _defects(problem: Any) -> list[Defect]:
    try:
        return [
            Defect(d["file"], d["record"], d["field"], d["message"]) for d in problem["defects"]
        ]
    except (KeyError, TypeError):
        return []


def _changes(problem: Any) -> tuple[Stale, ...]:
    try:
        return tuple(Stale.model_validate(change) for change in problem["changes"])
    except (KeyError, TypeError, ValidationError):
        return ()


def _subclasses(error: type[PlacementError]) -> Iterator[type[PlacementError]]:
    yield error
    for below in error.__subclasses__():
        yield from _subclasses(below)


_BY_CODE = {error.code: error for error in _subclasses(PlacementError)}
