"""What surrounds every request: its id, its limits, headers of the answer, the access log.

It stands outside of Litestar's router, so that answers to unknown paths and broken requests get
the same treatment.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

from api.metrics import Metrics
from api.ngsi_ld import errors as ngsi_ld_errors
from api.paths import routable
from api.problems import (
    PROBLEM,
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    RequestRefused,
    problem_bytes,
)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
BODY_S = 60.0
"""Seconds that a whole body may take to arrive."""
SMALL_BODY = 2**20
"""Bytes of a body, except where a whole catalogue or a plan is brought."""
LARGE_BODY_PATHS = ("/v1/catalogs", "/v1/verifications")

ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
DEFAULTS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization"),
)
"""Sent unless a handler says otherwise."""

access_log = logging.getLogger("placement.access")


class Envelope:
    """Wraps an ASGI application.

    Parameters
    ----------
    max_body_bytes
        The longest body on the paths of LARGE_BODY_PATHS.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, max_body_bytes: int) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        exchange = _Exchange(scope, send)
        try:
            inner = self._inner_scope(scope, exchange.request_id)
        except RequestRefused as error:
            await exchange.refuse(error)
            self._note(scope, exchange)
            return
        body = _Body(receive, self._cap(inner["path"]))
        try:
            await self._app(inner, body.receive, exchange.send)
        finally:
            self._note(inner, exchange)

    def _inner_scope(self, scope: HTTPScope, request_id: str) -> HTTPScope:
        raw = scope.get("raw_path") or scope["path"].encode()
        inner: Any = dict(scope)
        inner["path"] = routable(raw.partition(b"?")[0])
        # RFC 9110, section 9.3.2: HEAD is GET without the content; the server leaves it out.
        inner["method"] = "GET" if scope["method"] == "HEAD" else scope["method"]
        inner["state"] = {**scope.get("state", {}), "request_id": request_id}
        return inner  # type: ignore[no-any-return]

    def _cap(self, path: str) -> int:
        return self._max_body_bytes if path.startswith(LARGE_BODY_PATHS) else SMALL_BODY

    def _note(self, scope: HTTPScope, exchange: _Exchange) -> None:
        seconds = time.perf_counter() - exchange.began
        route = str(scope.get("path_template") or "")
        self._metrics.note(scope["method"], route, exchange.status, seconds)
        caller = scope.get("state", {}).get("caller")
        line = {
            "request_id": exchange.request_id,
            "method": scope["method"][:20],
            "route": route,
            "status": exchange.status,
            "ms": round(seconds * 1000, 1),
            "bytes": exchange.sent,
            "subject": getattr(caller, "subject", None),
        }
        access_log.info("%s", line, extra={"access": line})


class _Exchange:
    """One request's answer on its way out."""

    def __init__(self, scope: HTTPScope, send: Send) -> None:
        self._send = send
        self._head = scope["method"] == "HEAD"
        self._path = scope["path"]
        self.request_id = _request_id(scope)
        self.began = time.perf_counter()
        self.status = 0
        self.sent = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers(list(message.get("headers", [])))
        elif message["type"] == "http.response.body":
            if self._head:
                message["body"] = b""
            self.sent += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, error: RequestRefused) -> None:
        body = problem_bytes(
            error.status_code, error.code, "Bad request", error.detail, self.request_id
        )
        status, media_type = error.status_code, PROBLEM
        if self._path.startswith(ngsi_ld_errors.PREFIX):
            (status, body), media_type = ngsi_ld_errors.translated(body), ngsi_ld_errors.JSON
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    def _headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in headers}
        added = [(b"x-request-id", self.request_id.encode()), *ALWAYS]
        return [*headers, *added, *(item for item in DEFAULTS if item[0] not in names)]


class _Body:
    """The request's body: at most `cap` bytes, within BODY_S seconds."""

    def __init__(self, receive: Receive, cap: int) -> None:
        self._receive = receive
        self._cap = cap
        self._length = 0
        self._whole = False
        self._deadline: float | None = None

    async def receive(self) -> Any:
        if self._whole:
            return await self._receive()
        message = await self._in_time(self._receive)
        if message["type"] == "http.disconnect":
            raise ClientGone("the connection ended before the body did")
        if message["type"] == "http.request":
            self._length += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._length > self._cap:
                raise BodyTooLarge(
                    f"the body is longer than {self._cap} bytes", headers={"connection": "close"}
                )
        return message

    async def _in_time(self, receive: Callable[[], Awaitable[Any]]) -> Any:
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            self._deadline = loop.time() + BODY_S
        try:
            async with asyncio.timeout_at(self._deadline):
                return await receive()
        except TimeoutError as error:
            raise BodyTimeout(
                f"the body did not arrive within {BODY_S:.0f} s", headers={"connection": "close"}
            ) from error


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return uuid.uuid4().hex
