"""What the header of a plan of columns says of itself and of what it was decided on."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from models import Digests, RowPrice, sha256_of
from models.column_plan import ColumnPlan, SiteTally
from models.columns import EligibilityColumns, PlacedColumns
from placement.catalog.columns import columns_digest
from placement.service.in_columns.reading import ColumnReading

PRICE_DECIMALS = 12
PROFILE = "profile"
"""The column of a plan file that holds each dataset's row of the verdict table."""


def plan_digest(plan: ColumnPlan) -> str:
    """SHA-256 of the canonical JSON of everything in a header but its digest."""
    return sha256_of(plan.model_dump(exclude={"digest"}))


def row_prices(placed: PlacedColumns) -> tuple[RowPrice, ...]:
    """Prices in decimals, by row."""
    return tuple(
        RowPrice(row=name, price=Decimal(price).scaleb(-PRICE_DECIMALS))
        for name, price in sorted(placed.row_prices.items())
    )


def digests_of(read: ColumnReading, eligibility: EligibilityColumns) -> Digests:
    """Digests of everything that was decided on."""
    return Digests(
        catalog=columns_digest(read.columns),
        sites=sha256_of(read.register),
        parameters=sha256_of(read.parameters),
        policies=eligibility.table.policy_revision,
    )


def tallies_of(read: ColumnReading, placed: PlacedColumns) -> tuple[SiteTally, ...]:
    """What rests at every site of the register; sites that it does not have count nowhere."""
    sites = read.register.sites
    replicas, volume = np.zeros(len(sites), np.int64), np.zeros(len(sites), np.int64)
    for column in placed.sites.T:
        there = (column >= 0) & (column < len(sites))
        replicas += np.bincount(column[there], minlength=len(sites))
        np.add.at(volume, column[there], read.columns.volume_gb[there])
    return tuple(
        SiteTally(site=site.id, replicas=int(replicas[s]), volume_gb=int(volume[s]))
        for s, site in enumerate(sites)
    )
