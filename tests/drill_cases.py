"""A city with two companies, for drills: the cheap hoster holds data, the costly one none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models import Catalog, Parameters, SiteRegister
from tests import builders, decision_cases

COMPANIES = ("costly", "hoster")


def catalog(**changes: Any) -> Catalog:
    """The small city, whose trees rest with the hoster."""
    given = decision_cases.catalog(**changes)
    datasets = tuple(
        dataset.model_copy(update={"current_site": "hoster"}) if dataset.id == "trees" else dataset
        for dataset in given.datasets
    )
    return given.model_copy(update={"datasets": datasets})


def register() -> SiteRegister:
    """The small city's sites, and two of a company that is dear."""
    dear = {
        "operator": "costly",
        "certifications": decision_cases.certified(),
        "object_price_eur_per_gb_month": Decimal("0.5"),
    }
    return builders.register(
        *decision_cases.sites(),
        builders.site("costly-east", **dear),
        builders.site("costly-west", **dear),
    )


def parameters(**changes: Any) -> Parameters:
    """The small city's, changed in some."""
    return decision_cases.PARAMETERS.model_copy(update=changes)
