"""Records as NGSI-LD entities, in the normalized representation.

What is not known has no attribute: NGSI-LD has no null. Several targets of a relationship are an
array of URIs (ETSI GS CIM 009 V1.8, clause 4.5.5). Units are UN/CEFACT codes where there is one:
E34 (gigabyte), DAY; money and rates have none, and their names say what they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import quote

from models import AccessRights, ApprovedPlacement, Dataset, DecisionState, Level, Operator, Site
from models.ngsi_ld import EntityType, JsonEntity
from placement.provision.ngsi_ld.vocabulary import PROPERTY, RELATIONSHIP

GIGABYTE = "E34"
DAY = "DAY"
_URN = "urn:ngsi-ld:"


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
) -> JsonEntity:
    """A dataset as its record has it.

    Parameters
    ----------
    placed_at, placed_on
        Sites where it is to rest by the plan that stands, and since when; empty: not told.
    sources
        Datasets that it is derived from, those that are told.
    """
    department = dataset.owner_department
    return entity_of(
        EntityType.DATASET,
        dataset.id,
        modified_at,
        title=property_of(dataset.title),
        description=property_of(dataset.description or None),
        publisher=property_of(department),
        ownedBy=relationship_of([department_uri(department)] if department else []),
        contactPoint=property_of(dataset.steward),
        confidentiality=property_of(dataset.confidentiality),
        gdprCategory=property_of(dataset.gdpr_category),
        accessRights=property_of(dataset.access_rights),
        integrity=property_of(dataset.integrity),
        availability=property_of(dataset.availability),
        lawfulBasis=property_of(dataset.lawful_basis),
        dpia=property_of(dataset.dpia),
        nonPublicationGrounds=property_of(dataset.non_publication_grounds),
        highValue=property_of(dataset.high_value),
        collectedBy=property_of(dataset.collected_by),
        volume=property_of(dataset.volume_gb, GIGABYTE),
        monthlyReadVolume=property_of(dataset.monthly_read_gb, GIGABYTE),
        monthlyEgressVolume=property_of(dataset.monthly_egress_gb, GIGABYTE),
        storage=property_of(dataset.storage),
        interfaces=property_of(dataset.interfaces),
        replicas=property_of(dataset.replicas),
        readers=property_of(dataset.readers),
        writers=property_of(dataset.writers),
        administrators=property_of(dataset.administrators),
        restsAt=relationship_of(site_uris(dataset.current_sites)),
        placedAt=relationship_of(site_uris(placed_at), placed_on),
        derivedFrom=relationship_of([uri_of(EntityType.DATASET, one) for one in sorted(sources)]),
    )


def site_entity(site: Site, *, modified_at: datetime | None = None) -> JsonEntity:
    """A site as its record has it."""
    schemes = dict.fromkeys(each.scheme for each in site.certifications)
    return entity_of(
        EntityType.SITE,
        site.id,
        modified_at,
        title=property_of(site.title),
        operatedBy=relationship_of([uri_of(EntityType.OPERATOR, site.operator)]),
        kind=property_of(site.kind),
        country=property_of(site.country),
        certifications=property_of(tuple(schemes)),
        sealLevel=property_of(site.seal_level),
        federation=property_of(site.federation),
        mfa=property_of(site.mfa),
        customerHeldKeys=property_of(site.customer_held_keys),
        auditLogging=property_of(site.audit_logging),
        interfaces=property_of(site.interfaces),
        capacity=property_of(site.capacity_gb, GIGABYTE),
        objectPriceEurPerGbMonth=property_of(site.object_price_eur_per_gb_month),
        blockPriceEurPerGbMonth=property_of(site.block_price_eur_per_gb_month),
        egressPriceEurPerGb=property_of(site.egress_price_eur_per_gb),
        exitNotice=property_of(site.exit_notice_days, DAY),
        transferWindow=property_of(site.transfer_window_days, DAY),
        clauses=property_of(site.clauses),
    )


def operator_entity(operator: Operator, *, modified_at: datetime | None = None) -> JsonEntity:
    """An operator as its record has it."""
    return entity_of(
        EntityType.OPERATOR,
        operator.id,
        modified_at,
        title=property_of(operator.title),
        country=property_of(operator.country),
        parentJurisdiction=property_of(operator.parent_jurisdiction),
        extraterritorialExposure=property_of(operator.extraterritorial_exposure),
        foreignOwnershipShare=property_of(operator.foreign_ownership_share),
        municipal=property_of(operator.municipal),
    )


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
