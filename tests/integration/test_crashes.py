"""The service killed at every point: nothing acknowledged is lost, and nothing happens twice.

Servers, workers, their OPAs and their database are killed with SIGKILL while clients work. A client
repeats what was not answered with the same Idempotency-Key. In the end its journal is held against
the store (see `tests.crash_reckoning`).
"""

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

import httpx
import psutil
import psycopg
import pytest

from models import CityRole, PolicyFiles, SignedHead
from placement.keys import audit_key
from placement.store import Store
from placement.store.policies import Policies
from tests import builders, postgres
from tests.crash_cases import (
    BOARD,
    MACHINE,
    OFFICE,
    Answer,
    Journal,
    Killable,
    Nursery,
    Town,
    bring_records,
    ended_job,
    nursery,
    propose,
    until,
)
from tests.crash_points import POINTS
from tests.crash_reckoning import reckon
from tests.policy_cases import stricter

KILLS = 25
"""In each of four towns."""
LONGEST_WAIT_S = 0.3
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def processes() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


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
    from placement.eligibility.bundle import bundle_of

    store = Store(town.database_url, audit_key(town.folder / "keys" / "audit.pem"))
    files = PolicyFiles(files=stricter())
    try:
        with store.writing() as tx:
            policies = Policies(tx)
            digest = policies.keep_files(files)
            policies.publish(digest, bundle_of(files).digest, "placement")
    finally:
        store.close()


# -- at random points -----------------------------------------------------------------------------


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
        with ThreadPoolExecutor(len(clients)) as pool:
            working = [
                pool.submit(self._work, client, random.Random(f"{self.seed} {number}"))
                for number, client in enumerate(clients)
            ]
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


def again(process: Killable) -> None:
    """Kill a process, and start it again at once."""
    assert process.end() == -signal.SIGKILL, process.log
    process.start()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_killed_at_random_loses_and_doubles_nothing(processes, tmp_path, seed):
    town = one_server(processes, tmp_path)
    with running(town) as journal:
        load = Load(journal, seed)
        with load.going_on():
            kill_often(load, lambda _: again(town.servers[0]))
        done = reckon(town, journal, load.heads, seed)
        assert town.servers[0].starts == KILLS + 1
        assert all(done[kind] for kind in ("create", "change", "check", "ask", "decide", "approve"))


def test_servers_workers_and_a_database_killed_at_random_lose_and_double_nothing(
    processes, tmp_path
):
    with postgres.running() as database:
        database.run("CREATE DATABASE town")
        town = Town(processes, tmp_path, database.url("town"))
        town.add_server(works=False)
        town.add_worker()
        with running(town) as journal:
            load = Load(journal, seed=4)
            killed: set[str] = set()

            def kill(chance: random.Random) -> None:
                victim = chance.choice(("server", "server", "worker", "database"))
                killed.add(victim)
                if victim == "database":
                    kill_a_backend(database, chance)
                else:
                    again(town.servers[0] if victim == "server" else town.workers[0])

            with load.going_on():
                kill_often(load, kill)
            done = reckon(town, journal, load.heads, seed=4)
            assert killed == {"server", "worker", "database"}
            assert all(done[kind] for kind in ("create", "check", "ask", "decide", "approve"))


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


def test_a_server_killed_while_it_starts_for_the_first_time_starts_well_later(processes, tmp_path):
    town = one_server(processes, tmp_path)
    server, chance = town.servers[0], random.Random(5)
    for _ in range(8):
        server.start()
        time.sleep(chance.uniform(0, 1))
        assert server.end() == -signal.SIGKILL, server.log
    with running(town) as journal:
        propose(journal)
        reckon(town, journal, [], seed=5)


# -- at named points ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alive:
    """A town that named points are tried in, one after the other."""

    town: Town
    journal: Journal

    @property
    def server(self) -> Killable:
        return self.town.servers[0]

    def killed_at(self, point: str, deed: Callable[[], Any], passage: int = 1) -> Any:
        """What a deed comes to during which the server dies at a point, and is started again."""
        self.server.die_at(point, passage)
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(deed)
            until(self.server.buried, f"the server dies {point}")
            self.server.start()
            return doing.result()

    def create(self) -> Answer:
        ident = f"n-{len(self.journal.entries)}"
        dataset = builders.dataset(ident, volume_gb=1)
        return self.journal.ask("create", OFFICE, "POST", "/v1/datasets", dataset)

    def check(self, *, keyed: bool = True) -> Answer:
        asked = {"dataset": "bag", "site": "archive"}
        kind = "check" if keyed else "ask"
        return self.journal.ask(kind, OFFICE, "POST", "/v1/checks", asked, keyed=keyed)

    def decide(self) -> Answer:
        return self.journal.ask("decide", OFFICE, "POST", "/v1/decisions", {})

    def roll_back(self) -> int:
        """Publish the policies that are not published now, under a new number."""
        now = self.journal.read("/v1/policies")["items"][0]
        path = f"/v1/policies/{1 + now['number'] % 2}/rollback"
        told = self.journal.ask("rollback", BOARD, "POST", path)
        assert told.status == 201, told
        number: int = told.json()["number"]
        return number

    def settled(self) -> None:
        """Every job has ended, and the policies that are published are active."""
        for job in self.journal.read("/v1/jobs")["items"]:
            ended_job(self.journal, job["id"])
        until(self.town.ready, "the town is ready")
        until(lambda: self._active() == self._published(), "the policies are active")
        reckon(self.town, self.journal, [], seed=0)

    def _active(self) -> int:
        number: int = self.journal.read("/v1/policies/current")["number"]
        return number

    def _published(self) -> int:
        number: int = self.journal.read("/v1/policies")["items"][0]["number"]
        return number


@pytest.fixture(scope="module")
def alive(processes, tmp_path_factory) -> Iterator[Alive]:
    town = one_server(processes, tmp_path_factory.mktemp("town"))
    with running(town) as journal:
        second_policies(town)
        known = Alive(town, journal)
        known.settled()
        yield known


REQUESTS = (
    "before the commit of a change",
    "after the commit of a change",
    "before a reply",
    "in the middle of a reply",
)
RECORDS = ("before the commit of a group of records", "after the commit of a group of records")
HEADS = ("before the head is kept", "after the head is kept")
WORK = (
    "before the commit of a claim",
    "after the commit of a claim",
    "in the middle of solving",
    "before the commit of the end of a job",
    "after the commit of the end of a job",
)
PUBLISHING = (
    "before the commit of a publication",
    "after the commit of a publication",
    "before a bundle is served",
    "in the middle of a bundle",
    "before the commit of an activation",
    "after the commit of an activation",
)


def test_every_point_is_tried():
    assert {*REQUESTS, *RECORDS, *HEADS, *WORK, *PUBLISHING} == set(POINTS)


@pytest.mark.parametrize("point", [*REQUESTS, *HEADS])
def test_a_change_during_which_the_server_dies_is_made_once(alive, point):
    assert alive.killed_at(point, alive.create).status == 201
    alive.settled()


@pytest.mark.parametrize("point", REQUESTS)
def test_a_job_asked_for_while_the_server_dies_is_one_job(alive, point):
    assert alive.killed_at(point, alive.decide).status == 202
    alive.settled()


@pytest.mark.parametrize("point", REQUESTS)
def test_an_approval_during_which_the_server_dies_is_given_once(alive, point):
    number = propose(alive.journal)
    approved = alive.killed_at(point, lambda: step(alive.journal, "approve", number))
    assert approved.status == 200
    assert approved.json()["state"] == "approved"
    alive.settled()


@pytest.mark.parametrize("point", REQUESTS)
def test_a_check_with_a_key_during_which_the_server_dies_is_recorded_once(alive, point):
    assert alive.killed_at(point, alive.check).status == 200
    alive.settled()


@pytest.mark.parametrize("point", RECORDS)
def test_checks_that_are_recorded_together_are_answered_after_their_record_alone(alive, point):
    def deed() -> list[Answer]:
        with ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(alive.check, keyed=False) for _ in range(6)]
            return [asking.result() for asking in asked]

    answers = alive.killed_at(point, deed)
    assert len({answer.json()["record"] for answer in answers}) == 6
    alive.settled()


@pytest.mark.parametrize("point", WORK)
def test_a_job_whose_worker_dies_comes_to_one_decision(alive, point):
    job = alive.killed_at(point, alive.decide).json()
    ended = ended_job(alive.journal, job["id"])
    assert ended["state"] == "done"
    first = point in ("before the commit of a claim", "after the commit of the end of a job")
    assert ended["attempt"] == (1 if first else 2)
    alive.settled()


@pytest.mark.parametrize("point", PUBLISHING)
def test_policies_whose_publication_is_cut_short_become_active_all_the_same(alive, point):
    number = alive.killed_at(point, alive.roll_back)
    alive.settled()
    current = alive.journal.read("/v1/policies/current")
    assert (current["number"], current["state"]) == (number, "active")
    assert alive.check().json()["policy_revision"] == current["revision"]


# -- a database or an OPA that dies ---------------------------------------------------------------


def test_an_opa_that_is_killed_fails_questions_and_is_started_again(processes, tmp_path):
    town, chance = one_server(processes, tmp_path), random.Random(6)
    with running(town) as journal:
        server = town.servers[0]
        assert server.pid
        load = Load(journal, seed=6)
        with load.going_on():
            for _ in range(6):
                journal.await_answers(4)
                time.sleep(chance.uniform(0, LONGEST_WAIT_S))
                opa_of(server.pid).kill()
        assert journal.refusals
        assert set(journal.refusals) == {503}
        assert server.starts == 1
        assert psutil.Process(server.pid).is_running()
        reckon(town, journal, load.heads, seed=6)


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


def test_a_database_that_is_killed_costs_503_and_nothing_else(processes, tmp_path):
    with postgres.running() as database:
        database.run("CREATE DATABASE town")
        town, chance = Town(processes, tmp_path, database.url("town")), random.Random(7)
        town.add_server(works=True)
        with running(town) as journal:
            load = Load(journal, seed=7)
            with load.going_on():
                for _ in range(5):
                    journal.await_answers(4)
                    time.sleep(chance.uniform(0, LONGEST_WAIT_S))
                    kill_a_backend(database, chance)
            assert set(journal.refusals) == {503}
            assert town.servers[0].starts == 1
            reckon(town, journal, load.heads, seed=7)


def test_nobody_is_let_in_while_opa_is_away(processes, tmp_path):
    town = one_server(processes, tmp_path)
    with running(town) as journal:
        server = town.servers[0]
        assert server.pid
        opa = opa_of(server.pid)
        opa.suspend()
        headers = {"authorization": f"Bearer {town.token('anna', CityRole.AUDITOR)}"}
        try:
            asking = httpx.get(f"{town.urls[0]}/v1/sites", headers=headers, timeout=90)
        finally:
            opa.resume()
        assert asking.status_code == 503
        assert journal.read("/v1/sites")["items"]
