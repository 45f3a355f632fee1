"""Small, valid models to vary in tests. Every argument replaces one field."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from models import (
    AccessRights,
    Catalog,
    Certification,
    Clause,
    CollectorKind,
    Dataset,
    Dpia,
    EffectiveClass,
    EligibilityTable,
    GdprCategory,
    GraphFacts,
    Interface,
    Level,
    Operator,
    Parameters,
    Problem,
    Role,
    Site,
    SiteKind,
    SiteRegister,
    StackComponent,
    Verdict,
    Violation,
)

AS_OF = date(2026, 10, 1)


def role(ident: str = "registrar", **changes: Any) -> Role:
    """A city role that works from the Netherlands."""
    fields: dict[str, Any] = {
        "id": ident,
        "title": ident.title(),
        "department": "Civil affairs",
        "country": "NL",
        "clearance": Level.VERY_HIGH,
    }
    return Role(**(fields | changes))


def dataset(ident: str = "permits", **changes: Any) -> Dataset:
    """A confidential dataset with personal data that satisfies every policy at `site()`."""
    fields: dict[str, Any] = {
        "id": ident,
        "title": ident.title(),
        "owner_department": "Civil affairs",
        "steward": "steward@city.example",
        "confidentiality": Level.NORMAL,
        "integrity": Level.NORMAL,
        "availability": Level.NORMAL,
        "gdpr_category": GdprCategory.PERSONAL,
        "lawful_basis": "art. 6(1)(e) GDPR",
        "dpia": Dpia.PRE_SCAN,
        "access_rights": AccessRights.RESTRICTED,
        "non_publication_grounds": ("5.1.2e",),
        "readers": ("registrar",),
        "writers": ("registrar",),
        "administrators": ("registrar",),
        "collected_by": CollectorKind.MUNICIPALITY,
        "volume_gb": 100,
        "monthly_read_gb": Decimal(10),
        "monthly_egress_gb": Decimal(1),
        "interfaces": (Interface.S3,),
    }
    return Dataset(**(fields | changes))


def operator(ident: str = "city", **changes: Any) -> Operator:
    """The city itself."""
    fields: dict[str, Any] = {
        "id": ident,
        "title": ident.title(),
        "country": "NL",
        "parent_jurisdiction": "NL",
        "extraterritorial_exposure": False,
        "foreign_ownership_share": Decimal(0),
        "municipal": ident == "city",
    }
    return Operator(**(fields | changes))


def site(ident: str = "townhall", **changes: Any) -> Site:
    """A certified site of the city that may hold almost anything."""
    fields: dict[str, Any] = {
        "id": ident,
        "title": ident.title(),
        "operator": "city",
        "kind": SiteKind.ON_PREMISE,
        "country": "NL",
        "certifications": (
            Certification(scheme="ISO27001", valid_until=date(2028, 1, 1)),
            Certification(scheme="C5", level="Type 2", valid_until=date(2028, 1, 1)),
        ),
        "seal_level": 4,
        "federation": True,
        "mfa": True,
        "customer_held_keys": True,
        "audit_logging": True,
        "administrators": ("registrar",),
        "segregated_administration": True,
        "serves_roles": ("*",),
        "interfaces": tuple(Interface),
        "stack": (
            StackComponent(
                name="MinIO",
                licence="AGPL-3.0-only",
                open_standard=True,
                interfaces=(Interface.S3,),
            ),
        ),
        "capacity_gb": 10_000,
        "object_price_eur_per_gb_month": Decimal("0.02"),
        "block_price_eur_per_gb_month": Decimal("0.08"),
        "handling_price_eur_per_dataset_month": Decimal(5),
        "egress_price_eur_per_gb": Decimal(0),
        "exit_notice_days": 30,
        "transfer_window_days": 30,
        "clauses": tuple(Clause),
    }
    return Site(**(fields | changes))


def catalog(*datasets: Dataset, **changes: Any) -> Catalog:
    """A catalogue of the datasets given, with the role they name."""
    fields: dict[str, Any] = {
        "municipality": "Testburg",
        "datasets": datasets or (dataset(),),
        "roles": (role(),),
    }
    return Catalog(**(fields | changes))


def register(*sites: Site, **changes: Any) -> SiteRegister:
    """A register of the sites given, with one operator for each name they use."""
    sites = sites or (site(),)
    names = sorted({s.operator for s in sites})
    fields: dict[str, Any] = {"operators": tuple(operator(n) for n in names), "sites": sites}
    return SiteRegister(**(fields | changes))


ELIGIBLE = Verdict(violations=(), host_obligations=(), preferences=(), closed_stack=False)
INELIGIBLE = Verdict(
    violations=(Violation(obligation="residency.test", message="for a test"),),
    host_obligations=(),
    preferences=(),
    closed_stack=False,
)


def problem(
    datasets: tuple[Dataset, ...],
    sites: tuple[Site, ...],
    *,
    verdicts: tuple[tuple[Verdict, ...], ...] | None = None,
    parameters: Parameters | None = None,
    facts: dict[str, Any] | None = None,
    **changes: Any,
) -> Problem:
    """A problem in which every dataset has a profile of its own; all eligible by default.

    `verdicts` has one row a dataset and one column a site; `facts` replaces graph facts.
    """
    reg = register(*sites)
    rows = verdicts or tuple(tuple(ELIGIBLE for _ in sites) for _ in datasets)
    table = EligibilityTable(
        datasets=tuple(d.id for d in datasets),
        sites=tuple(s.id for s in sites),
        profile_of=tuple(range(len(datasets))),
        verdicts=rows,
        obligations=(),
        policy_revision="0" * 64,
        opa_version="test",
        as_of=AS_OF,
    )
    effective = tuple(
        EffectiveClass(
            dataset=d.id,
            confidentiality=d.confidentiality,
            gdpr_category=d.gdpr_category,
            access_rights=d.access_rights,
            non_publication_grounds=d.non_publication_grounds,
            chain=(d.id,),
        )
        for d in datasets
    )
    graph: dict[str, Any] = {
        "effective": effective,
        "co_location": (),
        "separations": (),
        "flows": (),
    }
    fields: dict[str, Any] = {
        "datasets": datasets,
        "sites": sites,
        "operators": reg.operators,
        "roles": (role(),),
        "eligibility": table,
        "facts": GraphFacts(**(graph | (facts or {}))),
        "parameters": parameters or Parameters(as_of=AS_OF),
    }
    return Problem(**(fields | changes))
