"""Foreign files as native ones."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from models import Catalog
from placement.catalog import (
    CatalogFormat,
    load_catalog,
    load_lineage,
    load_register,
    with_lineage,
    write_json,
)


def import_file(kind: str, source: Path, out: Path, lineage: Path | None = None) -> tuple[str, ...]:
    """Write a foreign catalogue or price list as a native file; answers with its assumptions.

    Parameters
    ----------
    kind
        The form of the source; "native" for a catalogue that only gets lineage.
    source, out
        What to read and what to write.
    lineage
        OpenLineage events that add relations to a catalogue.

    Raises
    ------
    BadInput
        With the source's defects; nothing is written then.
    """
    model = (
        load_register(source, "eu-cloud-prices")
        if kind == "eu-cloud-prices"
        else load_catalog(source, cast("CatalogFormat", kind))
    )
    if lineage is not None and isinstance(model, Catalog):
        model = with_lineage(model, load_lineage(lineage))
    write_json(model, out)
    return model.assumptions
