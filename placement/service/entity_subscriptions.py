"""Subscriptions to entities (NGSI-LD): kept beside all others, told in notifications.

A subscription is stored as it was put. Its events pass the same outbox, the same guard and the same
deliveries as those of /v1/subscriptions, where its secret can be had and its deliveries be seen.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from models import (
    AuditAction,
    AuditEvent,
    EventFilter,
    NewSubscription,
    Subscription,
    SubscriptionForm,
    SubscriptionState,
)
from models.ngsi_ld import NgsiLdSubscription
from placement.errors import BadInput, Defect, NotAllowed, NotFound
from placement.provision.ngsi_ld.changes import TOLD
from placement.provision.ngsi_ld.subscribing import (
    stored_subscription,
    subscription_id,
    subscription_uri,
)
from placement.provision.signing import new_secret
from placement.service.city import Caller, City
from placement.store import Transaction
from placement.store.subscriptions import Subscriptions

_AT_ONCE = 500
_NULLS = (None, "urn:ngsi-ld:null")
"""What takes a member away."""

Document = dict[str, Any]


def create(tx: Transaction, city: City, caller: Caller, document: Document) -> str:
    """Let somebody hear of entities from now on; the subscription's URI.

    Raises
    ------
    BadInput
        When it cannot be understood, or the service's settings do not allow its endpoint.
    NotAllowed
        When the caller does not see every record: notifications tell of any dataset.
    """
    _require_all_rows(caller)
    asked = stored_subscription(document)
    if asked.id is not None:
        raise BadInput([Defect("body", "", "id", "is given by the service: leave it out")])
    city.guard.check_url(asked.notification.endpoint.uri)
    ident = f"sub_{uuid4().hex}"
    new = NewSubscription(
        url=asked.notification.endpoint.uri,
        form=SubscriptionForm.NGSI_LD,
        filter=EventFilter(types=tuple(sorted(TOLD))),
        description=asked.description or "",
        ngsi_ld=_kept(asked),
    )
    made = Subscriptions(tx).create(ident, new, caller.subject, city.seal.seal(new_secret(), ident))
    _record(tx, caller, AuditAction.SUBSCRIPTION_CREATED, made)
    return subscription_uri(ident)


def read(city: City, uri: str) -> Document:
    """A subscription as NGSI-LD has it. Raises NotFound."""
    with city.store.reading() as tx:
        return _shown(_found(tx, uri))


def list_all(city: City, limit: int, offset: int) -> tuple[tuple[Document, ...], int]:
    """A page of subscriptions in the order of their ids, and how many there are."""
    found: list[Subscription] = []
    with city.store.reading() as tx:
        subscriptions, after = Subscriptions(tx), None
        while part := subscriptions.list(_AT_ONCE, after):
            found += [one for one in part if one.form is SubscriptionForm.NGSI_LD]
            after = part[-1].id
    return tuple(map(_shown, found[offset : offset + limit])), len(found)


def change(tx: Transaction, city: City, caller: Caller, uri: str, fragment: Document) -> None:
    """Replace members of a subscription; null takes one away.

    Raises
    ------
    NotFound, NotAllowed
    BadInput
        When it cannot be understood any more.
    """
    _require_all_rows(caller)
    known = _found(tx, uri)
    if fragment.get("id", uri) != uri:
        raise BadInput([Defect("body", "", "id", "cannot be changed")])
    merged = {**(known.ngsi_ld or {}), **fragment}
    merged = {name: value for name, value in merged.items() if value not in _NULLS}
    asked = stored_subscription({name: value for name, value in merged.items() if name != "id"})
    city.guard.check_url(asked.notification.endpoint.uri)
    changed = Subscriptions(tx).update(
        known.id,
        url=asked.notification.endpoint.uri,
        description=asked.description or "",
        ngsi_ld=_kept(asked),
    )
    _record(tx, caller, AuditAction.SUBSCRIPTION_CHANGED, changed)


def remove(tx: Transaction, caller: Caller, uri: str) -> None:
    """End a subscription; what was not delivered never is. Raises NotFound."""
    known = _found(tx, uri)
    Subscriptions(tx).delete(known.id)
    _record(tx, caller, AuditAction.SUBSCRIPTION_DELETED, known)


def _require_all_rows(caller: Caller) -> None:
    if not caller.rows.all:
        raise NotAllowed("notifications are for those who may see every record")


def _found(tx: Transaction, uri: str) -> Subscription:
    ident = subscription_id(uri)
    found = None if ident is None else Subscriptions(tx).get(ident)
    if found is None or found.form is not SubscriptionForm.NGSI_LD:
        raise NotFound("there is no such subscription")
    return found


def _kept(asked: NgsiLdSubscription) -> Document:
    return asked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"id"})


def _shown(subscription: Subscription) -> Document:
    """With what the service knows of it."""
    asked = subscription.ngsi_ld or {}
    active = asked.get("isActive", True) and subscription.state is SubscriptionState.ACTIVE
    told = asked.get("notification", {})
    endpoint = {**told.get("endpoint", {}), "uri": subscription.url}
    return {
        "id": subscription_uri(subscription.id),
        **asked,
        "notification": {
            **told,
            "endpoint": endpoint,
            "status": "failed" if subscription.dead else "ok",
        },
        "status": "active" if active else "paused",
    }


def _record(
    tx: Transaction, caller: Caller, action: AuditAction, subscription: Subscription
) -> None:
    tx.record(
        AuditEvent(
            action=action,
            actor=caller.subject,
            subject=f"subscription/{subscription.id}",
            detail={
                "url": subscription.url,
                "form": subscription.form.value,
                "ngsi_ld": subscription.ngsi_ld,
                "state": subscription.state.value,
                "version": subscription.version,
            },
            request_id=caller.request_id,
        )
    )
