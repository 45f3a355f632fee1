"""One provider of a price list, with everything its sites have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from models import Certification, Operator, Role, Site, SiteKind
from placement.catalog.cloud_prices import terms
from placement.catalog.cloud_prices.countries import EEA
from placement.catalog.cloud_prices.prices import Prices

SEAL_RULE = (
    "the rule is 3 for a managed EEA provider with C5 or SecNumCloud, 2 with ISO 27001, else 1; "
    "1 for others at a site in the EEA, else 0"
)


@dataclass(frozen=True)
class Provider:
    """What the price list says of it."""

    id: str
    title: str
    country: str
    managed: bool
    """Runs platform services; otherwise it rents out virtual machines only."""
    certifications: tuple[Certification, ...]
    prices: Prices
    egress_eur_per_gb: Decimal

    @property
    def schemes(self) -> frozenset[str]:
        """Certification schemes it holds."""
        return frozenset(certification.scheme for certification in self.certifications)

    def operator(self) -> Operator:
        """The provider as an operator."""
        return Operator(
            id=self.id,
            title=self.title,
            country=self.country,
            parent_jurisdiction=self.country,
            extraterritorial_exposure=self.country not in EEA,
        )

    def staff(self) -> Role:
        """The role that administers all its sites."""
        return Role(
            id=f"staff:{self.id}",
            title=f"Administrators at {self.title}"[:500],
            country=self.country,
            clearance=terms.clearance(self.schemes),
        )

    def site(self, location: str, country: str) -> Site:
        """The site at one of its locations."""
        stack = terms.stack(self.prices)
        managed = self.managed
        return Site(
            id=f"{self.id}/{location}",
            title=f"{self.title} {location}"[:500],
            operator=self.id,
            kind=SiteKind.PUBLIC_CLOUD,
            country=country,
            certifications=self.certifications,
            seal_level=terms.seal_level(self.country, country, self.schemes, managed=managed),
            federation=managed,
            mfa=managed,
            customer_held_keys=managed,
            audit_logging=managed,
            administrators=(f"staff:{self.id}",),
            segregated_administration=managed,
            serves_roles=("*",) if managed else (),
            interfaces=tuple(i for component in stack for i in component.interfaces),
            stack=stack,
            capacity_gb=terms.MANAGED_CAPACITY_GB if managed else terms.VM_CAPACITY_GB,
            object_price_eur_per_gb_month=self.prices.object_eur_per_gb_month,
            block_price_eur_per_gb_month=self.prices.block_eur_per_gb_month,
            handling_price_eur_per_dataset_month=(
                terms.MANAGED_HANDLING_EUR if managed else terms.VM_HANDLING_EUR
            ),
            egress_price_eur_per_gb=self.egress_eur_per_gb,
            exit_notice_days=terms.EXIT_NOTICE_DAYS,
            transfer_window_days=terms.TRANSFER_WINDOW_DAYS,
            clauses=terms.clauses(self.country, country, managed=managed),
        )

    def assumptions(self) -> Iterator[str]:
        """What operator(), staff() and site() take for granted, one sentence each."""
        exposed = "yes, outside the EEA" if self.country not in EEA else "no, inside the EEA"
        yield "parent_jurisdiction: the provider's own country; the list names no parent companies"
        yield f"extraterritorial_exposure: {exposed}"
        yield "foreign_ownership_share: not known, left empty"
        if self.certifications:
            until = self.certifications[0].valid_until
            yield f"certifications: valid until {until}, a year after the list's date"
        yield (
            "administrators: the provider's staff, from its country, cleared for "
            f"{terms.clearance(self.schemes).name.lower()} by its certificates"
        )
        if self.managed:
            yield (
                "federation, mfa, customer_held_keys, audit_logging, segregated_administration: "
                "yes for managed providers, which serve every role"
            )
        else:
            yield (
                "federation, mfa, customer_held_keys, audit_logging, segregated_administration: "
                "no for providers of virtual machines only, which serve no role"
            )
        if self.prices.block_eur_per_gb_month is not None:
            yield "stack: PostgreSQL, GeoServer, nginx, OpenSSH, run by the city on block storage"
        if self.prices.object_eur_per_gb_month is not None:
            yield "stack: S3 only where the list says so; no licence unless it names the software"
        yield (
            f"capacity_gb: {terms.MANAGED_CAPACITY_GB if self.managed else terms.VM_CAPACITY_GB}; "
            "handling_price_eur_per_dataset_month: "
            f"{terms.MANAGED_HANDLING_EUR if self.managed else terms.VM_HANDLING_EUR}"
        )
        yield (
            f"exit_notice_days: {terms.EXIT_NOTICE_DAYS}, transfer_window_days: "
            f"{terms.TRANSFER_WINDOW_DAYS}, as the Data Act sets them"
        )
        yield (
            "clauses: those of the GDPR and the Data Act for all, the city's tender clauses for "
            "managed providers (EU law and courts for those of the EEA only), standard contractual "
            "clauses outside the EEA"
        )
        yield "prices: as published, value added tax not evened out"
