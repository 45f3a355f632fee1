"""From an approval to a broker: notifications of entities, posted by the real deliverer."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from models import DeliveryState
from placement.provision.guard import Guard
from placement.service import entity_subscriptions, subscriptions
from placement.service.delivering import Deliverer
from tests.decision_cases import OFFICE, approve_it, city, make_city, propose, shipped_engine

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

PATIENCE_S = 60.0


@contextmanager
def broker() -> Iterator[tuple[str, queue.Queue[tuple[dict[str, str], Any]]]]:
    """A receiver on loopback: its URL, and what it got."""
    got: queue.Queue[tuple[dict[str, str], Any]] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.put(({k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Tests say what they saw."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/notify", got
    finally:
        server.shutdown()
        thread.join(PATIENCE_S)
        server.server_close()


def delivered(city, got, count):
    """What a receiver got, once a deliverer has worked until it has got so much."""

    async def work() -> list[Any]:
        stop = asyncio.Event()
        running = asyncio.create_task(Deliverer(city).run(stop))
        found = [await asyncio.to_thread(got.get, timeout=PATIENCE_S) for _ in range(count)]
        stop.set()
        await running
        return found

    return asyncio.run(work())


def subscribe(city, url, **members):
    document = {
        "type": "Subscription",
        "entities": [{"type": "Dataset"}],
        "notification": {"format": "keyValues", "endpoint": {"uri": url}},
        **members,
    }
    with city.store.writing() as tx:
        return entity_subscriptions.create(tx, city, OFFICE, document)


@pytest.fixture
def allowed(city):
    city.guard = Guard(("127.0.0.1",), (ipaddress.ip_network("127.0.0.0/8"),))
    return city


def test_an_approval_is_told_to_a_broker(allowed):
    with broker() as (url, got):
        uri = subscribe(allowed, url, q='publisher=="Green"')
        record = approve_it(allowed, propose(allowed).number)
        told = delivered(allowed, got, 2)
    bodies = {body["data"][0]["id"]: body for _, body in told}
    assert set(bodies) == {"urn:ngsi-ld:Dataset:bag/maps:v1", "urn:ngsi-ld:Dataset:trees"}
    for headers, body in told:
        assert headers["content-type"] == "application/json"
        assert "json-ld#context" in headers["link"]
        assert headers["webhook-signature"]
        assert body["type"] == "Notification"
        assert body["subscriptionId"] == uri
        assert body["data"][0]["publisher"] == "Green"
        assert "placedAt" in body["data"][0]
    assert record.number == 1
    kept = subscriptions.deliveries(allowed, uri.rpartition(":")[2], 100)
    assert len(kept) == 5  # the others' events passed without being told
    assert {one.state for one in kept} == {DeliveryState.DELIVERED}
