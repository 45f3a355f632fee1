"""An OIDC issuer on a free port of this machine, with all its moods."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.identity_cases import jwk

Mood = Callable[[socket.socket, "OidcServer", str], None]
"""Answers one request for a path on a connection."""

DISCOVERY = "/.well-known/openid-configuration"
TLS = Path(__file__).parent / "data" / "opa_tls"


class OidcServer:
    """Serves a discovery document and keys; `mood` may spoil the answer to one path."""

    def __init__(self, *, tls: bool = False) -> None:
        self.keys: list[dict[str, Any]] = [jwk()]
        self.asked: list[str] = []
        self.requests: list[bytes] = []
        self.moods: dict[str, Mood] = {}
        self.stopping = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._context: ssl.SSLContext | None = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
        port = self._listening.getsockname()[1]
        self.url = f"https://127.0.0.1:{port}" if tls else f"http://127.0.0.1:{port}"
        self.issuer = self.url
        self.discovery: dict[str, Any] = {"issuer": self.issuer, "jwks_uri": f"{self.url}/keys"}
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def body(self, path: str) -> bytes:
        document = self.discovery if path == DISCOVERY else {"keys": self.keys}
        return json.dumps(document).encode()

    def close(self) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=[connection]))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        with connection, contextlib.suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self._answer_all(connection)

    def _answer_all(self, connection: socket.socket) -> None:
        while request := _read(connection):
            path = request.split(b" ", 2)[1].decode()
            self.asked.append(path)
            self.requests.append(request)
            self.moods.get(path, good)(connection, self, path)


@contextmanager
def oidc_server(*, tls: bool = False) -> Iterator[OidcServer]:
    server = OidcServer(tls=tls)
    try:
        yield server
    finally:
        server.close()


def good(connection: socket.socket, server: OidcServer, path: str) -> None:
    connection.sendall(reply(server.body(path)))


def hang(connection: socket.socket, server: OidcServer, path: str) -> None:
    server.stopping.wait(30)


def drip_head(connection: socket.socket, server: OidcServer, path: str) -> None:
    _drip(connection, server, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 4000)


def drip_body(connection: socket.socket, server: OidcServer, path: str) -> None:
    _drip(connection, server, reply(server.body(path) + b" " * 4000))


def status(code: int, *headers: str) -> Mood:
    def mood(connection: socket.socket, server: OidcServer, path: str) -> None:
        connection.sendall(reply(server.body(path), f"{code} Odd", *headers))

    return mood


def says(body: bytes, *headers: str) -> Mood:
    def mood(connection: socket.socket, server: OidcServer, path: str) -> None:
        connection.sendall(reply(body, "200 OK", *headers))

    return mood


def raw(content: bytes) -> Mood:
    """Sends these bytes and hangs up."""

    def mood(connection: socket.socket, server: OidcServer, path: str) -> None:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_RDWR)

    return mood


def endless(connection: socket.socket, server: OidcServer, path: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.stopping.is_set():
        connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def reply(body: bytes, line: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {line}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def _drip(connection: socket.socket, server: OidcServer, content: bytes) -> None:
    for number in range(len(content)):
        connection.sendall(content[number : number + 1])
        if server.stopping.wait(0.02):
            return


def _read(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        part = connection.recv(65536)
        if not part:
            return b""
        request += part
    return request
