"""The whole way, as a city goes it: the same test on one server, and on replicas with workers.

Everything is what a user runs: `placement serve` and `placement worker` as processes, and the
Python client. Where there are two servers, what is done through one is read through the other.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from models import (
    AuditAction,
    CityRole,
    DecisionState,
    Job,
    JobState,
    PolicyFiles,
)
from placement.client import Client
from placement.errors import Conflict, NotAllowed, StaleProposal
from placement.identity import LocalIssuer
from placement.keys import audit_key, audit_public_keys
from placement.store import Store
from placement.store.audit_head import read_head
from placement.store.audit_verify import verify_chain
from tests import builders, decision_cases, postgres
from tests.crash_cases import PATIENCE_S, REPOSITORY, environment, free_port, is_ready, until
from tests.policy_cases import shipped, stricter

DATASET = "bag"


@dataclass
class Deployment:
    """A running service; the first and the last URL are different servers where there are two."""

    folder: Path
    database_url: str | None
    urls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "keys").mkdir(mode=0o700)
        self._issuer = LocalIssuer(self.folder / "keys" / "local-issuer.pem")

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'placement.sqlite3'}"

    def client(self, name: str, *roles: CityRole, last: bool = False) -> Client:
        """Somebody with these roles, at the first server or at the last one."""
        return Client(self.urls[-1 if last else 0], self._issuer.issue(name, roles))

    @contextlib.contextmanager
    def process(self, name: str, *arguments: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """A `placement` command, until the block ends; it must end well when it is told to."""
        if self.database_url:
            env["DATABASE_URL"] = self.database_url
        command = [sys.executable, "-m", "placement.cli", *arguments, "--data", str(self.folder)]
        given = environment(PYTHONPATH=str(REPOSITORY), **env)
        log: IO[bytes]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, env=given, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(PATIENCE_S)
            finally:
                process.kill()
        log_text = (self.folder / f"{name}.log").read_text()
        assert code == 0, log_text
        assert "Unclosed" not in log_text

    @contextlib.contextmanager
    def servers(self, count: int, *more: str) -> Iterator[None]:
        """So many servers, ready to answer."""
        with contextlib.ExitStack() as running:
            started = []
            for number in range(count):
                port = str(free_port())
                self.urls.append(f"http://127.0.0.1:{port}")
                serve = ("serve", "--dev", "--port", port, *more)
                started.append(running.enter_context(self.process(f"server-{number}", *serve)))

            def ready() -> bool:
                assert [server.poll() for server in started] == [None] * count, self._logs()
                return all(map(is_ready, self.urls))

            until(ready, "the servers are ready")
            yield

    def _logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@contextlib.contextmanager
def one_server(folder: Path) -> Iterator[Deployment]:
    """What `placement serve` starts: SQLite, an OPA and a worker in one process."""
    deployment = Deployment(folder, None)
    with deployment.servers(1):
        yield deployment


@contextlib.contextmanager
def replicas(folder: Path) -> Iterator[Deployment]:
    """Two servers and two workers on one PostgreSQL."""
    with postgres.running() as database:
        database.run("CREATE DATABASE city")
        deployment = Deployment(folder, database.url("city"))
        with deployment.servers(2, "--no-worker"), contextlib.ExitStack() as workers:
            for number, url in enumerate(deployment.urls):
                worker = deployment.process(f"worker-{number}", "worker", PLACEMENT_PUBLIC_URL=url)
                workers.enter_context(worker)
            yield deployment


@pytest.fixture(params=[one_server, replicas], ids=["one server", "replicas"])
def deployment(request, tmp_path) -> Iterator[Deployment]:
    with request.param(tmp_path) as running:
        yield running


def test_from_a_catalogue_to_placements_and_new_policies(deployment):
    office = deployment.client("olga", CityRole.DATA_MANAGEMENT_OFFICE)
    board = deployment.client("bram", CityRole.GOVERNANCE_BOARD, last=True)
    auditor = deployment.client("ada", CityRole.AUDITOR, last=True)
    with office, board, auditor:
        _import_the_city(office)
        number = _decide(office)
        _approve(office, board, number)
        _read_placements(deployment, number)
        _check(office, auditor)
        last = _change_policies(deployment, office, board)
        assert board.approve(last).state is DecisionState.APPROVED
        with deployment.client("mia", CityRole.PROVISIONER) as machine:
            _put_in_force(machine, last)
        assert office.decision(number).state is DecisionState.SUPERSEDED
        _verify_the_record(deployment, auditor)


def _import_the_city(office: Client) -> None:
    catalog = decision_cases.catalog()
    nowhere = builders.site("nowhere", operator="hoster", country="US", certifications=())
    sites = builders.register(*decision_cases.sites(), nowhere)
    would = office.import_records(catalog, sites, dry_run=True)
    done = office.import_records(catalog, sites)
    assert done.model_dump(exclude={"version", "dry_run"}) == would.model_dump(
        exclude={"version", "dry_run"}
    )
    office.set_parameters(decision_cases.PARAMETERS)
    assert office.parameters() == decision_cases.PARAMETERS
    kept = office.catalog().catalog
    for part in ("datasets", "roles", "contracts", "relations"):
        assert len(getattr(kept, part)) == len(getattr(catalog, part))
        assert set(getattr(kept, part)) == set(getattr(catalog, part))
    assert {d.id for d in office.datasets.list()} == {d.id for d in catalog.datasets}


def _decide(office: Client) -> int:
    """A proposal; the job is followed by its events to the end."""
    seen: list[Job] = []
    job = office.decide("The plan of the year")
    number = int(office.result(job.id, seen.append)["decision"])
    assert seen[-1].state is JobState.DONE
    assert [news.progress_sequence for news in seen] == sorted(
        news.progress_sequence for news in seen
    )
    names = {name for name, _ in office.connection.events(f"/v1/jobs/{job.id}/events")}
    assert names, "the events of a job that has ended tell its end"
    record = office.decision(number)
    assert (record.state, record.job, record.title) == (
        DecisionState.PROPOSED,
        job.id,
        "The plan of the year",
    )
    assert record.gap is not None
    return number


def _approve(office: Client, board: Client, number: int) -> None:
    diff = board.diff(number)
    assert diff.since is None
    assert diff.moves
    with pytest.raises(NotAllowed):
        office.approve(number)
    assert board.approve(number, "as discussed").state is DecisionState.APPROVED
    with pytest.raises(Conflict):
        board.approve(number)
    assert [event.state for event in office.events(number)] == [
        DecisionState.PROPOSED,
        DecisionState.APPROVED,
    ]


def _read_placements(deployment: Deployment, number: int) -> None:
    """Through the other server: all placements, one, and why."""
    with (
        deployment.client("mia", CityRole.PROVISIONER, last=True) as machine,
        deployment.client("olga", CityRole.DATA_MANAGEMENT_OFFICE, last=True) as reader,
    ):
        plan = reader.plan(number)
        planned = {placed.dataset: set(placed.sites) for placed in plan.placements}
        told = {
            placed.dataset: {host.site for host in placed.sites} for placed in machine.placements()
        }
        assert told == planned
        [site, *_] = planned[DATASET]
        there = {placed.dataset for placed in machine.placements(site=site)}
        assert there == {dataset for dataset, sites in planned.items() if site in sites}
        assert machine.placement(DATASET).decision == number
        explanation = reader.explanation(DATASET)
        assert explanation.dataset.id == DATASET
        assert set(explanation.placement.sites) == planned[DATASET]
        assert explanation.why
        _put_in_force(machine, number)
        replayed = reader.replay_report(reader.replay(number).id)
        assert replayed.exact, replayed


def _put_in_force(machine: Client, number: int) -> None:
    assert machine.provision(number).state is DecisionState.PROVISIONING
    assert machine.enforce(number).state is DecisionState.IN_FORCE


def _check(office: Client, auditor: Client) -> None:
    """May it rest there? Yes and no; both are on the record, which another server shows."""
    report = office.eligibility()
    row = report.table.verdicts[report.table.profile_of[report.table.datasets.index(DATASET)]]
    verdicts = dict(zip(report.table.sites, row, strict=True))
    for eligible in (True, False):
        site = next(site for site, verdict in verdicts.items() if verdict.eligible is eligible)
        answer = office.check(DATASET, site)
        assert answer.eligible is eligible
        assert {v.obligation.code for v in answer.violations} == {
            v.obligation for v in verdicts[site].violations
        }
        records = {record.sequence: record for record in auditor.audit(action="checked")}
        assert answer.record is not None
        assert records[answer.record].event.detail["site"] == site


def _change_policies(deployment: Deployment, office: Client, board: Client) -> int:
    """Drafted, checked, reviewed, approved, published, active; decided by; and rolled back.

    The number of a proposal by the policies that are active in the end.
    """
    first, files = board.policies.read()
    assert dict(files) == dict(shipped().files)
    with (
        deployment.client("rita", CityRole.SECURITY_REVIEWER) as author,
        deployment.client("rolf", CityRole.SECURITY_REVIEWER, last=True) as reviewer,
    ):
        draft = author.policies.draft("One country less", PolicyFiles(files=stricter()))
        checked = author.policies.check(draft.id)
        assert checked.report is not None
        assert checked.report.clean, checked.report.defects
        with pytest.raises(NotAllowed):
            author.policies.review(draft.id, accept=True)
        reviewer.policies.review(draft.id, accept=True, comment="read line by line")
        board.policies.approve(draft.id)
        published = reviewer.policies.publish(draft.id)
    _wait_active(deployment, published.number, published.revision)
    number = int(office.result(office.decide("By new policies").id)["decision"])
    assert office.decision(number).basis.policies == published.revision
    again = board.policies.roll_back(first.number)
    assert (again.revision, again.rollback_of) == (first.revision, first.number)
    _wait_active(deployment, again.number, first.revision)
    with pytest.raises(StaleProposal, match="policies"):
        board.approve(number)
    last = int(office.result(office.decide("By the old ones again").id)["decision"])
    assert office.decision(last).basis.policies == first.revision
    return last


def _wait_active(deployment: Deployment, number: int, revision: str) -> None:
    """The policies are active, and every server answers by them."""
    office = CityRole.DATA_MANAGEMENT_OFFICE
    with (
        deployment.client("olga", office) as here,
        deployment.client("olga", office, last=True) as there,
    ):
        until(lambda: here.policies.read()[0].number == number, f"policies {number} are active")
        until(lambda: all(map(is_ready, deployment.urls)), "the servers answer")
        for client in (here, there):
            assert client.check(DATASET, "townhall").policy_revision == revision


def _verify_the_record(deployment: Deployment, auditor: Client) -> None:
    """The service says that the log holds, and so do we, by the key and the head kept outside."""
    told = auditor.audit_verification()
    assert told.holds, told.report.defects
    actions = {record.event.action for record in auditor.audit()}
    assert actions >= {
        AuditAction.CATALOG_CHANGED,
        AuditAction.PARAMETERS_CHANGED,
        AuditAction.DECISION_REQUESTED,
        AuditAction.DECISION_RECORDED,
        AuditAction.DECISION_APPROVED,
        AuditAction.DECISION_IN_FORCE,
        AuditAction.DECISION_SUPERSEDED,
        AuditAction.CHECKED,
        AuditAction.DENIED,
        AuditAction.POLICY_DRAFTED,
        AuditAction.POLICY_CHECKED,
        AuditAction.POLICY_REVIEWED,
        AuditAction.POLICY_APPROVED,
        AuditAction.POLICY_PUBLISHED,
        AuditAction.POLICY_ACTIVATED,
        AuditAction.POLICY_ROLLED_BACK,
    }
    keys = deployment.folder / "keys"
    outside = read_head(keys / "audit.head")
    assert outside is not None
    store = Store(deployment.store_url, audit_key(keys / "audit.pem"))
    try:
        with store.reading() as tx:
            known = audit_public_keys(keys / "audit.pem")
            report = verify_chain(tx, known, [auditor.audit_head(), outside])
    finally:
        store.close()
    assert report.holds, report.defects
