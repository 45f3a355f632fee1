"""Problem documents as NGSI-LD has them: types of the standard's own, sent as application/json.

Everything else is as everywhere (api/problems.py): code, detail, defects and the request's id. What
the standard has no type for, such as a missing token, keeps ours.

Source: ETSI GS CIM 009, clauses 5.5.2 and 6.3.2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Request, Response

from api.problems import RequestRefused

PREFIX = "/ngsi-ld/"
TYPE = "https://uri.etsi.org/ngsi-ld/errors/"
JSON = "application/json"

Handler = Callable[[Request[Any, Any, Any], Any], Response[bytes]]


class NotAcceptable(RequestRefused):
    """None of the media types that the client takes is served."""

    code = "not_acceptable"
    status_code = 406


class NotSupported(RequestRefused):
    """The standard has it, this service does not."""

    code = "operation_not_supported"
    status_code = 422


class NonexistentTenant(RequestRefused):
    """A service serves one city: it knows no tenants."""

    code = "nonexistent_tenant"
    status_code = 404


TYPES: Mapping[str, tuple[str, int]] = {
    "bad_input": ("BadRequestData", 400),
    "bad_request": ("BadRequestData", 400),
    "internal": ("InternalError", 500),
    "method_not_allowed": ("OperationNotSupported", 405),
    "no_such_route": ("ResourceNotFound", 404),
    "nonexistent_tenant": ("NonexistentTenant", 404),
    "not_acceptable": ("InvalidRequest", 406),
    "not_found": ("ResourceNotFound", 404),
    "operation_not_supported": ("OperationNotSupported", 422),
    "unreadable_body": ("InvalidRequest", 400),
}
"""Our code -> the standard's type, and the status that it asks for."""


def spoken(handlers: Mapping[Any, Handler]) -> dict[Any, Handler]:
    """Exception handlers whose answers under /ngsi-ld/ are the standard's."""
    return {kind: _spoken(handler) for kind, handler in handlers.items()}


def _spoken(handler: Handler) -> Handler:
    def handle(request: Request[Any, Any, Any], error: Any) -> Response[bytes]:
        response = handler(request, error)
        path = str(request.scope["path"])
        return _translated(response) if path.startswith(PREFIX) else response

    return handle


def translated(body: bytes) -> tuple[int, bytes]:
    """Status and bytes of a problem document of ours as the standard has it."""
    document = json.loads(body)
    known = TYPES.get(document["code"])
    if known is not None:
        document |= {"type": TYPE + known[0], "status": known[1]}
    return document["status"], json.dumps(document, allow_nan=False).encode()


def _translated(response: Response[bytes]) -> Response[bytes]:
    status, body = translated(response.content)
    return Response(body, status_code=status, media_type=JSON, headers=dict(response.headers))
