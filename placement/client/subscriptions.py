"""Who gets a service's events, and what could not be delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models import (
    DeliveriesMoved,
    Delivery,
    DeliveryChoice,
    DeliveryState,
    NewSubscription,
    OutboxEvent,
    SecretRotation,
    Subscription,
    SubscriptionChange,
    SubscriptionSecret,
    canonical_json,
)
from placement.client.connection import Connection
from placement.client.decoding import part, read, read_plain
from placement.errors import ServiceError

_PATH = "/v1/subscriptions"


class Subscriptions:
    """`client.subscriptions`. Every method raises as `Client` says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[Subscription]:
        """All subscriptions, and how many deliveries wait for each."""
        for item in self._connection.items(_PATH):
            yield read_plain(Subscription, item)

    def read(self, ident: str) -> Subscription:
        """One of them. Its `version` is what a change names."""
        return read(Subscription, self._connection.send("GET", _one(ident)))

    def create(self, new: NewSubscription) -> tuple[Subscription, str]:
        """Send events to a URL from now on; and the secret that they are signed with.

        Raises
        ------
        ServiceError
            Also when the reply with the secret was lost on its way. The subscription is deleted
            then: nobody knows who read it.
        """
        answer = self._connection.send("POST", _PATH, body=canonical_json(new))
        made = read(SubscriptionSecret, answer)
        if made.secret is None:
            self.delete(made.subscription.id, made.subscription.version)
            raise ServiceError("the reply with the secret was lost; nothing was kept: ask again")
        return made.subscription, made.secret

    def change(self, ident: str, version: int, new: SubscriptionChange) -> Subscription:
        """Replace what it asks for. Raises PreconditionFailed where somebody else did."""
        answer = self._connection.send(
            "PUT", _one(ident), body=canonical_json(new), if_match=str(version)
        )
        return read(Subscription, answer)

    def delete(self, ident: str, version: int) -> None:
        """Send nothing any more, not even what waits."""
        self._connection.send("DELETE", _one(ident), if_match=str(version))

    def rotate(self, ident: str, overlap_hours: int) -> tuple[Subscription, str]:
        """Another secret; events carry signatures of both for a while.

        Raises
        ------
        ServiceError
            Also when the reply with the secret was lost: rotate once more.
        """
        asked = canonical_json(SecretRotation(overlap_hours=overlap_hours))
        answer = self._connection.send("POST", f"{_one(ident)}/secrets", body=asked)
        made = read(SubscriptionSecret, answer)
        if made.secret is None:
            raise ServiceError("the reply with the secret was lost: rotate once more")
        return made.subscription, made.secret

    def deliveries(self, ident: str, state: DeliveryState | None = None) -> Iterator[Delivery]:
        """Its deliveries, in the order of their events."""
        query = {} if state is None else {"state": state.value}
        for item in self._connection.items(f"{_one(ident)}/deliveries", query):
            yield read_plain(Delivery, item)

    def redrive(self, ident: str, events: Sequence[str] | None = None) -> int:
        """Try dead deliveries again, all or those of some events; how many they were."""
        return self._move(ident, "redrive", events)

    def discard(self, ident: str, events: Sequence[str] | None = None) -> int:
        """Give dead deliveries up, all or those of some events; how many they were."""
        return self._move(ident, "discards", events)

    def events(self, dataset: str | None = None) -> Iterator[OutboxEvent]:
        """Every event there was, in order; of one dataset, or of all."""
        for item in self._connection.items("/v1/events", {"dataset": dataset}):
            yield read_plain(OutboxEvent, item)

    def _move(self, ident: str, where: str, events: Sequence[str] | None) -> int:
        choice = DeliveryChoice(events=None if events is None else tuple(events))
        answer = self._connection.send(
            "POST", f"{_one(ident)}/{where}", body=canonical_json(choice)
        )
        return read(DeliveriesMoved, answer).deliveries


def _one(ident: str) -> str:
    return f"{_PATH}/{part(ident)}"
