"""The deliverer against receivers on loopback: signed, filtered, tried again, given up, mended."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from api.delivering import delivering
from models import Delivery, DeliveryState, EventFilter, Subscription, SubscriptionState
from placement.provision import delivering as schedule
from placement.provision.guard import Guard
from placement.provision.sealing import Seal
from placement.provision.signing import new_secret
from placement.service import lane
from placement.service.city import City
from placement.service.snapshot import Snapshots
from placement.settings import Settings
from placement.store import Store, dispatch
from placement.store.outbox import Deliveries, NewEvent
from placement.store.subscriptions import Subscriptions
from tests import outbox_cases
from tests.outbox_cases import append, event

SEAL = Seal(bytes(32))
PATIENCE_S = 60.0
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


class Hooks:
    """Receivers at the paths of one server; what came, and how each path answers."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: dict[str, Callable[[int], tuple[int, dict[str, str]]]] = {}
        self.hold = threading.Event()
        hooks, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with lock:
                    hooks.came.append((self.path, headers, body))
                    number = sum(path == self.path for path, *_ in hooks.came)
                if self.path == "/hangs":
                    hooks.hold.wait(PATIENCE_S)
                status, more = hooks.answers.get(self.path, lambda _: (200, {}))(number)
                self.send_response(status)
                for name, value in {"content-length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def ids(self, path: str = "/") -> list[str]:
        return [headers["webhook-id"] for at, headers, _ in self.came if at == path]

    def bodies(self, path: str = "/") -> list[dict[str, Any]]:
        return [json.loads(body) for at, _, body in self.came if at == path]


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    opened = Hooks()
    thread = threading.Thread(target=opened.server.serve_forever)
    thread.start()
    yield opened
    opened.hold.set()
    opened.server.shutdown()
    thread.join()
    opened.server.server_close()


@pytest.fixture(autouse=True)
def soon(monkeypatch) -> None:
    """Pauses that a test can wait for."""
    monkeypatch.setattr(schedule, "PAUSES", (timedelta(seconds=0.1),) * 3)
    monkeypatch.setattr(lane, "REST_S", 0.05)


def city_of(store: Store, key: Any) -> City:
    held: Any = {"opa": None, "permissions": None, "recorder": None}
    return City(
        settings=Settings(public_url="https://placement.example.org"),
        store=store,
        audit_key=key,
        snapshots=Snapshots(store),
        seal=SEAL,
        guard=Guard(("127.0.0.1",), (LOOPBACK,)),
        **held,
    )


@pytest.fixture
def deliver(make_store, store_key):
    """Deliver while a block runs; several blocks are several processes."""

    @contextmanager
    def running() -> Iterator[None]:
        with delivering(city_of(make_store(), store_key)):
            yield

    return running


def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def subscribe(store: Store, url: str, wanted: EventFilter | None = None) -> tuple[str, str]:
    made, secret = outbox_cases.subscribe(store, SEAL, url, wanted)
    return made.id, secret


def shown(store: Store, ident: str) -> Subscription:
    with store.reading() as tx:
        return Subscriptions(tx).get(ident)


def deliveries(store: Store, ident: str) -> tuple[Delivery, ...]:
    with store.reading() as tx:
        return Deliveries(tx).list(ident, 1000)


def states(store: Store, ident: str) -> list[DeliveryState]:
    return [each.state for each in deliveries(store, ident)]


def all_delivered(store: Store, ident: str, count: int) -> bool:
    return states(store, ident) == [DeliveryState.DELIVERED] * count


def several(*datasets: str) -> list[NewEvent]:
    return [event(dataset, number) for number, dataset in enumerate(datasets)]


def test_events_come_signed_and_in_the_order_of_their_dataset(store, hooks, deliver):
    ident, secret = subscribe(store, hooks.url("/"))
    append(store, several("a", "b", "a", "a", "c"))
    with deliver():
        until(lambda: all_delivered(store, ident, 5), "all is delivered")
    for _, headers, body in hooks.came:
        Webhook(secret).verify(body, headers)
        assert headers["content-type"] == "application/cloudevents+json"
    told = hooks.bodies()
    assert {one["source"] for one in told} == {"https://placement.example.org"}
    assert [one["placementsequence"] for one in told if one["partitionkey"] == "a"] == [1, 3, 4]
    assert len(set(hooks.ids())) == 5


def test_each_gets_what_its_filter_lets_through(store, hooks, deliver):
    here, _ = subscribe(store, hooks.url("/here"), EventFilter(sites=("archive",)))
    there, _ = subscribe(store, hooks.url("/there"), EventFilter(sites=("cloud",)))
    append(store, [event("a", site="archive"), event("b", site="cloud"), event("c", site="cloud")])
    with deliver():
        until(lambda: all_delivered(store, here, 1), "one is delivered here")
        until(lambda: all_delivered(store, there, 2), "two are delivered there")
    assert [one["partitionkey"] for one in hooks.bodies("/here")] == ["a"]
    assert sorted(one["partitionkey"] for one in hooks.bodies("/there")) == ["b", "c"]


def test_what_fails_is_tried_again_under_the_same_id(store, hooks, deliver):
    hooks.answers["/"] = lambda number: (500 if number < 3 else 200, {})
    ident, _ = subscribe(store, hooks.url("/"))
    append(store, several("a"))
    with deliver():
        until(lambda: all_delivered(store, ident, 1), "it is delivered")
    assert len(hooks.ids()) == 3
    assert len(set(hooks.ids())) == 1
    (delivery,) = deliveries(store, ident)
    assert (delivery.attempts, delivery.last_status) == (3, 200)


def test_a_receiver_that_asks_for_time_gets_it(store, hooks, deliver):
    hooks.answers["/"] = lambda _: (429, {"retry-after": "3600"})
    ident, _ = subscribe(store, hooks.url("/"))
    append(store, several("a"))
    with deliver():
        until(
            lambda: [each.attempts for each in deliveries(store, ident)] == [1],
            "an attempt is made",
        )
    (delivery,) = deliveries(store, ident)
    assert delivery.next_attempt_at
    assert delivery.next_attempt_at > datetime.now(UTC) + timedelta(minutes=59)


def test_the_dead_wait_for_a_person_and_hold_back_their_dataset_alone(store, hooks, deliver):
    hooks.answers["/"] = lambda number: (500 if number <= 4 else 200, {})
    ident, _ = subscribe(store, hooks.url("/"))
    append(store, several("a", "a"))
    with deliver():
        until(lambda: shown(store, ident).dead == 1, "it is given up")
        append(store, several("b"))
        until(lambda: states(store, ident)[-1] is DeliveryState.DELIVERED, "the other one comes")
        assert states(store, ident)[:2] == [DeliveryState.DEAD, DeliveryState.PENDING]
        dead = deliveries(store, ident)[0]
        assert (dead.attempts, dead.last_error) == (4, "HTTP status 500")
        with store.writing() as tx:
            assert Deliveries(tx).redrive(ident, [dead.event]) == 1
        until(lambda: all_delivered(store, ident, 3), "all is delivered")


def test_a_receiver_that_is_gone_is_paused_and_goes_on_when_told(store, hooks, deliver):
    hooks.answers["/"] = lambda number: (410 if number == 1 else 200, {})
    ident, _ = subscribe(store, hooks.url("/"))
    append(store, several("a"))
    with deliver():
        until(lambda: shown(store, ident).state is SubscriptionState.PAUSED, "it is paused")
        append(store, several("b"))
        until(lambda: shown(store, ident).waiting == 2, "two events wait")
        assert len(hooks.came) == 1
        with store.writing() as tx:
            Subscriptions(tx).update(ident, state=SubscriptionState.ACTIVE)
        until(lambda: all_delivered(store, ident, 2), "all is delivered")


def test_receivers_that_hang_or_fail_keep_nobody_waiting(store, hooks, deliver):
    hooks.answers["/fails"] = lambda _: (503, {})
    for path in ("/hangs", "/fails"):
        subscribe(store, hooks.url(path))
    subscribe(store, "http://127.0.0.1:9/")
    ident, _ = subscribe(store, hooks.url("/"))
    append(store, several(*(f"d{number}" for number in range(300))))
    with deliver():
        until(lambda: all_delivered(store, ident, 300), "all is delivered")
        assert len(hooks.ids("/hangs")) <= lane.AT_ONCE
        hooks.hold.set()


def test_several_deliverers_share_the_work(store, hooks, deliver):
    ident, _ = subscribe(store, hooks.url("/"))
    append(store, several(*(f"d{number % 50}" for number in range(300))))
    with deliver(), deliver():
        until(lambda: all_delivered(store, ident, 300), "all is delivered")
    assert len(hooks.ids()) == 300
    last: dict[str, int] = {}
    for one in hooks.bodies():
        assert one["placementsequence"] > last.get(one["partitionkey"], 0)
        last[one["partitionkey"]] = one["placementsequence"]


def test_a_rotated_secret_signs_beside_the_former_one_until_the_overlap_is_over(
    store, hooks, deliver
):
    ident, old = subscribe(store, hooks.url("/"))
    new, soon = new_secret(), datetime.now(UTC) + timedelta(hours=1)
    with store.writing() as tx:
        Subscriptions(tx).add_secret(ident, SEAL.seal(new, ident), soon)
    append(store, several("a"))
    with deliver():
        until(lambda: all_delivered(store, ident, 1), "it is delivered")
        _, headers, body = hooks.came[0]
        for secret in (old, new):
            Webhook(secret).verify(body, headers)
        with store.writing() as tx:
            newest = new_secret()
            past = datetime.now(UTC) - timedelta(seconds=1)
            Subscriptions(tx).add_secret(ident, SEAL.seal(newest, ident), past)
        append(store, several("b"))
        until(lambda: all_delivered(store, ident, 2), "the next is delivered")
    _, headers, body = hooks.came[1]
    Webhook(newest).verify(body, headers)
    for secret in (old, new):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)


def test_a_secret_that_cannot_be_opened_sends_nothing(store, hooks, deliver):
    ident, _ = subscribe(store, hooks.url("/"))
    with store.writing() as tx:
        other = SEAL.seal(new_secret(), "sub_other")
        Subscriptions(tx).add_secret(ident, other, datetime.now(UTC) - timedelta(seconds=1))
    append(store, several("a"))
    with deliver():
        until(lambda: any(each.last_error for each in deliveries(store, ident)), "an attempt fails")
    assert not hooks.came
    assert "cannot be opened" in deliveries(store, ident)[0].last_error


def test_what_a_deliverer_held_when_it_was_told_to_stop_is_free_at_once(
    store, hooks, deliver, monkeypatch
):
    monkeypatch.setattr(lane, "GRACE_S", 0.2)
    monkeypatch.setattr(dispatch, "LEASE", timedelta(hours=1))
    ident, _ = subscribe(store, hooks.url("/hangs"))
    append(store, several(*(f"d{number}" for number in range(50))))
    with deliver():
        until(lambda: len(hooks.came) >= lane.AT_ONCE, "posts hang")
    hooks.hold.set()
    with deliver():
        until(lambda: all_delivered(store, ident, 50), "all is delivered")


def test_a_deleted_subscription_gets_nothing_more(store, hooks, deliver):
    hooks.answers["/"] = lambda _: (500, {})
    ident, _ = subscribe(store, hooks.url("/"))
    append(store, several("a"))
    with deliver():
        until(lambda: hooks.came, "an attempt is made")
        with store.writing() as tx:
            Subscriptions(tx).delete(ident)
        other, _ = subscribe(store, hooks.url("/other"))
        append(store, several("b"))
        until(lambda: all_delivered(store, other, 1), "the other one gets its event")
    with store.reading() as tx:
        assert [found.id for found in Subscriptions(tx).list(10)] == [other]
