"""/openapi.json and the pages that show it: whole without any other host."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, get

from api.conditional import not_modified, quoted
from api.openapi import describe
from api.requests import JSON
from api.threads import in_reader

_WEB = Path(__file__).parent / "web"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@get("/openapi.json", opt={"access": "public"}, include_in_schema=False)
async def openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The description of this API, in OpenAPI 3.1."""
    state = request.app.state
    if "openapi" not in state:
        document = await in_reader(describe, request.app)
        state.openapi = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    return _sent(request, state.openapi, JSON)


@get("/docs", opt={"access": "public"}, include_in_schema=False)
async def docs_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The API to read and try."""
    return _sent(request, _file("docs.html"), "text/html")


@get("/docs/docs.css", opt={"access": "public"}, include_in_schema=False)
async def docs_style(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Its style sheet."""
    return _sent(request, _file("docs.css"), "text/css")


@get("/docs/docs.js", opt={"access": "public"}, include_in_schema=False)
async def docs_script(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Its script."""
    return _sent(request, _file("docs.js"), "text/javascript")


@cache
def _file(name: str) -> bytes:
    return (_WEB / name).read_bytes()


def _sent(request: Request[Any, Any, Any], content: bytes, media_type: str) -> Response[bytes]:
    version = hashlib.sha256(content).hexdigest()
    headers = {
        "etag": quoted(version),
        "cache-control": "public, no-cache",
        "content-security-policy": _POLICY,
        "vary": "Accept-Encoding",
    }
    if not_modified(request, version):
        return Response(b"", status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


routes = (openapi_document, docs_page, docs_style, docs_script)
