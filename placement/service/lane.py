"""A lane: the deliveries of one subscription, as one process makes them.

    exchange (settle what is done, lease more) -> post, several at once -> exchange -> ... -> idle

One transaction settles a batch and takes the next. What was taken and not begun when its lease is
over is let go: somebody else may have it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar

from models import AuditAction, AuditEvent, OutboxEvent, Subscription, SubscriptionState
from placement.errors import PlacementError, StoreError
from placement.provision.delivering import Judged, judge
from placement.provision.signing import signed_headers
from placement.provision.transport import Reply, Sender
from placement.service.city import City
from placement.store import Transaction, dispatch
from placement.store.dispatch import Dispatch, Leased, Settled
from placement.store.subscriptions import Receiver, Subscriptions

T = TypeVar("T")

AT_ONCE = 20
"""Posts to one receiver at once."""
AHEAD = 10
"""Deliveries held for each post at once: enough for the time that an exchange takes."""
LINGER_S = 0.05
"""How long results are gathered before they are written."""
RENEWED = 3
"""Leases are renewed when a third of their time is over."""
TROUBLE = 8
"""So many failures in a row, and a receiver gets few attempts until one succeeds."""
AT_ONCE_IN_TROUBLE = 2
REST_S = 1.0
"""Pause after each failure of a receiver in trouble."""
STORE_PAUSE_S = 1.0
GRACE_S = 3.0
"""Seconds that posts under way have when the process is told to stop."""
ACTOR = "placement"
"""Who pauses a subscription whose receiver is gone."""

_LOG = logging.getLogger("placement.delivering")


class Deliverer(Protocol):
    """Whom a lane works for: it says who works, and how to reach the database."""

    city: City
    worker: str

    async def store(self, work: Callable[[Transaction], T]) -> T:
        """Run a short transaction that leaves no audit record. Raises StoreError."""

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run something that waits for the database."""

    def message(
        self, event: OutboxEvent, subscription: Subscription
    ) -> tuple[bytes, dict[str, str]] | None:
        """Body and headers of an event, as a subscription wants it; none: nothing is sent."""


class Lane:
    """Makes the deliveries of one subscription that are due, and ends when there are none."""

    def __init__(self, deliverer: Deliverer, subscription: str) -> None:
        self._deliverer = deliverer
        self._name = subscription
        self._receiver: Receiver | None = None
        self._ready: deque[Leased] = deque()
        self._posts: dict[int, asyncio.Task[None]] = {}
        self._done: list[Settled] = []
        self._secrets: dict[str, str] = {}
        self._failures = 0
        self._at_once = AT_ONCE
        self._held_until = 0.0
        self._renew_at = 0.0
        self._changed = asyncio.Event()
        self._more = True
        self._stopping = False
        self._gone = False

    def poke(self) -> None:
        """There is something due."""
        self._more = True
        self._changed.set()

    def stop(self) -> None:
        """Begin nothing more, and end soon."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Deliver until nothing is due."""
        async with Sender(self._deliverer.city.guard) as sender:
            while await self._exchanged():
                self._begin(sender)
                await self._until_worth_it()
            await self._leave()

    # -- talking to the database ------------------------------------------------------------

    async def _exchanged(self) -> bool:
        """Settle and lease; whether the lane has anything to do."""
        clock = asyncio.get_running_loop().time
        done, self._done = self._done, []
        began, more = clock(), self._more
        self._more = False
        ready = [each.event.sequence for each in self._ready]
        asked = partial(self._exchange, done, ready, list(self._posts), self._room())
        try:
            self._receiver, leased = await self._deliverer.store(asked)
            if self._gone:
                await self._deliverer.in_thread(self._pause)
        except StoreError as error:
            _LOG.warning("deliveries of %s are not written yet: %s", self._name, error)
            self._done, self._more = done + self._done, more
            await asyncio.sleep(STORE_PAUSE_S)
            return not self._stopping
        self._held_until = began + dispatch.LEASE.total_seconds()
        self._renew_at = began + dispatch.LEASE.total_seconds() / RENEWED
        if not _wants(self._receiver):
            self._ready.clear()
        self._ready.extend(each for each in leased if each.event.sequence not in self._posts)
        # As many as there was room for: there may be more.
        self._more = self._more or bool(leased)
        return not self._stopping and bool(self._ready or self._posts or self._done or self._more)

    def _exchange(
        self,
        done: Sequence[Settled],
        ready: Sequence[int],
        posts: Sequence[int],
        room: int,
        tx: Transaction,
    ) -> tuple[Receiver | None, tuple[Leased, ...]]:
        """In one transaction, in a thread: it touches nothing of the loop's."""
        work = Dispatch(tx, self._deliverer.worker)
        if done:
            work.settle(self._name, done)
        receiver = Subscriptions(tx).receiver(self._name)
        if not _wants(receiver):
            work.renew(self._name, posts)
            work.give_back(self._name, ready)
            return receiver, ()
        work.renew(self._name, (*ready, *posts))
        return receiver, work.lease(self._name, room) if room > 0 else ()

    def _room(self) -> int:
        """How many more may be held."""
        if self._stopping or self._gone:
            return 0
        most = self._at_once * (1 if self._troubled else AHEAD)
        return most - len(self._ready) - len(self._posts)

    def _pause(self) -> None:
        """The receiver said that it is gone: nothing more is sent until a person says so."""
        with self._deliverer.city.store.writing() as tx:
            if Dispatch(tx, self._deliverer.worker).pause(self._name):
                tx.record(
                    AuditEvent(
                        action=AuditAction.SUBSCRIPTION_CHANGED,
                        actor=ACTOR,
                        subject=f"subscription/{self._name}",
                        detail={
                            "state": SubscriptionState.PAUSED.value,
                            "reason": "the receiver answered 410 Gone",
                        },
                    )
                )
        self._gone = False
        self._ready.clear()

    async def _leave(self) -> None:
        """Wait for posts under way, write what is done, and give the rest back."""
        if self._posts:
            await asyncio.wait(self._posts.values(), timeout=GRACE_S)
        rest = [*(each.event.sequence for each in self._ready), *self._posts]
        for post in self._posts.values():
            post.cancel()
        if not (self._done or rest):
            return

        def leave(tx: Transaction) -> None:
            work = Dispatch(tx, self._deliverer.worker)
            work.settle(self._name, self._done)
            work.give_back(self._name, rest)

        try:
            await self._deliverer.store(leave)
        except StoreError:
            _LOG.warning("deliveries of %s are left to their leases", self._name)

    # -- posting ----------------------------------------------------------------------------

    @property
    def _troubled(self) -> bool:
        return self._failures >= TROUBLE

    def _begin(self, sender: Sender) -> None:
        """Post as many as may be at once."""
        clock = asyncio.get_running_loop().time
        if clock() > self._held_until:
            self._ready.clear()  # whose they are now, nobody here knows
        while self._ready and len(self._posts) < self._at_once and not self._stopping:
            leased = self._ready.popleft()
            post = asyncio.create_task(self._post(sender, leased))
            self._posts[leased.event.sequence] = post

    async def _post(self, sender: Sender, leased: Leased) -> None:
        sequence = leased.event.sequence
        try:
            receiver = self._receiver
            if receiver is None:  # the subscription was deleted
                return
            reply = await self._send(sender, receiver, leased)
            judged = judge(reply, leased.attempts, random.random())  # noqa: S311  only spreads load
            self._done.append(_settled(sequence, reply, judged))
            self._gone = self._gone or judged.gone
            if judged.delivered:
                self._failures, self._at_once = 0, min(AT_ONCE, self._at_once + 1)
                return
            self._failures += 1
            # A receiver that does one thing after another answers too late when it gets many.
            self._at_once = max(AT_ONCE_IN_TROUBLE, self._at_once // 2)
            if self._troubled:
                await asyncio.sleep(REST_S)
        finally:
            self._posts.pop(sequence, None)
            self._begin(sender)
            self._changed.set()

    async def _send(self, sender: Sender, receiver: Receiver, leased: Leased) -> Reply:
        now = datetime.now(UTC)
        try:
            message = self._deliverer.message(leased.event, receiver.subscription)
            if message is None:
                return Reply(None, "")
            body, told = message
            secrets = [
                self._opened(sealed)
                for info, sealed in receiver.secrets
                if info.expires_at is None or info.expires_at > now
            ]
            headers = signed_headers(secrets, leased.event.id, now, body)
        except PlacementError as error:
            return Reply(None, str(error)[:500])
        except Exception:  # noqa: BLE001  one event that cannot be told must not end the lane
            _LOG.exception("event %s cannot be told to %s", leased.event.id, self._name)
            return Reply(None, "the event cannot be written in the form of this subscription")
        return await sender.post(receiver.subscription.url, told | headers, body)

    def _opened(self, sealed: str) -> str:
        secret = self._secrets.get(sealed)
        if secret is None:
            secret = self._deliverer.city.seal.open(sealed, self._name)
            self._secrets = {sealed: secret} | dict(list(self._secrets.items())[:9])
        return secret

    async def _until_worth_it(self) -> None:
        """Wait until there are results to write, something may be due, or leases grow old."""
        clock = asyncio.get_running_loop().time
        gather_until = clock() + LINGER_S
        while not self._stopping:
            idle = not self._ready and not self._posts
            if idle or clock() >= self._renew_at or self._gone:
                return
            wanted = bool(self._done) or (self._more and self._room() > 0)
            if wanted and clock() >= gather_until:
                return
            until = gather_until if wanted else self._renew_at
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.001, until - clock()))
            except TimeoutError:
                continue


def _wants(receiver: Receiver | None) -> bool:
    """Whether somebody is to get anything now."""
    return receiver is not None and receiver.subscription.state is SubscriptionState.ACTIVE


def _settled(sequence: int, reply: Reply, judged: Judged) -> Settled:
    return Settled(sequence, judged.state, judged.attempts, judged.after, reply.status, reply.error)
