"""Subscriptions: whether they can be understood, whom an event concerns, and what it is told.

A repeated delivery of one event has the same bytes: the notification's id and time are the event's.

Source: ETSI GS CIM 009, clauses 5.2.12, 5.2.14, 5.3.1 and 5.8.6.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from models import canonical_json
from models.ngsi_ld import (
    EntitySelector,
    JsonEntity,
    NgsiLdNotification,
    NgsiLdSubscription,
)
from models.provisioning import OutboxEvent, Subscription
from placement.errors import BadInput, Defect
from placement.provision.ngsi_ld.changes import TELLABLE, EntityChange, changes_of
from placement.provision.ngsi_ld.entities import instant
from placement.provision.ngsi_ld.matching import meets
from placement.provision.ngsi_ld.patterns import Budget, Pattern
from placement.provision.ngsi_ld.query import read_query
from placement.provision.ngsi_ld.representation import represented, with_attributes
from placement.provision.ngsi_ld.selection import names_in
from placement.provision.ngsi_ld.vocabulary import (
    CONTEXT_PATH,
    CONTEXT_REL,
    CORE_CONTEXT,
    is_name,
    is_our_context,
    name_of,
    type_of,
)

_URN = "urn:ngsi-ld:Subscription:"


def check_subscription(subscription: NgsiLdSubscription) -> None:
    """Raise BadInput where a subscription names or asks what can never be understood."""
    defects: list[Defect] = []
    if not subscription.entities and not subscription.watched_attributes:
        defects.append(Defect("", "", "entities", "or watchedAttributes is needed"))
    named = [
        *(("watchedAttributes", name) for name in subscription.watched_attributes),
        *(("notification.attributes", name) for name in subscription.notification.attributes),
        *(("entities.type", one.type) for one in subscription.entities if one.type),
    ]
    defects += [
        Defect("", "", place, "is neither a name nor an IRI")
        for place, name in named
        if not is_name(name)
    ]
    if not is_our_context(subscription.context):
        defects.append(Defect("", "", "@context", "others' are not fetched: use ours, or IRIs"))
    for number, selector in enumerate(subscription.entities):
        if selector.type is None and selector.id is None and selector.id_pattern is None:
            defects.append(Defect("", "", f"entities.{number}", "names no type and no id"))
    if defects:
        raise BadInput(defects)
    for selector in subscription.entities:
        if selector.id_pattern is not None:
            Pattern(selector.id_pattern, "entities.idPattern")
    _require_tellable(subscription)


def matches(subscription: NgsiLdSubscription, change: EntityChange) -> bool:
    """Whether a subscriber is to hear of a change. Raises BadInput where `q` costs too much."""
    if not subscription.is_active:
        return False
    if change.triggers.isdisjoint(subscription.notification_trigger):
        return False
    watched = {name_of(name) for name in subscription.watched_attributes}
    if watched and watched.isdisjoint(change.changed):
        return False
    budget = Budget()
    if subscription.entities and not any(
        _selects(selector, change.entity, budget) for selector in subscription.entities
    ):
        return False
    return subscription.q is None or meets(change.entity, read_query(subscription.q), budget)


def notification(
    subscription: NgsiLdSubscription,
    event: OutboxEvent,
    *,
    subscription_id: str,
    public_url: str = "",
) -> JsonEntity | None:
    """The body of a notification; none where the subscriber is not to hear of the event.

    Parameters
    ----------
    subscription_id
        As the service knows it.
    public_url
        Where our @context is found, without a slash at the end.

    Raises
    ------
    BadInput
        When the stored subscription is not one that `check_subscription` passes.
    """
    told = [each for each in changes_of(event) if matches(subscription, each)]
    wanted = {name_of(name) for name in subscription.notification.attributes}
    entities = [_told(each.entity, wanted, subscription) for each in told]
    if not entities:
        return None
    body = NgsiLdNotification(
        id=f"urn:ngsi-ld:Notification:{event.id}",
        subscription_id=subscription_uri(subscription_id),
        notified_at=event.at,
        data=tuple(entities),
    ).model_dump(mode="json", by_alias=True)
    body["notifiedAt"] = instant(event.at)
    if subscription.notification.endpoint.accept == "application/ld+json":
        body["@context"] = [public_url + CONTEXT_PATH, CORE_CONTEXT]
    return body


def message(
    subscription: Subscription, event: OutboxEvent, public_url: str = ""
) -> tuple[bytes, dict[str, str]] | None:
    """What a delivery sends: the body and its headers; none where there is nothing to tell.

    Parameters
    ----------
    subscription
        Of the form ngsi-ld.
    public_url
        Where our @context is found, without a slash at the end.

    Raises
    ------
    BadInput
        As `notification` does.
    """
    asked = stored_subscription(subscription.ngsi_ld or {})
    body = notification(asked, event, subscription_id=subscription.id, public_url=public_url)
    if body is None:
        return None
    media_type: str = asked.notification.endpoint.accept
    headers = {"content-type": media_type}
    if "@context" not in body:
        link = f'<{public_url}{CONTEXT_PATH}>; rel="{CONTEXT_REL}"; type="application/ld+json"'
        headers["link"] = link
    return canonical_json(body), headers


def stored_subscription(document: dict[str, Any]) -> NgsiLdSubscription:
    """A subscription as it was put. Raises BadInput, with the place of each defect."""
    try:
        subscription = NgsiLdSubscription.model_validate(document)
    except ValidationError as error:
        raise BadInput(
            [
                Defect("", "", ".".join(map(str, one["loc"])), one["msg"])
                for one in error.errors(include_url=False, include_input=False)
            ]
        ) from None
    check_subscription(subscription)
    return subscription


def subscription_id(uri: str) -> str | None:
    """The id in a subscription's URI; none where it is no such URI."""
    ident = uri.removeprefix(_URN)
    return None if ident == uri else ident


def subscription_uri(ident: str) -> str:
    """The URI of a subscription that the service knows by an id."""
    return _URN + ident


def _require_tellable(subscription: NgsiLdSubscription) -> None:
    """Nobody waits for what is never told: an unknown name would be silence for ever."""
    named = [None if one.type is None else type_of(one.type) for one in subscription.entities]
    # Entities without a type may be of any.
    any_type = not named or any(one.type is None for one in subscription.entities)
    told = frozenset[str]().union(
        *(names for kind, names in TELLABLE.items() if any_type or kind in named)
    )
    if not told:
        message = f"changes of {' and '.join(TELLABLE)} alone are told"
        raise BadInput([Defect("", "", "entities.type", message)])
    asked = {("watchedAttributes", name_of(name)) for name in subscription.watched_attributes}
    if subscription.q is not None:
        asked |= {("q", name) for name in names_in(read_query(subscription.q))}
    defects = [
        Defect("", "", place, f"{name} is not told: {', '.join(sorted(told))} are")
        for place, name in asked
        if name not in told
    ]
    if defects:
        raise BadInput(defects)


def _told(entity: JsonEntity, wanted: set[str], subscription: NgsiLdSubscription) -> JsonEntity:
    kept = with_attributes(entity, wanted) if wanted else entity
    if kept is None:
        kept = {name: value for name, value in entity.items() if name in ("id", "type")}
    # A deletion is told by deletedAt: it stays.
    system = "deletedAt" in kept
    return represented(kept, subscription.notification.format, system=system)


def _selects(selector: EntitySelector, entity: JsonEntity, budget: Budget) -> bool:
    if selector.type is not None:
        kind = type_of(selector.type)
        if kind is None or kind.value != entity["type"]:
            return False
    if selector.id is not None:
        return bool(selector.id == entity["id"])
    if selector.id_pattern is None:
        return True
    return Pattern(selector.id_pattern, "entities.idPattern").found_in(entity["id"], budget)
