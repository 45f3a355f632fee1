"""A drill as a city runs it: the command, a server, and two workers with an OPA each."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from models import CityRole, Drill, ExitDrill, JobState
from placement.cli.app import app
from placement.keys import audit_key
from placement.store import Store
from placement.store.tables import JobRow
from tests import drill_cases, postgres
from tests.integration.test_end_to_end import Deployment

SHARES = ("1", "0.95", "0.9", "0.85", "0.8", "0.75", "0.7", "0.65", "0.6", "0.55", "0.5", "0.45")


@pytest.fixture
def deployment(tmp_path) -> Iterator[Deployment]:
    """A server that does no jobs and two workers, on one PostgreSQL."""
    with postgres.running() as database:
        database.run("CREATE DATABASE city")
        running = Deployment(tmp_path, database.url("city"))
        with running.servers(1, "--no-worker"), contextlib.ExitStack() as workers:
            for number in range(2):
                workers.enter_context(
                    running.process(
                        f"worker-{number}", "worker", PLACEMENT_PUBLIC_URL=running.urls[0]
                    )
                )
            yield running


@contextlib.contextmanager
def holders(deployment) -> Iterator[set[tuple[str, int]]]:
    """(worker's process, attempt) of every job that is seen running while the block runs."""
    seen: set[tuple[str, int]] = set()
    over = threading.Event()

    def look() -> None:
        store = Store(deployment.store_url, audit_key(deployment.folder / "keys" / "audit.pem"))
        query = select(JobRow.worker, JobRow.attempt).where(JobRow.worker.is_not(None))
        while not over.is_set():
            with store.reading() as tx:
                seen.update((w.split(":")[1], n) for w, n in tx.session.execute(query))
            time.sleep(0.01)
        store.close()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join(60)


def command(deployment, *arguments: str):
    token = deployment._issuer.issue("olga", [CityRole.DATA_MANAGEMENT_OFFICE])
    env = {"COLUMNS": "200", "PLACEMENT_SERVER": deployment.urls[0], "PLACEMENT_TOKEN": token}
    return CliRunner(env=env).invoke(app, ["drill", *arguments])


def test_a_drill_runs_on_both_workers_and_is_one_table(deployment):
    office = deployment.client("olga", CityRole.DATA_MANAGEMENT_OFFICE)
    board = deployment.client("bram", CityRole.GOVERNANCE_BOARD)
    with office, board:
        office.import_records(drill_cases.catalog(), drill_cases.register())
        office.set_parameters(drill_cases.parameters())
        decided = office.result(office.decide("the first").id)["decision"]
        board.approve(decided, "agreed")

        values = [text for share in SHARES for text in ("--value", share)]
        with holders(deployment) as seen:
            result = command(
                deployment,
                *("frontier", "--parameter", "operator_volume_share_max"),
                *values,
                *("--format", "csv"),
            )
        assert result.exit_code == 0, result.stderr
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert [row["part"] for row in rows] == list(SHARES)
        assert {row["outcome"] for row in rows} == {"decided"}
        costs = [float(row["objective_eur"]) for row in rows]
        assert costs[0] < costs[-1]
        assert len({worker for worker, _ in seen}) == 2
        assert {attempt for _, attempt in seen} == {1}

        (listed,) = office.drills.list()
        assert (listed.state, listed.parts_ended) == (JobState.DONE, len(SHARES))
        attempts = [office.job(part.job).attempt for part in office.drills.read(listed.id).parts]
        assert attempts == [1] * len(SHARES)
        shown = command(deployment, "show", listed.id, "--format", "json")
        assert Drill.model_validate(json.loads(shown.stdout)) == office.drills.read(listed.id)

        office.set_parameters(drill_cases.parameters(moves_max=0))
        left = command(deployment, "exit")
        assert left.exit_code == 1, left.stderr
        assert f"Against decision {decided}." in left.stdout
        assert "hoster" in left.stdout
        assert "moves" in left.stdout
        assert "2 of 2 ended" in left.stderr
        assert command(deployment, "exit", "--operator", "atlantis").exit_code == 2
        assert command(deployment, "show", "0" * 32).exit_code == 7
        assert listed.id in command(deployment, "list").stdout

        begun = office.drills.ask(ExitDrill(kind="exit"))
        cancelled = command(deployment, "cancel", begun.id)
        assert cancelled.exit_code == 0, cancelled.stderr
        ended = office.drills.wait(begun.id)
        assert ended.state in (JobState.CANCELLED, JobState.DONE)
        assert command(deployment, "show", begun.id).exit_code in (0, 1, 7)
