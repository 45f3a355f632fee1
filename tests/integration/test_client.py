"""The typed client against a real service: every kind of thing, and every way to lose a reply."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from models import (
    ApiKeyRequest,
    CityRole,
    CollectionContract,
    CoLocated,
    Decided,
    DecisionState,
    DraftState,
    FixedPair,
    HandoverFormat,
    Job,
    JobState,
    KeptRelation,
    Parameters,
    PolicyFiles,
    SignedHead,
    WhatIf,
    canonical_json,
)
from placement.client import Client, connection
from placement.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    RequestError,
    ServiceError,
)
from tests import builders, decision_cases
from tests.client_cases import DECIDED

KINDS = ("datasets", "roles", "contracts", "operators", "sites")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(connection, "_PAUSE_S", 0.01)


@pytest.fixture
def office(live_service) -> Iterator[Client]:
    with live_service.client(CityRole.DATA_MANAGEMENT_OFFICE) as client:
        yield client


@pytest.fixture
def auditor(live_service) -> Iterator[Client]:
    with live_service.client(CityRole.AUDITOR) as client:
        yield client


@pytest.fixture
def through(live_service, live_proxy) -> Iterator[Client]:
    """The office, by way of the live_proxy."""
    with live_service.client(CityRole.DATA_MANAGEMENT_OFFICE, url=live_proxy.url) as client:
        yield client


def new_id(kind: str) -> str:
    return f"{kind}/{uuid.uuid4().hex[:8]}"


def a_record(kind: str):
    """A record of its own name that nothing refers to."""
    ident = new_id(kind)
    match kind:
        case "datasets":
            return builders.dataset(ident)
        case "roles":
            return builders.role(ident)
        case "operators":
            return builders.operator(ident)
        case "sites":
            return builders.site(ident)
    return CollectionContract(
        id=ident,
        contractor="ParkeerData",
        handover_format=HandoverFormat.OPEN_MACHINE_READABLE,
        handover_interval_days=30,
        public_ownership=True,
        exit_terms=True,
    )


# -- records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_added_read_replaced_and_removed(office, kind):
    records, record = getattr(office, kind), a_record(kind)
    made = records.create(record)
    assert made.record == record
    assert records.read(record.id) == made
    assert record in list(records.list())
    again = records.put(record.id, record, made.version)
    assert again == made
    records.delete(record.id, made.version)
    with pytest.raises(NotFound):
        records.read(record.id)


def test_only_who_saw_the_latest_version_changes_a_record(office):
    record = a_record("datasets")
    first = office.datasets.create(record)
    changed = record.model_copy(update={"volume_gb": 77})
    second = office.datasets.put(record.id, changed, first.version)
    assert second.record.volume_gb == 77
    with pytest.raises(PreconditionFailed):
        office.datasets.put(record.id, record, first.version)
    with pytest.raises(PreconditionFailed):
        office.datasets.put(record.id, record, None)
    with pytest.raises(PreconditionFailed):
        office.datasets.delete(record.id, first.version)
    assert office.datasets.read(record.id) == second
    office.datasets.delete(record.id, second.version)


def test_put_without_a_version_adds(office):
    record = a_record("roles")
    made = office.roles.put(record.id, record, None)
    office.roles.delete(record.id, made.version)


def test_a_relation_gets_its_id_from_the_service(office):
    first, second = (office.datasets.create(a_record("datasets")).record for _ in range(2))
    made = office.relations.create(CoLocated(members=(first.id, second.id), reason="one system"))
    kept: KeptRelation = made.record
    assert kept.id.startswith("rel-")
    assert list(office.relations.list(dataset=first.id)) == [kept]
    with pytest.raises((BadInput, Conflict)):
        office.datasets.delete(first.id, office.datasets.read(first.id).version)
    office.relations.delete(kept.id, made.version)
    for record in (first, second):
        office.datasets.delete(record.id, office.datasets.read(record.id).version)


def test_lists_are_whole_whatever_the_size_of_a_page(office):
    whole = [dataset.id for dataset in office.datasets.list(q="bag")]
    assert whole == ["bag", "bag/maps:v1"]
    assert [dataset.id for dataset in office.datasets.list(q="bag", limit=1)] == whole
    assert [dataset.id for dataset in office.datasets.list(q="bag", sort="-id")] == whole[::-1]


def test_the_catalogue_as_a_whole(office):
    now = office.catalog()
    assert office.catalog(now.version) == now
    assert next(office.catalogs()).version == now.version
    same = office.import_records(now.catalog, dry_run=True)
    assert (same.dry_run, same.changes, same.version) == (True, (), now.version)
    fewer = decision_cases.catalog()
    found = office.import_records(fewer, decision_cases.register(), dry_run=True)
    assert found.base == found.version == now.version
    with pytest.raises(BadInput) as error:
        office.import_files("dcat-ap", {"catalog.ttl": "<not> turtle"}, dry_run=True)
    assert error.value.defects


def test_parameters_and_schemas(office):
    assert office.parameters() == decision_cases.PARAMETERS
    assert office.schema("parameters")["title"] == "Parameters"
    with pytest.raises(NotFound):
        office.schema("decision")


# -- judging, deciding ------------------------------------------------------------------------


def test_a_check_says_what_the_eligibility_table_says(office):
    report = office.eligibility()
    row = report.table.verdicts[report.table.profile_of[report.table.datasets.index("bag")]]
    for site, verdict in zip(report.table.sites, row, strict=True):
        assert office.check("bag", site).eligible == verdict.eligible


def test_a_decision_with_all_that_belongs_to_it(office):
    record = office.decision(DECIDED)
    assert record.title == "the first"
    answer = office.answer(DECIDED)
    assert isinstance(answer, Decided)
    plan = office.plan(DECIDED)
    assert plan == answer.plan
    assert plan.digest == record.plan
    states = [event.state for event in office.events(DECIDED)]
    assert states[:2] == [DecisionState.PROPOSED, DecisionState.APPROVED]
    assert office.diff(DECIDED).since is None
    assert office.diff(DECIDED, since=DECIDED).moves == ()
    assert office.verify(canonical_json(plan)).holds
    numbers = [found.number for found in office.decisions(outcome="decided")]
    assert DECIDED in numbers
    assert numbers == sorted(numbers, reverse=True)


def test_placements_and_their_explanation(office):
    placed = {item.dataset: item for item in office.placements()}
    assert placed["bag"] == office.placement("bag")
    assert placed["bag/maps:v1"] == office.placement("bag/maps:v1")
    site = placed["bag"].sites[0].site
    assert "bag" in {item.dataset for item in office.placements(site=site)}
    with pytest.raises(NotFound):
        office.placement("bag", by="in_force")
    assert office.explanation("bag").placement.sites == (site,)


def test_the_progress_of_a_job_is_told_until_it_has_ended(office):
    job = office.what_if(WhatIf(fixed=(FixedPair(dataset="trees", site="hoster", allowed=True),)))
    told: list[Job] = []
    result = office.result(job.id, told.append)
    assert told[-1].state is JobState.DONE
    assert office.job(job.id).result == result
    assert job.id in {found.id for found in office.jobs(kind="what_if")}
    report = office.what_if_report(result["what_if"])
    assert report.asked.fixed[0].site == "hoster"
    assert office.cancel(job.id).state is JobState.DONE


def test_a_job_is_waited_for_though_its_events_never_come(through, live_proxy):
    live_proxy.only, live_proxy.refuse = "/events", 1000
    job = through.what_if(WhatIf(parameters=decision_cases.PARAMETERS))
    assert through.wait(job.id).state is JobState.DONE


def test_a_job_that_fails_raises_what_stopped_it(office):
    job = office.decide(parameters=Parameters(time_limit_s=1, gap=Decimal(0)))
    office.cancel(job.id)
    with pytest.raises(RequestError) as error:
        office.result(job.id)
    assert error.value.code == "job_cancelled"


def test_a_replay_reproduces(office):
    assert office.replay_report(office.replay(DECIDED).id).reproduced


# -- policies, keys, the record ---------------------------------------------------------------


def test_a_draft_and_its_next_version(live_service):
    with live_service.client(CityRole.SECURITY_REVIEWER, "anna") as anna:
        revision, files = anna.policies.read()
        assert revision == next(anna.policies.list())
        changed = PolicyFiles(files={**files, "data.json": files["data.json"] + "\n"})
        draft = anna.policies.draft("one more line", changed)
        kept = anna.policies.read_draft(draft.id)
        assert (kept.draft, kept.files) == (draft, changed.files)
        other = PolicyFiles(files={**files, "data.json": files["data.json"] + "\n\n"})
        second = anna.policies.redraft(draft.id, "two more lines", other, kept.version)
        assert (second.version, second.state) == (2, DraftState.DRAFT)
        with pytest.raises(PreconditionFailed):
            anna.policies.redraft(draft.id, "lost", changed, kept.version)
        with pytest.raises(NotAllowed):
            anna.policies.review(draft.id, accept=True)
        assert second in list(anna.policies.drafts())
        assert anna.policies.impact(draft.id).becomes_ineligible == 0
        assert len(anna.policies.usage().rules) >= 30
    with live_service.client(CityRole.SECURITY_REVIEWER, "bert") as bert:
        with pytest.raises(Conflict):
            bert.policies.review(draft.id, accept=True)
        rejected = bert.policies.review(draft.id, accept=False, comment="no")
        assert rejected.state is DraftState.REJECTED
    with live_service.client(CityRole.GOVERNANCE_BOARD) as board:
        with pytest.raises(Conflict):
            board.policies.approve(draft.id)
        with pytest.raises(Conflict):
            board.policies.publish(draft.id)
        with pytest.raises(NotFound):
            board.policies.roll_back(99)


def test_a_key_works_until_it_is_revoked(live_service, office):
    asked = ApiKeyRequest(label="mover", roles=(CityRole.PROVISIONER,), valid_days=1)
    key, token = office.keys.create(asked)
    assert key in list(office.keys.list())
    with Client(live_service.url, token) as machine:
        assert machine.me().principal.subject == f"key:{key.id}"
        office.keys.revoke(key.id)
        with pytest.raises(NotAuthenticated):
            machine.me()


def test_the_audit_log_and_a_copy_of_it(auditor):
    head = auditor.audit_head()
    assert auditor.audit_verification().holds
    approved = list(auditor.audit(action="decision_approved", subject=f"decision/{DECIDED}"))
    assert len(approved) == 1
    *records, last = auditor.audit_export(after=head.sequence - 2)
    assert json.loads(records[0])["sequence"] == head.sequence - 1
    end = SignedHead.model_validate(json.loads(last)["head"])
    assert end.sequence == head.sequence - 2 + len(records)


# -- errors -----------------------------------------------------------------------------------


def test_errors_keep_their_kind(live_service, office):
    with pytest.raises(NotAllowed):
        office.approve(DECIDED)
    with pytest.raises(NotFound):
        office.job("0" * 32)
    with pytest.raises(BadInput):
        list(office.decisions(state="nowhere"))
    with pytest.raises(BadInput) as error:
        office.what_if(WhatIf(sites_out=("atlantis",)))
    assert [defect.field for defect in error.value.defects] == ["sites_out.0"]
    with Client(live_service.url, "nonsense") as nobody, pytest.raises(NotAuthenticated):
        nobody.me()
    with Client(live_service.url, None) as nobody, pytest.raises(NotAuthenticated):
        nobody.me()


@pytest.mark.parametrize(
    "url", ["http://placement.example.org", "ftp://127.0.0.1", "https://me@example.org", "x", ""]
)
def test_a_token_goes_nowhere_in_the_clear(url):
    with pytest.raises(BadInput):
        Client(url, "token")


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "é"])
def test_a_token_that_cannot_be_one(token):
    with pytest.raises(BadInput) as error:
        Client("http://127.0.0.1:1", token)
    assert token == "" or token not in str(error.value)


def test_nobody_answers():
    with Client("http://127.0.0.1:1", "token") as client, pytest.raises(ServiceError):
        client.me()


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything alike; its URL and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"{}"),
        (200, b"\xff"),
        (200, b'{"principal": {"subject": "x"}}'),
        (500, b"<html>"),
        (403, b"[]"),
        (418, b'{"code": "teapot", "detail": "no"}'),
        (204, b""),
    ],
)
def test_whoever_is_no_placement_service_is_found_out(status, body):
    with (
        answering(status, body) as (url, _),
        Client(url, "token") as client,
        pytest.raises(ServiceError),
    ):
        client.me()


def test_a_token_is_not_taken_to_another_host():
    with answering(200, b"{}") as (elsewhere, asked):  # noqa: SIM117  one server knows the other
        with answering(302, b"", location=f"{elsewhere}/v1/me") as (url, _):
            with Client(url, "token") as client, pytest.raises(ServiceError):
                client.me()
    assert asked == []


# -- lost replies -----------------------------------------------------------------------------


def test_an_addition_whose_reply_is_lost_happens_once(through, office, live_proxy):
    record = a_record("datasets")
    live_proxy.lose = 2
    made = through.datasets.create(record)
    assert [method for method, _, _ in live_proxy.seen] == ["POST"] * 3
    assert len(live_proxy.keys()) == 1
    assert live_proxy.replayed == [True]
    assert office.datasets.read(record.id) == made
    office.datasets.delete(record.id, made.version)


def test_a_change_whose_reply_is_lost_is_not_taken_for_somebody_elses(
    through,
    office,
    live_proxy,
):
    record = a_record("datasets")
    first = office.datasets.create(record)
    before = next(office.catalogs()).version
    live_proxy.lose = 1
    second = through.datasets.put(
        record.id, record.model_copy(update={"volume_gb": 5}), first.version
    )
    assert next(office.catalogs()).version == before + 1
    assert office.datasets.read(record.id) == second
    live_proxy.lose = 1
    through.datasets.delete(record.id, second.version)
    assert next(office.catalogs()).version == before + 2
    assert live_proxy.replayed == [True, True]


def test_a_decision_is_asked_for_once(through, office, live_proxy):
    title = f"asked {uuid.uuid4().hex}"
    live_proxy.lose = 1
    job = through.decide(title)
    through.cancel(job.id)
    asked = [found for found in office.jobs(kind="decide") if found.arguments["title"] == title]
    assert [found.id for found in asked] == [job.id]


def test_each_call_has_a_key_of_its_own(through, live_proxy):
    for _ in range(2):
        through.check("bag", "townhall")
    assert len(live_proxy.keys()) == 2
    assert live_proxy.replayed == [False, False]


def test_a_key_whose_token_was_lost_is_revoked(through, office, live_proxy):
    label = f"lost {uuid.uuid4().hex}"
    live_proxy.lose = 1
    with pytest.raises(ServiceError):
        through.keys.create(ApiKeyRequest(label=label, roles=(CityRole.PROVISIONER,), valid_days=1))
    (key,) = (found for found in office.keys.list() if found.label == label)
    assert key.revoked_at is not None


def test_an_overloaded_service_is_asked_again(through, live_proxy):
    live_proxy.refuse = 2
    assert through.me().principal.roles == (CityRole.DATA_MANAGEMENT_OFFICE,)
    assert len(live_proxy.seen) == 3


def test_there_is_an_end_to_asking_again(through, live_proxy):
    live_proxy.refuse = 1000
    with pytest.raises(ServiceError):
        through.me()
    assert len(live_proxy.seen) == connection.TRIES
