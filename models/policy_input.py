"""The document a policy sees as `input`: only what policies judge, with references resolved.

Datasets that agree on all of it share a *profile*; ids, titles, volumes and prices are left out
on purpose. The schemas that `opa check` uses are generated from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from models.base import CountryCode, Frozen, Identifier
from models.dataset import (
    AccessRights,
    CollectionContract,
    CollectorKind,
    Dataset,
    Dpia,
    EffectiveClass,
    GdprCategory,
    HandoverFormat,
)
from models.levels import ClassificationLevel
from models.licences import is_open
from models.role import Role
from models.site import (
    Certification,
    Clause,
    Interface,
    Operator,
    Site,
    SiteKind,
    StackComponent,
    StorageKind,
)


class PolicyRole(Frozen):
    """A role as policies see it."""

    id: Identifier
    country: CountryCode | None
    clearance: ClassificationLevel | None


class PolicyComponent(StackComponent):
    """A piece of software as policies see it."""

    licence_open: bool
    """Whether its SPDX expression allows use under open licences alone (`models.licences`)."""


class PolicyContract(Frozen):
    """A collection contract as policies see it."""

    handover_format: HandoverFormat | None
    handover_interval_days: int | None
    public_ownership: bool | None
    exit_terms: bool | None
    end_date: date | None


class PolicyDataset(Frozen):
    """The dataset's profile, `input.dataset`. Null means the catalogue does not say."""

    has_owner: bool
    has_steward: bool
    confidentiality: ClassificationLevel | None
    integrity: ClassificationLevel | None
    availability: ClassificationLevel | None
    gdpr_category: GdprCategory | None
    has_lawful_basis: bool
    dpia: Dpia | None
    access_rights: AccessRights | None
    non_publication_grounds: tuple[str, ...]
    high_value: bool
    readers: tuple[PolicyRole, ...]
    writers: tuple[PolicyRole, ...]
    administrators: tuple[PolicyRole, ...]
    duties: tuple[Identifier, ...]
    collected_by: CollectorKind | None
    contract: PolicyContract | None
    storage: StorageKind
    interfaces: tuple[Interface, ...]
    technologies: tuple[PolicyComponent, ...]
    replicated: bool


class PolicyOperator(Frozen):
    """The site's operator, `input.site.operator`."""

    id: Identifier
    country: CountryCode
    parent_jurisdiction: CountryCode | None
    extraterritorial_exposure: bool | None
    foreign_ownership_share: float | None
    municipal: bool


class PolicySite(Frozen):
    """The site, `input.site`."""

    id: Identifier
    kind: SiteKind
    country: CountryCode
    operator: PolicyOperator
    certifications: tuple[Certification, ...]
    seal_level: int | None
    federation: bool | None
    mfa: bool | None
    customer_held_keys: bool | None
    audit_logging: bool | None
    administrators: tuple[PolicyRole, ...]
    segregated_administration: bool | None
    serves_roles: tuple[str, ...]
    interfaces: tuple[Interface, ...]
    stack: tuple[PolicyComponent, ...]
    offers_object_storage: bool
    offers_block_storage: bool
    exit_notice_days: int | None
    transfer_window_days: int | None
    clauses: tuple[Clause, ...] | None


class PolicyInput(Frozen):
    """The `input` of a single query: may this dataset rest at this site on this day."""

    dataset: PolicyDataset
    site: PolicySite
    as_of: date


class PolicyBatchInput(Frozen):
    """`input` of the batched query: profiles x sites, and all duties that datasets name."""

    datasets: tuple[PolicyDataset, ...]
    sites: tuple[PolicySite, ...]
    duties: tuple[Identifier, ...]
    as_of: date


def _roles(ids: tuple[str, ...], roles: Mapping[str, Role]) -> tuple[PolicyRole, ...]:
    return tuple(
        PolicyRole(id=roles[i].id, country=roles[i].country, clearance=roles[i].clearance)
        for i in sorted(set(ids))
    )


def _components(stack: tuple[StackComponent, ...]) -> tuple[PolicyComponent, ...]:
    return tuple(
        PolicyComponent(
            name=component.name,
            licence=component.licence,
            open_standard=component.open_standard,
            interfaces=component.interfaces,
            licence_open=is_open(component.licence),
        )
        for component in stack
    )


def policy_dataset(
    dataset: Dataset,
    effective: EffectiveClass,
    roles: Mapping[str, Role],
    contracts: Mapping[str, CollectionContract],
) -> PolicyDataset:
    """The profile of a dataset under its effective class. References must exist (KeyError)."""
    contract = contracts[dataset.contract] if dataset.contract else None
    return PolicyDataset(
        has_owner=dataset.owner_department is not None,
        has_steward=dataset.steward is not None,
        confidentiality=effective.confidentiality,
        integrity=dataset.integrity,
        availability=dataset.availability,
        gdpr_category=effective.gdpr_category,
        has_lawful_basis=dataset.lawful_basis is not None,
        dpia=dataset.dpia,
        access_rights=effective.access_rights,
        non_publication_grounds=tuple(sorted(set(effective.non_publication_grounds))),
        high_value=dataset.high_value,
        readers=_roles(dataset.readers, roles),
        writers=_roles(dataset.writers, roles),
        administrators=_roles(dataset.administrators, roles),
        duties=tuple(sorted(set(dataset.duties))),
        collected_by=dataset.collected_by,
        contract=None
        if contract is None
        else PolicyContract(**contract.model_dump(exclude={"id", "contractor"})),
        storage=dataset.storage,
        interfaces=tuple(sorted(set(dataset.interfaces))),
        technologies=_components(tuple(sorted(dataset.technologies, key=lambda c: c.name))),
        replicated=dataset.replicas > 1,
    )


def policy_site(
    site: Site, operators: Mapping[str, Operator], roles: Mapping[str, Role]
) -> PolicySite:
    """The site as policies see it. References must exist (KeyError)."""
    operator = operators[site.operator]
    share = operator.foreign_ownership_share
    return PolicySite(
        id=site.id,
        kind=site.kind,
        country=site.country,
        operator=PolicyOperator(
            id=operator.id,
            country=operator.country,
            parent_jurisdiction=operator.parent_jurisdiction,
            extraterritorial_exposure=operator.extraterritorial_exposure,
            foreign_ownership_share=None if share is None else float(share),
            municipal=operator.municipal,
        ),
        certifications=site.certifications,
        seal_level=site.seal_level,
        federation=site.federation,
        mfa=site.mfa,
        customer_held_keys=site.customer_held_keys,
        audit_logging=site.audit_logging,
        administrators=_roles(site.administrators, roles),
        segregated_administration=site.segregated_administration,
        serves_roles=site.serves_roles,
        interfaces=site.interfaces,
        stack=_components(site.stack),
        offers_object_storage=site.object_price_eur_per_gb_month is not None,
        offers_block_storage=site.block_price_eur_per_gb_month is not None,
        exit_notice_days=site.exit_notice_days,
        transfer_window_days=site.transfer_window_days,
        clauses=site.clauses,
    )
