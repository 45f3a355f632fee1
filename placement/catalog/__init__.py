"""Reading the outside world in: native files, city catalogues, DCAT-AP, price lists.

Every reader answers with a valid model or raises BadInput naming file, record and field of
every defect.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from models import Catalog, SiteRegister
from placement.catalog.amsterdam import load_amsterdam_schema
from placement.catalog.ckan import load_ckan
from placement.catalog.cloud_prices import load_eu_cloud_prices
from placement.catalog.dcat import load_dcat_ap
from placement.catalog.mobility import load_mobility
from placement.catalog.native import (
    catalog_of,
    load_native_catalog,
    load_native_register,
    load_parameters,
    load_plan,
    register_of,
)
from placement.catalog.open_lineage import Lineage, lineage_of, load_lineage, with_lineage
from placement.catalog.references import check_references
from placement.catalog.writing import write_json

CatalogFormat = Literal["native", "amsterdam-schema", "dcat-ap", "ckan", "mobility"]
SitesFormat = Literal["native", "eu-cloud-prices"]

_CATALOG_READERS: dict[CatalogFormat, Callable[[Path], Catalog]] = {
    "native": load_native_catalog,
    "amsterdam-schema": load_amsterdam_schema,
    "dcat-ap": load_dcat_ap,
    "ckan": load_ckan,
    "mobility": load_mobility,
}
_REGISTER_READERS: dict[SitesFormat, Callable[[Path], SiteRegister]] = {
    "native": load_native_register,
    "eu-cloud-prices": load_eu_cloud_prices,
}


def load_catalog(path: Path, format: CatalogFormat = "native") -> Catalog:  # noqa: A002
    """The catalogue at `path`.

    Parameters
    ----------
    path
        A JSON file (native), a folder (amsterdam-schema, mobility), an RDF file (dcat-ap),
        an answer of CKAN in JSON (ckan).
    format
        How it is written.

    Raises
    ------
    BadInput
        With all its defects.
    """
    return _CATALOG_READERS[format](path)


def load_register(path: Path, format: SitesFormat = "native") -> SiteRegister:  # noqa: A002
    """The sites at `path`: a JSON file (native) or a folder (eu-cloud-prices).

    Raises
    ------
    BadInput
        With all its defects.
    """
    return _REGISTER_READERS[format](path)


__all__ = [
    "CatalogFormat",
    "SitesFormat",
    "catalog_of",
    "check_references",
    "Lineage",
    "lineage_of",
    "load_catalog",
    "load_lineage",
    "load_parameters",
    "load_plan",
    "load_register",
    "register_of",
    "with_lineage",
    "write_json",
]
