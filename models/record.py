"""Catalogue records: the city's catalogue, one record at a time, every version of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.base import Flag, Frozen, Identifier, Title
from models.canonical import sha256_of
from models.catalog import Catalog
from models.plan import Sha256
from models.principal import Subject
from models.relation import CoLocated, Cumulated, DerivedFrom, Relation, Separated
from models.site import SiteRegister

RELATION_ID_DIGITS = 16
"""Hexadecimal digits of a relation's digest in its id."""


class RecordKind(StrEnum):
    """What a catalogue record describes."""

    DATASET = "dataset"
    ROLE = "role"
    """A role of the city's directory."""
    CONTRACT = "contract"
    RELATION = "relation"
    OPERATOR = "operator"
    SITE = "site"
    SITE_ROLE = "site_role"
    """A role that came with the sites: an operator's own staff."""
    PARAMETERS = "parameters"
    """One record: the city's choices."""
    CITY = "city"
    """One record: whose catalogue it is, and where it comes from."""


class About(Frozen):
    """Whose catalogue it is, and where its two halves come from."""

    municipality: Title
    source: str = ""
    """Of the catalogue, in words."""
    assumptions: tuple[str, ...] = ()
    """What an importer of the catalogue had to assume."""
    sites_source: str = ""
    """Of the sites, in words."""
    sites_assumptions: tuple[str, ...] = ()
    """What an importer of the sites had to assume."""


class StoredRecord(Frozen):
    """A catalogue record as it is kept."""

    kind: RecordKind
    id: Identifier
    version: Annotated[int, Field(ge=1)]
    """Catalogue version that brought it."""
    digest: Sha256
    """SHA-256 of `body`; its ETag."""
    body: str
    """Canonical JSON of the record."""


class KeptDerivedFrom(DerivedFrom):
    """A lineage relation with its id."""

    id: Identifier


class KeptCoLocated(CoLocated):
    """A co-location with its id."""

    id: Identifier


class KeptSeparated(Separated):
    """A separation with its id."""

    id: Identifier


class KeptCumulated(Cumulated):
    """A group of datasets used together, with its id."""

    id: Identifier


KeptRelation = Annotated[
    KeptDerivedFrom | KeptCoLocated | KeptSeparated | KeptCumulated, Field(discriminator="kind")
]
"""A relation as it is kept: the id is made of its content (see `relation_id`)."""


class RecordChange(Frozen):
    """One record that a version of the catalogue brought or took away."""

    kind: RecordKind
    id: Identifier
    digest: Sha256 | None
    """Of the new record; none: it was removed."""


class CatalogVersion(Frozen):
    """A version of the catalogue: what it changed, chained to the version before."""

    version: Annotated[int, Field(ge=1)]
    at: datetime
    author: Subject
    summary: str
    digest: Sha256
    """SHA-256 over the digest of the version before and all changes of this one."""
    changes: tuple[RecordChange, ...] = ()
    """At most the first thousand."""
    changed: Annotated[int, Field(ge=0)]
    """How many records it changed."""


class CatalogDifference(Frozen):
    """What an import changes, or would change."""

    dry_run: Flag
    base: Annotated[int, Field(ge=0)]
    """The version compared with."""
    version: Annotated[int, Field(ge=0)]
    """The version it became; `base` where nothing changed or nothing was to be changed."""
    summary: str
    added: Annotated[int, Field(ge=0)]
    changed: Annotated[int, Field(ge=0)]
    removed: Annotated[int, Field(ge=0)]
    changes: tuple[RecordChange, ...]
    """At most the first thousand."""


class CatalogSnapshot(Frozen):
    """One version of the catalogue as the two native files."""

    version: Annotated[int, Field(ge=0)]
    digest: Sha256
    """Of the version (see CatalogVersion); zeros for the empty catalogue."""
    catalog: Catalog
    sites: SiteRegister


def relation_id(relation: Relation) -> str:
    """The id of a relation, which is made of its content: equal relations are one."""
    return f"rel-{sha256_of(relation)[:RELATION_ID_DIGITS]}"


def related_datasets(relation: Relation) -> tuple[str, ...]:
    """Every dataset that a relation names."""
    if isinstance(relation, DerivedFrom):
        return (relation.derived, relation.source)
    return relation.members
