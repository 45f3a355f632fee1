"""NGSI-LD (ETSI GS CIM 009): entities, subscriptions, notifications of a context broker.

Names inside of documents are the standard's own, in camel case.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from models.base import Flag, Frozen

JsonEntity = dict[str, Any]
"""An entity in the normalized representation, as plain JSON data."""

LONGEST_QUERY = 2000
"""Characters of `q`."""
LONGEST_PATTERN = 256
"""Characters of a regular expression."""
MOST_NAMES = 100
"""Types, ids or attributes that one list may hold."""

Name = Annotated[str, Field(min_length=1, max_length=500)]
"""A short name of our @context, or a full IRI."""
EntityUri = Annotated[
    str, Field(min_length=1, max_length=500, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:")
]


class EntityType(StrEnum):
    """What there are entities of."""

    DATASET = "Dataset"
    OPERATOR = "Operator"
    PLACEMENT = "Placement"
    """Where one dataset is to rest, by the plan that a board stands behind."""
    SITE = "Site"


class Representation(StrEnum):
    """How much of an attribute is written."""

    NORMALIZED = "normalized"
    CONCISE = "concise"
    KEY_VALUES = "keyValues"
    SIMPLIFIED = "simplified"
    """The standard's newer word for keyValues."""


class Trigger(StrEnum):
    """What a notification follows from."""

    ENTITY_CREATED = "entityCreated"
    ENTITY_UPDATED = "entityUpdated"
    ENTITY_DELETED = "entityDeleted"
    ATTRIBUTE_CREATED = "attributeCreated"
    ATTRIBUTE_UPDATED = "attributeUpdated"
    ATTRIBUTE_DELETED = "attributeDeleted"


class _Document(Frozen):
    """Written in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class EntitySelector(_Document):
    """Entities that a subscription is about: those that meet everything that is set."""

    type: Name | None = None
    id: EntityUri | None = None
    id_pattern: Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)] | None = None


class NotificationEndpoint(_Document):
    """Where notifications go."""

    uri: Annotated[str, Field(min_length=1, max_length=2000)]
    accept: Literal["application/json", "application/ld+json"] = "application/json"


class NotificationParams(_Document):
    """What notifications say."""

    endpoint: NotificationEndpoint
    attributes: Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES)] = ()
    """Attributes to tell; none: all."""
    format: Representation = Representation.NORMALIZED


class NgsiLdSubscription(_Document):
    """What a client of the NGSI-LD interface subscribes to.

    Members of the standard that are not here (geographic and temporal queries, throttling, time
    intervals, scopes, further headers) are refused, never ignored.
    """

    id: EntityUri | None = None
    """Given by the service; a client's own is refused unless it is the service's."""
    type: Literal["Subscription"]
    subscription_name: Annotated[str, Field(max_length=200)] | None = None
    description: Annotated[str, Field(max_length=500)] | None = None
    entities: Annotated[tuple[EntitySelector, ...], Field(max_length=MOST_NAMES)] = ()
    """One of them is enough."""
    watched_attributes: Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES)] = ()
    """A change of one of them is enough; none: any change."""
    notification_trigger: tuple[Trigger, ...] = (
        Trigger.ATTRIBUTE_CREATED,
        Trigger.ATTRIBUTE_UPDATED,
    )
    q: Annotated[str, Field(min_length=1, max_length=LONGEST_QUERY)] | None = None
    is_active: Flag = True
    notification: NotificationParams
    context: Any = Field(default=None, alias="@context", exclude=True)
    """Names must be those of our own @context, or full IRIs: others' contexts are not fetched."""


class NgsiLdNotification(_Document):
    """What a subscriber gets."""

    id: EntityUri
    """The same at every delivery of one event."""
    type: Literal["Notification"] = "Notification"
    subscription_id: EntityUri
    notified_at: datetime
    """When the change was recorded."""
    data: tuple[JsonEntity, ...]
