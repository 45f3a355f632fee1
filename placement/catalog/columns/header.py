"""catalog.json of a folder: the native catalogue without its datasets and relations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from models import Catalog, CollectionContract, Frozen, Role
from models.base import Title
from placement.catalog.columns.fields import FORMAT
from placement.catalog.messages import validation_defects
from placement.catalog.records import catalog_defects
from placement.errors import BadInput


class Header(Frozen):
    """The file."""

    format: Annotated[str, Field(pattern=r"^placement-catalog-folder/1$")] = FORMAT
    municipality: Title
    source: str = ""
    assumptions: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    contracts: tuple[CollectionContract, ...] = ()


def header_of(document: Any, file: str) -> Header:
    """The header in a decoded document.

    Raises
    ------
    BadInput
        With all its defects.
    """
    try:
        header, defects = Header.model_validate(document), []
    except ValidationError as error:
        header, defects = None, validation_defects(error, Header, document, file)
    defects += catalog_defects(document, file)
    if header is None or defects:
        raise BadInput(defects)
    return header


def header_of_catalog(catalog: Catalog) -> Header:
    """The header of a native catalogue."""
    return Header(
        municipality=catalog.municipality,
        source=catalog.source,
        assumptions=catalog.assumptions,
        roles=catalog.roles,
        contracts=catalog.contracts,
    )
