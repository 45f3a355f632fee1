"""Exports to vary in tests: placements at sites whose ids are hard on other tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models import (
    AccessRights,
    ApprovedPlacement,
    GdprCategory,
    HostedAt,
    HostObligation,
    Inputs,
    Level,
    Plan,
    StorageKind,
)
from placement.provision.exports import Export, export_of
from tests import builders, cli_cases

OWN_KEYS = HostObligation(code="security.own_keys", requirement="Encrypt with the city's keys.")
LOGGED = HostObligation(code="security.log", requirement="Log every access, at least 365 days.")
OPERATORS = {"eu-west": "city", "eu_west": "euro", "north/1": "euro"}
"""Sites, two of them alike to a careless eye, with their operators."""


def hosted(site: str, *duties: HostObligation, operator: str | None = None) -> HostedAt:
    """A dataset at a site."""
    return HostedAt(site=site, operator=operator or OPERATORS[site], host_obligations=duties)


def placement(dataset: str = "permits", *sites: HostedAt, **changes: Any) -> ApprovedPlacement:
    """A confidential dataset, at one site unless others are given."""
    fields: dict[str, Any] = {
        "decision": 7,
        "dataset": dataset,
        "title": dataset.title(),
        "department": "Civil affairs",
        "sites": sites or (hosted("eu-west", OWN_KEYS, LOGGED),),
        "from_sites": ("eu_west",),
        "confidentiality": Level.HIGH,
        "gdpr_category": GdprCategory.PERSONAL,
        "access_rights": AccessRights.NON_PUBLIC,
        "storage": StorageKind.OBJECT,
        "volume_gb": 100,
        "readers": ("registrar", "clerk"),
        "writers": ("registrar",),
        "administrators": ("administrator",),
        "cost_eur_per_year": cli_cases.costs("12.50"),
    }
    return ApprovedPlacement(**(fields | changes))


def plan(operators: Mapping[str, str] = OPERATORS) -> Plan:
    """A plan with sites of these operators."""
    sites = [builders.site(site, operator=operator) for site, operator in operators.items()]
    inputs = Inputs(catalog=cli_cases.catalog(), sites=builders.register(*sites))
    return cli_cases.plan(inputs=inputs)


def export(*placements: ApprovedPlacement, **changes: Any) -> Export:
    """An export of these placements."""
    return export_of(placements or three(), plan(**changes), 7)


def three() -> tuple[ApprovedPlacement, ...]:
    """Two datasets at one site each, and one at two."""
    return (
        placement("trips", hosted("eu_west", LOGGED)),
        placement("permits", hosted("north/1", LOGGED), hosted("eu-west", OWN_KEYS, LOGGED)),
        placement(
            "Open/trees",
            hosted("eu-west"),
            department=None,
            confidentiality=None,
            gdpr_category=None,
            access_rights=None,
        ),
    )
