"""What events mean to subscribers of entities: which entities changed, and how.

| event               | Placement entity                  | Dataset entity            |
|---------------------|-----------------------------------|---------------------------|
| placed              | created                           | placedAt created          |
| moved               | placedAt, operatedBy, ... updated | placedAt updated          |
| obligations-changed | what hosts must do, who may       | -                         |
| retired             | deleted                           | placedAt deleted          |

Everything is said from the event alone, which tells in full what is to be: what is told does not
depend on when it is rendered. Entities that are told so have the attributes that the event knows;
whoever needs more asks for the entity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.ngsi_ld import EntityType, JsonEntity, Trigger
from models.provisioning import AccessLevel, DatasetChange, EventType, OutboxEvent
from placement.provision.ngsi_ld.entities import (
    GIGABYTE,
    department_uri,
    entity_of,
    instant,
    property_of,
    relationship_of,
    site_uris,
    uri_of,
)
from placement.provision.ngsi_ld.representation import attributes_of
from placement.provision.ngsi_ld.vocabulary import OF_TYPE

NULL = "urn:ngsi-ld:null"
"""What stands for an attribute that was deleted."""
_CREATED = frozenset({Trigger.ENTITY_CREATED, Trigger.ATTRIBUTE_CREATED})
_UPDATED = frozenset({Trigger.ENTITY_UPDATED, Trigger.ATTRIBUTE_UPDATED})
_DELETED = frozenset({Trigger.ENTITY_DELETED, Trigger.ATTRIBUTE_DELETED})
_MOVED = ("placedAt", "placedFrom", "operatedBy", "decision")
_DUTIES = ("hostObligations", "readers", "writers", "administrators", "decision")
TOLD = frozenset(
    {
        EventType.DATASET_PLACED,
        EventType.DATASET_MOVED,
        EventType.DATASET_RETIRED,
        EventType.OBLIGATIONS_CHANGED,
    }
)
"""Events that change entities."""
TELLABLE: Mapping[EntityType, frozenset[str]] = {
    EntityType.DATASET: frozenset({"title", "publisher", "ownedBy", "placedAt"}),
    EntityType.PLACEMENT: frozenset(OF_TYPE[EntityType.PLACEMENT]) - {"state", "costEurPerYear"},
}
"""Attributes that events know, of the types whose changes are told."""


@dataclass(frozen=True)
class EntityChange:
    """One entity that an event changed."""

    entity: JsonEntity
    """As it is now, as far as the event tells it."""
    changed: frozenset[str]
    """Names of its attributes that changed."""
    triggers: frozenset[Trigger]


def changes_of(event: OutboxEvent) -> tuple[EntityChange, ...]:
    """The entities that an event changed; of events of whole plans and of drifts, none."""
    if event.type not in TOLD:
        return ()
    change = DatasetChange.model_validate(event.data)
    placement, dataset = _placement(event, change), _dataset(event, change)
    at = frozenset({"placedAt"})
    if event.type is EventType.OBLIGATIONS_CHANGED:
        return (EntityChange(placement, frozenset(_DUTIES), _UPDATED),)
    if event.type is EventType.DATASET_MOVED:
        return (
            EntityChange(placement, frozenset(_MOVED), _UPDATED),
            EntityChange(dataset, at, _UPDATED),
        )
    if event.type is EventType.DATASET_PLACED:
        everything = frozenset(attributes_of(placement))
        created = frozenset({Trigger.ENTITY_UPDATED, Trigger.ATTRIBUTE_CREATED})
        return (
            EntityChange(placement, everything, _CREATED),
            EntityChange(dataset, at, created),
        )
    deleted = frozenset({Trigger.ENTITY_UPDATED, Trigger.ATTRIBUTE_DELETED})
    return (
        EntityChange(placement, frozenset({*_MOVED, *_DUTIES}), _DELETED),
        EntityChange(dataset, at, deleted),
    )


def _placement(event: OutboxEvent, change: DatasetChange) -> JsonEntity:
    if event.type is EventType.DATASET_RETIRED:
        deleted = entity_of(EntityType.PLACEMENT, change.dataset, None)
        return deleted | {"deletedAt": instant(event.at)}
    obligations = {each.code: None for host in change.sites for each in host.host_obligations}
    operators = dict.fromkeys(host.operator for host in change.sites)
    return entity_of(
        EntityType.PLACEMENT,
        change.dataset,
        event.at,
        title=property_of(change.title),
        publisher=property_of(change.department),
        ofDataset=relationship_of([uri_of(EntityType.DATASET, change.dataset)]),
        placedAt=relationship_of(_sites(change), change.approved_at),
        placedFrom=relationship_of(site_uris(change.from_sites)),
        operatedBy=relationship_of([uri_of(EntityType.OPERATOR, one) for one in operators]),
        decision=property_of(change.decision),
        confidentiality=property_of(change.confidentiality),
        gdprCategory=property_of(change.gdpr_category),
        accessRights=property_of(change.access_rights),
        storage=property_of(change.storage),
        volume=property_of(change.volume_gb, GIGABYTE),
        readers=property_of(_granted(change, AccessLevel.READ)),
        writers=property_of(_granted(change, AccessLevel.WRITE)),
        administrators=property_of(_granted(change, AccessLevel.ADMINISTER)),
        hostObligations=property_of(tuple(obligations)),
    )


def _dataset(event: OutboxEvent, change: DatasetChange) -> JsonEntity:
    retired = event.type is EventType.DATASET_RETIRED
    department = change.department
    return entity_of(
        EntityType.DATASET,
        change.dataset,
        None,
        title=property_of(change.title),
        publisher=property_of(department),
        ownedBy=relationship_of([department_uri(department)] if department else []),
        placedAt=relationship_of(
            [NULL] if retired else _sites(change), None if retired else change.approved_at
        ),
    )


def _sites(change: DatasetChange) -> list[str]:
    return site_uris(host.site for host in change.sites)


def _granted(change: DatasetChange, level: AccessLevel) -> tuple[str, ...]:
    return tuple(one.role for one in change.grants if one.level is level)
