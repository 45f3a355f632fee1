"""The service killed at every point: nothing acknowledged is lost, and nothing happens twice.

Servers, workers, their OPAs and their database are killed with SIGKILL while clients work. A client
repeats what was not answered with the same Idempotency-Key. In the end its journal is held against
the store (see `tests.crash_reckoning`).
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from models import CityRole
from tests import builders, postgres
from tests.crash_cases import Answer, Journal, Killable, Nursery, Town, nursery, until
from tests.crash_load import (
    BOARD,
    KILLS,
    LONGEST_WAIT_S,
    OFFICE,
    Load,
    ended_job,
    kill_a_backend,
    kill_often,
    one_server,
    opa_of,
    propose,
    running,
    second_policies,
    step,
)
from tests.crash_points import POINTS
from tests.crash_reckoning import reckon

SEEDS = (1, 2, 3)
"""One town each; with the one on PostgreSQL, they are killed 100 times."""


@pytest.fixture(scope="module")
def processes() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


# -- at random points -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_killed_at_random_loses_and_doubles_nothing(processes, tmp_path, seed):
    town = one_server(processes, tmp_path)
    with running(town) as journal:
        load = Load(journal, seed)
        with load.going_on():
            kill_often(load, lambda _: town.servers[0].again())
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
                    (town.servers if victim == "server" else town.workers)[0].again()

            with load.going_on():
                kill_often(load, kill)
            done = reckon(town, journal, load.heads, seed=4)
            assert killed == {"server", "worker", "database"}
            assert all(done[kind] for kind in ("create", "check", "ask", "decide", "approve"))


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
        self.server.hit_at(point, passage)
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


# -- a worker that is only slow ------------------------------------------------------------------


def test_a_worker_that_falls_asleep_and_wakes_too_late_does_nothing_more(processes, tmp_path):
    with postgres.running() as database:
        database.run("CREATE DATABASE town")
        town = Town(processes, tmp_path, database.url("town"))
        town.add_server(works=False)
        first, second = town.add_worker(), town.add_worker()
        with running(town) as journal:
            for worker in (first, second):
                worker.hit_at("in the middle of solving", number=signal.SIGSTOP)
            job = journal.ask("decide", OFFICE, "POST", "/v1/decisions", {}).json()["id"]
            until(lambda: first.was_hit() != second.was_hit(), "a worker falls asleep")
            asleep, awake = (first, second) if first.was_hit() else (second, first)
            awake.pardon()
            ended = ended_job(journal, job)
            assert (ended["state"], ended["attempt"]) == ("done", 2)
            asleep.go_on()
            awake.end()
            propose(journal)  # the one that has woken up works again
            time.sleep(1)
            assert ended_job(journal, job) == ended
            reckon(town, journal, [], seed=8)


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
