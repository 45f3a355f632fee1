"""Doing a thing once: effect and reply are one, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from models import AuditAction, AuditEvent
from placement.errors import Conflict, IdempotencyMismatch, NotFound, PlacementError, StoreError
from placement.service.performing import Reply, fingerprint_of, perform
from placement.store.head import read_head
from placement.store.idempotency import Idempotency

ONE = fingerprint_of("POST", "/v1/things", "", b"{}")
OTHER = fingerprint_of("POST", "/v1/things", "", b'{"a":1}')


@pytest.fixture
def city(store):
    return SimpleNamespace(store=store)


def caller(subject="issuer anna"):
    return SimpleNamespace(subject=subject)


def acting(calls, reply=None, error=None):
    """An action that leaves one audit record, and says how often it ran."""

    def action(tx):
        record = tx.record(AuditEvent(action=AuditAction.EXPORTED, actor="issuer anna"))
        calls.append(record.sequence)
        if error is not None:
            raise error
        return reply or Reply.json({"record": record.sequence}, 201, etag="a1", location="/v1/x")

    return action


def records(store):
    with store.reading() as tx:
        return tx.city.audit_sequence


def test_same_key_and_request_have_one_effect_and_the_same_reply(city, store):
    calls: list[int] = []
    first = perform(city, caller(), "key", ONE, acting(calls))
    again = perform(city, caller(), "key", ONE, acting(calls))
    assert (len(calls), records(store)) == (1, 1)
    assert not first.replayed
    assert again.replayed
    assert (again.status, again.body, again.headers) == (first.status, first.body, first.headers)
    assert again.headers == {
        "content-type": "application/json",
        "etag": '"a1"',
        "location": "/v1/x",
    }


def test_without_a_key_every_call_acts(city, store):
    calls: list[int] = []
    for _ in range(3):
        assert not perform(city, caller(), None, ONE, acting(calls)).replayed
    assert (len(calls), records(store)) == (3, 3)


def test_another_request_may_not_use_the_key(city, store):
    calls: list[int] = []
    perform(city, caller(), "key", ONE, acting(calls))
    with pytest.raises(IdempotencyMismatch):
        perform(city, caller(), "key", OTHER, acting(calls))
    assert (len(calls), records(store)) == (1, 1)


def test_keys_of_two_callers_are_not_the_same(city, store):
    calls: list[int] = []
    perform(city, caller("issuer anna"), "key", ONE, acting(calls))
    assert not perform(city, caller("issuer bert"), "key", OTHER, acting(calls)).replayed
    assert records(store) == 2


@pytest.mark.parametrize(
    "error", [NotFound("no such thing"), Conflict("not now"), RuntimeError("a defect")]
)
def test_an_error_undoes_everything_and_leaves_the_key_free(city, store, error):
    calls: list[int] = []
    with pytest.raises(type(error)):
        perform(city, caller(), "key", ONE, acting(calls, error=error))
    assert records(store) == 0
    with store.reading() as tx:
        assert Idempotency(tx).find("issuer anna", "key") is None
    assert not perform(city, caller(), "key", OTHER, acting(calls)).replayed
    assert records(store) == 1


def test_a_reply_that_says_failure_is_none(city, store):
    with pytest.raises(PlacementError, match="instead of raising"):
        perform(city, caller(), "key", ONE, acting([], reply=Reply(503)))
    assert records(store) == 0


def test_two_at_once_have_one_effect_and_two_equal_replies(make_store):
    calls: list[int] = []
    together = threading.Barrier(6)

    def ask(_):
        store = make_store()
        together.wait()
        city: Any = SimpleNamespace(store=store)
        return perform(city, caller(), "key", ONE, acting(calls))

    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(ask, range(6)))
    assert len(calls) == 1
    assert len({(reply.status, reply.body) for reply in replies}) == 1
    assert sorted(reply.replayed for reply in replies) == [False, True, True, True, True, True]
    assert records(make_store()) == 1


def test_a_commit_that_fails_leaves_neither_effect_nor_reply(city, store, monkeypatch):
    calls: list[int] = []
    monkeypatch.setattr(
        "placement.store.audit.AuditChain.sign",
        lambda *_: (_ for _ in ()).throw(StoreError("full")),
    )
    with pytest.raises(StoreError):
        perform(city, caller(), "key", ONE, acting(calls))
    monkeypatch.undo()
    assert len(calls) == 1
    with store.reading() as tx:
        assert Idempotency(tx).find("issuer anna", "key") is None
        assert read_head(tx).version == 0
    assert records(store) == 0


def test_fingerprints_tell_apart_what_clients_ask():
    asked = [
        ("POST", "/v1/a", "", b""),
        ("PUT", "/v1/a", "", b""),
        ("POST", "/v1/b", "", b""),
        ("POST", "/v1/a", "x=1", b""),
        ("POST", "/v1/a", "", b" "),
        ("POST", "/v1/ax=1", "", b""),
    ]
    assert len({fingerprint_of(*each) for each in asked}) == len(asked)
