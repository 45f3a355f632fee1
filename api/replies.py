"""From use cases to responses: writing once, reading with ETags."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Request, Response

from api.conditional import not_modified, quoted, require_match
from api.problems import BadRequest
from api.threads import in_writer
from models import Frozen, canonical_json
from placement.service.city import Caller, City
from placement.service.performing import JSON, Reply, fingerprint_of, perform
from placement.store import Transaction

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


async def write(
    request: Request[Any, Any, Any],
    city: City,
    caller: Caller,
    action: Callable[[Transaction], Reply],
) -> Response[Any]:
    """Perform `action` once, in a writing thread, and answer with its reply.

    With an Idempotency-Key, a repeated request gets the first one's reply and
    `Idempotent-Replayed: true`.

    Raises
    ------
    BadRequest
        When the key is not 1 to 200 visible ASCII characters.
    IdempotencyMismatch
        When the key belongs to another request.
    PlacementError
        What `action` raises; nothing has happened then.
    """
    key = idempotency_key(request)
    fingerprint = fingerprint_of(
        request.method,
        request.scope["path"],
        request.scope.get("query_string", b"").decode("latin-1"),
        await request.body(),
    )
    return response_of(await in_writer(perform, city, caller, key, fingerprint, action))


def idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """The Idempotency-Key of a request, none without. Raises BadRequest."""
    keys = request.headers.getall("idempotency-key", [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise BadRequest("Idempotency-Key must be one text of 1 to 200 visible ASCII characters")
    return str(keys[0])


def response_of(reply: Reply) -> Response[Any]:
    """A stored reply as a response, byte for byte."""
    headers = dict(reply.headers)
    if reply.replayed:
        headers["idempotent-replayed"] = "true"
    media_type = headers.pop("content-type", JSON)
    return Response(reply.body, status_code=reply.status, headers=headers, media_type=media_type)


def read(
    request: Request[Any, Any, Any],
    content: Frozen | Mapping[str, Any] | list[Any],
    *,
    version: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[Any]:
    """Answer a GET with a model or plain data.

    Parameters
    ----------
    version
        Digest or number that changes with the content. It becomes the ETag, and the answer is 304
        without a body for whoever has this version already.

    Raises
    ------
    PreconditionFailed
        When If-Match names other versions only.
    """
    sent = dict(headers or {})
    if version is not None:
        require_match(request, version)
        sent["etag"] = quoted(version)
        if not_modified(request, version):
            return Response(b"", status_code=304, headers=sent, media_type=JSON)
    return Response(rendered(content), headers=sent, media_type=JSON)


def plain(
    content: Frozen | Mapping[str, Any] | list[Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[Any]:
    """An answer that has no version: a model or plain data as JSON."""
    return Response(
        rendered(content), status_code=status, headers=dict(headers or {}), media_type=JSON
    )


def rendered(content: Frozen | Mapping[str, Any] | list[Any]) -> bytes:
    """JSON bytes of a model, quickly and in the order of its fields, or of plain data."""
    if isinstance(content, Frozen):
        return content.model_dump_json().encode()
    return canonical_json(content)
