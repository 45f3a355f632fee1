"""Services that are killed and started again, and a client that keeps a journal of what it asked.

It repeats a request with the same Idempotency-Key until it is answered. Whoever asks has a name of
their own, so that the audit log tells which effect belongs to which request.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from models import CityRole, canonical_json
from placement.errors import StoreError
from placement.identity import LocalIssuer
from placement.settings import read_settings

REPOSITORY = Path(__file__).resolve().parents[1]
PATIENCE_S = 180.0
PORTS = range(20_000, 32_000)
"""Below those that connections get: nobody takes a port while its server is dead."""
NO_DATABASE = StoreError.exit_code
"""How a process ends that finds no database when it starts; whoever watches it starts it again."""
UNANSWERED = 500
"""From this status on a request is not answered; everything below is final."""


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """What `condition` says once it is true."""
    end = time.monotonic() + patience_s
    while not (said := condition()):
        assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.02)
    return said


def free_port() -> int:
    """A port that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def environment(**more: str) -> dict[str, str]:
    """The environment of a process of the service."""
    settings = read_settings()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PLACEMENT_") and name != "DATABASE_URL"
    }
    binaries = {"PLACEMENT_OPA_BIN": settings.opa_bin, "PLACEMENT_REGAL_BIN": settings.regal_bin}
    return kept | {name: value for name, value in binaries.items() if value} | more


class Nursery:
    """A process that has imported everything and forks the others; ours to talk to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_points"],
            cwd=REPOSITORY,
            env=environment(PYTHONPATH=str(REPOSITORY)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._turn = threading.Lock()
        assert self._read() == "ready"

    def order(self, do: str, **order: Any) -> Any:
        """What the process answers to an order (see `tests.crash_points`)."""
        with self._turn:
            assert self._process.stdin
            self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self._process.stdin.flush()
            return self._read()

    def close(self) -> None:
        """End it, and all that it started."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process that starts the others has ended"
        return json.loads(line)


@dataclass
class Killable:
    """One process of the service, as often as it is started."""

    nursery: Nursery
    name: str
    arguments: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    pid: int | None = None
    starts: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def log(self) -> str:
        """The end of what all its lives have printed."""
        return (self.folder / f"{self.name}.log").read_text()[-4000:]

    def start(self) -> None:
        """Begin another life."""
        assert self.pid is None
        self.starts += 1
        self.pid = self.nursery.order(
            "start",
            arguments=list(self.arguments),
            env=dict(self.env),
            log=str(self.folder / f"{self.name}.log"),
            order=str(self._order()),
        )

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait; how it ended."""
        assert self.pid is not None
        pid, self.pid = self.pid, None
        status: int = self.nursery.order("end", pid=pid, signal=int(number))
        return status

    def again(self) -> None:
        """Kill it, and start it again at once."""
        with self._turn:
            assert self.end() in (-signal.SIGKILL, NO_DATABASE), self.log
            self.start()

    def tend(self) -> None:
        """Start it again where it found no database when it started."""
        with self._turn:
            ended = self.nursery.order("look", pid=self.pid)
            if ended is not None:
                assert ended == NO_DATABASE, self.log
                self.pid = None
                self.start()

    def hit_at(self, point: str, passage: int = 1, number: signal.Signals = signal.SIGKILL) -> None:
        """Let a signal hit the running process when it passes a point for the n-th time."""
        self._order().with_suffix(".reached").unlink(missing_ok=True)
        partial = self._order().with_suffix(".partial")
        order = {"point": point, "passage": passage, "signal": int(number)}
        partial.write_text(json.dumps({**order, "given": time.monotonic_ns()}))
        partial.rename(self._order())

    def was_hit(self) -> bool:
        """Whether it came to the point."""
        return self._order().with_suffix(".reached").exists()

    def pardon(self) -> None:
        """Take the order back."""
        self._order().unlink(missing_ok=True)

    def go_on(self) -> None:
        """Let a stopped process go on."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGCONT)

    def buried(self) -> bool:
        """Whether it has killed itself at the point where it was told to."""
        assert self.pid is not None
        status = self.nursery.order("look", pid=self.pid)
        if status is None:
            return False
        self.pid = None
        assert (status, self.was_hit()) == (-signal.SIGKILL, True), (
            f"{self.name}: {status}\n{self.log}"
        )
        return True

    def _order(self) -> Path:
        return self.folder / f"{self.name}-{self.starts}.order"


@dataclass
class Town:
    """A whole service: its processes, its database and whoever issues its tokens."""

    nursery: Nursery
    folder: Path
    database_url: str
    servers: list[Killable] = field(default_factory=list)
    workers: list[Killable] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.issuer = LocalIssuer(self.folder / "keys" / "local-issuer.pem")

    @property
    def processes(self) -> list[Killable]:
        return [*self.servers, *self.workers]

    def add_server(self, *, works: bool) -> Killable:
        """One more server, not started yet."""
        port = free_port()
        self.urls.append(f"http://127.0.0.1:{port}")
        arguments = ["serve", "--dev", "--data", str(self.folder), "--port", str(port)]
        arguments += [] if works else ["--no-worker"]
        self.servers.append(self._process(f"server-{len(self.servers)}", arguments))
        return self.servers[-1]

    def add_worker(self) -> Killable:
        """One more worker of its own, not started yet."""
        arguments = ["worker", "--data", str(self.folder)]
        name = f"worker-{len(self.workers)}"
        self.workers.append(self._process(name, arguments, PLACEMENT_PUBLIC_URL=self.urls[0]))
        return self.workers[-1]

    def token(self, name: str, *roles: CityRole, **more: Any) -> str:
        return self.issuer.issue(name, roles, **more)

    def ready(self) -> bool:
        """Whether all servers answer by the active policies."""
        return all(map(is_ready, self.urls))

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            if process.pid is not None:
                process.end()

    def _process(self, name: str, arguments: Sequence[str], **env: str) -> Killable:
        given = environment(DATABASE_URL=self.database_url, **env)
        return Killable(self.nursery, name, arguments, given, self.folder)


def is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/ready", timeout=5, trust_env=False).status_code == 200
    return False


# -- the journal ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a client was told."""

    status: int
    body: bytes
    etag: str | None
    replayed: bool

    @classmethod
    def of(cls, said: httpx.Response) -> Answer:
        replayed = said.headers.get("idempotent-replayed") == "true"
        return cls(said.status_code, said.content, said.headers.get("etag"), replayed)

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def told(self) -> tuple[int, bytes, str | None]:
        """What must be the same whenever it is told again."""
        return self.status, self.body, self.etag

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Entry:
    """One request, however often it was sent."""

    name: str
    """Who asks: nobody else, and nothing else."""
    kind: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    tries: int = 0
    answer: Answer | None = None

    @property
    def actor(self) -> str:
        """As the audit log names whoever asked."""
        return f"urn:placement:dev {self.name}"

    @property
    def keyed(self) -> bool:
        return "idempotency-key" in self.headers


class Journal:
    """All requests of the clients of one town. Safe to use from several threads."""

    def __init__(self, town: Town) -> None:
        self.entries: list[Entry] = []
        self.answered = 0
        """How many requests were answered."""
        self.refusals: list[int] = []
        """Statuses of all answers that were not final."""
        self.town = town
        self._lock = threading.Lock()
        self._client = httpx.Client(timeout=30, trust_env=False)

    def ask(
        self,
        kind: str,
        role: CityRole,
        method: str,
        path: str,
        body: Any = None,
        *,
        keyed: bool = True,
        if_match: str | None = None,
        at: int = 0,
    ) -> Answer:
        """Write a request down, send it until it is answered, and write the answer down."""
        with self._lock:
            name = f"{kind}-{len(self.entries)}"
            headers = {"authorization": f"Bearer {self.town.token(name, role)}"}
            if keyed:
                headers["idempotency-key"] = f"key-of-{name}"
            if if_match is not None:
                headers["if-match"] = if_match
            content = None if body is None else canonical_json(body)
            if content is not None:
                headers["content-type"] = "application/json"
            entry = Entry(name, kind, method, path, headers, content)
            self.entries.append(entry)
        answer = self.repeat(entry, at)
        with self._lock:
            entry.answer = answer
            self.answered += 1
        return answer

    def repeat(self, entry: Entry, at: int = 0) -> Answer:
        """Send a request of the journal until it is answered."""
        url = self.town.urls[at] + entry.path
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            entry.tries += 1
            with contextlib.suppress(httpx.TransportError):
                request = (entry.method, url)
                said = self._client.request(*request, headers=entry.headers, content=entry.body)
                if said.status_code < UNANSWERED:
                    return Answer.of(said)
                self.refusals.append(said.status_code)
            time.sleep(0.05)
        raise AssertionError(f"{entry.name} was not answered:\n{self.town.servers[at].log}")

    def await_answers(self, count: int) -> None:
        """Wait until so many more requests are answered."""
        goal = self.answered + count
        until(lambda: self.answered >= goal, "somebody is answered")

    def read(self, path: str, at: int = 0) -> Any:
        """What an auditor reads, as soon as anybody answers."""
        return self.look(path, at).json()

    def look(self, path: str, at: int = 0) -> Answer:
        """The same with its version. Reading is not written down."""
        headers = {"authorization": f"Bearer {self.town.token('reader', CityRole.AUDITOR)}"}
        answer = self.repeat(Entry("reader", "read", "GET", path, headers, None), at)
        assert answer.ok, answer
        return answer

    def close(self) -> None:
        self._client.close()


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Where processes come from, until the block ends."""
    opened = Nursery()
    try:
        yield opened
    finally:
        opened.close()
