"""When an issuer is asked for its keys, who waits, and what counts when it does not answer."""

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from placement.errors import IdentityProviderError
from placement.identity.issuer_keys import IssuerKeys, Pace
from placement.identity.key_set import KeySet, read_key_set
from tests.identity_cases import OTHER_RSA, jwk, jwks

FIRST = read_key_set(jwks(jwk()), "RS256")
SECOND = read_key_set(jwks(jwk(OTHER_RSA, kid="k2")), "RS256")
PACE = Pace()


class Issuer:
    """Gives keys, or an error; at a `gate` it waits until the test opens it."""

    def __init__(self, given: KeySet | Exception = FIRST) -> None:
        self.given = given
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()
        self.now = 0.0
        self.keys = IssuerKeys(self.fetch, PACE, lambda: self.now)

    def fetch(self) -> KeySet:
        self.asked += 1
        self.gate.wait(60)
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def settle(self) -> None:
        """Wait for a fetch in the background."""
        flight = self.keys._flight
        if flight is not None:
            wait([flight])


def failing() -> IdentityProviderError:
    return IdentityProviderError("away")


def test_keys_are_fetched_once_and_kept_while_they_are_young():
    issuer = Issuer()
    assert issuer.keys.now() is None
    for age in (0.0, 1.0, PACE.early):
        issuer.now = age
        assert issuer.keys.find("k1") is FIRST.find("k1")
    assert issuer.asked == 1


def test_keys_that_get_old_are_fetched_again_while_nobody_waits():
    issuer = Issuer()
    issuer.keys.current()
    issuer.given = SECOND
    issuer.gate.clear()
    issuer.now = PACE.early + 1
    assert issuer.keys.now() is FIRST, "the fetch has not ended"
    issuer.gate.set()
    issuer.settle()
    assert issuer.keys.now() is SECOND
    assert issuer.asked == 2


def test_keys_beyond_the_refresh_interval_count_only_after_asking_again():
    issuer = Issuer()
    issuer.keys.current()
    issuer.given = SECOND
    issuer.now = PACE.refresh + 1
    assert issuer.keys.now() is None
    assert issuer.keys.find("k1") is None
    assert issuer.keys.find("k2") is SECOND.find("k2")


def test_unknown_key_id_makes_the_issuer_be_asked_but_not_again_at_once():
    issuer = Issuer()
    issuer.keys.current()
    issuer.given = SECOND
    issuer.now = PACE.between - 1
    assert issuer.keys.find("k2") is None
    assert issuer.asked == 1
    issuer.now = PACE.between
    assert issuer.keys.find("k2") is SECOND.find("k2")
    assert issuer.keys.find("k3") is None
    assert issuer.asked == 2


def test_issuer_that_fails_leaves_the_known_keys_without_making_anybody_wait():
    issuer = Issuer()
    issuer.keys.current()
    issuer.given = failing()
    issuer.now = PACE.refresh + 1
    assert issuer.keys.current() is FIRST
    issuer.gate.clear()
    issuer.now += PACE.between
    assert issuer.keys.current() is FIRST, "asked again, in the background"
    assert issuer.asked == 3
    issuer.gate.set()
    issuer.settle()


def test_issuer_that_comes_back_is_believed_again():
    issuer = Issuer(failing())
    with pytest.raises(IdentityProviderError):
        issuer.keys.current()
    issuer.given = FIRST
    with pytest.raises(IdentityProviderError):
        issuer.keys.current()
    issuer.now = PACE.between
    assert issuer.keys.current() is FIRST


def test_keys_are_given_up_when_the_issuer_fails_for_too_long():
    issuer = Issuer()
    issuer.keys.current()
    issuer.given = failing()
    issuer.now = PACE.give_up
    assert issuer.keys.current() is FIRST
    issuer.now = PACE.give_up + 1
    assert issuer.keys.now() is None
    with pytest.raises(IdentityProviderError, match="not known"):
        issuer.keys.current()


def test_key_that_is_unknown_while_the_issuer_fails_is_not_judged():
    issuer = Issuer()
    issuer.keys.current()
    issuer.given = failing()
    issuer.now = PACE.between
    with pytest.raises(IdentityProviderError):
        issuer.keys.find("k2")
    with pytest.raises(IdentityProviderError):
        issuer.keys.find("k2")
    assert issuer.asked == 2
    assert issuer.keys.find("k1")


def test_error_of_any_kind_in_the_fetch_is_an_issuer_that_fails():
    issuer = Issuer(RuntimeError("a bug"))
    with pytest.raises(IdentityProviderError):
        issuer.keys.current()


def test_few_requests_wait_at_once_and_the_others_are_refused():
    issuer = Issuer()
    issuer.gate.clear()
    told: list[object] = []
    refused = threading.Semaphore(0)

    def ask() -> None:
        try:
            told.append(issuer.keys.current())
        except IdentityProviderError as error:
            told.append(str(error))
            refused.release()

    threads = [threading.Thread(target=ask) for _ in range(PACE.waiting + 3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert refused.acquire(timeout=60)
    issuer.gate.set()
    for thread in threads:
        thread.join()
    assert told.count("too many requests wait for the identity provider") == 3
    assert told.count(FIRST) == PACE.waiting
    assert issuer.asked == 1


def test_fetch_that_is_stuck_is_not_waited_for():
    issuer = Issuer()
    issuer.gate.clear()
    first = threading.Thread(target=issuer.keys.current)
    first.start()
    while issuer.asked == 0:
        first.join(0.01)
    issuer.now = PACE.deadline + 1
    with pytest.raises(IdentityProviderError):
        issuer.keys.current()
    issuer.gate.set()
    first.join()
    assert issuer.asked == 1
