"""Drills: many what-ifs on several workers, each done once, collected in one answer."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any, cast

import pytest
from litestar.testing import TestClient
from sqlalchemy import select

from api.app import assemble
from api.routes import drills as routes
from api.routes import jobs as job_routes
from api.routes import what_ifs as what_if_routes
from models import (
    AuditAction,
    DecisionOutcome,
    Drill,
    DrillPart,
    ExitDrill,
    FrontierDrill,
    FrontierParameter,
    JobKind,
    JobState,
    RowFilter,
    WhatIfReport,
)
from placement.errors import BadInput, NotAllowed, NotFound, SolverError
from placement.service import decisions, drills, what_ifs
from placement.service.handlers import HANDLERS
from placement.service.jobs import overdue
from placement.service.what_ifs import what_if_job
from placement.service.working import execute
from placement.store.tables import AuditRow, DrillRow, JobRow
from tests import drill_cases
from tests.asking_cases import Named, Rows
from tests.decision_cases import (
    BOARD,
    OFFICE,
    caller,
    city,
    in_force,
    keep,
    make_city,
    read_job,
    run,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
EXITS = ExitDrill(kind="exit")
MANY_EXITS = {"kind": "exit"}


def settle(city, **changed: Any):
    keep(city, drill_cases.catalog(), drill_cases.register(), drill_cases.parameters(**changed))
    return city


def ask(city, asked, who=OFFICE):
    with city.store.writing() as tx:
        return drills.ask(tx, city, who, asked)


def read(city, drill):
    return drills.read(city, BOARD, drill.id)


def done(city, drill) -> Drill:
    """The drill after one worker did what was left of it."""
    for part in drill.parts:
        run(city, read_job(city, part.job))
    return read(city, drill)


def report_of(city, part: DrillPart) -> WhatIfReport:
    assert part.report is not None
    return what_ifs.read(city, BOARD, part.report.removeprefix("/v1/what-ifs/"))


def by_name(drill):
    return {part.name: part for part in drill.parts}


def frontier(parameter, *values):
    return FrontierDrill(
        kind="frontier",
        parameter=FrontierParameter(parameter),
        values=tuple(map(Decimal, values)),
    )


# --- what it comes to ----------------------------------------------------------------------------


@on_sqlite
def test_leaving_each_operator_costs_what_its_what_if_says(city):
    settle(city)
    in_force(city)
    asked = ask(city, EXITS)
    assert [part.name for part in asked.parts] == ["costly", "hoster"]
    assert (asked.state, asked.parts_ended, asked.parts_asked) == (JobState.QUEUED, 0, 2)
    found = done(city, asked)
    assert (found.state, found.parts_ended, found.one_basis) == (JobState.DONE, 2, True)
    parts = by_name(found)
    assert (parts["costly"].datasets_moved, parts["costly"].difference_eur) == (0, 0)
    hoster = parts["hoster"]
    assert hoster.difference_eur > 0
    assert hoster.datasets_moved > 0
    report = report_of(city, hoster)
    assert report.asked.sites_out == ("hoster",)
    assert (report.objective_eur, report.gap) == (hoster.objective_eur, hoster.gap)
    assert report.diff is not None
    before, after = report.diff.eur_per_year_before, report.diff.eur_per_year_after
    assert before is not None
    assert hoster.difference_eur == after - before
    assert hoster.basis.standing == report.since == 1


@on_sqlite
def test_all_sites_of_an_operator_are_out(city):
    settle(city)
    found = done(city, ask(city, ExitDrill(kind="exit", operators=("costly",))))
    (part,) = found.parts
    report = report_of(city, part)
    assert report.asked.sites_out == ("costly-east", "costly-west")


@on_sqlite
def test_an_operator_that_cannot_be_left_names_the_core(city):
    settle(city, moves_max=0)
    parts = by_name(done(city, ask(city, EXITS)))
    stuck = parts["hoster"]
    assert stuck.state is JobState.DONE
    assert stuck.outcome is DecisionOutcome.INFEASIBLE
    assert "moves" in stuck.core
    assert not any(name.startswith("capacity") for name in stuck.core)
    assert (stuck.objective_eur, stuck.difference_eur, stuck.datasets_moved) == (None,) * 3
    assert stuck.report is not None
    assert parts["costly"].outcome is DecisionOutcome.DECIDED
    assert parts["costly"].core == ()


@on_sqlite
def test_datasets_that_would_have_no_site_are_named(city):
    settle(city)
    (part,) = done(city, ask(city, ExitDrill(kind="exit", operators=("city",)))).parts
    assert part.outcome is DecisionOutcome.DECIDED
    keep(city)  # the small city: two sites of its own, one of the hoster, and zones needs two
    (part,) = done(city, ask(city, ExitDrill(kind="exit", operators=("city",)))).parts
    assert part.outcome is DecisionOutcome.NO_ELIGIBLE_SITE
    assert (part.unplaceable, part.unplaceable_datasets) == (("zones",), 1)


@on_sqlite
def test_a_frontier_costs_more_the_tighter_its_limit(city):
    settle(city)
    found = done(city, ask(city, frontier("operator_volume_share_max", "1", "0.4", "0")))
    assert [part.name for part in found.parts] == ["1", "0.4", "0"]
    loose, tight, none = found.parts
    assert loose.objective_eur is not None
    assert tight.objective_eur is not None
    assert loose.objective_eur < tight.objective_eur
    assert none.outcome is DecisionOutcome.INFEASIBLE
    assert "concentration_volume[hoster]" in none.core
    assert loose.difference_eur is None  # no plan stands that it could be compared with
    report = report_of(city, tight)
    assert report.asked.parameters == drill_cases.parameters(
        operator_volume_share_max=Decimal("0.4")
    )


@on_sqlite
def test_a_frontier_of_whole_numbers(city):
    settle(city)
    found = done(city, ask(city, frontier("moves_max", "1", "0")))
    assert [part.outcome for part in found.parts] == [DecisionOutcome.DECIDED] * 2
    assert [part.datasets_moved for part in found.parts][1] == 0


@on_sqlite
def test_nothing_of_it_is_a_decision(city):
    settle(city)
    done(city, ask(city, EXITS))
    assert decisions.list_decisions(city, 10) == ()


@on_sqlite
def test_records_that_change_while_it_runs_are_told(city):
    settle(city)
    asked = ask(city, EXITS)
    run(city, read_job(city, asked.parts[0].job))
    assert read(city, asked).one_basis
    settle(city, amortisation_years=7)
    assert not done(city, asked).one_basis


# --- by several workers --------------------------------------------------------------------------


def test_parts_run_on_several_workers_each_once(city, make_city):
    settle(city)
    asked = ask(city, frontier("operator_volume_share_max", "1", "0.9", "0.8", "0.7", "0.6", "0.5"))
    replicas = [make_city(), make_city()]
    both_at_work = threading.Barrier(2)
    did: list[tuple[int, str, int]] = []

    def work(number: int) -> None:
        begun: list[str] = []

        def watched(city, job, report, cancel):
            if not begun:
                both_at_work.wait(60)  # each holds a part of its own while the other one does
            begun.append(job.id)
            did.append((number, job.id, job.attempt))
            return what_if_job(city, job, report, cancel)

        for part in asked.parts:
            execute(replicas[number], part.job, {JobKind.WHAT_IF: watched})

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert {number for number, _, _ in did} == {0, 1}
    assert sorted(job for _, job, _ in did) == sorted(part.job for part in asked.parts)
    assert {attempt for _, _, attempt in did} == {1}
    found = read(city, asked)
    assert found.state is JobState.DONE
    assert {part.outcome for part in found.parts} == {DecisionOutcome.DECIDED}


@on_sqlite
def test_a_part_that_fails_does_not_spoil_the_others(city):
    settle(city)
    asked = ask(city, EXITS)

    def failing(city, job, report, cancel):
        if job.id == asked.parts[0].job:
            raise SolverError("the solver broke")
        return what_if_job(city, job, report, cancel)

    for part in asked.parts:
        execute(city, part.job, {**HANDLERS, JobKind.WHAT_IF: failing})
    found = read(city, asked)
    assert found.state is JobState.FAILED
    broken, whole = found.parts
    assert (broken.state, broken.problem["code"], broken.report) == (
        JobState.FAILED,
        SolverError.code,
        None,
    )
    assert (whole.state, whole.outcome) == (JobState.DONE, DecisionOutcome.DECIDED)


def test_a_drill_and_its_jobs_are_committed_together(city):
    settle(city)
    woken: list[str] = []
    city.wake = woken.append

    def lost():
        with city.store.writing() as tx:
            drills.ask(tx, city, OFFICE, EXITS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lost()
    assert overdue(city) == ()
    assert woken == []
    with city.store.reading() as tx:
        assert tx.session.scalars(select(DrillRow)).all() == []
    asked = ask(city, EXITS)
    assert sorted(woken) == sorted(overdue(city)) == sorted(part.job for part in asked.parts)


def test_cancelling_ends_what_has_not_ended(city):
    settle(city)
    asked = ask(city, EXITS)
    run(city, read_job(city, asked.parts[0].job))
    with city.store.writing() as tx:
        found = drills.cancel(tx, OFFICE, asked.id)
    assert [part.state for part in found.parts] == [JobState.DONE, JobState.CANCELLED]
    assert found.state is JobState.CANCELLED
    assert done(city, asked) == found
    with city.store.writing() as tx:
        assert drills.cancel(tx, OFFICE, asked.id) == found
    query = select(AuditRow.subject).where(AuditRow.action == AuditAction.JOB_CANCELLED.value)
    with city.store.reading() as tx:
        assert tx.session.scalars(query).all() == [f"job/{asked.parts[1].job}"]


@on_sqlite
def test_a_running_part_is_cancelled_within_its_work(city):
    settle(city)
    asked = ask(city, EXITS)
    stopped = threading.Event()

    def waiting(city, job, report, cancel):
        with city.store.writing() as tx:
            drills.cancel(tx, OFFICE, asked.id)
        assert cancel.wait(60)
        stopped.set()
        return what_if_job(city, job, report, cancel)

    execute(city, asked.parts[0].job, {JobKind.WHAT_IF: waiting})
    assert stopped.is_set()
    assert {part.state for part in read(city, asked).parts} == {JobState.CANCELLED}


# --- who, and what may be asked ------------------------------------------------------------------


@on_sqlite
def test_drills_are_for_those_who_see_every_record(city):
    settle(city)
    asked = ask(city, EXITS)
    steward = caller("steward", rows=RowFilter(departments=("Green",)))
    for refused in (
        lambda: drills.read(city, steward, asked.id),
        lambda: drills.list_drills(city, steward),
        lambda: ask(city, EXITS, steward),
    ):
        with pytest.raises(NotAllowed):
            refused()
    with pytest.raises(NotAllowed), city.store.writing() as tx:
        drills.cancel(tx, steward, asked.id)
    with pytest.raises(NotFound):
        drills.read(city, BOARD, "0" * 32)
    assert read(city, asked).state is JobState.QUEUED


@on_sqlite
def test_unknown_operators_are_defects_and_nothing_is_asked(city):
    settle(city)
    with pytest.raises(BadInput) as caught:
        ask(city, ExitDrill(kind="exit", operators=("atlantis", "hoster", "atlantis")))
    assert {defect.field for defect in caught.value.defects} == {
        "operators.0",
        "operators.2",
    }
    assert overdue(city) == ()


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def http(city):
    settle(city)
    city.tokens = cast("Any", Named())
    city.permissions = cast("Any", Rows())
    city.recorder = cast("Any", type("Silent", (), {"record": lambda self, events: None})())
    served = [*routes.routes, *what_if_routes.routes, *job_routes.routes]
    with TestClient(assemble(city, served), raise_server_exceptions=False) as client:

        def asking(who: str, method: str, path: str, **more: Any) -> Any:
            headers = {"authorization": f"Bearer {who}", **more.pop("headers", {})}
            return client.request(method, path, headers=headers, **more)

        yield asking


@on_sqlite
def test_the_way_of_a_drill(http, city):
    said = http("office", "POST", "/v1/drills", json=MANY_EXITS)
    assert said.status_code == 202, said.text
    drill = Drill.model_validate(said.json())
    path = said.headers["location"]
    assert path == f"/v1/drills/{drill.id}"
    first = http("board", "GET", path)
    tag = first.headers["etag"]
    assert Drill.model_validate(first.json()) == drill
    assert http("board", "GET", path, headers={"if-none-match": tag}).status_code == 304
    done(city, drill)
    after = http("board", "GET", path, headers={"if-none-match": tag})
    assert (after.status_code, after.headers["etag"] != tag) == (200, True)
    for part in after.json()["parts"]:
        report = WhatIfReport.model_validate(http("board", "GET", part["report"]).json())
        assert report.objective_eur == Decimal(part["objective_eur"])
        assert http("board", "GET", f"/v1/jobs/{part['job']}").json()["state"] == "done"
    ended = http("office", "POST", f"{path}/cancellation")
    assert (ended.status_code, ended.json()["state"]) == (200, "done")
    assert http("green", "GET", path).status_code == 403
    assert http("board", "GET", "/v1/drills/nothing").status_code == 404


@on_sqlite
def test_a_drill_that_is_asked_for_again_is_asked_for_once(http, city):
    key = {"idempotency-key": "the-yearly-drill"}
    first = http("office", "POST", "/v1/drills", json=MANY_EXITS, headers=key)
    again = http("office", "POST", "/v1/drills", json=MANY_EXITS, headers=key)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    with city.store.reading() as tx:
        assert len(tx.session.scalars(select(JobRow)).all()) == 2
    other = http(
        "office",
        "POST",
        "/v1/drills",
        json={"kind": "exit", "operators": ["hoster"]},
        headers=key,
    )
    assert other.status_code == 422


@on_sqlite
def test_drills_are_listed_by_the_page(http):
    made = [http("office", "POST", "/v1/drills", json=MANY_EXITS).json()["id"] for _ in range(3)]
    first = http("board", "GET", "/v1/drills?limit=2").json()
    assert [item["id"] for item in first["items"]] == made[:0:-1]
    assert {(item["state"], item["parts_ended"]) for item in first["items"]} == {("queued", 0)}
    last = http("board", "GET", f"/v1/drills?limit=2&cursor={first['next']}").json()
    assert ([item["id"] for item in last["items"]], last["next"]) == (made[:1], None)


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ([], "kind"),
        ({"kind": "earthquake"}, "kind"),
        ({"kind": ["exit"]}, "kind"),
        ({"kind": "exit", "operators": ["atlantis"]}, "operators.0"),
        ({"kind": "exit", "operators": "hoster"}, "operators"),
        ({"kind": "exit", "values": ["1"]}, "values"),
        ({"kind": "exit", "operators": [f"o{n}" for n in range(65)]}, "operators"),
        ({"kind": "frontier", "parameter": "moves_max"}, "values"),
        ({"kind": "frontier", "parameter": "moves_max", "values": []}, "values"),
        ({"kind": "frontier", "parameter": "gap", "values": ["0.1"]}, "parameter"),
        ({"kind": "frontier", "parameter": "moves_max", "values": ["1.5"]}, "values.0"),
        (
            {"kind": "frontier", "parameter": "closed_stack_share_max", "values": ["0.1", "2"]},
            "values.1",
        ),
        ({"kind": "frontier", "parameter": "exit_budget_eur", "values": ["-1"]}, "values"),
        ({"kind": "frontier", "parameter": "moves_max", "values": ["1", "1.0"]}, "values.1"),
    ],
)
def test_what_cannot_be_asked_is_refused_where_it_is_wrong(http, city, body, field):
    said = http("office", "POST", "/v1/drills", json=body)
    assert said.status_code == 422, said.text
    assert field in said.json()["defects"][0]["field"]
    assert overdue(city) == ()
