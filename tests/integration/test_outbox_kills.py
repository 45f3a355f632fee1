"""Senders and receivers killed at random: every event comes, every effect is there once, in order.

The sender is the service itself, the receiver the client's own with a journal. PLACEMENT_KILLS sets
how many kills there are (20 by default, on SQLite; half of it on PostgreSQL).
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from placement.errors import StoreError
from placement.store import Store
from placement.store.outbox import Outbox
from tests import postgres
from tests.crash_cases import Killable, Nursery, Town, free_port, nursery, until
from tests.crash_load import one_server
from tests.outbox_cases import LOOPBACK, append, event, open_folder, subscribe
from tests.outbox_hook import EFFECTS

KILLS = int(os.environ.get("PLACEMENT_KILLS", "20"))
DATASETS = 25
PAUSE_S = 0.05
BATCH = 4
FAR_AHEAD = 80
LONGEST_WAIT_S = 0.3
PROGRESS_S = 60.0


@pytest.fixture(scope="module")
def processes() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


class Hook:
    """A receiver that can be killed, and what it has done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def begin(self, secret: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.outbox_hook", str(self._folder), str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write(secret)
        self.order("start")

    def order(self, what: str) -> None:
        self._write(what)
        assert self._process
        assert self._process.stdout
        assert self._process.stdout.readline() == "done\n"

    def again(self) -> None:
        self.order("kill")
        self.order("start")

    def effects(self) -> list[tuple[str, str, int]]:
        """(id, dataset, sequence) in the order in which they were had."""
        return self._asked("SELECT id, dataset, sequence FROM effects ORDER BY number")

    def count(self) -> int:
        """How many effects there are."""
        found = self._asked("SELECT count(*) FROM effects")
        return found[0][0] if found else 0

    def _asked(self, question: str) -> list[Any]:
        path = self._folder / EFFECTS
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=30)) as journal:
            try:
                return journal.execute(question).fetchall()
            except sqlite3.OperationalError:  # it is being made
                return []

    def end(self) -> None:
        if self._process is not None:
            self._process.communicate()

    def _write(self, line: str) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


class Telling:
    """Appends events, a few at a time and never far ahead, until it is told to stop."""

    def __init__(self, store: Store, hook: Hook, seed: int) -> None:
        self._store, self._hook, self._chance = store, hook, random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def sequences(self) -> list[int]:
        """Of all events that were appended: what the outbox itself says."""
        with self._store.reading() as tx:
            return [found.sequence for found in Outbox(tx).list(1_000_000)]

    def __enter__(self) -> Telling:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        told = 0
        while not self._stop.wait(PAUSE_S):
            if told - self._hook.count() > FAR_AHEAD:
                continue
            names = [f"d{self._chance.randrange(DATASETS)}" for _ in range(BATCH)]
            with contextlib.suppress(StoreError):  # the database is busy, for others, too
                told += len(append(self._store, [event(name) for name in names]))


def kill_often(kills: int, seed: int, hook: Hook, senders: list[Killable]) -> dict[str, int]:
    """Kill senders and the receiver while events are told and delivered."""
    chance, killed = random.Random(seed), {"sender": 0, "receiver": 0}
    for _ in range(kills):
        progress(hook)
        time.sleep(chance.uniform(0, LONGEST_WAIT_S))
        victim = chance.choice(("sender", "receiver"))
        killed[victim] += 1
        if victim == "sender":
            chance.choice(senders).again()
        else:
            hook.again()
    return killed


def progress(hook: Hook) -> None:
    """Wait until one more event has its effect."""
    before = hook.count()
    until(lambda: hook.count() > before, "an event has its effect", PROGRESS_S)


def reckon(hook: Hook, sequences: list[int]) -> None:
    """Every event has its one effect, and those of one dataset are in order."""
    until(lambda: hook.count() >= len(sequences), "all is delivered")
    effects = hook.effects()
    assert sorted(sequence for _, _, sequence in effects) == sorted(sequences)
    assert len({ident for ident, _, _ in effects}) == len(effects)
    last: dict[str, int] = {}
    for _, dataset, sequence in effects:
        assert sequence > last.get(dataset, 0), f"{dataset}: {sequence} after {last[dataset]}"
        last[dataset] = sequence


def survive(town: Town, senders: list[Killable], kills: int, seed: int) -> None:
    """A town that tells events while its senders and their receiver are killed."""
    hook = Hook(town.folder)
    for process in town.processes:
        process.env = {**process.env, **LOOPBACK}
    store, seal = open_folder(town.folder, town.database_url)
    try:
        _, secret = subscribe(store, seal, f"http://127.0.0.1:{hook.port}/hook")
        hook.begin(secret)
        for process in town.processes:
            process.start()
        with Telling(store, hook, seed) as telling:
            killed = kill_often(kills, seed, hook, senders)
        assert killed["sender"]
        assert killed["receiver"]
        reckon(hook, telling.sequences())
    finally:
        town.end()
        hook.end()
        store.close()


def test_a_sender_and_a_receiver_killed_at_random_lose_double_and_disorder_nothing(
    processes, tmp_path
):
    town = one_server(processes, tmp_path)
    survive(town, town.servers, KILLS, seed=1)


def test_several_senders_on_one_database_killed_at_random_keep_every_promise(processes, tmp_path):
    with postgres.running() as database:
        database.run("CREATE DATABASE town")
        town = Town(processes, tmp_path, database.url("town"))
        town.add_server(works=False)
        senders = [town.add_worker(), town.add_worker()]
        survive(town, senders, KILLS // 2, seed=2)
