"""The way of a decision: by a job, past other eyes, into force; with a real OPA and solver."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from models import (
    AuditAction,
    DecisionOutcome,
    DecisionState,
    JobState,
    PolicyFiles,
    RowFilter,
    Stale,
    canonical_json,
    sha256_of,
)
from placement.certificate import plan_digest
from placement.eligibility.bundle import read_policy_files
from placement.errors import (
    CertificateError,
    Conflict,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    StaleProposal,
    StoreError,
)
from placement.service import deciding, decisions, placements, proposing
from placement.service.approving import approve, prepare
from placement.service.plans import plan_of
from placement.service.preconditions import Precondition
from placement.settings import shipped_policies
from placement.store.decisions import Decisions, NewDecision
from placement.store.documents import Documents
from placement.store.tables import AuditRow
from tests import builders
from tests.decision_cases import (
    ANY,
    BOARD,
    MACHINE,
    OFFICE,
    PARAMETERS,
    approve_it,
    ask,
    at_once,
    caller,
    catalog,
    certified,
    city,
    enforce_it,
    in_force,
    keep,
    make_city,
    propose,
    publish,
    read,
    register,
    run,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures


def audited(city):
    with city.store.reading() as tx:
        return [
            (row.action, row.actor, row.subject)
            for row in tx.session.scalars(select(AuditRow).order_by(AuditRow.sequence))
        ]


def stale(city, number):
    """What a refused approval says has changed."""
    with pytest.raises(StaleProposal) as caught:
        approve_it(city, number)
    assert read(city, number).state is DecisionState.PROPOSED
    with city.store.reading() as tx:
        assert (
            tx.session.scalar(
                text("SELECT count(*) FROM placed WHERE decision = :n"), {"n": number}
            )
            == 0
        )
    return {change.what: change for change in caught.value.changes}


def other_policies():
    """The shipped policies with a threshold that changes their revision."""
    files = dict(read_policy_files(shipped_policies()).files)
    files["data.json"] = files["data.json"].replace('"home": ["NL"]', '"home": ["NL", "BE"]')
    return PolicyFiles(files=files)


def test_a_decision_goes_its_way_and_leaves_a_record_of_each_step(city):
    record = propose(city, title="Plan for 2027")
    assert (record.state, record.outcome) == (DecisionState.PROPOSED, DecisionOutcome.DECIDED)
    assert (record.author, record.title, record.datasets) == (OFFICE.subject, "Plan for 2027", 5)
    assert approve_it(city, 1).state is DecisionState.APPROVED
    assert enforce_it(city, 1).state is DecisionState.IN_FORCE
    with city.store.writing() as tx:
        decisions.withdraw(tx, BOARD, 1, ANY, "a mistake")
    history = decisions.events(city, 1)
    assert [(event.state.value, event.actor) for event in history] == [
        ("proposed", OFFICE.subject),
        ("approved", BOARD.subject),
        ("provisioning", MACHINE.subject),
        ("in_force", MACHINE.subject),
        ("withdrawn", BOARD.subject),
    ]
    assert history[-1].reason == "a mistake"
    assert audited(city) == [
        (AuditAction.DECISION_REQUESTED, OFFICE.subject, f"job/{record.job}"),
        (AuditAction.DECISION_RECORDED, OFFICE.subject, "decision/1"),
        (AuditAction.DECISION_APPROVED, BOARD.subject, "decision/1"),
        (AuditAction.DECISION_PROVISIONING, MACHINE.subject, "decision/1"),
        (AuditAction.DECISION_IN_FORCE, MACHINE.subject, "decision/1"),
        (AuditAction.DECISION_WITHDRAWN, BOARD.subject, "decision/1"),
    ]


def test_a_decision_stores_its_inputs_by_digest(city):
    record = propose(city)
    plan = plan_of(city.store, record)
    basis = record.basis
    assert plan.digests.model_dump() == {
        "catalog": basis.catalog,
        "sites": basis.sites,
        "parameters": basis.parameters,
        "policies": basis.policies,
    }
    assert plan.digest == record.plan == plan_digest(plan)
    with city.store.reading() as tx:
        kinds = {
            Documents(tx).kind_of(digest)
            for digest in (basis.catalog, basis.sites, basis.parameters, str(basis.policy_files))
        }
    assert kinds == {"catalog", "sites", "parameters", "policies"}
    _, file = decisions.plan_file(city, BOARD, 1)
    assert type(plan).model_validate_json(file) == plan


def test_whoever_asked_does_not_approve(city):
    propose(city)
    with pytest.raises(NotAllowed):
        prepare(city, OFFICE, 1)
    ready = prepare(city, BOARD, 1)
    with pytest.raises(NotAllowed), city.store.writing() as tx:
        approve(tx, OFFICE, 1, ANY, ready)
    assert read(city, 1).state is DecisionState.PROPOSED
    assert city.permissions.asked == [
        (
            BOARD.subject,
            "decisions.approve",
            "POST",
            "/v1/decisions/{number}/approval",
            OFFICE.subject,
        )
    ]


def test_the_policies_may_refuse_an_approval(city, monkeypatch):
    propose(city)

    def refuse(*_asked):
        raise NotAllowed("no")

    monkeypatch.setattr(city.permissions, "require", refuse)
    with pytest.raises(NotAllowed):
        approve_it(city, 1)
    assert read(city, 1).state is DecisionState.PROPOSED


def test_if_match_names_the_version_that_was_seen(city):
    propose(city)
    ready = prepare(city, BOARD, 1)
    with pytest.raises(PreconditionFailed), city.store.writing() as tx:
        approve(tx, BOARD, 1, Precondition(match=("1.2",)), ready)
    with city.store.writing() as tx:
        approved = approve(tx, BOARD, 1, Precondition(match=("1.1",)), ready)
    assert decisions.etag(approved) == "1.2"
    with pytest.raises(PreconditionFailed), city.store.writing() as tx:
        decisions.withdraw(tx, BOARD, 1, Precondition(match=("1.1",)))


def test_what_is_not_proposed_is_not_approved(city):
    with pytest.raises(NotFound):
        approve_it(city, 1)
    propose(city)
    approve_it(city, 1)
    with pytest.raises(Conflict, match="is approved"):
        approve_it(city, 1)
    with city.store.writing() as tx:
        decisions.withdraw(tx, BOARD, 1, ANY)
    with pytest.raises(Conflict, match="is withdrawn"):
        approve_it(city, 1)


# -- decisions without a plan ---------------------------------------------------------------------


def test_a_dataset_without_a_site_makes_an_unresolved_decision(city):
    keep(
        city,
        catalog().model_copy(
            update={"datasets": (builders.dataset("orphan", lawful_basis=None),), "relations": ()}
        ),
    )
    record = propose(city)
    assert record.outcome is DecisionOutcome.NO_ELIGIBLE_SITE
    assert (record.state, record.plan, record.objective_eur) == (
        DecisionState.UNRESOLVED,
        None,
        None,
    )
    _, answer = decisions.answer(city, BOARD, 1)
    assert '"dataset":"orphan"' in answer
    for refused in (
        lambda: approve_it(city, 1),
        lambda: decisions.plan_file(city, BOARD, 1),
        lambda: decisions.compare(city, BOARD, 1),
    ):
        with pytest.raises(Conflict):
            refused()


def test_an_infeasible_city_makes_an_unresolved_decision(city):
    keep(
        city,
        parameters=PARAMETERS.model_copy(
            update={"exit_budget_eur": Decimal(0), "alternatives_min": 0}
        ),
        register_given=builders.register(
            *(s.model_copy(update={"capacity_gb": 10}) for s in register().sites)
        ),
    )
    record = propose(city)
    assert (record.outcome, record.state) == (DecisionOutcome.INFEASIBLE, DecisionState.UNRESOLVED)
    assert "capacity" in decisions.answer(city, BOARD, 1)[1]


def test_whoever_sees_some_records_sees_no_whole_plan(city):
    propose(city)
    steward = caller("steward", rows=RowFilter(departments=("Green",)))
    for refused in (decisions.plan_file, decisions.answer, decisions.compare):
        with pytest.raises(NotAllowed):
            refused(city, steward, 1)


# -- releasing ------------------------------------------------------------------------------------


def test_nothing_is_released_that_was_decided_under_withdrawn_policies(city, monkeypatch):
    true_decide = deciding.decide_on

    def overtaken(*given, **options):
        answer = true_decide(*given, **options)
        with city.store.writing() as tx:
            publish(tx, other_policies())
        return answer

    monkeypatch.setattr(proposing, "decide_on", overtaken)
    job = run(city, ask(city))
    assert job.state is JobState.FAILED
    assert job.problem is not None
    assert job.problem["code"] == "policy_revision"
    assert decisions.list_decisions(city, 10) == ()
    with city.store.reading() as tx:
        assert tx.session.scalar(text("SELECT count(*) FROM documents WHERE kind = 'answer'")) == 0
    assert audited(city)[-1] == (AuditAction.DECISION_NOT_RELEASED, OFFICE.subject, f"job/{job.id}")


def test_parameters_of_the_request_are_used_instead_of_the_citys(city):
    asked = PARAMETERS.model_copy(update={"operator_volume_share_max": Decimal("0.03")})
    record = propose(city, parameters=asked)
    assert record.basis.own_parameters
    plan = plan_of(city.store, record)
    assert [p.dataset for p in plan.placements if "hoster" in p.sites] == ["zones"]


# -- stale proposals ------------------------------------------------------------------------------


def changed(**fields):
    """The catalogue with one dataset changed."""
    found = catalog()
    others = (d.model_copy(update=fields) if d.id == "trees" else d for d in found.datasets)
    return found.model_copy(update={"datasets": tuple(others)})


def test_a_changed_record_makes_a_proposal_stale(city):
    propose(city)
    keep(city, changed(volume_gb=301))
    found = stale(city, 1)
    assert list(found) == ["catalog"]
    assert found["catalog"].decided_on == "version 1"
    assert "version 2" in found["catalog"].now
    assert "trees differs from the plan in volume_gb" in found["catalog"].now


def test_records_that_came_and_went_make_a_proposal_stale(city):
    propose(city)
    found = catalog()
    kept = tuple(d for d in found.datasets if d.id != "zones")
    keep(city, found.model_copy(update={"datasets": (*kept, builders.dataset("new"))}))
    now = stale(city, 1)["catalog"].now
    assert "new is not in the plan" in now
    assert "zones is in the plan alone" in now


def test_changed_relations_make_a_proposal_stale(city):
    propose(city)
    keep(city, catalog().model_copy(update={"relations": ()}))
    assert "relations" in stale(city, 1)["catalog"].now


def test_twenty_changes_are_named_and_the_others_counted(city):
    many = tuple(builders.dataset(f"set-{n:02}") for n in range(30))
    keep(city, catalog().model_copy(update={"datasets": many, "relations": ()}))
    propose(city)
    after = tuple(d.model_copy(update={"volume_gb": 101}) for d in many)
    keep(city, catalog().model_copy(update={"datasets": after, "relations": ()}))
    now = stale(city, 1)["catalog"].now
    assert now.count("volume_gb") == 20
    assert "and 10 more" in now


def test_a_changed_site_makes_a_proposal_stale(city):
    propose(city)
    keep(city, register_given=register(capacity_gb=9_999))
    found = stale(city, 1)
    assert list(found) == ["sites"]
    assert "hoster differs from the plan in capacity_gb" in found["sites"].now


def test_changed_parameters_make_a_proposal_stale_with_both_values(city):
    propose(city)
    keep(city, parameters=PARAMETERS.model_copy(update={"moves_max": 3}))
    assert stale(city, 1) == {
        "parameters": Stale(what="parameters", decided_on="moves_max None", now="moves_max 3")
    }


def test_changed_parameters_do_not_matter_to_a_proposal_with_its_own(city):
    propose(city, parameters=PARAMETERS)
    keep(city, parameters=PARAMETERS.model_copy(update={"moves_max": 3}))
    assert approve_it(city, 1).state is DecisionState.APPROVED


def test_what_was_changed_back_is_not_stale(city):
    propose(city)
    keep(city, changed(volume_gb=301))
    keep(city)
    assert approve_it(city, 1).state is DecisionState.APPROVED


def test_other_policies_make_a_proposal_stale(city):
    before = propose(city).basis.policies
    with city.store.writing() as tx:
        now = publish(tx, other_policies())
    assert stale(city, 1) == {"policies": Stale(what="policies", decided_on=before, now=now)}


def test_another_approval_makes_a_proposal_stale(city):
    propose(city)
    propose(city)
    approve_it(city, 1)
    assert stale(city, 2) == {
        "standing": Stale(what="standing", decided_on="none", now="decision 1")
    }


def test_another_plan_in_force_makes_a_proposal_stale(city):
    propose(city)
    approve_it(city, 1)
    propose(city)
    enforce_it(city, 1)
    found = stale(city, 2)
    assert found == {"in_force": Stale(what="in_force", decided_on="none", now="decision 1")}


def test_a_certificate_that_ran_out_since_makes_a_proposal_stale(city):
    keep(
        city,
        register_given=register(certifications=certified(date(2020, 6, 1))),
        parameters=PARAMETERS.model_copy(update={"as_of": date(2020, 1, 1)}),
    )
    plan = plan_of(city.store, propose(city))
    assert any("hoster" in placed.sites for placed in plan.placements)
    found = stale(city, 1)
    assert list(found) == ["as_of"]
    assert found["as_of"].decided_on == "2020-01-01"
    assert "policies: " in found["as_of"].now
    assert "at hoster" in found["as_of"].now


def test_a_proposal_for_another_day_that_holds_today_is_approved(city):
    keep(city, parameters=PARAMETERS.model_copy(update={"as_of": date(2020, 1, 1)}))
    propose(city)
    assert approve_it(city, 1).state is DecisionState.APPROVED


def test_what_changes_between_the_check_and_the_approval_is_seen(city):
    propose(city)
    ready = prepare(city, BOARD, 1)
    keep(city, changed(title="Other trees"))
    with pytest.raises(StaleProposal) as caught, city.store.writing() as tx:
        approve(tx, BOARD, 1, ANY, ready)
    assert [change.what for change in caught.value.changes] == ["catalog"]
    with city.store.writing() as tx:
        publish(tx, other_policies())
    keep(city)
    with pytest.raises(StaleProposal) as caught, city.store.writing() as tx:
        approve(tx, BOARD, 1, ANY, ready)
    assert {change.what for change in caught.value.changes} == {"catalog", "policies"}


# -- at once --------------------------------------------------------------------------------------


def test_of_two_replicas_that_approve_one_proposal_one_wins(city, make_city):
    propose(city)
    other, board = make_city(), caller("second-board")
    outcomes = at_once(lambda: approve_it(city, 1), lambda: approve_it(other, 1, board))
    lost = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert len(lost) == 1
    assert isinstance(lost[0], Conflict)
    assert lost[0].http_status == 409
    assert read(city, 1).state_sequence == 2
    assert len(placements.list_placements(other, BOARD, 10)) == 5


def test_of_two_proposals_approved_at_once_one_wins(city, make_city):
    propose(city)
    propose(city)
    other = make_city()
    outcomes = at_once(lambda: approve_it(city, 1), lambda: approve_it(other, 2))
    lost = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert [type(outcome) for outcome in lost] == [StaleProposal]
    states = {read(city, 1).state, read(city, 2).state}
    assert states == {DecisionState.APPROVED, DecisionState.PROPOSED}


# -- in force -------------------------------------------------------------------------------------


def test_data_rests_where_the_plan_in_force_says(city):
    first = in_force(city)
    second = propose(city)
    assert (second.basis.standing, second.basis.in_force) == (1, 1)
    before = {p.dataset: p.sites for p in plan_of(city.store, first).placements}
    plan = plan_of(city.store, second)
    assert {d.id: d.current_sites for d in plan.inputs.catalog.datasets} == before
    assert plan.costs_eur_per_year.migration == 0
    compared = decisions.compare(city, BOARD, 2)
    assert compared.since == 1
    assert not compared.moves
    assert compared.moved_tb == 0
    assert compared.eur_per_year_before == compared.eur_per_year_after
    assert compared.risk_before == compared.risk_after


def test_a_new_dataset_rests_where_its_record_says_and_gone_sites_hold_nothing(city):
    in_force(city)
    found = catalog()
    fresh = builders.dataset("new", current_site="archive")
    keep(
        city,
        found.model_copy(update={"datasets": (*found.datasets, fresh)}),
        register_given=builders.register(
            *(s for s in register().sites if s.id != "hoster"),
            builders.site("other", operator="hoster", certifications=certified()),
        ),
    )
    plan = plan_of(city.store, propose(city))
    now = {d.id: d.current_sites for d in plan.inputs.catalog.datasets}
    assert now["new"] == ("archive",)
    assert now["trees"] == ()  # it was at the site that is gone
    assert now["zones"] == ("townhall",)


def test_the_next_plan_in_force_supersedes_the_former(city):
    in_force(city)
    keep(city, changed(volume_gb=400))
    in_force(city)
    assert read(city, 1).state is DecisionState.SUPERSEDED
    assert audited(city)[-1][1:] == (MACHINE.subject, "decision/1")
    with city.store.reading() as tx:
        assert tx.city.in_force_decision == tx.city.standing_decision == 2


def test_a_diff_is_with_the_plan_in_force_before(city):
    in_force(city)
    keep(city, register_given=register(object_price_eur_per_gb_month=Decimal(9)))
    propose(city)
    compared = decisions.compare(city, BOARD, 2)
    assert compared.since == 1
    moved = {move.dataset for move in compared.moves}
    assert moved >= {"bag", "secret-register"}
    assert compared.eur_per_year_before is not None
    assert compared.eur_per_year_after < compared.eur_per_year_before
    approve_it(city, 2)
    enforce_it(city, 2)
    assert decisions.compare(city, BOARD, 2) == compared
    back = decisions.compare(city, BOARD, 1, since=2)
    assert {move.dataset for move in back.moves} == moved
    assert decisions.compare(city, BOARD, 1).since is None


def test_withdrawing_the_plan_in_force_leaves_no_placements(city):
    in_force(city)
    assert len(placements.list_placements(city, BOARD, 10, in_force=True)) == 5
    with city.store.writing() as tx:
        decisions.withdraw(tx, BOARD, 1, ANY)
    assert placements.list_placements(city, BOARD, 10) == ()
    with pytest.raises(NotFound):
        placements.read(city, BOARD, "trees")


# -- what was tampered with -----------------------------------------------------------------------


def test_a_stored_answer_that_was_changed_is_not_approved(city):
    record = propose(city)
    decisions.compare(city, BOARD, 1)  # keeps the plan in memory: that is not what is approved
    with city.store.engine.connect() as connection:
        drop = (
            "DROP TRIGGER guard_documents_update"
            if city.store.is_sqlite
            else "DROP TRIGGER guard_documents ON documents"
        )
        connection.execute(text(drop))
        connection.execute(
            text(
                "UPDATE documents SET body = replace(body, 'townhall', 'archive') WHERE digest = :d"
            ),
            {"d": record.answer},
        )
        connection.commit()
    with pytest.raises(StoreError, match="was changed"):
        approve_it(city, 1)
    assert read(city, 1).state is DecisionState.PROPOSED


def test_a_plan_that_does_not_hold_is_not_approved_whatever_its_digests_say(city):
    plan = plan_of(city.store, propose(city))
    moved = tuple(
        p.model_copy(update={"sites": ("archive",)}) if p.dataset == "bag" else p
        for p in plan.placements
    )
    forged = plan.model_copy(update={"placements": moved})
    forged = forged.model_copy(update={"digest": plan_digest(forged)})
    answer = {"answer": "decided", "plan": forged.model_dump()}
    true = read(city, 1)
    with city.store.writing() as tx:
        number = (
            Decisions(tx)
            .record(
                NewDecision(
                    outcome=DecisionOutcome.DECIDED,
                    author=OFFICE.subject,
                    job="f" * 32,
                    basis=true.basis,
                    answer=Documents(tx).put_body("answer", canonical_json(answer)),
                    datasets=5,
                    plan=forged.digest,
                    objective_eur=forged.objective_eur,
                    gap=forged.gap,
                )
            )
            .number
        )
    assert sha256_of(answer) == read(city, number).answer
    with pytest.raises(CertificateError, match="co_location"):
        approve_it(city, number)
    assert read(city, number).state is DecisionState.PROPOSED
