"""Sites, the operators that run them, and the stack they offer."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from models.base import (
    CountryCode,
    Day,
    Eur,
    Flag,
    Frozen,
    Identifier,
    Share,
    Title,
    WholeDays,
    WholeGb,
)
from models.role import Role


class SiteKind(StrEnum):
    """How a site is run."""

    ON_PREMISE = "on_premise"
    PRIVATE_CLOUD = "private_cloud"
    PUBLIC_CLOUD = "public_cloud"


class StorageKind(StrEnum):
    """What a dataset is stored on, which decides the price that applies."""

    OBJECT = "object"
    BLOCK = "block"


class Interface(StrEnum):
    """Ways to reach data. `proprietary` stands for anything without an open specification."""

    S3 = "s3"
    POSTGRESQL = "postgresql"
    NGSI_LD = "ngsi_ld"
    OGC_API = "ogc_api"
    WFS = "wfs"
    SPARQL = "sparql"
    ODATA = "odata"
    KAFKA = "kafka"
    MQTT = "mqtt"
    SFTP = "sftp"
    HTTPS_FILES = "https_files"
    JDBC = "jdbc"
    ORACLE = "oracle"
    MSSQL = "mssql"
    PROPRIETARY = "proprietary"


class Clause(StrEnum):
    """Contract clauses that policies can ask of a hosting contract."""

    DATA_PROCESSING_AGREEMENT = "data_processing_agreement"
    SUB_PROCESSOR_APPROVAL = "sub_processor_approval"
    BREACH_NOTIFICATION = "breach_notification"
    AUDIT_RIGHT = "audit_right"
    EXIT_ASSISTANCE = "exit_assistance"
    DELETION_ON_EXIT = "deletion_on_exit"
    HANDOVER_MACHINE_READABLE = "handover_machine_readable"
    PUBLIC_OWNERSHIP = "public_ownership"
    NO_SECONDARY_USE = "no_secondary_use"
    EU_LAW_AND_COURTS = "eu_law_and_courts"
    OPEN_INTERFACE = "open_interface"
    STANDARD_CONTRACTUAL_CLAUSES = "standard_contractual_clauses"


class Certification(Frozen):
    """A certificate or attestation with its validity.

    `scheme` is upper case without blanks: ISO27001, ISO27017, ISO27018, C5, SECNUMCLOUD, EUCS,
    NEN7510, HDS, SOC2, PCI-DSS, GAIA-X, SCS, ISO22301, TIER.
    """

    scheme: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9.+-]*$", max_length=40)]
    level: Annotated[str, Field(max_length=40)] | None = None
    """As the scheme names it: "Type 2" (C5), "high" (EUCS), "3" (Gaia-X)."""
    valid_from: Day | None = None
    valid_until: Day | None = None
    """Last day of validity; a policy treats an unknown end as missing."""

    @model_validator(mode="after")
    def _ordered(self) -> Certification:
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            raise ValueError("valid_from is after valid_until")
        return self


class StackComponent(Frozen):
    """A piece of software a site offers or a dataset depends on."""

    name: Title
    licence: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """An SPDX licence expression; LicenseRef-... for proprietary terms."""
    open_standard: Flag | None = None
    """Whether what it speaks is an openly specified standard."""
    interfaces: tuple[Interface, ...] = ()
    """The interfaces that this component serves."""


class Operator(Frozen):
    """The organisation that runs sites, and whose law therefore reaches them."""

    id: Identifier
    title: Title
    country: CountryCode
    parent_jurisdiction: CountryCode | None = None
    """Country of the ultimate parent: Schrems II and the CLOUD Act follow the company."""
    extraterritorial_exposure: Flag | None = None
    """Whether a law of a third country can oblige it to hand data over."""
    foreign_ownership_share: Share | None = None
    """Share held from outside the EU/EEA (SecNumCloud 3.2 knows ceilings of 24 % and 39 %)."""
    municipal: Flag = False
    """The city itself: concentration caps do not apply, one is not locked in with oneself."""


class Site(Frozen):
    """One cloud region or on-premise location where datasets can rest."""

    id: Identifier
    title: Title
    operator: Identifier
    kind: SiteKind
    country: CountryCode
    certifications: tuple[Certification, ...] = ()
    seal_level: Annotated[int, Field(ge=0, le=4, strict=True)] | None = None
    """SEAL of the EU Cloud Sovereignty Framework, 0..4; none when not assessed."""
    federation: Flag | None = None
    """Accepts the city's identity federation (OIDC or SAML)."""
    mfa: Flag | None = None
    """Enforces a second factor for every role."""
    customer_held_keys: Flag | None = None
    """Encryption keys can be held by the city alone."""
    audit_logging: Flag | None = None
    """Access logs are delivered to the city."""
    administrators: tuple[Identifier, ...] = ()
    """Roles that administer the site itself and could reach what rests there."""
    segregated_administration: Flag | None = None
    """Several teams can administer separate tenants without reaching each other's."""
    serves_roles: tuple[str, ...] = ()
    """Roles that can be granted access here; "*" serves every role of the city's directory."""
    interfaces: tuple[Interface, ...] = ()
    stack: tuple[StackComponent, ...] = ()
    capacity_gb: WholeGb
    object_price_eur_per_gb_month: Eur | None = None
    """Price of object storage; none when not offered."""
    block_price_eur_per_gb_month: Eur | None = None
    """Price of block storage; none when not offered."""
    handling_price_eur_per_dataset_month: Eur = Decimal(0)
    """Work to run one more dataset here: patching, backup, monitoring."""
    egress_price_eur_per_gb: Eur
    """Price of a gigabyte that leaves the operator's network."""
    exit_notice_days: WholeDays | None = None
    transfer_window_days: WholeDays | None = None
    """How long the operator keeps serving data while it is moved out."""
    clauses: tuple[Clause, ...] | None = None
    """Clauses of the hosting contract; none when no contract is known."""


class SiteRegister(Frozen):
    """A sites file: who operates what, where, on which terms."""

    format: Annotated[str, Field(pattern=r"^placement-sites/1$")] = "placement-sites/1"
    source: str = ""
    """Where the register comes from, in words."""
    assumptions: tuple[str, ...] = ()
    """What an importer had to assume, one sentence each."""
    operators: tuple[Operator, ...]
    sites: tuple[Site, ...]
    roles: tuple[Role, ...] = ()
    """Roles of the operators' own staff; the city's roles stand in the catalogue."""
