"""Policies of a few lines, and servers that only look like OPA, for tests of the policy engine."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models import PolicyDataset, PolicyInput, PolicySite, policy_dataset, policy_site
from placement.settings import Settings, read_settings
from tests import builders

HEAD = """package placement

source := {"description": "A test", "ref": "art. 1"}

violation(code, message) := {
	"obligation": code,
	"text": "For tests.",
	"severity": "mandatory",
	"sources": [source],
	"message": message,
}

empty := {"violations": [], "host_obligations": [], "preferences": [], "closed_stack": false}
"""

SEGREGATION = """
apart(site, duties) := [{"site": site.id, "duty": a, "other": b} |
	site.kind == "public_cloud"
	some a in duties
	some b in duties
	a < b
]

segregated_duties := apart(input.site, input.duties)
"""

BATCH = """
batch := {
	"verdicts": [[v | some s in input.sites; v := verdict with input as {"dataset": d, "site": s}] |
		some d in input.datasets
	],
	"segregated_duties": [pair | some s in input.sites; some pair in apart(s, input.duties)],
}
"""

VERDICT = """
verdict := object.union(empty, {"violations": [violation("test.high_value_stays_in_nl", message) |
	input.dataset.high_value
	input.site.country != "NL"
	message := sprintf("%s is in %s", [input.site.id, input.site.country])
]})
"""

GOOD = HEAD + VERDICT + SEGREGATION + BATCH

SLOW = (
    HEAD
    + """
verdict := object.union(empty, {"closed_stack": n < 0}) if {
	n := count([1 | some i in numbers.range(1, 20000); some j in numbers.range(1, 20000); i == j])
}
"""
    + SEGREGATION
    + BATCH
)
"""A single verdict takes minutes; an empty batch is answered at once."""


def write_policies(folder: Path, rego: str = GOOD, **files: str) -> Path:
    """A bundle of one package in a new folder."""
    folder.mkdir(parents=True)
    (folder / ".manifest").write_text(json.dumps({"roots": ["placement"]}))
    (folder / "placement.rego").write_text(rego)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def opa_settings(**changes: Any) -> Settings:
    """Settings for the OPA that the environment names; a deadline that a loaded machine keeps."""
    fields: dict[str, Any] = {"opa_bin": read_settings().opa_bin, "opa_deadline_s": 60.0}
    return Settings(**(fields | changes))


def view(**changes: Any) -> PolicyDataset:
    """A dataset as policies see it."""
    dataset = builders.dataset(**changes)
    effective = builders.problem((dataset,), (builders.site(),)).facts.effective[0]
    return policy_dataset(dataset, effective, {"registrar": builders.role()}, {})


def site_view(**changes: Any) -> PolicySite:
    """A site as policies see it."""
    site = builders.site(**changes)
    operators = {site.operator: builders.operator(site.operator)}
    return policy_site(site, operators, {"registrar": builders.role()})


def question(**changes: Any) -> PolicyInput:
    """A single question about the builders' dataset and site."""
    fields: dict[str, Any] = {"dataset": view(), "site": site_view(), "as_of": builders.AS_OF}
    return PolicyInput(**(fields | changes))


def envelope(result: Any, revision: str, **changes: Any) -> bytes:
    """A body as OPA writes it."""
    fields = {
        "provenance": {
            "version": "1.22.2",
            "build_commit": "",
            "build_timestamp": "",
            "build_hostname": "",
            "bundles": {"city": {"revision": revision}},
        },
        "result": result,
    }
    return json.dumps(fields | changes).encode()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole HTTP response."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


EMPTY_BATCH: dict[str, list[Any]] = {"verdicts": [], "segregated_duties": []}


class FakeServer:
    """Speaks raw HTTP on a loopback port; one reply for each request, the last one for the rest."""

    def __init__(self, *replies: bytes | Callable[[socket.socket], None]) -> None:
        self.requests: list[bytes] = []
        self._replies = list(replies)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._spawn(self._accept)

    def close(self) -> None:
        """Hang up on everybody, and wait until all threads have ended."""
        for connection in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in list(self.threads):
            thread.join(10)
            assert not thread.is_alive()

    def _spawn(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while request := _read_request(connection):
                self.requests.append(request)
                reply = self._replies[min(len(self.requests), len(self._replies)) - 1]
                if callable(reply):
                    reply(connection)
                else:
                    connection.sendall(reply)


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        some = connection.recv(65536)
        if not some:
            return b""
        data += some
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = (int(sizes[0].split(b":")[1]) if sizes else 0) - len(body)
    while missing > 0:
        some = connection.recv(65536)
        data += some
        missing -= len(some)
    return data


@contextmanager
def fake_server(*replies: bytes | Callable[[socket.socket], None]) -> Iterator[FakeServer]:
    """A FakeServer until the block ends."""
    server = FakeServer(*replies)
    try:
        yield server
    finally:
        server.close()
