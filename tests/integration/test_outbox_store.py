"""The outbox, subscriptions and deliveries in a real database, of either kind."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import (
    AuditAction,
    AuditEvent,
    Delivery,
    DeliveryState,
    EventFilter,
    EventType,
    NewSubscription,
    Subscription,
    SubscriptionState,
)
from placement.errors import NotFound
from placement.store import Store, dispatch
from placement.store.dispatch import Dispatch, Leased, Settled
from placement.store.live import Expansion
from placement.store.outbox import Deliveries, NewEvent, Outbox
from placement.store.subscriptions import Subscriptions

SUB = f"sub_{1:032x}"
OTHER = f"sub_{2:032x}"


def event(dataset: str | None, **fields: Any) -> NewEvent:
    kind = EventType.PLAN_SUPERSEDED if dataset is None else EventType.DATASET_MOVED
    return NewEvent(kind, 1, json.dumps({"dataset": dataset}), dataset, **fields)


def append(store: Store, *datasets: str | None) -> tuple[int, ...]:
    with store.writing() as tx:
        tx.record(AuditEvent(action=AuditAction.OBSERVED, actor="anna"))
        return Outbox(tx).append([event(dataset) for dataset in datasets])


def subscribe(store: Store, id_: str = SUB, **fields: Any) -> Subscription:
    asked = NewSubscription(url="https://hooks.example.org/", **fields)
    with store.writing() as tx:
        return Subscriptions(tx).create(id_, asked, "anna", "sealed:one")


def expand(store: Store, id_: str = SUB) -> int:
    with store.noting() as tx:
        return Expansion(tx).expand(id_, 1000)


def lease(store: Store, worker: str = "w", limit: int = 100, id_: str = SUB) -> tuple[Leased, ...]:
    with store.noting() as tx:
        return Dispatch(tx, worker).lease(id_, limit)


def settle(store: Store, *settled: Settled, worker: str = "w", id_: str = SUB) -> None:
    with store.noting() as tx:
        Dispatch(tx, worker).settle(id_, settled)


def deliveries(store: Store, state: DeliveryState | None = None) -> tuple[Delivery, ...]:
    with store.reading() as tx:
        return Deliveries(tx).list(SUB, state=state)


def delivered(sequence: int, attempts: int = 1) -> Settled:
    return Settled(sequence, DeliveryState.DELIVERED, attempts, status=200)


def dead(sequence: int) -> Settled:
    return Settled(sequence, DeliveryState.DEAD, 10, status=500, error="HTTP 500")


def sequences(leased: tuple[Leased, ...]) -> list[int]:
    return [each.event.sequence for each in leased]


def names(leased: tuple[Leased, ...]) -> list[tuple[int, str | None]]:
    return [(each.event.sequence, each.event.dataset) for each in leased]


# -- events ---------------------------------------------------------------------------------------


def test_events_are_numbered_in_their_order_and_never_share_an_id(store):
    assert append(store, "bomen", None) == (1, 2)
    assert append(store, "bomen") == (3,)
    with store.reading() as tx:
        listed = Outbox(tx).list()
        assert [found.sequence for found in listed] == [1, 2, 3]
        assert [found.dataset for found in listed] == ["bomen", None, "bomen"]
        assert len({found.id for found in listed}) == 3
        assert listed[0].data == {"dataset": "bomen"}
        assert [found.sequence for found in Outbox(tx).list(after=1, limit=1)] == [2]
        assert [found.sequence for found in Outbox(tx).list(dataset="bomen")] == [1, 3]
        assert Outbox(tx).last_of("bomen") == listed[2]
        assert Outbox(tx).last_of("bag") is None


def test_an_event_whose_transaction_fails_was_never_there(store):
    def fail() -> None:
        with store.writing() as tx:
            Outbox(tx).append([event("bomen")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert append(store, "bag") == (1,)


def test_no_event_is_appended_without_the_lock_of_the_city(store):
    with pytest.raises(AssertionError), store.noting() as tx:
        Outbox(tx).append([event("bomen")])


# -- subscriptions --------------------------------------------------------------------------------


def test_a_subscription_is_kept_changed_and_deleted(store):
    created = subscribe(store, description="tofu", filter=EventFilter(sites=("archive",)))
    assert (created.version, created.state) == (1, SubscriptionState.ACTIVE)
    assert created.filter == EventFilter(sites=("archive",))
    with store.writing() as tx:
        changed = Subscriptions(tx).update(
            SUB, state=SubscriptionState.PAUSED, filter=EventFilter(), url="https://b.example.org/"
        )
    assert (changed.version, changed.state) == (2, SubscriptionState.PAUSED)
    assert (changed.filter, changed.url) == (EventFilter(), "https://b.example.org/")
    assert changed.description == "tofu"
    subscribe(store, OTHER)
    with store.reading() as tx:
        assert [found.id for found in Subscriptions(tx).list(10)] == [SUB, OTHER]
        assert [found.id for found in Subscriptions(tx).list(10, SUB)] == [OTHER]
    append(store, "bomen")
    expand(store)
    with store.writing() as tx:
        Subscriptions(tx).delete(SUB)
        with pytest.raises(NotFound):
            Subscriptions(tx).get(SUB)
    assert deliveries(store) == ()


@pytest.mark.parametrize("name", ["sub_unknown", "sub_\x00", "sub_é", ""])
def test_an_unknown_subscription_is_not_found(store, name):
    with store.reading() as tx, pytest.raises(NotFound):
        Subscriptions(tx).get(name)
    with store.writing() as tx, pytest.raises(NotFound):
        Subscriptions(tx).delete(name)


def test_a_rotated_secret_signs_until_the_overlap_is_over(store):
    subscribe(store)
    soon, past = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
    with store.writing() as tx:
        assert Subscriptions(tx).add_secret(SUB, "sealed:two", soon).secrets[0].number == 2
        secrets = Subscriptions(tx).secrets(SUB)
        assert [(info.number, info.expires_at, sealed) for info, sealed in secrets] == [
            (2, None, "sealed:two"),
            (1, soon, "sealed:one"),
        ]
    with store.writing() as tx:
        Subscriptions(tx).add_secret(SUB, "sealed:three", past)
    with store.reading() as tx:
        secrets = Subscriptions(tx).secrets(SUB)
        assert [(info.number, sealed) for info, sealed in secrets] == [(3, "sealed:three")]
        assert Subscriptions(tx).get(SUB).secrets == tuple(info for info, _ in secrets)


# -- expanding ------------------------------------------------------------------------------------


def test_a_subscription_gets_what_happens_after_it_was_made(store):
    append(store, "before")
    subscribe(store)
    append(store, "after")
    with store.noting() as tx:
        assert Expansion(tx).behind() == (SUB,)
    assert expand(store) == 1
    assert expand(store) == 0
    assert [each.dataset for each in deliveries(store)] == ["after"]
    with store.noting() as tx:
        assert Expansion(tx).behind() == ()
        assert Dispatch(tx, "w").due() == (SUB,)


def test_filters_let_pass_what_they_name(store):
    subscribe(store, filter=EventFilter(sites=("archive",), departments=("Parks",)))
    with store.writing() as tx:
        Outbox(tx).append(
            [
                event("a", sites=("archive", "cloud"), department="Parks"),
                event("b", sites=("cloud",), department="Parks"),
                event("c", sites=("archive",), department="Roads"),
                event(None),
            ]
        )
    expand(store)
    assert [each.dataset for each in deliveries(store)] == ["a", None]


# -- order ----------------------------------------------------------------------------------------


def test_of_one_dataset_the_next_waits_for_the_one_before(store):
    subscribe(store)
    append(store, "a", "b", "a", None)
    append(store, "a", None)
    expand(store)
    assert names(lease(store)) == [(1, "a"), (2, "b"), (4, None)]
    assert lease(store) == ()
    settle(store, delivered(1), delivered(2))
    assert names(lease(store)) == [(3, "a")]
    settle(store, delivered(3), delivered(4))
    assert names(lease(store)) == [(5, "a"), (6, None)]
    settle(store, delivered(5), delivered(6))
    assert {each.state for each in deliveries(store)} == {DeliveryState.DELIVERED}


def test_events_that_come_while_one_is_under_way_wait_behind_it(store):
    subscribe(store)
    append(store, "a")
    expand(store)
    assert sequences(lease(store)) == [1]
    append(store, "a")
    expand(store)
    assert lease(store) == ()
    settle(store, delivered(1))
    assert sequences(lease(store)) == [2]


def test_one_that_failed_is_due_again_later_and_holds_back_what_follows(store):
    subscribe(store)
    append(store, "a", "a", "b")
    expand(store)
    lease(store)
    failed = Settled(1, DeliveryState.PENDING, 1, timedelta(hours=1), 503, "HTTP 503")
    settle(store, failed, delivered(3))
    assert lease(store) == ()
    first = deliveries(store)[0]
    assert (first.state, first.attempts, first.last_status) == (DeliveryState.PENDING, 1, 503)
    assert first.last_error == "HTTP 503"
    assert first.next_attempt_at
    assert first.next_attempt_at > datetime.now(UTC) + timedelta(minutes=59)


def test_an_attempt_without_an_answer_keeps_the_status_before(store):
    subscribe(store)
    append(store, "a")
    expand(store)
    for attempts, status in ((1, 503), (2, None)):
        (leased,) = lease(store)
        assert leased.attempts == attempts - 1
        settle(store, Settled(1, DeliveryState.PENDING, attempts, timedelta(0), status, "no"))
    assert deliveries(store)[0].last_status == 503


def test_a_dead_one_holds_back_what_follows_until_it_is_redriven(store):
    subscribe(store)
    append(store, "a", "a", "b")
    expand(store)
    lease(store)
    settle(store, dead(1), delivered(3))
    assert lease(store) == ()
    (given_up,) = deliveries(store, DeliveryState.DEAD)
    assert (given_up.sequence, given_up.next_attempt_at) == (1, None)
    assert given_up.ended_at
    with store.reading() as tx:
        shown = Subscriptions(tx).get(SUB)
    assert (shown.waiting, shown.dead) == (1, 1)
    with store.writing() as tx:
        assert Deliveries(tx).redrive(SUB, [given_up.event, "evt_unknown", "é"]) == 1
    (again,) = lease(store)
    assert (again.event.sequence, again.attempts) == (1, 0)
    settle(store, delivered(1))
    assert sequences(lease(store)) == [2]


def test_redriving_all_tries_every_dead_one_again(store):
    subscribe(store)
    append(store, "a", "b", "c")
    expand(store)
    lease(store)
    settle(store, dead(1), dead(2), delivered(3))
    with store.writing() as tx:
        assert Deliveries(tx).redrive(SUB) == 2
        assert Deliveries(tx).redrive(SUB) == 0
    assert sequences(lease(store)) == [1, 2]


def test_discarding_a_dead_one_lets_the_next_go(store):
    subscribe(store)
    append(store, "a", "a")
    expand(store)
    lease(store)
    settle(store, dead(1))
    with store.writing() as tx:
        assert Deliveries(tx).discard(SUB) == 1
    assert [each.state for each in deliveries(store)] == [
        DeliveryState.DISCARDED,
        DeliveryState.PENDING,
    ]
    assert sequences(lease(store)) == [2]


def test_what_is_discarded_behind_a_dead_one_frees_nothing(store):
    subscribe(store)
    append(store, "a", "a", "a")
    expand(store)
    lease(store)
    settle(store, dead(1))
    second = deliveries(store)[1].event
    with store.writing() as tx:
        assert Deliveries(tx).discard(SUB, [second]) == 1
    assert lease(store) == ()
    with store.writing() as tx:
        assert Deliveries(tx).discard(SUB) == 1
    assert sequences(lease(store)) == [3]


def test_one_that_waits_is_discarded_by_name_unless_it_is_under_way(store):
    subscribe(store)
    append(store, "a", "a")
    expand(store)
    first, second = (each.event for each in deliveries(store))
    lease(store)
    with store.writing() as tx:
        assert Deliveries(tx).discard(SUB, [first]) == 0
        assert Deliveries(tx).discard(SUB, [second]) == 1
        assert Deliveries(tx).discard(SUB, [second]) == 0
    settle(store, delivered(1))
    assert lease(store) == ()


# -- leases ---------------------------------------------------------------------------------------


def test_what_a_worker_holds_nobody_else_takes_until_its_lease_is_over(store, monkeypatch):
    subscribe(store)
    append(store, "a")
    expand(store)
    monkeypatch.setattr(dispatch, "LEASE", timedelta(seconds=-1))
    assert sequences(lease(store, "first")) == [1]
    assert sequences(lease(store, "second")) == [1]
    monkeypatch.undo()
    with store.noting() as tx:
        Dispatch(tx, "second").renew(SUB, [1])
        Dispatch(tx, "first").renew(SUB, [1])
        Dispatch(tx, "first").give_back(SUB, [1])
    assert lease(store, "third") == ()
    settle(store, delivered(1), worker="first")
    assert deliveries(store)[0].state is DeliveryState.PENDING
    settle(store, delivered(1), worker="second")
    assert deliveries(store)[0].state is DeliveryState.DELIVERED


def test_what_is_given_back_is_taken_at_once(store):
    subscribe(store)
    append(store, "a")
    expand(store)
    lease(store, "first")
    with store.noting() as tx:
        Dispatch(tx, "first").give_back(SUB, [1])
    assert names(lease(store, "second")) == [(1, "a")]


def test_a_paused_subscription_waits_and_goes_on(store):
    subscribe(store)
    append(store, "a")
    expand(store)
    with store.noting() as tx:
        assert Dispatch(tx, "w").pause(SUB)
        assert not Dispatch(tx, "w").pause(SUB)
    append(store, "b")
    assert expand(store) == 1
    assert lease(store) == ()
    with store.noting() as tx:
        assert Dispatch(tx, "w").due() == ()
    with store.writing() as tx:
        assert Subscriptions(tx).update(SUB, state=SubscriptionState.ACTIVE).version == 3
    assert sequences(lease(store)) == [1, 2]


def test_workers_at_once_never_hold_the_same_one_nor_two_of_a_dataset(make_store):
    store = make_store()
    subscribe(store)
    append(store, *(f"d{number % 40}" for number in range(400)))
    expand(store)
    under_way: dict[str, int] = {}
    seen: list[tuple[str, int]] = []
    broken: list[str] = []
    lock = threading.Lock()

    def work(worker: str) -> None:
        mine = make_store()
        while len(seen) < 400 and not broken:
            leased = lease(mine, worker, 7)
            with lock:
                for each in leased:
                    name, sequence = str(each.event.dataset), each.event.sequence
                    if name in under_way or any(s > sequence for d, s in seen if d == name):
                        broken.append(f"{name} {sequence}")
                    under_way[name] = sequence
            with lock:
                for each in leased:
                    del under_way[str(each.event.dataset)]
                    seen.append((str(each.event.dataset), each.event.sequence))
            settle(mine, *(delivered(s) for s in sequences(leased)), worker=worker)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not broken
    assert sorted(sequence for _, sequence in seen) == list(range(1, 401))
