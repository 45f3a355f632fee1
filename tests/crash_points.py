"""Processes of the service that die where a test wants, and a parent that starts them quickly.

`python -m tests.crash_points` imports everything once and then forks a process for each order that
it reads (one JSON object a line); the process runs the `placement` command, unchanged but for two
things:

- Functions are wrapped, so that passing a *point* can be seen. A file names the point at which the
  process kills itself; nothing can follow, neither a `finally` nor a flush.
- Times are shorter after which others take over from a dead process: a test must not wait for
  them. What they are for stays the same.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

COMMITS = {
    "a change": ("placement.store.idempotency", "Idempotency", "keep"),
    "a claim": ("placement.store.jobs", "Jobs", "claim"),
    "the end of a job": ("placement.store.jobs", "Jobs", "finish"),
    "a group of records": ("placement.store.recorder", "Recorder", "_write"),
    "a publication": ("placement.store.policies", "Policies", "publish"),
    "an activation": ("placement.store.policies", "Policies", "activate"),
}
"""What a transaction holds, told by a method that is called in it."""
NOTHING_IN_IT = {"a claim", "an activation"}
"""Where the method answers with None, it has done nothing."""
POINTS = (
    *(f"before the commit of {mark}" for mark in COMMITS),
    *(f"after the commit of {mark}" for mark in COMMITS),
    "in the middle of solving",
    "before a reply",
    "in the middle of a reply",
    "before a bundle is served",
    "in the middle of a bundle",
    "before the head is kept",
    "after the head is kept",
)

_passing = threading.local()


class Order:
    """The point at which a signal is to hit this process; a file, so that it can be given late."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counted: tuple[str, int] = ("", 0)
        self._lock = threading.Lock()

    def passed(self, point: str) -> None:
        """Obey if the order is for this point; its file is renamed first."""
        try:
            order = self._path.read_text()
        except FileNotFoundError:
            return
        wanted = json.loads(order)
        if wanted["point"] != point:
            return
        with self._lock, contextlib.suppress(FileNotFoundError):
            before = self._counted[1] if self._counted[0] == order else 0
            self._counted = (order, before + 1)
            if before + 1 == wanted["passage"]:
                self._path.rename(self._path.with_suffix(".reached"))
                hit(wanted["signal"])


def hit(number: int) -> None:
    """Send this process a signal: to kill it, or to stop it until it is told to go on."""
    os.kill(os.getpid(), number)
    if number == signal.SIGKILL:
        time.sleep(60)  # no line of ours follows, whichever thread is hit first


def shorten_waits() -> None:
    """Let others take over from a dead process soon."""
    from api import queue
    from placement.provision import delivering
    from placement.service import policies, watching
    from placement.store import dispatch, jobs

    dispatch.LEASE = timedelta(seconds=2)
    delivering.PAUSES = cast("Any", (timedelta(seconds=0.3),) * 200)
    watching.SIGN_OF_LIFE_S = 0.5
    jobs.LEASE = timedelta(seconds=3)
    queue.ENGINE_HEARTBEAT_S = 0.5
    queue.ENGINE_STALE_S = 2.0
    queue.SWEEP_S = 0.5
    policies.ALIVE = timedelta(seconds=1)


def set_points(passed: Callable[[str], None]) -> None:
    """Wrap what is on the way through a point."""
    for mark, (module, owner, name) in COMMITS.items():
        _mark(getattr(importlib.import_module(module), owner), name, mark)
    _watch_commits(passed)
    _watch_solving(passed)
    _watch_replies(passed)
    _watch_heads(passed)


def _marks() -> set[str]:
    """What the transaction of this thread holds so far."""
    if not hasattr(_passing, "marks"):
        _passing.marks = set()
    found: set[str] = _passing.marks
    return found


def _mark(owner: Any, name: str, mark: str) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def marked(*args: Any, **kwargs: Any) -> Any:
        _marks().add(mark)
        result = original(*args, **kwargs)
        if result is None and mark in NOTHING_IN_IT:
            _marks().discard(mark)
        return result

    setattr(owner, name, marked)


def _watch_commits(passed: Callable[[str], None]) -> None:
    from sqlalchemy.orm import Session

    commit, close = Session.commit, Session.close

    def committing(self: Session) -> None:
        held = sorted(_marks())
        for mark in held:
            passed(f"before the commit of {mark}")
        commit(self)
        for mark in held:
            passed(f"after the commit of {mark}")

    def closing(self: Session) -> None:
        _marks().clear()
        close(self)

    Session.commit = committing  # type: ignore[method-assign]
    Session.close = closing  # type: ignore[method-assign]


def _watch_solving(passed: Callable[[str], None]) -> None:
    from placement.service.watching import Watch
    from placement.steps import Step

    report = Watch.report

    def reporting(self: Watch, step: Step) -> None:
        if step.phase == "solve":
            passed("in the middle of solving")
        report(self, step)

    Watch.report = reporting  # type: ignore[method-assign]


def _watch_replies(passed: Callable[[str], None]) -> None:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    send = RequestResponseCycle.send

    async def sending(self: Any, message: Any) -> None:
        begins = message["type"] == "http.response.start"
        if begins:
            self.status = message["status"]
        point = _point_of_answer(self.scope, self.status, begins=begins)
        if point is not None:
            passed(point)
        await send(self, message)

    RequestResponseCycle.send = sending  # type: ignore[method-assign]


def _point_of_answer(scope: Any, status: int, *, begins: bool) -> str | None:
    """The point that is passed when an answer begins, or when its body follows."""
    if scope["path"] == "/v1/bundles/policies.tar.gz" and status == HTTPStatus.OK:
        return "before a bundle is served" if begins else "in the middle of a bundle"
    if scope["method"] == "GET" or scope["path"].startswith("/v1/opa/"):
        return None
    return "before a reply" if begins else "in the middle of a reply"


def _watch_heads(passed: Callable[[str], None]) -> None:
    from placement.store import audit_head

    replace = audit_head._replace

    def replacing(path: Path, content: bytes) -> None:
        passed("before the head is kept")
        replace(path, content)
        passed("after the head is kept")

    audit_head._replace = replacing


# -- the parent -----------------------------------------------------------------------------------


def import_everything() -> None:
    """What `serve` and `worker` import when they run."""
    for module in (
        "api.serving",
        "api.worker",
        "placement.cli.app",
        "placement.service.handlers",
        "placement.service.opening",
        "litestar_queues.backends.advanced_alchemy",
        "aiosqlite",
        "alembic.command",
        "psycopg",
        "highspy",
        "networkx",
        "pulp",
    ):
        importlib.import_module(module)


def run(order: dict[str, Any]) -> None:
    """The `placement` command in this process, which is a fresh child; never returns."""
    code = 1
    try:
        os.setsid()
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(order["env"])
        shorten_waits()
        set_points(Order(Path(order["order"])).passed)
        sys.argv = ["placement", *order["arguments"]]
        from placement.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001  a child must not go on as its parent
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


class Parent:
    """Forks, kills and waits; one order after the other."""

    def __init__(self) -> None:
        self._children: set[int] = set()

    def start(self, order: dict[str, Any]) -> int:
        """The process id of a new process."""
        pid = os.fork()
        if pid == 0:
            run(order)
        self._children.add(pid)
        return pid

    def end(self, order: dict[str, Any]) -> int | None:
        """Send a signal, and wait; how the process ended."""
        pid = order["pid"]
        if pid not in self._children:
            return None
        os.kill(pid, order["signal"])
        return self._buried(pid, os.waitpid(pid, 0)[1])

    def look(self, order: dict[str, Any]) -> int | None:
        """How a process ended; None: it has not."""
        pid = order["pid"]
        if pid not in self._children:
            return 0
        found, status = os.waitpid(pid, os.WNOHANG)
        return self._buried(pid, status) if found else None

    def end_all(self) -> None:
        """Kill whatever still runs."""
        for pid in tuple(self._children):
            self.end({"pid": pid, "signal": signal.SIGKILL})

    def _buried(self, pid: int, status: int) -> int:
        self._children.discard(pid)
        return os.waitstatus_to_exitcode(status)


def say(answer: Any) -> None:
    """One line to whoever gives the orders."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    import_everything()
    assert threading.active_count() == 1, "a process with threads must not be forked"
    parent = Parent()
    orders = {"start": parent.start, "end": parent.end, "look": parent.look}
    say("ready")
    try:
        for line in sys.stdin:
            order = json.loads(line)
            say(orders[order.pop("do")](order))
    finally:
        parent.end_all()


if __name__ == "__main__":
    main()
