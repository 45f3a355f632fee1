"""Subscriptions: who gets events, signed with which secret, and what could not be delivered.

A secret is told once, in the reply that makes it. What is kept of it is sealed, with a key that is
not in the database.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from models import (
    AuditAction,
    AuditEvent,
    DeliveriesMoved,
    Delivery,
    DeliveryChoice,
    DeliveryState,
    NewSubscription,
    OutboxEvent,
    SecretRotation,
    Subscription,
    SubscriptionChange,
    SubscriptionForm,
    SubscriptionSecret,
)
from placement.errors import BadInput, Defect, NotAllowed
from placement.provision.signing import new_secret
from placement.service.city import Caller, City
from placement.service.preconditions import Precondition
from placement.store import Transaction
from placement.store.outbox import Deliveries, Outbox
from placement.store.subscriptions import Subscriptions

# -- reading --------------------------------------------------------------------------------------


def read(city: City, ident: str) -> Subscription:
    """One subscription. Raises NotFound."""
    with city.store.reading() as tx:
        return Subscriptions(tx).get(ident)


def list_subscriptions(
    city: City, limit: int, after: str | None = None
) -> tuple[Subscription, ...]:
    """At most `limit` subscriptions that follow an id, in order of their ids."""
    with city.store.reading() as tx:
        return Subscriptions(tx).list(limit, after)


def deliveries(
    city: City,
    ident: str,
    limit: int,
    *,
    state: DeliveryState | None = None,
    after: int | None = None,
) -> tuple[Delivery, ...]:
    """Deliveries to a subscription in the order of their events. Raises NotFound."""
    with city.store.reading() as tx:
        Subscriptions(tx).get(ident)
        return Deliveries(tx).list(ident, limit, state=state, after=after)


def events(
    city: City, caller: Caller, limit: int, *, after: int = 0, dataset: str | None = None
) -> tuple[OutboxEvent, ...]:
    """Events behind a sequence, in their order.

    Raises
    ------
    NotAllowed
        When the caller does not see every record.
    """
    if not caller.rows.all:
        raise NotAllowed("events are for those who may see every record")
    with city.store.reading() as tx:
        return Outbox(tx).list(limit, after=after, dataset=dataset)


# -- changing -------------------------------------------------------------------------------------


def create(tx: Transaction, city: City, caller: Caller, new: NewSubscription) -> SubscriptionSecret:
    """Let somebody have events from now on.

    Returns
    -------
    SubscriptionSecret
        With the secret that they are signed with, which nobody is told again.

    Raises
    ------
    BadInput
        When the service's settings do not allow the URL.
    """
    city.guard.check_url(new.url)
    if (new.form is SubscriptionForm.NGSI_LD) != (new.ngsi_ld is not None):
        message = "an NGSI-LD subscription is made at /ngsi-ld/v1/subscriptions"
        raise BadInput([Defect("body", "", "form", message)])
    ident, secret = f"sub_{uuid4().hex}", new_secret()
    made = Subscriptions(tx).create(ident, new, caller.subject, city.seal.seal(secret, ident))
    _record(tx, caller, AuditAction.SUBSCRIPTION_CREATED, made)
    return SubscriptionSecret(subscription=made, secret=secret)


def change(
    tx: Transaction,
    city: City,
    caller: Caller,
    ident: str,
    new: SubscriptionChange,
    seen: Precondition,
) -> Subscription:
    """Send events elsewhere, let others through, pause them or go on.

    Raises
    ------
    NotFound, BadInput, PreconditionFailed, PreconditionRequired
    """
    subscriptions = Subscriptions(tx)
    found = subscriptions.get(ident)
    seen.check(str(found.version))
    entities = found.form is SubscriptionForm.NGSI_LD
    if entities and (new.url, new.filter) != (found.url, found.filter):
        message = "where an NGSI-LD subscription is sent is said at /ngsi-ld/v1/subscriptions"
        raise BadInput([Defect("body", "", "url", message)])
    city.guard.check_url(new.url)
    changed = subscriptions.update(
        ident, url=new.url, filter=new.filter, description=new.description, state=new.state
    )
    _record(tx, caller, AuditAction.SUBSCRIPTION_CHANGED, changed)
    return changed


def remove(tx: Transaction, caller: Caller, ident: str, seen: Precondition) -> None:
    """End a subscription; what was not delivered never is.

    Raises
    ------
    NotFound, PreconditionFailed, PreconditionRequired
    """
    subscriptions = Subscriptions(tx)
    found = subscriptions.get(ident)
    seen.check(str(found.version))
    subscriptions.delete(ident)
    _record(tx, caller, AuditAction.SUBSCRIPTION_DELETED, found)


def rotate(
    tx: Transaction, city: City, caller: Caller, ident: str, asked: SecretRotation
) -> SubscriptionSecret:
    """Sign with another secret, and for a while with the former one, too.

    Raises
    ------
    NotFound
    """
    subscriptions = Subscriptions(tx)
    subscriptions.get(ident)
    secret = new_secret()
    until = tx.now + timedelta(hours=asked.overlap_hours)
    changed = subscriptions.add_secret(ident, city.seal.seal(secret, ident), until)
    _record(tx, caller, AuditAction.SECRET_ROTATED, changed)
    return SubscriptionSecret(subscription=changed, secret=secret)


def redrive(tx: Transaction, caller: Caller, ident: str, choice: DeliveryChoice) -> DeliveriesMoved:
    """Try dead deliveries again, or named ones that wait, from the first attempt on.

    Raises
    ------
    NotFound
    """
    return _move(tx, caller, ident, choice, AuditAction.DELIVERIES_REDRIVEN)


def discard(tx: Transaction, caller: Caller, ident: str, choice: DeliveryChoice) -> DeliveriesMoved:
    """Give dead deliveries up: what follows for the same datasets goes on. Raises NotFound."""
    return _move(tx, caller, ident, choice, AuditAction.DELIVERIES_DISCARDED)


def _move(
    tx: Transaction, caller: Caller, ident: str, choice: DeliveryChoice, action: AuditAction
) -> DeliveriesMoved:
    found, kept = Subscriptions(tx).get(ident), Deliveries(tx)
    again = action is AuditAction.DELIVERIES_REDRIVEN
    moved = (kept.redrive if again else kept.discard)(ident, choice.events)
    detail = {"deliveries": moved, "events": list(choice.events or ())}
    _record(tx, caller, action, found, **detail)
    return DeliveriesMoved(deliveries=moved)


def _record(
    tx: Transaction,
    caller: Caller,
    action: AuditAction,
    subscription: Subscription,
    **detail: object,
) -> None:
    told = {
        "url": subscription.url,
        "form": subscription.form.value,
        "filter": subscription.filter.model_dump(mode="json"),
        "state": subscription.state.value,
        "version": subscription.version,
    }
    tx.record(
        AuditEvent(
            action=action,
            actor=caller.subject,
            subject=f"subscription/{subscription.id}",
            detail={**told, **detail},
            request_id=caller.request_id,
        )
    )
