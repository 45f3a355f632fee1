"""What a price list does not say of a provider, and what is assumed instead.

Each rule stands here once, with its reason, and is named in the imported register's
assumptions. The Data Act (Regulation (EU) 2023/2854) and the GDPR bind whoever serves customers
in the Union; everything beyond them is a matter of contract.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from models import Clause, Interface, Level, StackComponent
from placement.catalog.cloud_prices.countries import EEA
from placement.catalog.cloud_prices.prices import Prices

VALIDITY = timedelta(days=365)
"""Certificates count as valid for a year after the list's date: audits recur yearly."""
EXIT_NOTICE_DAYS = 60
"""Data Act, art. 25(2)(d): at most two months."""
TRANSFER_WINDOW_DAYS = 30
"""Data Act, art. 25(2)(a): thirty days."""

MANAGED_CAPACITY_GB = 1_000_000
VM_CAPACITY_GB = 50_000
MANAGED_HANDLING_EUR = Decimal(25)
"""Per dataset and month, on platform services."""
VM_HANDLING_EUR = Decimal(40)
"""Per dataset and month, on bare virtual machines that the city patches itself."""

_BINDING_CLAUSES = frozenset(
    {Clause.DATA_PROCESSING_AGREEMENT, Clause.SUB_PROCESSOR_APPROVAL, Clause.BREACH_NOTIFICATION}
)
"""Art. 28 and 33 GDPR."""
_SWITCHING_CLAUSES = frozenset(
    {
        Clause.EXIT_ASSISTANCE,
        Clause.DELETION_ON_EXIT,
        Clause.HANDOVER_MACHINE_READABLE,
        Clause.OPEN_INTERFACE,
    }
)
"""Data Act, art. 25 and 30."""
_TENDER_CLAUSES = frozenset(
    {
        Clause.AUDIT_RIGHT,
        Clause.PUBLIC_OWNERSHIP,
        Clause.NO_SECONDARY_USE,
        Clause.EU_LAW_AND_COURTS,
    }
)
"""What the city's own tender asks of a managed provider; EU law and courts only in the EEA."""
_EEA_ONLY = frozenset({Clause.EU_LAW_AND_COURTS})

_SELF_RUN = (
    ("PostgreSQL", "PostgreSQL", (Interface.POSTGRESQL, Interface.JDBC)),
    ("GeoServer", "GPL-2.0-or-later", (Interface.OGC_API, Interface.WFS)),
    ("nginx", "BSD-2-Clause", (Interface.HTTPS_FILES,)),
    ("OpenSSH", "SSH-OpenSSH", (Interface.SFTP,)),
)
"""Open-source software that the city runs itself on a provider's machines."""
_OPEN_STORAGE = {
    "ceph": ("Ceph object storage", "LGPL-2.1-only OR LGPL-3.0-only"),
    "openstack": ("OpenStack object storage", "Apache-2.0"),
}


def clauses(country: str, site_country: str, *, managed: bool) -> tuple[Clause, ...]:
    """Clauses of the contract with a provider from `country` for a site in `site_country`."""
    found = _BINDING_CLAUSES | _SWITCHING_CLAUSES
    if managed:
        found |= _TENDER_CLAUSES if country in EEA else _TENDER_CLAUSES - _EEA_ONLY
    if country not in EEA or site_country not in EEA:
        found |= {Clause.STANDARD_CONTRACTUAL_CLAUSES}
    return tuple(clause for clause in Clause if clause in found)


def seal_level(country: str, site_country: str, schemes: frozenset[str], *, managed: bool) -> int:
    """SEAL-3 needs an EEA operator and site with C5 or SecNumCloud; nobody is assumed SEAL-4."""
    if country not in EEA or site_country not in EEA:
        return 1 if site_country in EEA else 0
    if managed and schemes & {"C5", "SECNUMCLOUD"}:
        return 3
    return 2 if "ISO27001" in schemes else 1


def clearance(schemes: frozenset[str]) -> Level:
    """Screening that the certificate asks of staff: C5 HR-01, ISO/IEC 27001 A.6.1."""
    if schemes & {"C5", "SECNUMCLOUD"}:
        return Level.HIGH
    return Level.NORMAL if "ISO27001" in schemes else Level.OPEN


def valid_until(list_date: date) -> date:
    """Last day on which the list's certificates count as valid."""
    return list_date + VALIDITY


def stack(prices: Prices) -> tuple[StackComponent, ...]:
    """Self-run open-source software on the provider's machines, and its own object storage."""
    components = [
        StackComponent(name=name, licence=licence, open_standard=True, interfaces=interfaces)
        for name, licence, interfaces in _SELF_RUN
        if prices.block_eur_per_gb_month is not None
    ]
    if prices.object_eur_per_gb_month is not None:
        components.append(_object_storage(prices))
    return tuple(components)


def _object_storage(prices: Prices) -> StackComponent:
    name, licence = _OPEN_STORAGE.get(prices.software, ("Object storage service", None))
    other = () if licence else (Interface.PROPRIETARY,)
    return StackComponent(
        name=name,
        licence=licence,
        open_standard=True if licence else None,
        interfaces=(Interface.S3,) if prices.speaks_s3 else other,
    )
