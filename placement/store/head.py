"""What is current, in one small read."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from models import FIRST_PREVIOUS
from placement.errors import StoreError
from placement.store.engine import Transaction
from placement.store.tables import CatalogVersionRow, CityRow, PolicyRevisionRow


class Head(NamedTuple):
    """What is current: read once a request, it tells whether what a process holds still is."""

    version: int
    digest: str
    """Of the catalogue's version, chained; zeros for the empty catalogue."""
    policy: str | None
    """Revision of the active policies; none before OPA confirmed the first."""


_HEAD = (
    select(CityRow.catalog_version, CatalogVersionRow.digest, PolicyRevisionRow.revision)
    .outerjoin(CatalogVersionRow, CatalogVersionRow.version == CityRow.catalog_version)
    .outerjoin(PolicyRevisionRow, PolicyRevisionRow.number == CityRow.active_policy)
    .where(CityRow.id == 1)
)


def read_head(tx: Transaction) -> Head:
    """What is current, in one query of three rows."""
    version, digest, policy = tx.session.execute(_HEAD).one()
    if digest is None and version != 0:
        raise StoreError(f"version {version} of the catalogue is missing")
    return Head(version, digest or FIRST_PREVIOUS, policy)
