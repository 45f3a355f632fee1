"""OpenLineage events in: what a city's pipelines did becomes relations of its datasets."""

from __future__ import annotations

from placement.catalog.open_lineage.events import Lineage, lineage_of, load_lineage
from placement.catalog.open_lineage.merging import with_lineage

__all__ = ["Lineage", "lineage_of", "load_lineage", "with_lineage"]
