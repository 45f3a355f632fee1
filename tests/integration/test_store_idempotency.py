"""Replies are kept beside their effects, for the principal that asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from placement.errors import Conflict
from placement.store.idempotency import Idempotency, StoredReply

REPLY = StoredReply("f" * 64, 202, {"location": "/v1/jobs/1"}, '{"é":"\\u0000"}'.encode())


def test_a_reply_comes_back_as_it_was(store):
    with store.writing() as tx:
        assert Idempotency(tx).find("key:1", "k") is None
        Idempotency(tx).keep("key:1", "k", REPLY)
    with store.writing() as tx:
        assert Idempotency(tx).find("key:1", "k") == REPLY
        assert Idempotency(tx).find("key:2", "k") is None
        assert Idempotency(tx).find("key:1", "K") is None


def test_a_reply_is_kept_with_its_effect_or_not_at_all(store):
    def fail(tx) -> None:
        Idempotency(tx).keep("key:1", "k", REPLY)
        raise RuntimeError("the effect failed")

    with pytest.raises(RuntimeError), store.writing() as tx:
        fail(tx)
    with store.writing() as tx:
        assert Idempotency(tx).find("key:1", "k") is None


def test_a_key_is_kept_once(store):
    with store.writing() as tx:
        Idempotency(tx).keep("key:1", "k", REPLY)
    with pytest.raises(Conflict), store.writing() as tx:
        Idempotency(tx).keep("key:1", "k", REPLY)


def test_old_keys_are_forgotten(store):
    with store.writing() as tx:
        tx.now -= timedelta(days=31)
        for number in range(5):
            Idempotency(tx).keep("key:1", str(number), REPLY)
    with store.writing() as tx:
        assert Idempotency(tx).find("key:1", "0") is None
        assert Idempotency(tx, kept_days=60).find("key:1", "0") == REPLY
        Idempotency(tx).keep("key:1", "0", REPLY)
    with store.writing() as tx:
        assert Idempotency(tx, kept_days=60).find("key:1", "0") == REPLY
        assert Idempotency(tx, kept_days=60).find("key:1", "1") is None
