"""What-ifs: decided on the city as it might be, compared, and never to be approved."""

from __future__ import annotations

import pytest

from models import DecisionOutcome, FixedPair, JobState, RowFilter, WhatIf
from placement.errors import BadInput, NotAllowed, NotFound
from placement.service import decisions, what_ifs
from placement.service.plans import answer_of
from placement.service.what_ifs import OUT, require_possible
from placement.store.decisions import Decisions
from tests.decision_cases import (
    BOARD,
    OFFICE,
    PARAMETERS,
    approve_it,
    caller,
    city,
    in_force,
    make_city,
    propose,
    run,
    shipped_engine,
)

# What a what-if does is decided above the store.
pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures


def ask(city, **asked):
    with city.store.writing() as tx:
        job = what_ifs.ask(tx, city, OFFICE, WhatIf(**asked))
    return run(city, job)


def report_of(city, job):
    assert job.state is JobState.DONE, job.problem
    return what_ifs.read(city, BOARD, job.result["what_if"])


def answer(city, report):
    with city.store.reading() as tx:
        return answer_of(tx, report.answer)


def placed(city, report):
    return {p.dataset: p.sites for p in answer(city, report).plan.placements}


def test_without_enough_sites_the_question_itself_is_the_reason(city):
    in_force(city)
    report = report_of(city, ask(city, sites_out=("hoster", "townhall")))
    assert report.outcome is DecisionOutcome.NO_ELIGIBLE_SITE
    found = answer(city, report)
    assert [item.dataset for item in found.datasets] == ["zones"]
    violations = {v.obligation for reason in found.datasets[0].reasons for v in reason.violations}
    assert violations == {OUT.code}
    assert OUT in found.obligations
    assert report.diff is None


def test_a_site_that_is_out_holds_nothing_and_its_data_leaves_at_a_cost(city):
    in_force(city)
    report = report_of(city, ask(city, sites_out=("townhall",)))
    sites = placed(city, report)
    assert all("townhall" not in there for there in sites.values())
    plan = answer(city, report).plan
    assert plan.certificate.holds
    assert plan.costs_eur_per_year.migration > 0
    assert report.since == 1
    assert {move.dataset for move in report.diff.moves} == {"bag/maps:v1", "zones"}
    assert report.objective_eur == plan.objective_eur == report.diff.eur_per_year_after


def test_pairs_are_required_or_forbidden(city):
    pairs = (
        FixedPair(dataset="trees", site="archive", allowed=True),
        FixedPair(dataset="bag", site="hoster", allowed=False),
    )
    sites = placed(city, report_of(city, ask(city, fixed=pairs)))
    assert sites["trees"] == ("archive",)
    assert sites["bag"] == sites["secret-register"] == ("townhall",)


def test_what_cannot_be_is_infeasible(city):
    pairs = (
        FixedPair(dataset="bag", site="hoster", allowed=True),
        FixedPair(dataset="secret-register", site="hoster", allowed=False),
    )
    report = report_of(city, ask(city, fixed=pairs))
    assert (report.outcome, report.diff) == (DecisionOutcome.INFEASIBLE, None)


def test_parameters_are_those_of_the_question(city):
    report = report_of(city, ask(city, parameters=PARAMETERS.model_copy(update={"moves_max": 0})))
    assert placed(city, report)["trees"] == ("archive",)
    assert report.basis.own_parameters


def test_it_is_compared_with_the_plan_that_stands(city):
    report = report_of(city, ask(city))
    assert report.since is None
    assert {m.dataset for m in report.diff.moves} == {"bag", "secret-register", "trees", "zones"}
    propose(city)
    approve_it(city, 1)
    report = report_of(city, ask(city))
    assert report.since == report.diff.since == 1
    assert report.diff.moves == ()


def test_nothing_of_it_can_be_approved(city):
    job = ask(city)
    assert decisions.list_decisions(city, 10) == ()
    with city.store.reading() as tx:
        assert Decisions(tx).of_job(job.id) is None


def test_unknown_names_are_defects_before_and_in_the_job(city):
    pairs = (FixedPair(dataset="nothing", site="townhall", allowed=True),)
    with pytest.raises(BadInput) as caught:
        require_possible(city, WhatIf(sites_out=("nowhere",), fixed=pairs))
    assert [(d.record, d.field) for d in caught.value.defects] == [
        ("dataset nothing", "fixed.0.dataset"),
        ("site nowhere", "sites_out.0"),
    ]
    job = ask(city, sites_out=("nowhere",), fixed=pairs)
    assert (job.state, job.problem["code"]) == (JobState.FAILED, "bad_input")


def test_only_a_what_if_is_read_as_one_by_those_who_see_everything(city):
    record = propose(city)
    for digest in (record.answer, "0" * 64, ""):
        with pytest.raises(NotFound):
            what_ifs.read(city, BOARD, digest)
    digest = ask(city).result["what_if"]
    with pytest.raises(NotAllowed):
        what_ifs.read(city, caller("steward", rows=RowFilter(departments=("Green",))), digest)
