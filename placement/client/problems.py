"""From the service's problem documents back to the errors that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
from pydantic import ValidationError

from models import Stale
from placement.errors import (
    BadInput,
    Defect,
    PlacementError,
    RequestError,
    ServiceError,
    StaleProposal,
)


def error_of(answer: httpx.Response) -> PlacementError:
    """The error that an answer stands for; never a success."""
    try:
        return error_named(answer.json())
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"the service answered {answer.status_code} without saying why")


def error_named(problem: Any) -> PlacementError:
    """The error that a problem document names. Raises KeyError, TypeError: it is none."""
    code, detail = str(problem["code"]), str(problem["detail"])
    defects = _defects(problem)
    if code == BadInput.code or defects:
        return BadInput(defects or [Defect("", "", "", detail)])
    if code == StaleProposal.code:
        return StaleProposal(detail, _changes(problem))
    error = _BY_CODE.get(code)
    if error is not None:
        return error(detail)
    # A code of the service's own edge: whose fault it is stands in the status.
    status = problem.get("status")
    ours = isinstance(status, int) and httpx.codes.is_client_error(status)
    return (RequestError if ours else ServiceError)(f"{code}: {detail}")


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
