"""Records as NGSI-LD entities, in the normalized representation.

What is not known has no attribute: NGSI-LD has no null. Several targets of a relationship are an
array of URIs (ETSI GS CIM 009 V1.8, clause 4.5.5). Units are UN/CEFACT codes where there is one:
E34 (gigabyte), DAY; money and rates have none, and their names say what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import quote

from models import AccessRights, ApprovedPlacement, Dataset, DecisionState, Level, Operator, Site
from models.ngsi_ld import EntityType, JsonEntity
from placement.provision.ngsi_ld.vocabulary import PROPERTY, RELATIONSHIP

GIGABYTE = "E34"
DAY = "DAY"
_URN = "urn:ngsi-ld:"
R = TypeVar("R")


def uri_of(kind: EntityType, ident: str) -> str:
    """The URI of an entity, which holds the record's id."""
    return f"{_URN}{kind.value}:{ident}"


def record_of(uri: str) -> tuple[EntityType, str] | None:
    """Type and record id in an entity's URI; none where it is no URI of ours."""
    for kind in EntityType:
        ident = uri.removeprefix(uri_of(kind, ""))
        if ident != uri:
            return kind, ident
    return None


def department_uri(department: str) -> str:
    """The URI of a department. There is no such entity here: a broker may have one."""
    return f"{_URN}Department:{quote(department, safe='')}"


def dataset_entity(
    dataset: Dataset,
    *,
    placed_at: Sequence[str] = (),
    placed_on: datetime | None = None,
    sources: Iterable[str] = (),
    modified_at: datetime | None = None,
    only: Collection[str] | None = None,
) -> JsonEntity:
    """A dataset as its record has it.

    Parameters
    ----------
    placed_at, placed_on
        Sites where it is to rest by the plan that stands, and since when; empty: not told.
    sources
        Datasets that it is derived from, those that are told.
    only
        Names of attributes that are needed: others of the record are not made; none: all.
    """
    return entity_of(
        EntityType.DATASET,
        dataset.id,
        modified_at,
        **_made(_DATASET, dataset, only),
        placedAt=relationship_of(site_uris(placed_at), placed_on),
        derivedFrom=relationship_of([uri_of(EntityType.DATASET, one) for one in sorted(sources)]),
    )


def site_entity(
    site: Site, *, modified_at: datetime | None = None, only: Collection[str] | None = None
) -> JsonEntity:
    """A site as its record has it; `only` as of datasets."""
    return entity_of(EntityType.SITE, site.id, modified_at, **_made(_SITE, site, only))


def operator_entity(
    operator: Operator, *, modified_at: datetime | None = None, only: Collection[str] | None = None
) -> JsonEntity:
    """An operator as its record has it; `only` as of datasets."""
    made = _made(_OPERATOR, operator, only)
    return entity_of(EntityType.OPERATOR, operator.id, modified_at, **made)


def placement_entity(
    placed: ApprovedPlacement, state: DecisionState | None, at: datetime | None
) -> JsonEntity:
    """Where a dataset is to rest, by a plan that a board stands behind.

    Parameters
    ----------
    state, at
        Of the decision, and since when.
    """
    obligations = {each.code: None for host in placed.sites for each in host.host_obligations}
    operators = dict.fromkeys(host.operator for host in placed.sites)
    costs = placed.cost_eur_per_year.model_dump(exclude={"preference"})  # which nobody pays
    return entity_of(
        EntityType.PLACEMENT,
        placed.dataset,
        at,
        title=property_of(placed.title),
        publisher=property_of(placed.department),
        ofDataset=relationship_of([uri_of(EntityType.DATASET, placed.dataset)]),
        placedAt=relationship_of(site_uris([host.site for host in placed.sites]), at),
        placedFrom=relationship_of(site_uris(placed.from_sites)),
        operatedBy=relationship_of([uri_of(EntityType.OPERATOR, one) for one in operators]),
        decision=property_of(placed.decision),
        state=property_of(state, observed_at=at),
        confidentiality=property_of(placed.confidentiality),
        gdprCategory=property_of(placed.gdpr_category),
        accessRights=property_of(placed.access_rights),
        storage=property_of(placed.storage),
        volume=property_of(placed.volume_gb, GIGABYTE),
        readers=property_of(placed.readers),
        writers=property_of(placed.writers),
        administrators=property_of(placed.administrators),
        hostObligations=property_of(tuple(obligations)),
        costEurPerYear=property_of(sum(costs.values(), Decimal(0))),
    )


def instant(at: datetime) -> str:
    """A time as NGSI-LD writes it: UTC, with a Z."""
    utc = at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entity_of(
    kind: EntityType,
    ident: str,
    modified_at: datetime | None,
    /,
    **attributes: JsonEntity | None,
) -> JsonEntity:
    """An entity of these attributes, without those that are none."""
    entity: JsonEntity = {"id": uri_of(kind, ident), "type": kind.value}
    if modified_at is not None:
        entity["modifiedAt"] = instant(modified_at)
    entity |= {name: value for name, value in attributes.items() if value is not None}
    return entity


def property_of(
    value: Any, unit: str | None = None, observed_at: datetime | None = None
) -> JsonEntity | None:
    """A Property; none where nothing is known."""
    if value is None or value == ():
        return None
    attribute: JsonEntity = {"type": PROPERTY, "value": _plain(value)}
    if unit is not None:
        attribute["unitCode"] = unit
    if observed_at is not None:
        attribute["observedAt"] = instant(observed_at)
    return attribute


def relationship_of(
    uris: Collection[str], observed_at: datetime | None = None
) -> JsonEntity | None:
    """A Relationship; none where it leads nowhere."""
    if not uris:
        return None
    targets = list(uris)
    attribute: JsonEntity = {
        "type": RELATIONSHIP,
        "object": targets[0] if len(targets) == 1 else targets,
    }
    if observed_at is not None:
        attribute["observedAt"] = instant(observed_at)
    return attribute


def site_uris(names: Iterable[str]) -> list[str]:
    """The URIs of sites."""
    return [uri_of(EntityType.SITE, name) for name in names]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, AccessRights):
        return value.value.replace("_", "-")  # as the Smart Data Model writes non-public
    if isinstance(value, Level):
        return int(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        # A number, so that it can be compared; /v1 has the exact text.
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _made(
    makers: Mapping[str, Callable[[R], JsonEntity | None]],
    record: R,
    only: Collection[str] | None,
) -> dict[str, JsonEntity | None]:
    return {name: make(record) for name, make in makers.items() if only is None or name in only}


def _owned(department: str | None) -> JsonEntity | None:
    return relationship_of([department_uri(department)] if department else [])


def _schemes(site: Site) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.scheme for each in site.certifications))


_DATASET: Mapping[str, Callable[[Dataset], JsonEntity | None]] = {
    "title": lambda one: property_of(one.title),
    "description": lambda one: property_of(one.description or None),
    "publisher": lambda one: property_of(one.owner_department),
    "ownedBy": lambda one: _owned(one.owner_department),
    "contactPoint": lambda one: property_of(one.steward),
    "confidentiality": lambda one: property_of(one.confidentiality),
    "gdprCategory": lambda one: property_of(one.gdpr_category),
    "accessRights": lambda one: property_of(one.access_rights),
    "integrity": lambda one: property_of(one.integrity),
    "availability": lambda one: property_of(one.availability),
    "lawfulBasis": lambda one: property_of(one.lawful_basis),
    "dpia": lambda one: property_of(one.dpia),
    "nonPublicationGrounds": lambda one: property_of(one.non_publication_grounds),
    "highValue": lambda one: property_of(one.high_value),
    "collectedBy": lambda one: property_of(one.collected_by),
    "volume": lambda one: property_of(one.volume_gb, GIGABYTE),
    "monthlyReadVolume": lambda one: property_of(one.monthly_read_gb, GIGABYTE),
    "monthlyEgressVolume": lambda one: property_of(one.monthly_egress_gb, GIGABYTE),
    "storage": lambda one: property_of(one.storage),
    "interfaces": lambda one: property_of(one.interfaces),
    "replicas": lambda one: property_of(one.replicas),
    "readers": lambda one: property_of(one.readers),
    "writers": lambda one: property_of(one.writers),
    "administrators": lambda one: property_of(one.administrators),
    "restsAt": lambda one: relationship_of(site_uris(one.current_sites)),
}
_SITE: Mapping[str, Callable[[Site], JsonEntity | None]] = {
    "title": lambda one: property_of(one.title),
    "operatedBy": lambda one: relationship_of([uri_of(EntityType.OPERATOR, one.operator)]),
    "kind": lambda one: property_of(one.kind),
    "country": lambda one: property_of(one.country),
    "certifications": lambda one: property_of(_schemes(one)),
    "sealLevel": lambda one: property_of(one.seal_level),
    "federation": lambda one: property_of(one.federation),
    "mfa": lambda one: property_of(one.mfa),
    "customerHeldKeys": lambda one: property_of(one.customer_held_keys),
    "auditLogging": lambda one: property_of(one.audit_logging),
    "interfaces": lambda one: property_of(one.interfaces),
    "capacity": lambda one: property_of(one.capacity_gb, GIGABYTE),
    "objectPriceEurPerGbMonth": lambda one: property_of(one.object_price_eur_per_gb_month),
    "blockPriceEurPerGbMonth": lambda one: property_of(one.block_price_eur_per_gb_month),
    "egressPriceEurPerGb": lambda one: property_of(one.egress_price_eur_per_gb),
    "exitNotice": lambda one: property_of(one.exit_notice_days, DAY),
    "transferWindow": lambda one: property_of(one.transfer_window_days, DAY),
    "clauses": lambda one: property_of(one.clauses),
}
_OPERATOR: Mapping[str, Callable[[Operator], JsonEntity | None]] = {
    "title": lambda one: property_of(one.title),
    "country": lambda one: property_of(one.country),
    "parentJurisdiction": lambda one: property_of(one.parent_jurisdiction),
    "extraterritorialExposure": lambda one: property_of(one.extraterritorial_exposure),
    "foreignOwnershipShare": lambda one: property_of(one.foreign_ownership_share),
    "municipal": lambda one: property_of(one.municipal),
}
