"""The keys of an issuer over time: cached, refreshed, rotated, and given up when too old."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Protocol

from placement.errors import IdentityProviderError
from placement.identity.fetching import DEADLINE_S
from placement.identity.key_set import KeySet, VerificationKey


@dataclass(frozen=True)
class Pace:
    """How often an issuer is asked, in seconds."""

    early: float = 240.0
    """Age at which keys are fetched again in the background, while they are still used."""
    refresh: float = 300.0
    """Age beyond which keys are not used without asking again: a key that the issuer withdrew is
    refused after this time, at the latest."""
    give_up: float = 3600.0
    """Age beyond which keys are not used at all, when the issuer cannot be asked."""
    between: float = 10.0
    """Least time from one attempt to the next, whatever tokens strangers send."""
    deadline: float = DEADLINE_S + 1.0
    """How long a request waits for keys."""
    waiting: int = 8
    """How many requests may wait at once; the others are refused."""


class Keys(Protocol):
    """Where a verifier finds keys."""

    def now(self) -> KeySet | None:
        """The keys that may be used at once; None when they must be asked for."""

    def find(self, kid: str) -> VerificationKey | None:
        """The key with this id. Raises IdentityProviderError."""


class FixedKeys:
    """Keys that never change: those of a local issuer, or of nobody."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def now(self) -> KeySet:
        """See Keys."""
        return self._keys

    def find(self, kid: str) -> VerificationKey | None:
        """See Keys."""
        return self._keys.find(kid)


class IssuerKeys:
    """Keys that are fetched. Safe to use from several threads; one fetch runs at a time.

    Parameters
    ----------
    fetch
        Asks the issuer; raises IdentityProviderError. It runs in a thread of its own.
    pace
        How often.
    clock
        Seconds that never run backwards.
    """

    def __init__(
        self,
        fetch: Callable[[], KeySet],
        pace: Pace = Pace(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._pace = pace
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(pace.waiting)
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._attempt_at = -math.inf
        self._failure: IdentityProviderError | None = None
        self._flight: Future[None] | None = None

    def now(self) -> KeySet | None:
        """See Keys; begins to fetch in the background when the keys are getting old."""
        with self._lock:
            age = self._age()
            # An issuer that is known not to answer is asked again without anybody waiting for it.
            limit = self._pace.give_up if self._failure else self._pace.refresh
            if self._keys is None or age > limit:
                return None
            if age > self._pace.early:
                self._take_off()
            return self._keys

    def current(self) -> KeySet:
        """The keys that may be used.

        Raises
        ------
        IdentityProviderError
            When there are none, or they are too old and the issuer does not answer.
        """
        keys = self.now()
        if keys is not None:
            return keys
        self._ask()
        with self._lock:
            if self._keys is not None and self._age() <= self._pace.give_up:
                return self._keys
            raise IdentityProviderError(_UNKNOWN) from self._failure

    def find(self, kid: str) -> VerificationKey | None:
        """The key with this id; the issuer is asked again for one that is not known.

        Raises
        ------
        IdentityProviderError
            When there are no keys, or the issuer could not be asked about this one.
        """
        key = self.current().find(kid)
        if key is not None:
            return key
        self._ask()
        with self._lock:
            key = self._keys.find(kid) if self._keys else None
            if key is None and (self._failure or self._flight):
                raise IdentityProviderError(_UNKNOWN) from self._failure
            return key

    def _ask(self) -> None:
        """Wait for a fetch that runs or may begin; none, when the last one is too recent."""
        with self._lock:
            flight = self._take_off()
        if flight is None:
            return
        if not self._waiting.acquire(blocking=False):
            raise IdentityProviderError("too many requests wait for the identity provider")
        try:
            wait([flight], timeout=self._pace.deadline)
        finally:
            self._waiting.release()

    def _take_off(self) -> Future[None] | None:
        """The fetch to wait for, if any: the one under way, or a new one. Needs the lock."""
        now = self._clock()
        if self._flight is not None:
            stuck = now - self._attempt_at > self._pace.deadline
            return None if stuck else self._flight
        if now - self._attempt_at < self._pace.between:
            return None
        self._attempt_at = now
        flight: Future[None] = Future()
        self._flight = flight
        threading.Thread(target=self._fly, args=[flight], name="issuer-keys", daemon=True).start()
        return flight

    def _fly(self, flight: Future[None]) -> None:
        keys: KeySet | None = None
        failure: IdentityProviderError | None = None
        asked_at = self._clock()
        try:
            keys = self._fetch()
        except IdentityProviderError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  a thread's error would be nobody's
            failure = IdentityProviderError(f"keys could not be fetched ({type(error).__name__})")
        with self._lock:
            if keys is not None:
                self._keys, self._fetched_at = keys, asked_at
            self._failure = failure
            self._flight = None
        flight.set_result(None)

    def _age(self) -> float:
        return self._clock() - self._fetched_at


_UNKNOWN = "the identity provider's keys are not known"
