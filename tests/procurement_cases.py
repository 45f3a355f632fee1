"""A small city whose contracts miss something, for the tests of procurement."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from models import (
    AccessRights,
    Catalog,
    Clause,
    CollectionContract,
    CollectorKind,
    DerivedFrom,
    GdprCategory,
    HandoverFormat,
    Level,
    Parameters,
    SiteRegister,
    Transformation,
    TransformationKind,
)
from placement.catalog import write_json
from placement.service import Request
from tests import builders

SOUND = CollectionContract(
    id="sound",
    contractor="Goed B.V.",
    handover_format=HandoverFormat.OPEN_MACHINE_READABLE,
    handover_interval_days=7,
    public_ownership=True,
    exit_terms=True,
    end_date=date(2027, 1, 1),
)
POOR = SOUND.model_copy(
    update={
        "id": "poor",
        "contractor": "Slecht B.V.",
        "handover_format": HandoverFormat.PROPRIETARY,
        "handover_interval_days": 90,
    }
)
UNUSED = SOUND.model_copy(update={"id": "unused", "end_date": date(2040, 1, 1)})
REVIEWED = Transformation(
    kind=TransformationKind.AGGREGATION,
    method="counts per district",
    reviewed_by="privacy officer",
    reviewed_on=date(2026, 1, 1),
)


def catalog() -> Catalog:
    """Scans under a poor contract with two steps derived from them; cars under none; permits."""
    contractor = CollectorKind.CONTRACTOR
    open_data = {
        "access_rights": AccessRights.PUBLIC,
        "non_publication_grounds": (),
        "gdpr_category": GdprCategory.NONE,
        "confidentiality": Level.OPEN,
    }
    return builders.catalog(
        builders.dataset("scans", collected_by=contractor, contract="poor", volume_gb=40),
        builders.dataset("scan-counts", volume_gb=2, **open_data),
        builders.dataset("scan-maps", volume_gb=1, **open_data),
        builders.dataset("bikes", collected_by=contractor, contract="sound"),
        builders.dataset("cars", collected_by=contractor),
        builders.dataset("permits", current_site="hoster"),
        contracts=(UNUSED, SOUND, POOR),
        relations=(
            DerivedFrom(derived="scan-counts", source="scans", transformation=REVIEWED),
            DerivedFrom(derived="scan-maps", source="scan-counts"),
        ),
    )


def register() -> SiteRegister:
    """The city's own site, a company without one clause, and one without any contract."""
    clauses = tuple(clause for clause in Clause if clause is not Clause.SUB_PROCESSOR_APPROVAL)
    return builders.register(
        builders.site("hoster", operator="hoster", clauses=clauses),
        builders.site("townhall", clauses=None),
        builders.site("unwritten", operator="other", clauses=None),
    )


def request(folder: Path) -> Request:
    """The city's files, written to a folder."""
    files = {
        "catalog": catalog(),
        "sites": register(),
        "parameters": Parameters(as_of=builders.AS_OF),
    }
    for name, model in files.items():
        write_json(model, folder / f"{name}.json")
    return Request(
        catalog=folder / "catalog.json",
        sites=folder / "sites.json",
        parameters=folder / "parameters.json",
    )
