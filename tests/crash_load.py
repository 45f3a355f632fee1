"""Clients that keep a town busy while its processes are killed, and whoever kills them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from models import CityRole, PolicyFiles, SignedHead
from placement.eligibility.bundle import bundle_of
from placement.keys import audit_key
from placement.store import Store
from placement.store.policies import Policies
from tests import builders, decision_cases, postgres
from tests.crash_cases import Answer, Journal, Nursery, Town, until
from tests.policy_cases import stricter

OFFICE = CityRole.DATA_MANAGEMENT_OFFICE
BOARD = CityRole.GOVERNANCE_BOARD
MACHINE = CityRole.PROVISIONER
KILLS = 25
"""In each town."""
LONGEST_WAIT_S = 0.3


def bring_records(journal: Journal) -> None:
    """The small city's records: two versions of the catalogue."""
    given = {"catalog": decision_cases.catalog(), "sites": decision_cases.register()}
    assert journal.ask("import", OFFICE, "POST", "/v1/catalogs", given).ok
    seen = journal.look("/v1/parameters").etag
    chosen = decision_cases.PARAMETERS
    assert journal.ask("put", OFFICE, "PUT", "/v1/parameters", chosen, if_match=seen).ok


def ended_job(journal: Journal, job: str) -> Any:
    """A job once it has ended."""

    def look() -> Any:
        found = journal.read(f"/v1/jobs/{job}")
        return found if found["state"] in ("done", "failed", "cancelled") else None

    return until(look, f"job {job} ends")


def propose(journal: Journal) -> int:
    """A proposal that nobody has approved yet; its number."""
    asked = journal.ask("decide", OFFICE, "POST", "/v1/decisions", {})
    assert asked.status == 202, asked
    job = ended_job(journal, asked.json()["id"])
    assert job["state"] == "done", job
    number: int = job["result"]["decision"]
    return number


@contextlib.contextmanager
def running(town: Town) -> Iterator[Journal]:
    """All processes of a town with its first records, and a client's journal."""
    journal = Journal(town)
    try:
        for process in town.processes:
            process.start()
        until(town.ready, "the town is ready")
        bring_records(journal)
        yield journal
    finally:
        town.end()
        journal.close()


def one_server(processes: Nursery, folder: Path) -> Town:
    """A server with a worker of its own, on SQLite."""
    town = Town(processes, folder, f"sqlite:///{folder / 'placement.sqlite3'}")
    town.add_server(works=True)
    return town


def second_policies(town: Town) -> None:
    """Publish other policies, so that there is something to roll back."""
    store = Store(town.database_url, audit_key(town.folder / "keys" / "audit.pem"))
    files = PolicyFiles(files=stricter())
    try:
        with store.writing() as tx:
            policies = Policies(tx)
            digest = policies.keep_files(files)
            policies.publish(digest, bundle_of(files).digest, "placement")
    finally:
        store.close()


@dataclass
class Load:
    """Clients that work until they are told to stop, each in a thread."""

    journal: Journal
    seed: int
    stop: threading.Event = field(default_factory=threading.Event)
    calm: threading.Lock = field(default_factory=threading.Lock)
    """Held while the catalogue must not change: a proposal would be stale."""
    heads: list[SignedHead] = field(default_factory=list)

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Work during the block; what goes wrong is raised at its end."""
        clients = (self.change_records, self.ask_checks, self.decide)
        with ThreadPoolExecutor(len(clients) + 1) as pool:
            working = [
                pool.submit(self._work, client, random.Random(f"{self.seed} {number}"))
                for number, client in enumerate(clients)
            ]
            working.append(pool.submit(self._tend))
            try:
                yield
            finally:
                self.stop.set()
                for client in working:
                    client.result()

    def _work(self, client: Callable[[random.Random], None], chance: random.Random) -> None:
        while not self.stop.is_set():
            client(chance)
            time.sleep(chance.uniform(0, 0.06))

    def _tend(self) -> None:
        """What sees to it that a process runs, wherever a city runs this."""
        while not self.stop.wait(0.1):
            for process in self.journal.town.processes:
                process.tend()

    def change_records(self, chance: random.Random) -> None:
        """Add a dataset, change it, and perhaps remove it."""
        number = len(self.journal.entries)
        dataset = builders.dataset(f"d-{number}", volume_gb=1)
        path = f"/v1/datasets/{dataset.id}"
        with self.calm:
            told = self.journal.ask("create", OFFICE, "POST", "/v1/datasets", dataset)
        changed = dataset.model_copy(update={"title": f"Title {number}"})
        with self.calm:
            told = self.journal.ask("change", OFFICE, "PUT", path, changed, if_match=told.etag)
        if chance.random() < 0.7:
            with self.calm:
                self.journal.ask("remove", OFFICE, "DELETE", path, if_match=told.etag)

    def ask_checks(self, chance: random.Random) -> None:
        """Ask with a key and without, and keep the end of the audit log now and then."""
        dataset, site = (
            chance.choice(("bag", "trees", "zones")),
            chance.choice(("archive", "hoster")),
        )
        asked = {"dataset": dataset, "site": site}
        if chance.random() < 0.5:
            self.journal.ask("check", OFFICE, "POST", "/v1/checks", asked)
        else:
            self.journal.ask("ask", OFFICE, "POST", "/v1/checks", asked, keyed=False)
        if chance.random() < 0.2:
            self.heads.append(SignedHead.model_validate(self.journal.read("/v1/audit/head")))

    def decide(self, chance: random.Random) -> None:
        """Two proposals; the board approves both, and the first goes its way."""
        with self.calm if chance.random() < 0.8 else contextlib.nullcontext():
            jobs = [self.journal.ask("decide", OFFICE, "POST", "/v1/decisions", {}) for _ in "ab"]
            ended = [ended_job(self.journal, job.json()["id"]) for job in jobs]
            numbers = [job["result"]["decision"] for job in ended if job["state"] == "done"]
            approved = [n for n in numbers if step(self.journal, "approve", n).ok]
        for number in approved:
            if step(self.journal, "provision", number).ok:
                step(self.journal, chance.choice(("enforce", "withdraw")), number)


STEPS = {
    "approve": (BOARD, "approval"),
    "provision": (MACHINE, "provisioning"),
    "enforce": (MACHINE, "in-force"),
    "withdraw": (BOARD, "withdrawal"),
}


def step(journal: Journal, kind: str, number: int) -> Answer:
    """Bring a decision a step further."""
    role, path = STEPS[kind]
    return journal.ask(kind, role, "POST", f"/v1/decisions/{number}/{path}", {"reason": kind})


def kill_often(load: Load, kills: Callable[[random.Random], None]) -> None:
    """Kill at random moments: mostly while requests are under way, at times during the start."""
    chance = random.Random(load.seed)
    for _ in range(KILLS):
        if chance.random() < 0.15:
            time.sleep(chance.uniform(0, 1))
        else:
            load.journal.await_answers(1)
            time.sleep(chance.uniform(0, LONGEST_WAIT_S))
        kills(chance)


def kill_a_backend(database: postgres.Server, chance: random.Random) -> None:
    """PostgreSQL then ends all its other processes at once, too, and recovers from its log."""
    with contextlib.suppress(psycopg.OperationalError):
        connection = psycopg.connect(database.url("town"), autocommit=True)
        with contextlib.closing(connection):
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'placement'"
            ).fetchall()
            if found:
                os.kill(chance.choice(found)[0], signal.SIGKILL)


def opa_of(server: int) -> psutil.Process:
    """The OPA that a server keeps, once there is one."""

    def find() -> psutil.Process | None:
        for child in psutil.Process(server).children():
            with contextlib.suppress(psutil.Error):
                if child.name() == "opa" and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        return None

    found: psutil.Process = until(find, "there is an OPA")
    return found
