"""Delivering events: to each subscription in a lane of its own, so that none waits for another.

    outbox -> deliveries of each subscription (the sweep) -> lanes: lease, sign, post, settle

A lane holds deliveries by leases, posts several at once, and writes what came of them together
with taking the next. A receiver that fails again and again gets a few attempts a second until one
succeeds: what waits for it costs it, and the others, nothing. Whatever dies on the way, the lease
runs out and the delivery is made once more: a receiver knows it by its id.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from models import OutboxEvent, Subscription, SubscriptionForm
from placement.errors import StoreError
from placement.provision import cloud_event
from placement.service.lane import GRACE_S, Lane
from placement.store import Transaction
from placement.store.dispatch import Dispatch
from placement.store.live import Expansion

if TYPE_CHECKING:
    from placement.service.city import City

T = TypeVar("T")
Body = Callable[[OutboxEvent, Subscription], tuple[bytes, dict[str, str]] | None]
"""Body and headers of an event for a subscription of one form; none: it tells it nothing."""

POLL_S = 0.5
"""How often somebody looks for new events and for deliveries that are due again."""
EXPANDED_AT_ONCE = 1000
"""Events that are looked at for one subscription before the next one has its turn."""
THREADS = 4
"""Transactions at once; each takes milliseconds."""
_BODIES_KEPT = 2000

_LOG = logging.getLogger("placement.delivering")


class Deliverer:
    """Delivers a city's events until it is told to stop. Several may work on one database."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.worker = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex}"
        self._lanes: dict[str, tuple[Lane, asyncio.Task[None]]] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="deliveries")
        self._bodies: dict[str, bytes] = {}
        self._forms: Mapping[SubscriptionForm, Body] = {
            SubscriptionForm.CLOUDEVENTS: self._cloud_event,
            SubscriptionForm.NGSI_LD: self._notification,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until the event is set; then finish what is under way, and give back the rest."""
        try:
            while not stop.is_set():
                pause = POLL_S
                try:
                    pause = await self._sweep()
                except StoreError:
                    _LOG.warning("deliveries cannot be looked for; trying again")
                except Exception:  # noqa: BLE001  whatever it is, events must be looked for again
                    _LOG.exception("looking for deliveries failed; trying again")
                await _either(stop, pause)
        finally:
            await self._end()

    async def store(self, work: Callable[[Transaction], T]) -> T:
        """Run a short transaction that leaves no audit record. Raises StoreError."""

        def noted() -> T:
            with self.city.store.noting() as tx:
                return work(tx)

        return await self.in_thread(noted)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run something that waits for the database."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def message(
        self, event: OutboxEvent, subscription: Subscription
    ) -> tuple[bytes, dict[str, str]] | None:
        """Body and headers of an event, as a subscription wants it; none: nothing is sent."""
        return self._forms[subscription.form](event, subscription)

    # -- parts ------------------------------------------------------------------------------

    async def _sweep(self) -> float:
        """Make deliveries of new events, and see that lanes run; how long to wait then."""
        behind, due = await self.in_thread(self._look)
        self._see_to(due)
        for subscription in behind:
            await self.store(partial(self._expand, subscription))
        if behind:
            _, due = await self.in_thread(self._look)
            self._see_to(due)
        return 0.0 if behind else POLL_S

    def _look(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        with self.city.store.reading() as tx:
            return Expansion(tx).behind(), Dispatch(tx, self.worker).due()

    def _expand(self, subscription: str, tx: Transaction) -> int:
        return Expansion(tx).expand(subscription, EXPANDED_AT_ONCE)

    def _see_to(self, due: tuple[str, ...]) -> None:
        """Begin lanes that have something to do, and tell those that run."""
        for subscription in due:
            known = self._lanes.get(subscription)
            if known is not None:
                known[0].poke()
                continue
            lane = Lane(self, subscription)
            running = asyncio.create_task(lane.run(), name=f"lane-{subscription}")
            self._lanes[subscription] = lane, running
            running.add_done_callback(partial(self._ended, subscription))

    def _ended(self, subscription: str, running: asyncio.Task[None]) -> None:
        self._lanes.pop(subscription, None)
        if not running.cancelled() and running.exception() is not None:
            _LOG.error("the lane of %s failed", subscription, exc_info=running.exception())

    async def _end(self) -> None:
        lanes = list(self._lanes.values())
        for lane, _ in lanes:
            lane.stop()
        if lanes:
            await asyncio.wait([running for _, running in lanes], timeout=2 * GRACE_S)
        for _, running in lanes:
            running.cancel()
        await asyncio.gather(*(running for _, running in lanes), return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _cloud_event(self, event: OutboxEvent, _: Subscription) -> tuple[bytes, dict[str, str]]:
        """Built once for all subscriptions that get it at about the same time."""
        body = self._bodies.get(event.id)
        if body is None:
            source = self.city.settings.public_url or cloud_event.DEFAULT_SOURCE
            body = self._bodies[event.id] = cloud_event.cloud_event(event, source)
            if len(self._bodies) > _BODIES_KEPT:
                del self._bodies[next(iter(self._bodies))]
        return body, {"content-type": cloud_event.CONTENT_TYPE}

    def _notification(
        self, event: OutboxEvent, subscription: Subscription
    ) -> tuple[bytes, dict[str, str]] | None:
        from placement.provision.ngsi_ld import message

        public_url = (self.city.settings.public_url or "").rstrip("/")
        return message(subscription, event, public_url)


async def _either(stop: asyncio.Event, seconds: float) -> None:
    """Wait until told to stop, at most for some time."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
