"""A small HTTP server for a receiver: bounded in every direction, and no more than that.

It speaks plain HTTP. Where others can listen, put something that ends TLS before it.
"""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from placement.client.receiver import Receiver

MOST_BODY_BYTES = 256 * 1024
MOST_HEAD_BYTES = 16 * 1024
MOST_AT_ONCE = 64
_IDLE_S = 35.0  # longer than a sender keeps a connection that it does not use
_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-length", "content-type")


class ReceiverServer(ThreadingHTTPServer):
    """Serves one receiver at POST of any path, with a bounded number of threads."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, receiver: Receiver, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.receiver = receiver
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """Where it listens; of use where 0 was asked for."""
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection; who comes when all are busy waits in the queue."""
        self._free.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Free the thread's place, whatever happens."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break; what is wrong with a message, the receiver logs."""


def serve(receiver: Receiver, host: str, port: int) -> None:
    """Serve until the process is stopped.

    Parameters
    ----------
    host
        Address to listen on, such as 127.0.0.1.
    port
        0: any free one.
    """
    with ReceiverServer(receiver, host, port) as server:
        server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "placement-receiver"
    sys_version = ""
    timeout = _IDLE_S  # socketserver: for each read; a connection that is kept open, too

    def setup(self) -> None:
        super().setup()
        self.rfile: Any = _Bounded(cast("BufferedIOBase", self.rfile))

    def handle_one_request(self) -> None:
        self.rfile.left = MOST_HEAD_BYTES
        super().handle_one_request()

    def do_POST(self) -> None:
        length = self._length()
        if length is None:
            return
        body = self.rfile.read_body(length)
        if len(body) < length:
            self.close_connection = True
            return
        server = cast("ReceiverServer", self.server)
        answer = server.receiver.handle(dict(self.headers.items()), body)
        self._say(answer.status, answer.body)

    def _length(self) -> int | None:
        """How long the body is; none: the request was refused."""
        given = self.headers.get("content-length", "")
        if any(len(self.headers.get_all(name, [])) > 1 for name in _SIGNED):
            self._refuse(400)
            return None
        if "transfer-encoding" in self.headers or not (given.isascii() and given.isdigit()):
            self._refuse(411)
            return None
        if len(given) > 10 or int(given) > MOST_BODY_BYTES:
            self._refuse(413)
            return None
        return int(given)

    def _refuse(self, status: int) -> None:
        """What follows cannot be told apart from the next request."""
        self.close_connection = True
        self._say(status, b"{}")

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base's name
        """The receiver logs what matters, without what strangers write."""


class _Bounded:
    """Lines of a request's head, no more than `left` bytes of them."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self.left = MOST_HEAD_BYTES

    def readline(self, limit: int = -1) -> bytes:
        most = min(limit, self.left + 1) if limit >= 0 else self.left + 1
        line = self._file.readline(most)
        self.left -= len(line)
        if self.left < 0:
            raise ConnectionError("the head of a request is too long")
        return line

    def read_body(self, length: int) -> bytes:
        return self._file.read(length)

    def close(self) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        return self._file.closed
