"""Catalogues and plans of millions of rows: folders of Parquet or JSON lines, read as columns."""

from placement.catalog.columns.digest import columns_digest, placements_digest
from placement.catalog.columns.plan import PlanColumns, read_plan_columns, write_plan_columns
from placement.catalog.columns.reading import load_catalog_columns
from placement.catalog.columns.records import columns_of
from placement.catalog.columns.references import check_columns_references
from placement.catalog.columns.writing import write_catalog_folder

__all__ = [
    "PlanColumns",
    "check_columns_references",
    "columns_digest",
    "columns_of",
    "load_catalog_columns",
    "placements_digest",
    "read_plan_columns",
    "write_catalog_folder",
    "write_plan_columns",
]
