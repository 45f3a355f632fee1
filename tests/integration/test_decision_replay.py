"""Replaying decisions from the store alone: the same, or what differs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from models import Decided, DecisionOutcome, JobState, PolicyFiles, related_datasets
from placement.catalog import load_catalog, load_register
from placement.eligibility.bundle import read_policy_files
from placement.errors import NotFound, StoreError
from placement.example import CATALOG, SITES
from placement.service import replay as replaying
from placement.service.deciding import decide_on
from placement.service.plans import answer_of, plan_of
from placement.service.replay import ReplayRequest, differences, replay
from placement.settings import shipped_policies
from placement.store import Store
from placement.store.policies import Policies
from tests import builders
from tests.decision_cases import (
    OFFICE,
    catalog,
    city,
    in_force,
    keep,
    local_settings,
    make_city,
    propose,
    publish,
    read,
    run,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures


def stricter():
    """Policies that no longer know the Netherlands as a country of the EEA, or as home."""
    files = dict(read_policy_files(shipped_policies()).files)
    assert '"NL", ' in files["data.json"]
    files["data.json"] = files["data.json"].replace('"NL", ', "").replace('["NL"]', '["DE"]')
    return PolicyFiles(files=files)


def part_of(whole, number):
    """The first datasets of a catalogue, and what relates them to each other."""
    kept = whole.datasets[:number]
    names = {dataset.id for dataset in kept}
    relations = tuple(r for r in whole.relations if names.issuperset(related_datasets(r)))
    assert relations
    return whole.model_copy(update={"datasets": kept, "relations": relations})


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_decision_of_a_city_is_reproduced_to_the_last_digit(city):
    keep(city, part_of(load_catalog(CATALOG), 40), load_register(SITES))
    record = propose(city)
    assert record.outcome is DecisionOutcome.DECIDED
    report = replay(city.store, local_settings(), record.number)
    assert report.differences == ()
    assert report.versions == ()
    assert report.exact
    assert report.own_policies
    assert report.policies == record.basis.policies
    assert report.versions_now == plan_of(city.store, record).versions


def test_a_replay_needs_the_database_alone_and_changes_nothing(city, store_url):
    in_force(city)
    keep(city, catalog(municipality="Elsewhere"))
    with city.store.writing() as tx:
        publish(tx, stricter())
    alone = Store(store_url)  # no key: it cannot write
    try:
        assert replay(alone, local_settings(), 1).exact
    finally:
        alone.close()
    assert read(city, 1).state_sequence == 4


@pytest.mark.parametrize("outcome", [DecisionOutcome.NO_ELIGIBLE_SITE, DecisionOutcome.INFEASIBLE])
def test_answers_without_a_plan_are_reproduced(city, outcome):
    if outcome is DecisionOutcome.INFEASIBLE:
        small = (builders.site(name, capacity_gb=10) for name in ("a", "b"))
        given = catalog().model_copy(update={"datasets": (builders.dataset(),), "relations": ()})
        keep(city, given, builders.register(*small))
    else:
        orphan = builders.dataset("orphan", lawful_basis=None)
        keep(city, catalog().model_copy(update={"datasets": (orphan,), "relations": ()}))
    assert propose(city).outcome is outcome
    report = replay(city.store, local_settings(), 1)
    assert report.outcome is outcome
    assert report.exact


def test_other_policies_tell_what_they_would_decide_instead(city):
    propose(city)
    with city.store.writing() as tx:
        other = publish(tx, stricter())
    report = replay(city.store, local_settings(), 1, policies=2)
    assert (report.policies, report.own_policies) == (other, False)
    assert not report.reproduced
    assert report.outcome is DecisionOutcome.NO_ELIGIBLE_SITE
    assert [found.what for found in report.differences] == ["outcome"]
    assert replay(city.store, local_settings(), 1, policies=1).exact


def test_a_replay_is_a_job_with_a_report(city):
    propose(city)
    with city.store.writing() as tx:
        job = replaying.request(tx, city, OFFICE, 1, ReplayRequest())
    done = run(city, job)
    assert done.state is JobState.DONE
    assert done.result is not None
    assert (done.result["decision"], done.result["exact"]) == (1, True)
    for number, policies in ((2, None), (1, 7)):
        with pytest.raises(NotFound), city.store.writing() as tx:
            replaying.request(tx, city, OFFICE, number, ReplayRequest(policies=policies))


@pytest.mark.parametrize("part", ["catalog", "sites", "parameters", "policies", "answer"])
def test_a_document_that_was_changed_is_not_replayed(city, part):
    record = propose(city)
    digests = {
        "catalog": record.basis.catalog,
        "sites": record.basis.sites,
        "parameters": record.basis.parameters,
        "policies": record.basis.policy_files,
        "answer": record.answer,
    }
    with city.store.engine.connect() as connection:
        on_sqlite = "DROP TRIGGER guard_documents_update"
        on_postgresql = "DROP TRIGGER guard_documents ON documents"
        connection.execute(text(on_sqlite if city.store.is_sqlite else on_postgresql))
        changed = connection.execute(
            text("UPDATE documents SET body = replace(body, ':', ': ') WHERE digest = :digest"),
            {"digest": digests[part]},
        )
        assert changed.rowcount == 1
        connection.commit()
    with pytest.raises(StoreError, match="was changed"):
        replay(city.store, local_settings(), 1)


def test_files_that_do_not_make_the_revision_are_refused(city):
    record = propose(city)
    with city.store.writing() as tx:
        publish(tx, stricter())
        wrong = record.basis.model_copy(update={"policy_files": Policies(tx).revision(2).files})
        tx.session.execute(
            text(
                "INSERT INTO decisions SELECT 2, outcome, created_at, author, 'other', :basis,"
                " answer, plan, objective_eur, gap, datasets, title FROM decisions"
            ),
            {"basis": wrong.model_dump_json()},
        )
        tx.session.execute(
            text(
                "INSERT INTO decision_states SELECT 2, sequence, state, changed_at"
                " FROM decision_states"
            )
        )
    with pytest.raises(StoreError, match="do not make policy revision"):
        replay(city.store, local_settings(), 2)


def test_what_differs_is_named_one_by_one(city):
    record = propose(city)
    with city.store.reading() as tx:
        decided = answer_of(tx, record.answer)
    plan = plan_of(city.store, record)
    first, second, *others = plan.placements
    costs = second.cost_eur_per_year.model_copy(update={"storage": Decimal("9.99")})
    again = plan.model_copy(
        update={
            "placements": (
                first.model_copy(update={"sites": ("archive",)}),
                second.model_copy(update={"cost_eur_per_year": costs}),
                *others,
            ),
            "objective_eur": plan.objective_eur + 1,
            "created_at": plan.created_at.replace(year=2000),
            "solver": plan.solver.model_copy(update={"solve_s": 99.0}),
            "digest": "0" * 64,
        }
    )
    found = list(differences(decided, decided.model_copy(update={"plan": again})))
    assert {item.what for item in found} == {
        f"placements.{first.dataset}",
        f"placements.{second.dataset}.cost_eur_per_year.storage",
        "objective_eur",
    }


def test_other_software_is_named_and_is_no_other_answer(city, monkeypatch):
    propose(city)

    def newer(*given, **options):
        answer = decide_on(*given, **options)
        assert isinstance(answer, Decided)
        versions = answer.plan.versions.model_copy(update={"highs": "9.9.9"})
        return answer.model_copy(
            update={"plan": answer.plan.model_copy(update={"versions": versions})}
        )

    monkeypatch.setattr(replaying, "decide_on", newer)
    report = replay(city.store, local_settings(), 1)
    assert report.reproduced
    assert not report.exact
    assert [(item.what, item.replayed) for item in report.versions] == [("versions.highs", "9.9.9")]


def test_a_shared_opa_is_not_asked(city):
    propose(city)
    settings = replace(local_settings(), opa_url="http://127.0.0.1:9/")
    assert replay(city.store, settings, 1).exact
