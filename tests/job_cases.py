"""Jobs for tests: handlers whose work is visible from outside, and a worker process of them.

`python -m tests.job_cases URL KEY_FILE` is a worker. What its handlers do stands in the arguments
of the jobs: there is no kind of job for tests in the product.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import uvicorn
from sqlalchemy import func, select

from api.app import assemble
from api.queue import job_engine
from api.routes.jobs import routes
from api.worker import run_worker
from models import AuditAction, AuditEvent, Job, JobKind, JobState, RowFilter
from placement.errors import JobCancelled, NotAllowed
from placement.keys import AuditKey, audit_key
from placement.service import jobs
from placement.service.working import Handler, JobEnding
from placement.steps import Report, Step
from placement.store import Store, Transaction
from placement.store.jobs import LEASE, Jobs
from placement.store.tables import AuditRow, JobRow

KIND = JobKind.WHAT_IF
EFFECT = AuditAction.EXPORTED
"""What the handlers here write: one record in the audit log for each job done."""
PATIENCE_S = 180.0


def city_of(store: Store, key: AuditKey | None = None) -> Any:
    """As much of a city as jobs need: a store, and somebody to wake."""
    return SimpleNamespace(store=store, wake=lambda _job: None, audit_key=key)


def caller_of(subject: str = "issuer planner", *, sees_all: bool = False) -> Any:
    return SimpleNamespace(subject=subject, rows=RowFilter(all=sees_all), request_id="request-1")


def submit(city: Any, arguments: dict[str, Any] | None = None, caller: Any = None) -> Job:
    """A committed job."""
    with city.store.writing() as tx:
        return jobs.submit(tx, city, caller or caller_of(), KIND, arguments or {})


def read(store: Store, job: str) -> Job:
    with store.reading() as tx:
        return Jobs(tx).get(job)


def age(store: Store, job: str, **columns: float) -> None:
    """Set times of a job to so many seconds ago."""
    with store.noting() as tx:
        row = tx.session.get_one(JobRow, job)
        for name, seconds in columns.items():
            setattr(row, name, tx.now - timedelta(seconds=seconds))


def silence(store: Store, job: str) -> None:
    """As if the worker died longer ago than its lease."""
    age(store, job, heartbeat_at=LEASE.total_seconds() + 1)


def effect_of(job: Job) -> JobEnding:
    """Leaves one record of the job in the audit log."""

    def ending(tx: Transaction) -> dict[str, Any]:
        tx.record(AuditEvent(action=EFFECT, actor=job.author, subject=f"job/{job.id}"))
        return {"attempt": job.attempt}

    return ending


def work(_city: Any, job: Job, report: Report, cancel: threading.Event) -> JobEnding:
    """Take `seconds`, write a line to `begun` first, and be cancelled if `stubborn` is not set."""
    if "begun" in job.arguments:
        with Path(job.arguments["begun"]).open("a") as begun:
            begun.write(f"{job.id} {job.attempt}\n")
    until = time.monotonic() + job.arguments.get("seconds", 0)
    count = 0
    while time.monotonic() < until:
        count += 1
        report(Step("solve", f"step {count}", 100.0 + count, 100.0, 0.5))
        if cancel.wait(0.05) and not job.arguments.get("stubborn"):
            raise JobCancelled("the work was cancelled")
    return effect_of(job)


HANDLERS: dict[JobKind, Handler] = {KIND: work}


def effects(store: Store, job: str) -> int:
    """How often a job took effect."""
    with store.reading() as tx:
        query = select(func.count()).where(
            AuditRow.action == EFFECT.value, AuditRow.subject == f"job/{job}"
        )
        return int(tx.session.scalar(query) or 0)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what another thread or process does."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE_S} s in vain: {what}")
        time.sleep(0.02)


def until_state(store: Store, job: str, state: JobState) -> Job:
    until(lambda: read(store, job).state is state, f"job {state}")
    return read(store, job)


@contextlib.contextmanager
def worker_process(url: str, key_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker; killed at the end, if it still runs."""
    process = subprocess.Popen([sys.executable, "-m", "tests.job_cases", url, str(key_file)])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)


@contextlib.contextmanager
def serving(city: Any, *, works: bool = True) -> Iterator[Served]:
    """The job routes on a real server; who asks stands in the header `as`."""
    app = assemble(city, routes)
    DISMISSED.clear()
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with patch("api.guard.admit", _admit), socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        async def main() -> None:
            async with job_engine(city, HANDLERS, works=works):
                await server.serve(sockets=[listening])

        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive(), "the server starts")
            yield Served(url, app)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


@dataclass(frozen=True)
class Served:
    url: str
    app: Any


async def _admit(connection: Any, _operation: str) -> Any:
    """Stands in for the guard's questions: "board" sees everything, the others their own."""
    name = connection.headers.get("as", "planner")
    if name in DISMISSED:
        raise NotAllowed("not any more")
    return caller_of(f"issuer {name}", sees_all=name == "board")


DISMISSED: set[str] = set()
"""Names that may do nothing any more."""


def main() -> None:
    url, key_file = sys.argv[1:]
    store = Store(url, audit_key(Path(key_file)))
    try:
        run_worker(city_of(store), HANDLERS)
    finally:
        store.close()


if __name__ == "__main__":
    main()
