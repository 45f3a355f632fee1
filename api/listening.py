"""HTTP/1.1 with limits that uvicorn leaves open: the size of a head and the time it may take.

A connection that sends nothing, sends its head byte by byte, or sends a head without end costs
memory and a place. Broken requests get a problem document, too.
"""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import PROBLEM, problem_bytes

HEAD_BYTES = 32_768
"""Of the request line and all headers together."""
HEADERS_MOST = 100
HEAD_S = 15.0
"""Seconds that a head may take from its first byte, or from the connection's beginning."""
LEFTOVER_S = 5.0
"""Seconds that a client may go on sending a body whose answer it has."""


class HeadTooLarge(Exception):
    """Stops the parser, which reports a callback that failed."""


class BoundedHttp(HttpToolsProtocol):
    """For `uvicorn.Config(http=BoundedHttp)`."""

    _head_bytes = 0
    _in_head = True
    _begun = False
    """The first bytes of a head are here, its end is not."""
    _parsed_bytes = 0
    _too_large = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._arm(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless a head grows beyond its limit without ever ending."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing() or not self._begun:
            return
        # A whole head has reset the count: it stands for an unfinished one.
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431)
        elif self._deadline is None:
            self._arm(HEAD_S)

    def on_message_begin(self) -> None:
        """A new head; what its bytes come to is counted by the parser's callbacks, too."""
        super().on_message_begin()
        self._begun, self._parsed_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(name + value)
        super().on_header(name, value)
        if len(self.headers) > HEADERS_MOST:
            self._too_large = True
            raise HeadTooLarge

    def on_headers_complete(self) -> None:
        """The head is whole: its body has limits of its own (api/envelope.py)."""
        self._in_head, self._begun, self._head_bytes = False, False, 0
        self._disarm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next thing to come is a head."""
        self._in_head, self._head_bytes = True, 0
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A body that was not waited for must end soon."""
        if not self._in_head:
            self._arm(LEFTOVER_S)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words are not ours
        """What the parser refuses."""
        self._refuse(431 if self._too_large else 400)

    def _count(self, part: bytes) -> None:
        self._parsed_bytes += len(part)
        if self._parsed_bytes > HEAD_BYTES:
            self._too_large = True
            raise HeadTooLarge

    def _refuse(self, status: int) -> None:
        self._disarm()
        cycle: Any = self.cycle  # none before the first head is whole
        answering = cycle is not None and not cycle.response_complete
        if answering:
            # The application hears that nobody listens; it must not answer a second time.
            cycle.disconnected = True
            cycle.message_event.set()
        if not (answering and cycle.response_started):
            self.transport.write(_refusal(status))
        self.transport.close()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def _refusal(status: int) -> bytes:
    code, detail = _REFUSALS[status]
    phrase = HTTPStatus(status).phrase
    request_id = uuid.uuid4().hex
    body = problem_bytes(status, code, phrase, detail, request_id)
    head: dict[str, Any] = {
        "content-type": PROBLEM,
        "content-length": len(body),
        "x-request-id": request_id,
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


_REFUSALS = {
    400: ("malformed_request", "This is not HTTP/1.1."),
    431: ("head_too_large", f"The head of a request has at most {HEAD_BYTES} bytes."),
}
