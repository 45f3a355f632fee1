"""Checks over HTTP: by what is current, recorded first, and answered to nobody who may not see."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from models import AuditAction, CheckAnswer, RecordKind
from placement.errors import NotFound, PolicyEngineError, StoreError
from placement.service.checks import check, check_in, judge, submit
from placement.service.verdicts import Verdicts
from placement.store.catalog import CatalogRecords
from placement.store.records import difference, records_of
from placement.store.tables import AuditRow
from tests import builders
from tests.record_cases import (
    GREEN,
    OFFICE,
    TEST_OBLIGATION,
    StubEngine,
    asked_as,
    city_of,
    publish,
)

QUESTION = {"dataset": "a/b:c", "site": "townhall"}


@pytest.fixture
def engine():
    return StubEngine()


@pytest.fixture
def city(store, store_key, engine):
    city = city_of(store, store_key, engine)
    catalog = builders.catalog(
        builders.dataset("a/b:c", owner_department="Green"),
        builders.dataset("twin", owner_department="Green"),
        builders.dataset("cameras", owner_department="Police"),
    )
    register = builders.register(builders.site(), builders.site("hoster", operator="hoster"))
    records = records_of(catalog, register, city.snapshots.at_head().parameters)
    with city.store.writing() as tx:
        CatalogRecords(tx).apply(difference(CatalogRecords(tx).load(), records), "office")
    yield city
    city.recorder.close()


@pytest.fixture
def ask(city):
    publish(city)
    with asked_as(city) as ask:
        yield ask


def checked(city):
    with city.store.reading() as tx:
        rows = tx.session.query(AuditRow).where(AuditRow.action == AuditAction.CHECKED)
        return {row.sequence: json.loads(row.body)["event"] for row in rows}


def change(city, **fields):
    with city.store.writing() as tx:
        key = (RecordKind.DATASET, "a/b:c")
        model = builders.dataset("a/b:c", owner_department="Green", **fields)
        CatalogRecords(tx).apply({key: model}, "office")


def test_the_answer_names_sources_and_stands_in_the_record(ask, city):
    allowed = ask("green", "POST", "/v1/checks", json=QUESTION)
    assert allowed.status_code == 200, allowed.text
    answer = CheckAnswer.model_validate(allowed.json())
    assert (answer.eligible, answer.violations) == (True, ())
    refused = ask("green", "POST", "/v1/checks", json={**QUESTION, "site": "hoster"})
    denied = CheckAnswer.model_validate(refused.json())
    assert not denied.eligible
    assert [violation.obligation for violation in denied.violations] == [TEST_OBLIGATION]
    events = checked(city)
    assert set(events) == {answer.record, denied.record}
    event = events[denied.record]
    assert (event["actor"], event["subject"]) == ("issuer green", "dataset/a/b:c")
    assert event["request_id"] == refused.headers["x-request-id"]
    assert event["detail"] == {
        "dataset": "a/b:c",
        "site": "hoster",
        "eligible": False,
        "obligations": ["residency.test"],
        "policy_revision": denied.policy_revision,
        "catalog_version": 1,
        "as_of": denied.as_of.isoformat(),
    }


def test_what_one_may_not_see_is_not_there(ask, city, engine):
    for who, question in (
        ("green", {"dataset": "cameras", "site": "townhall"}),
        ("nobody", QUESTION),
        ("office", {"dataset": "nothing", "site": "townhall"}),
        ("office", {"dataset": "cameras", "site": "nowhere"}),
    ):
        for headers in ({}, {"idempotency-key": "k"}):
            answer = ask(who, "POST", "/v1/checks", json=question, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (checked(city), engine.asked) == ({}, 0)
    wrong: Any
    for wrong in ({}, {"dataset": "a"}, {"dataset": "ä", "site": "x"}, {**QUESTION, "x": 1}, []):
        answer = ask("office", "POST", "/v1/checks", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")


def test_opa_is_asked_once_for_equal_questions(ask, city, engine):
    for _ in range(3):
        ask("office", "POST", "/v1/checks", json=QUESTION)
    # Another dataset with the same profile is the same question.
    ask("office", "POST", "/v1/checks", json={**QUESTION, "dataset": "twin"})
    assert (engine.asked, len(checked(city))) == (1, 4)


def test_a_change_of_the_catalogue_counts_at_once(ask, city, engine):
    first = ask("office", "POST", "/v1/checks", json=QUESTION).json()
    change(city, dpia=None)
    second = ask("office", "POST", "/v1/checks", json=QUESTION).json()
    assert (first["catalog_version"], second["catalog_version"], engine.asked) == (1, 2, 2)
    change(city, dpia=None, title="No policy looks at titles")
    third = ask("office", "POST", "/v1/checks", json=QUESTION).json()
    assert (third["catalog_version"], engine.asked) == (3, 2)


def test_a_site_and_its_neighbours_are_judged_by_one_question(ask, city, engine):
    publish(city)
    answers = [
        ask("office", "POST", "/v1/checks", json={"dataset": "twin", "site": site}).json()
        for site in ("townhall", "hoster", "townhall")
    ]
    assert [answer["eligible"] for answer in answers] == [True, False, True]
    assert [answer["site"] for answer in answers] == ["townhall", "hoster", "townhall"]
    assert engine.asked == 1


def test_who_goes_away_does_not_keep_others_from_their_answers(city):
    publish(city)
    judge(city, OFFICE, "twin", "townhall")
    with city.store.writing():  # the recorder waits for its turn
        gone, waiting = (submit(city, OFFICE, "twin", "townhall") for _ in range(2))
        cancelled = gone.cancel()
    answer = waiting.result(30)
    assert answer.eligible
    assert cancelled == gone.cancelled()


def test_a_new_revision_counts_at_once(ask, city, engine):
    first = ask("office", "POST", "/v1/checks", json=QUESTION).json()
    revision = publish(city, "\n# another\n")
    second = ask("office", "POST", "/v1/checks", json=QUESTION).json()
    assert second["policy_revision"] == revision != first["policy_revision"]
    assert engine.asked == 2
    engine.broken = True
    publish(city, "\n# a third\n")
    answer = ask("office", "POST", "/v1/checks", json=QUESTION)
    assert (answer.status_code, answer.json()["code"]) == (503, "policy_engine")
    engine.broken, engine.holds = False, revision
    answer = ask("office", "POST", "/v1/checks", json=QUESTION)
    assert (answer.status_code, answer.json()["code"]) == (503, "policy_revision")
    assert len(checked(city)) == 2


def test_without_active_policies_nothing_is_answered(city):
    with pytest.raises(PolicyEngineError, match="no policies are active"):
        check(city, OFFICE, "a/b:c", "townhall")
    assert checked(city) == {}


def test_a_key_asks_once(ask, city):
    keyed = {"idempotency-key": "one"}
    first = ask("office", "POST", "/v1/checks", json=QUESTION, headers=keyed)
    again = ask("office", "POST", "/v1/checks", json=QUESTION, headers=keyed)
    assert (first.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert list(checked(city)) == [first.json()["record"]]
    # What was answered stays answered, also when the dataset is gone meanwhile.
    with city.store.writing() as tx:
        CatalogRecords(tx).apply({(RecordKind.DATASET, "a/b:c"): None}, "office")
    assert (
        ask("office", "POST", "/v1/checks", json=QUESTION, headers=keyed).content == first.content
    )


def test_no_question_to_opa_is_asked_while_the_city_is_locked(city, engine):
    publish(city)
    with city.store.writing() as tx, pytest.raises(PolicyEngineError, match="ask again"):
        check_in(tx, city, OFFICE, "a/b:c", "townhall")
    assert engine.asked == 0


def test_what_cannot_be_recorded_is_not_answered(ask, city, monkeypatch):
    def fail(_chain, _event):
        raise StoreError("the disk is full")

    monkeypatch.setattr("placement.store.engine.AuditChain.append", fail)
    answer = ask("office", "POST", "/v1/checks", json=QUESTION)
    assert (answer.status_code, answer.json()["code"]) == (503, "store")
    assert "eligible" not in answer.text


def test_a_record_changed_behind_the_service_is_no_answer(city):
    publish(city)
    with city.store.engine.connect() as connection:
        if not city.store.is_sqlite:
            connection.execute(text("ALTER TABLE records DISABLE TRIGGER USER"))
        else:
            connection.execute(text("DROP TRIGGER guard_records_update"))
        connection.execute(
            text("UPDATE records SET body = replace(body, 'Green', 'Other') WHERE id = 'a/b:c'")
        )
        connection.commit()
    with pytest.raises(StoreError, match="was changed after it was stored"):
        check(city_of(city.store, city.audit_key), OFFICE, "a/b:c", "townhall")


def test_many_at_once_are_all_recorded(city, engine):
    publish(city)
    barrier = threading.Barrier(8)

    def ask_some(number):
        barrier.wait()
        return [
            check(city, (OFFICE, GREEN)[number % 2], ("a/b:c", "twin")[each % 2], "townhall")
            for each in range(5)
        ]

    with ThreadPoolExecutor(8) as threads:
        answers = [each for some in threads.map(ask_some, range(8)) for each in some]
    assert len({answer.record for answer in answers}) == 40
    assert set(checked(city)) == {answer.record for answer in answers}
    with pytest.raises(NotFound):
        check(city, GREEN, "cameras", "townhall")


def test_kept_verdicts_are_bounded_and_of_one_revision():
    kept: Any = Verdicts(most=2)
    judged = object()
    for number in range(3):
        assert kept.find("one", number) is None
        kept.keep("one", number, judged)
    assert len(kept) == 2
    assert kept.find("one", 0) is None
    assert kept.find("one", 2) is judged
    assert kept.find("two", 2) is None
    # A late answer of the revision before is not kept under the new one.
    kept.keep("one", 2, judged)
    assert (len(kept), kept.find("two", 2)) == (0, None)
