"""Two servers on one PostgreSQL, asked at the same moment: exactly one of two approvals wins."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from models import Dataset
from placement.keys import audit_key, audit_public_keys
from placement.store import Store
from placement.store.audit_verify import verify_chain
from placement.store.decisions import Decisions
from tests import builders, postgres
from tests.crash_cases import PATIENCE_S, Journal, Town, nursery, until
from tests.crash_load import BOARD, MACHINE, OFFICE, bring_records, ended_job
from tests.crash_reckoning import every_record, standing_plans

ROUNDS = 20


@dataclass(frozen=True)
class Replicas:
    """Two servers, and proposals that rest on the same city."""

    town: Town
    journal: Journal
    store: Store
    proposals: Sequence[int]

    def at_once(self, asked: Sequence[tuple[int, str]], *keys: str) -> list[httpx.Response]:
        """What each server answers when all are asked together.

        Parameters
        ----------
        asked
            For each server: a decision, and what the board (or the machine) does with it.
        keys
            Idempotency-Keys, and so whether the same person asks.
        """
        barrier = threading.Barrier(len(asked))

        def ask(server: int) -> httpx.Response:
            number, step = asked[server]
            name = keys[server] if keys else f"{step}-{server}"
            role = BOARD if step in ("approval", "withdrawal") else MACHINE
            headers = {"authorization": f"Bearer {self.town.token(name, role)}"}
            if keys:
                headers["idempotency-key"] = keys[server]
            with httpx.Client(base_url=self.town.urls[server], headers=headers) as client:
                client.get("/v1/me")  # the connection is there, and the token is known
                barrier.wait(PATIENCE_S)
                path = f"/v1/decisions/{number}/{step}"
                return client.post(path, json={"reason": ""}, timeout=PATIENCE_S)

        with ThreadPoolExecutor(len(asked)) as pool:
            return list(pool.map(ask, range(len(asked))))

    def standing(self) -> list[int]:
        """Plans that a board stands behind, by their histories; as both servers say, too."""
        with self.store.reading() as tx:
            found = standing_plans(tx)
            point = Decisions(tx).standing()
        assert found == ([] if point is None else [point.number])
        for at in range(2):
            told = self.journal.read("/v1/placements?limit=1", at)["items"]
            assert [item["decision"] for item in told] == found
        return found

    def withdraw(self, number: int) -> None:
        """Nobody stands behind any plan any more: the other proposals hold again."""
        path = f"/v1/decisions/{number}/withdrawal"
        assert self.journal.ask("withdraw", BOARD, "POST", path, {"reason": ""}).ok
        assert self.standing() == []


@pytest.fixture(scope="module")
def replicas(tmp_path_factory) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("town")
    with nursery() as processes, postgres.running() as database:
        database.run("CREATE DATABASE town")
        town = Town(processes, folder, database.url("town"))
        town.add_server(works=False)
        town.add_server(works=False)
        town.add_worker()
        journal = Journal(town)
        store = Store(town.database_url, audit_key(folder / "keys" / "audit.pem"))
        try:
            for process in town.processes:
                process.start()
            until(town.ready, "the servers are ready")
            bring_records(journal)
            yield Replicas(town, journal, store, proposals(journal, 5 * ROUNDS))
            reckon(town, store)
        finally:
            store.close()
            journal.close()
            town.end()


def proposals(journal: Journal, count: int) -> list[int]:
    """So many decisions on the same records, none of them approved."""
    asked = [journal.ask("decide", OFFICE, "POST", "/v1/decisions", {}) for _ in range(count)]
    ended = [ended_job(journal, job.json()["id"]) for job in asked]
    assert [job["state"] for job in ended] == ["done"] * count, ended
    return [job["result"]["decision"] for job in ended]


def reckon(town: Town, store: Store) -> None:
    """After all tests: the log and the projections hold, and each approval was recorded once."""
    with store.reading() as tx:
        keys = audit_public_keys(town.folder / "keys" / "audit.pem")
        assert verify_chain(tx, keys).holds
        approved = [
            record.event.subject
            for record in every_record(tx)
            if record.event.action == "decision_approved"
        ]
    assert len(approved) == len(set(approved))


def statuses(answers: Sequence[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def test_of_two_proposals_approved_at_once_one_wins(replicas):
    for turn in range(ROUNDS):
        pair = replicas.proposals[2 * turn : 2 * turn + 2]
        answers = replicas.at_once([(number, "approval") for number in pair])
        assert statuses(answers) == [200, 409], [answer.text for answer in answers]
        [winner] = replicas.standing()
        for number, answer in zip(pair, answers, strict=True):
            assert (answer.status_code == 200) == (number == winner)
            if answer.status_code == 409:
                assert answer.json()["code"] == "stale_proposal"
                assert [change["what"] for change in answer.json()["changes"]] == ["standing"]
        replicas.withdraw(winner)


def test_a_proposal_approved_twice_at_once_is_approved_once(replicas):
    for number in replicas.proposals[2 * ROUNDS : 3 * ROUNDS]:
        answers = replicas.at_once([(number, "approval")] * 2)
        assert statuses(answers) == [200, 409], [answer.text for answer in answers]
        assert replicas.standing() == [number]
        replicas.withdraw(number)


def test_an_approval_repeated_at_another_server_at_once_is_one_approval(replicas):
    for number in replicas.proposals[3 * ROUNDS : 4 * ROUNDS]:
        key = f"again-{number}"
        answers = replicas.at_once([(number, "approval")] * 2, key, key)
        assert statuses(answers) == [200, 200], [answer.text for answer in answers]
        assert answers[0].content == answers[1].content
        replayed = [answer.headers.get("idempotent-replayed") for answer in answers]
        assert sorted(map(str, replayed)) == ["None", "true"]
        replicas.withdraw(number)


def test_an_approval_and_a_withdrawal_at_once_leave_one_history(replicas):
    for number in replicas.proposals[4 * ROUNDS :]:
        answers = replicas.at_once([(number, "approval"), (number, "withdrawal")])
        approval, withdrawal = (answer.status_code for answer in answers)
        assert (approval, withdrawal) in ((200, 200), (409, 200)), [a.text for a in answers]
        assert replicas.standing() == []
        events: Any = replicas.journal.read(f"/v1/decisions/{number}/events")["items"]
        expected = ["proposed", "approved", "withdrawn"] if approval == 200 else None
        assert [e["state"] for e in events] == (expected or ["proposed", "withdrawn"])


def test_a_dataset_created_at_two_servers_at_once_is_one_dataset(replicas):
    before = replicas.journal.read("/v1/catalogs/current")["version"]
    for turn in range(ROUNDS):
        answers = create_at_both(replicas, builders.dataset(f"twin-{turn}"))
        assert statuses(answers) == [201, 409], [answer.text for answer in answers]
    assert replicas.journal.read("/v1/catalogs/current")["version"] == before + ROUNDS
    for turn in range(ROUNDS):  # proposals rest on the records as they were
        path = f"/v1/datasets/twin-{turn}"
        seen = replicas.journal.look(path).etag
        assert replicas.journal.ask("remove", OFFICE, "DELETE", path, if_match=seen).ok


def create_at_both(replicas: Replicas, dataset: Dataset) -> list[httpx.Response]:
    barrier = threading.Barrier(2)

    def create(server: int) -> httpx.Response:
        headers = {"authorization": f"Bearer {replicas.town.token('olga', OFFICE)}"}
        with httpx.Client(base_url=replicas.town.urls[server], headers=headers) as client:
            client.get("/v1/me")
            barrier.wait(PATIENCE_S)
            body = dataset.model_dump(mode="json")
            return client.post("/v1/datasets", json=body, timeout=PATIENCE_S)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(create, range(2)))
