"""Answers whose JSON was written long ago: sent as it is stored, byte for byte."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response

from api.conditional import not_modified, quoted, require_match
from placement.service.performing import JSON


def stored(request: Request[Any, Any, Any], body: str, *, version: str) -> Response[Any]:
    """Answer a GET with stored JSON; 304 for whoever has this version already.

    Raises
    ------
    PreconditionFailed
        When If-Match names other versions only.
    """
    require_match(request, version)
    headers = {"etag": quoted(version)}
    if not_modified(request, version):
        return Response(b"", status_code=304, headers=headers, media_type=JSON)
    return Response(body.encode(), headers=headers, media_type=JSON)


def raw(body: str) -> Response[Any]:
    """JSON that was put together from stored parts."""
    return Response(body.encode(), media_type=JSON)
