"""The one place where errors become RFC 9457 problem documents.

Of our own errors below 500 the text is told: it was written for the reader. Of everything else only
a fixed text is told; the rest stands in the log, under the request's id.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from placement.errors import BadInput, Defect, NotAuthenticated, PlacementError, StaleProposal

PROBLEM = "application/problem+json"
TYPE = "urn:placement:problem:"
DEFECTS_SHOWN = 100
"""A catalogue of ten thousand datasets may be wrong in each; nobody reads more than these."""

_log = logging.getLogger("placement.api")


class RequestRefused(HTTPException):
    """The edge refuses a request before any use case sees it: `code` and our own words."""

    code = "bad_request"
    status_code = 400

    def __init__(
        self,
        detail: str,
        *,
        defects: Sequence[Defect] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.defects = tuple(defects)
        super().__init__(detail=detail, status_code=self.status_code, headers=dict(headers or {}))


class BadRequest(RequestRefused):
    """A path, a parameter or a header is not as documented."""


class UnreadableBody(RequestRefused):
    """The body is not what strict JSON allows; `defects` say where."""

    code = "unreadable_body"


class BodyTimeout(RequestRefused):
    """The body did not arrive in time."""

    code = "body_timeout"
    status_code = 408


class ClientGone(RequestRefused):
    """Whoever asked is not there any more; nobody reads this."""

    code = "client_gone"


class BodyTooLarge(RequestRefused):
    """The body is longer than this route takes."""

    code = "body_too_large"
    status_code = 413


class WrongMediaType(RequestRefused):
    """The body is declared as something else than JSON."""

    code = "media_type"
    status_code = 415


class Overloaded(RequestRefused):
    """More writers wait than can be served in time."""

    code = "overloaded"
    status_code = 503


EDGE_ERRORS = (
    BadRequest,
    UnreadableBody,
    BodyTimeout,
    ClientGone,
    BodyTooLarge,
    WrongMediaType,
    Overloaded,
)
"""Every code that the edge itself gives, apart from those below."""

_HTTP_CODES: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request is not as documented."),
    404: ("no_such_route", "Nothing is served at this path."),
    405: ("method_not_allowed", "This path does not take this method."),
    413: ("body_too_large", "The body is longer than this route takes."),
}
"""What Litestar refuses by itself."""

_FIXED: dict[str, str] = {
    "policy_engine": "The policies could not be asked; nothing was done.",
    "policy_revision": "The policy engine does not hold the policies in force; nothing was done.",
    "store": "The records could not be read or written; nothing was done.",
    "identity_provider": "The identity provider's keys are not known; nobody can be let in.",
}
"""What is told of our own errors from 500 on; their text may name a host or a file."""

_INTERNAL = "Something went wrong here; the log has it under this request's id."


def on_placement_error(request: Request[Any, Any, Any], error: PlacementError) -> Response[bytes]:
    """A problem document for one of our own errors."""
    status = error.http_status
    if status >= 500:
        _log.error("%s %s", _request_id(request), error.code, exc_info=error)
        detail = _FIXED.get(error.code, _INTERNAL)
    else:
        detail = _one_line(error)
    members: dict[str, Any] = {}
    if isinstance(error, BadInput):
        members = _defects(error.defects)
    if isinstance(error, StaleProposal):
        members["changes"] = [change.model_dump(mode="json") for change in error.changes]
    return problem(
        status,
        error.code,
        _title(type(error)),
        detail,
        _request_id(request),
        headers=_headers(request, error),
        members=members,
    )


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """A problem document for what the edge or Litestar refuses."""
    if isinstance(error, RequestRefused):
        return problem(
            error.status_code,
            error.code,
            _title(type(error)),
            error.detail,
            _request_id(request),
            headers={**_retry(error.status_code), **(error.headers or {})},
            members=_defects(error.defects),
        )
    if isinstance(error, ValidationException):
        return _bad_parameters(request, error)
    if error.status_code not in _HTTP_CODES:
        return on_anything_else(request, error)
    code, detail = _HTTP_CODES[error.status_code]
    title = HTTPStatus(error.status_code).phrase
    return problem(
        error.status_code, code, title, detail, _request_id(request), headers=error.headers or {}
    )


def on_anything_else(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A problem document that tells nothing; the log tells everything."""
    _log.error("%s internal", _request_id(request), exc_info=error)
    return problem(500, "internal", "Internal error", _INTERNAL, _request_id(request))


HANDLERS: dict[Any, Any] = {
    PlacementError: on_placement_error,
    HTTPException: on_http_exception,
    Exception: on_anything_else,
}


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    request_id: str,
    *,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response[bytes]:
    """A problem document (RFC 9457) with our members `code`, `defects` and `changes`."""
    return Response(
        problem_bytes(status, code, title, detail, request_id, members=members),
        status_code=status,
        media_type=PROBLEM,
        headers=dict(headers or {}),
    )


def problem_bytes(
    status: int,
    code: str,
    title: str,
    detail: str,
    request_id: str,
    *,
    members: Mapping[str, Any] | None = None,
) -> bytes:
    """The document itself."""
    document = {
        "type": TYPE + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": request_id,
        **(members or {}),
    }
    return json.dumps(document, allow_nan=False).encode()


def _bad_parameters(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Litestar's findings on path, query and header parameters; their texts name types only."""
    found = [item for item in error.extra or [] if isinstance(item, dict)]
    defects = [_parameter_defect(item) for item in found if "message" in item]
    return problem(
        400,
        BadRequest.code,
        _title(BadRequest),
        "A parameter is missing or not as documented.",
        _request_id(request),
        members=_defects(defects),
    )


def _parameter_defect(item: Mapping[str, Any]) -> Defect:
    source, key = item.get("source", ""), str(item.get("key", ""))
    if key == "data":
        return Defect("body", "", "", "is missing")
    message = str(item["message"])
    # A missing parameter's message is but its name, in quotes.
    return Defect(
        str(getattr(source, "value", source)), "", key, "is missing" if key in message else message
    )


def _defects(defects: Sequence[Defect]) -> dict[str, Any]:
    if not defects:
        return {}
    return {
        "defects": [
            {"file": d.file, "record": d.record, "field": d.field, "message": d.message}
            for d in defects[:DEFECTS_SHOWN]
        ],
        "defects_total": len(defects),
    }


def _headers(request: Request[Any, Any, Any], error: PlacementError) -> dict[str, str]:
    if isinstance(error, NotAuthenticated):
        # RFC 6750, section 3: no error code where no token was sent.
        wrong = ', error="invalid_token"' if "authorization" in request.headers else ""
        return {"www-authenticate": f'Bearer realm="placement"{wrong}'}
    return _retry(error.http_status)


def _retry(status: int) -> dict[str, str]:
    return {"retry-after": "1"} if status == 503 else {}


def _one_line(error: PlacementError) -> str:
    if isinstance(error, BadInput):
        return f"{len(error.defects)} thing(s) in the request are wrong; see defects."
    return str(error) or _title(type(error))


def _title(kind: type[Exception]) -> str:
    """The class name as words: "Not found" of NotFound."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__)
    return words.capitalize()


def _request_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["state"].get("request_id", ""))
