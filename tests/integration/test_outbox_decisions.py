"""What approving, superseding and withdrawing tell, in their own transactions, with a real OPA."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import DatasetChange, DecisionState, EventType, OutboxEvent, PlanEnded, sha256_of
from placement.errors import Conflict
from placement.service import decisions
from placement.service.approving import approve, prepare
from placement.service.city import City
from placement.service.outbox import before_withdrawing
from placement.service.plans import plan_of
from placement.store.outbox import Outbox
from tests.decision_cases import (
    ANY,
    BOARD,
    approve_it,
    catalog,
    city,
    enforce_it,
    in_force,
    keep,
    make_city,
    propose,
    read,
    register,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures


def events(city: City, after: int = 0) -> tuple[OutboxEvent, ...]:
    with city.store.reading() as tx:
        return Outbox(tx).list(1000, after=after)


def told(city: City, after: int = 0) -> list[tuple[str, str | None]]:
    return [(event.type.value.split(".")[2], event.dataset) for event in events(city, after)]


def withdraw_it(city: City, number: int) -> None:
    """As the route does."""
    telling = before_withdrawing(city, number)
    with city.store.writing() as tx:
        decisions.withdraw(tx, BOARD, number, ANY, "", telling)


def changed(city: City, dataset: str, **fields: Any) -> None:
    """Let one record be otherwise."""
    given = catalog()
    datasets = tuple(
        one.model_copy(update=fields) if one.id == dataset else one for one in given.datasets
    )
    keep(city, given.model_copy(update={"datasets": datasets}), register())


def test_the_first_approval_tells_of_every_dataset(city):
    record = propose(city)
    assert events(city) == ()
    approved = approve_it(city, 1)
    plan = plan_of(city.store, record)
    found = events(city)
    assert [event.dataset for event in found] == sorted(
        dataset.id for dataset in plan.inputs.catalog.datasets
    )
    rested = {dataset.id: dataset.current_sites for dataset in plan.inputs.catalog.datasets}
    placed = {placement.dataset: placement.sites for placement in plan.placements}
    for event in found:
        change = DatasetChange.model_validate(event.data)
        moved = bool(rested[change.dataset]) and set(rested[change.dataset]) != set(
            placed[change.dataset]
        )
        expected = EventType.DATASET_MOVED if moved else EventType.DATASET_PLACED
        assert event.type is expected
        assert tuple(host.site for host in change.sites) == placed[change.dataset]
        assert (change.decision, change.plan) == (1, record.plan)
        assert change.certificate == sha256_of(plan.certificate)
        assert change.policies == record.basis.policies
        assert change.approved_at == approved.changed_at == event.at
        assert change.expires_at == change.approved_at + timedelta(days=30)
        assert event.department == change.department
        assert set(event.sites) == {*placed[change.dataset], *rested[change.dataset]}


def test_an_approval_that_is_refused_tells_nothing(city):
    propose(city)
    ready = prepare(city, BOARD, 1)
    changed(city, "trees", volume_gb=301)

    def approve_late() -> None:
        with city.store.writing() as tx:
            approve(tx, BOARD, 1, ANY, ready)

    with pytest.raises(Conflict):
        approve_late()
    assert events(city) == ()


def test_the_next_approval_tells_what_differs_and_what_it_supersedes(city):
    propose(city)
    approve_it(city, 1)
    last = events(city)[-1].sequence
    changed(city, "trees", volume_gb=301)
    propose(city)
    approve_it(city, 2)
    assert told(city, last) == [("superseded", None), ("obligations-changed", "trees")]
    ended = PlanEnded.model_validate(events(city, last)[0].data)
    assert (ended.decision, ended.replaced_by) == (1, 2)
    assert ended.plan == read(city, 1).plan


def test_a_plan_in_force_is_superseded_when_the_next_one_is(city):
    in_force(city)
    last = events(city)[-1].sequence
    changed(city, "trees", volume_gb=301)
    propose(city)
    approve_it(city, 2)
    assert told(city, last) == [("obligations-changed", "trees")]
    enforce_it(city, 2)
    assert told(city, last)[1:] == [("superseded", None)]


def test_a_dataset_that_leaves_is_retired_and_one_that_comes_is_placed(city):
    propose(city)
    approve_it(city, 1)
    last = events(city)[-1].sequence
    given = catalog()
    renamed = tuple(
        one.model_copy(update={"id": "parks", "current_site": None}) if one.id == "trees" else one
        for one in given.datasets
    )
    keep(city, given.model_copy(update={"datasets": renamed}), register())
    propose(city)
    approve_it(city, 2)
    assert told(city, last) == [("superseded", None), ("placed", "parks"), ("retired", "trees")]
    gone = DatasetChange.model_validate(events(city, last)[2].data)
    assert gone.sites == ()
    assert gone.from_sites
    assert gone.grants == ()


def test_a_withdrawn_plan_is_told_and_retires_nothing(city):
    propose(city)
    approve_it(city, 1)
    last = events(city)[-1].sequence
    withdraw_it(city, 1)
    assert told(city, last) == [("withdrawn", None)]
    assert PlanEnded.model_validate(events(city, last)[0].data).replaced_by is None


def test_a_proposal_that_is_withdrawn_was_never_told(city):
    propose(city)
    withdraw_it(city, 1)
    assert events(city) == ()


def test_after_a_withdrawal_that_left_nothing_everything_is_told_again(city):
    propose(city)
    approve_it(city, 1)
    first = told(city)
    withdraw_it(city, 1)
    last = events(city)[-1].sequence
    propose(city)
    approve_it(city, 2)
    assert told(city, last) == first


def test_what_stands_again_after_a_withdrawal_is_told(city):
    in_force(city)
    changed(city, "trees", volume_gb=301)
    propose(city)
    approve_it(city, 2)
    last = events(city)[-1].sequence
    withdraw_it(city, 2)
    assert told(city, last) == [("withdrawn", None), ("obligations-changed", "trees")]
    change = DatasetChange.model_validate(events(city, last)[1].data)
    assert (change.decision, change.volume_gb) == (1, 300)
    assert change.plan == read(city, 1).plan
    assert change.approved_at < change.expires_at - timedelta(days=30)


def test_a_withdrawal_that_was_prepared_for_another_state_is_refused(city):
    in_force(city)
    propose(city)
    telling = before_withdrawing(city, 2)
    approve_it(city, 2)

    def withdraw_late() -> None:
        with city.store.writing() as tx:
            decisions.withdraw(tx, BOARD, 2, ANY, "", telling)

    with pytest.raises(Conflict):
        withdraw_late()
    assert read(city, 2).state is DecisionState.APPROVED
