"""Datasets: what is placed, with everything a policy or a price needs to know of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from models.base import Day, Flag, Frozen, Identifier, MonthlyGb, Title, WholeGb
from models.distribution import Address, Distribution, Licence
from models.levels import ClassificationLevel, Level
from models.site import Interface, StackComponent, StorageKind


class GdprCategory(StrEnum):
    """What the GDPR sees in the data, least protected first."""

    NONE = "none"
    PSEUDONYMISED = "pseudonymised"
    PERSONAL = "personal"
    CRIMINAL = "criminal"
    """Convictions and offences, art. 10."""
    SPECIAL = "special"
    """Special categories, art. 9."""

    @property
    def rank(self) -> int:
        """Position in the order of protection, 0..4."""
        return list(GdprCategory).index(self)


class AccessRights(StrEnum):
    """DCAT-AP access rights, most open first."""

    PUBLIC = "public"
    RESTRICTED = "restricted"
    NON_PUBLIC = "non_public"

    @property
    def rank(self) -> int:
        """Position in the order of restriction, 0..2."""
        return list(AccessRights).index(self)


class Dpia(StrEnum):
    """How far the data protection impact assessment went (art. 35 GDPR)."""

    NONE = "none"
    PRE_SCAN = "pre_scan"
    FULL = "full"


class CollectorKind(StrEnum):
    """Who gathered the data."""

    MUNICIPALITY = "municipality"
    CONTRACTOR = "contractor"
    AUTHORITY = "authority"
    """Another public body."""


class HandoverFormat(StrEnum):
    """What a contractor hands over."""

    OPEN_MACHINE_READABLE = "open_machine_readable"
    PROPRIETARY = "proprietary"
    NOT_MACHINE_READABLE = "not_machine_readable"
    NONE = "none"


class CollectionContract(Frozen):
    """A contract under which a private party collects data for the city (Barcelona's clauses)."""

    id: Identifier
    contractor: Title
    handover_format: HandoverFormat | None = None
    handover_interval_days: Annotated[int, Field(ge=0, le=36_500, strict=True)] | None = None
    public_ownership: Flag | None = None
    """The data is the municipality's property."""
    exit_terms: Flag | None = None
    """The contract says how the data is handed over when it ends."""
    end_date: Day | None = None


class Dataset(Frozen):
    """The unit that is placed.

    Attributes that a policy judges may be missing (`None`): the policy then reports a
    violation. Attributes that sums are made of may not.
    """

    id: Identifier
    title: Title
    description: str = ""
    owner_department: Title | None = None
    steward: Title | None = None
    """The person or mailbox answerable for the data in its department."""
    confidentiality: ClassificationLevel | None = None
    integrity: ClassificationLevel | None = None
    availability: ClassificationLevel | None = None
    gdpr_category: GdprCategory | None = None
    lawful_basis: Title | None = None
    """Ground of art. 6 GDPR on which personal data is processed."""
    dpia: Dpia | None = None
    access_rights: AccessRights | None = None
    non_publication_grounds: tuple[str, ...] = ()
    """Articles of the Woo, such as 5.1.2e, for data that is not public."""
    high_value: Flag = False
    """A high-value dataset under Implementing Regulation (EU) 2023/138."""
    readers: tuple[Identifier, ...] = ()
    writers: tuple[Identifier, ...] = ()
    administrators: tuple[Identifier, ...] = ()
    duties: tuple[Identifier, ...] = ()
    """Duties the data serves that must not meet another duty under one administration."""
    collected_by: CollectorKind | None = None
    contract: Identifier | None = None
    """The collection contract, where a contractor gathered the data."""
    volume_gb: WholeGb
    """Volume of one replica in whole GB, rounded up."""
    monthly_read_gb: MonthlyGb
    """Read by the city's own roles, GB a month."""
    monthly_egress_gb: MonthlyGb
    """Delivered to the outside (public, partners), GB a month."""
    storage: StorageKind = StorageKind.OBJECT
    interfaces: tuple[Interface, ...] = ()
    """Interfaces the site must offer."""
    technologies: tuple[StackComponent, ...] = ()
    """Software the dataset's applications depend on."""
    replicas: Annotated[int, Field(ge=1, le=5, strict=True)] = 1
    current_site: Identifier | None = None
    """Where it rests today; the first of its sites where it has replicas."""
    further_current_sites: tuple[Identifier, ...] = ()
    """Sites of its further replicas today."""
    synthetic: tuple[str, ...] = ()
    """Names of fields that an importer made up from a seed."""
    uri: Annotated[Address | None, Field(exclude_if=lambda uri: uri is None)] = None
    """Its IRI in the catalogue that it comes from. This and what follows is left out where there is
    none, as in catalogues of before: their digests hold."""
    licences: Annotated[
        tuple[Licence, ...], Field(max_length=20, exclude_if=lambda listed: not listed)
    ] = ()
    """Under which it is published; no policy reads it."""
    distributions: Annotated[
        tuple[Distribution, ...], Field(max_length=100, exclude_if=lambda listed: not listed)
    ] = ()
    """How its publisher offers it; no policy reads it."""

    @property
    def current_sites(self) -> tuple[str, ...]:
        """Every site that holds a replica today."""
        first = () if self.current_site is None else (self.current_site,)
        return first + self.further_current_sites

    @model_validator(mode="after")
    def _current_sites_are_distinct(self) -> Dataset:
        if self.further_current_sites and self.current_site is None:
            raise ValueError("further_current_sites without a current_site")
        if len(set(self.current_sites)) != len(self.current_sites):
            raise ValueError("current sites repeat a site")
        return self


class EffectiveClass(Frozen):
    """A dataset's classification after inheritance and cumulation, with the way it came about."""

    dataset: Identifier
    confidentiality: ClassificationLevel | None
    gdpr_category: GdprCategory | None
    access_rights: AccessRights | None
    non_publication_grounds: tuple[str, ...]
    chain: tuple[str, ...] = ()
    """Dataset ids from the dataset itself to the source its confidentiality comes from."""
    reasons: tuple[str, ...] = ()
    """One sentence for each attribute that differs from what the catalogue declares."""


def highest_level(levels: list[Level | None]) -> Level | None:
    """The maximum principle; one unknown makes the result unknown (fail closed)."""
    if any(level is None for level in levels):
        return None
    return max((level for level in levels if level is not None), default=None)
