"""A real service in a process of its own, for tests of its clients; and a proxy that loses things.

The service holds the small city of `decision_cases`; its first decision is approved. Tests share
it: they add things of their own names and change nothing else.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import CityRole
from placement.client import Client
from placement.identity import LocalIssuer
from tests import decision_cases

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 120
DECIDED = 1
"""Number of the approved decision."""


@dataclass(frozen=True)
class Service:
    """Where a service answers, and the folder of its database and keys."""

    url: str
    data: Path

    def token(self, role: CityRole, subject: str = "", **rest: Any) -> str:
        """A token of somebody with a role."""
        issuer = LocalIssuer(self.data / "keys" / "local-issuer.pem")
        return issuer.issue(subject or role.value, [role], **rest)

    def client(self, role: CityRole, subject: str = "", url: str | None = None) -> Client:
        """A client of somebody with a role; close it."""
        return Client(url or self.url, self.token(role, subject))


@pytest.fixture(scope="session")
def live_service(tmp_path_factory) -> Iterator[Service]:
    """A running service with an approved decision."""
    data = tmp_path_factory.mktemp("service")
    with _serving(data) as url:
        running = Service(url, data)
        with running.client(CityRole.DATA_MANAGEMENT_OFFICE) as office:
            office.import_records(decision_cases.catalog(), decision_cases.register())
            office.set_parameters(decision_cases.PARAMETERS)
            made = office.result(office.decide("the first").id)
        assert made["decision"] == DECIDED
        with running.client(CityRole.GOVERNANCE_BOARD) as board:
            board.approve(DECIDED, "as agreed")
        yield running


@contextlib.contextmanager
def _serving(data: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "placement.cli", "serve", "--dev", "--port", "0"]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "PYTHONPATH": str(ROOT),
        "PLACEMENT_DATA": str(data),
    }
    log = data / "serve.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, env=environment, cwd=ROOT, stderr=stderr) as process,
    ):
        try:
            yield _ready(process, log)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL of a service that has started and is ready."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        said = log.read_text(encoding="utf-8")
        assert process.poll() is None, said
        if "answers at " in said:
            url = said.split("answers at ", 1)[1].split()[0]
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/ready", trust_env=False, timeout=10).is_success:
                    return url
        time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


@dataclass
class Proxy:
    """Stands between a client and the service, and spoils what it is told to.

    `lose` replies are dropped after the service did the work; `refuse` requests are answered with
    503 before it hears of them.
    """

    url: str = ""
    lose: int = 0
    refuse: int = 0
    only: str = ""
    """Paths that have this in them."""
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(method, path, Idempotency-Key) of every request that came."""
    replayed: list[bool] = field(default_factory=list)
    """Of every reply that was passed on: whether it was that of an earlier request."""

    def keys(self) -> set[str | None]:
        """The Idempotency-Keys of all requests that change something."""
        return {key for method, _, key in self.seen if method != "GET"}


@pytest.fixture
def live_proxy(live_service: Service) -> Iterator[Proxy]:
    """A proxy before the service."""
    spoiling = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            key = self.headers.get("idempotency-key")
            spoiling.seen.append((self.command, self.path, key))
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            concerned = spoiling.only in self.path
            if concerned and spoiling.refuse:
                spoiling.refuse -= 1
                self._answer(503, {}, b"")
                return
            dropped = {"host", "connection"}
            headers = {n: v for n, v in self.headers.items() if n.lower() not in dropped}
            answer = httpx.request(
                self.command,
                f"{live_service.url}{self.path}",
                headers=headers,
                content=body,
                timeout=PATIENCE_S,
                trust_env=False,
            )
            if concerned and spoiling.lose:
                spoiling.lose -= 1
                self.close_connection = True
                return
            spoiling.replayed.append(answer.headers.get("idempotent-replayed") == "true")
            self._answer(answer.status_code, dict(answer.headers), answer.content)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name not in ("content-length", "transfer-encoding", "connection", "date"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815  named by http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: tests look at `seen`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    spoiling.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield spoiling
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
