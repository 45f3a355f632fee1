"""Catalogue records in memory, and how one is written to a row and read back."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from models import (
    About,
    Catalog,
    CollectionContract,
    CoLocated,
    Cumulated,
    Dataset,
    DerivedFrom,
    Frozen,
    Operator,
    Parameters,
    RecordKind,
    Relation,
    Role,
    Separated,
    Site,
    SiteRegister,
    canonical_json,
    related_datasets,
    relation_id,
)
from placement.errors import StoreError

Key = tuple[RecordKind, str]
Changes = Mapping[Key, Frozen | None]
"""What to put under each kind and id; none: to remove it."""

UNNAMED = "unnamed"
"""The municipality, as long as nobody has named it."""
SINGLE = {RecordKind.PARAMETERS: "parameters", RecordKind.CITY: "city"}
"""Kinds with one record, and its id."""

_M = TypeVar("_M", bound=Frozen)
_READERS: dict[RecordKind, TypeAdapter[Any]] = {
    RecordKind.DATASET: TypeAdapter(Dataset),
    RecordKind.ROLE: TypeAdapter(Role),
    RecordKind.CONTRACT: TypeAdapter(CollectionContract),
    RecordKind.RELATION: TypeAdapter(Relation),
    RecordKind.OPERATOR: TypeAdapter(Operator),
    RecordKind.SITE: TypeAdapter(Site),
    RecordKind.SITE_ROLE: TypeAdapter(Role),
    RecordKind.PARAMETERS: TypeAdapter(Parameters),
    RecordKind.CITY: TypeAdapter(About),
}
_FIELDS = {
    RecordKind.DATASET: "datasets",
    RecordKind.ROLE: "roles",
    RecordKind.CONTRACT: "contracts",
    RecordKind.RELATION: "relations",
    RecordKind.OPERATOR: "operators",
    RecordKind.SITE: "sites",
    RecordKind.SITE_ROLE: "site_roles",
    RecordKind.PARAMETERS: "single_parameters",
    RecordKind.CITY: "single_city",
}


@dataclass(frozen=True)
class Records:
    """All records of one version of the catalogue, by id. Treat the mappings as frozen."""

    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Of the city's directory."""
    contracts: Mapping[str, CollectionContract] = field(default_factory=dict)
    relations: Mapping[str, Relation] = field(default_factory=dict)
    operators: Mapping[str, Operator] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    site_roles: Mapping[str, Role] = field(default_factory=dict)
    """Of the operators' own staff."""
    single_parameters: Mapping[str, Parameters] = field(default_factory=dict)
    single_city: Mapping[str, About] = field(default_factory=dict)

    @property
    def parameters(self) -> Parameters:
        """The city's choices; the documented defaults where it made none."""
        return self.single_parameters.get(SINGLE[RecordKind.PARAMETERS], Parameters())

    @property
    def about(self) -> About:
        """Whose catalogue it is."""
        return self.single_city.get(SINGLE[RecordKind.CITY], About(municipality=UNNAMED))

    def of(self, kind: RecordKind) -> Mapping[str, Frozen]:
        """All records of a kind, by id."""
        return cast("Mapping[str, Frozen]", getattr(self, _FIELDS[kind]))

    def with_changes(self, changes: Changes) -> Records:
        """These records with some put and some removed."""
        touched: dict[str, dict[str, Frozen]] = {}
        for (kind, ident), model in changes.items():
            name = _FIELDS[kind]
            records = touched.setdefault(name, dict(self.of(kind)))
            if model is None:
                records.pop(ident, None)
            else:
                records[ident] = model
        return replace(self, **cast("dict[str, Any]", touched))

    def as_catalog(self) -> Catalog:
        """The native catalogue, every list in the order of ids (code points)."""
        about = self.about
        return Catalog(
            municipality=about.municipality,
            source=about.source,
            assumptions=about.assumptions,
            datasets=_by_id(self.datasets),
            roles=_by_id(self.roles),
            contracts=_by_id(self.contracts),
            relations=tuple(self.relations[ident] for ident in sorted(self.relations)),
        )

    def as_register(self) -> SiteRegister:
        """The native sites file, every list in the order of ids (code points)."""
        about = self.about
        return SiteRegister(
            source=about.sites_source,
            assumptions=about.sites_assumptions,
            operators=_by_id(self.operators),
            sites=_by_id(self.sites),
            roles=_by_id(self.site_roles),
        )


def records_of(catalog: Catalog, register: SiteRegister, parameters: Parameters) -> Records:
    """The records that files are made of. Equal relations become one."""
    about = About(
        municipality=catalog.municipality,
        source=catalog.source,
        assumptions=catalog.assumptions,
        sites_source=register.source,
        sites_assumptions=register.assumptions,
    )
    return Records(
        datasets={dataset.id: dataset for dataset in catalog.datasets},
        roles={role.id: role for role in catalog.roles},
        contracts={contract.id: contract for contract in catalog.contracts},
        relations={relation_id(relation): relation for relation in catalog.relations},
        operators={operator.id: operator for operator in register.operators},
        sites={site.id: site for site in register.sites},
        site_roles={role.id: role for role in register.roles},
        single_parameters={SINGLE[RecordKind.PARAMETERS]: parameters},
        single_city={SINGLE[RecordKind.CITY]: about},
    )


def difference(before: Records, after: Records) -> dict[Key, Frozen | None]:
    """The changes that lead from one to the other."""
    changes: dict[Key, Frozen | None] = {}
    for kind in RecordKind:
        ours, theirs = before.of(kind), after.of(kind)
        if ours is theirs:
            continue
        changes |= {(kind, ident): None for ident in ours.keys() - theirs.keys()}
        changes |= {
            (kind, ident): model for ident, model in theirs.items() if ours.get(ident) != model
        }
    return changes


def collected(found: Mapping[Key, Frozen]) -> Records:
    """The records with these kinds and ids."""
    lists: dict[str, dict[str, Frozen]] = {entry.name: {} for entry in fields(Records)}
    for (kind, ident), model in found.items():
        lists[_FIELDS[kind]][ident] = model
    return Records(**cast("dict[str, Any]", lists))


def encoded(model: Frozen) -> tuple[str, str]:
    """The canonical JSON of a record and its SHA-256."""
    body = canonical_json(model)
    return body.decode(), hashlib.sha256(body).hexdigest()


def decoded(kind: RecordKind, ident: str, body: str, digest: str) -> Frozen:
    """The model of a stored body.

    Raises
    ------
    StoreError
        When the bytes no longer have the digest, or are no such record.
    """
    if hashlib.sha256(body.encode()).hexdigest() != digest:
        raise StoreError(f"the {kind.value} {ident} was changed after it was stored")
    try:
        return cast("Frozen", _READERS[kind].validate_json(body))
    except ValidationError as error:
        raise StoreError(f"the stored {kind.value} {ident} cannot be read") from error


def searchable(text: str) -> str:
    """Text in which letters of either case, and all ways to write one letter, are the same."""
    return unicodedata.normalize("NFKC", text).casefold()


def columns_of(ident: str, model: Frozen) -> dict[str, Any]:
    """What lists are filtered and sorted by."""
    columns: dict[str, Any] = dict.fromkeys(_COLUMNS)
    columns["title"] = ""
    if isinstance(model, Dataset):
        columns |= {
            "department": model.owner_department,
            "confidentiality": _plain(model.confidentiality),
            "gdpr_category": _plain(model.gdpr_category),
            "access_rights": _plain(model.access_rights),
            "current_site": model.current_site,
            "volume_gb": model.volume_gb,
        }
    elif isinstance(model, Role):
        columns |= {"department": model.department, "country": model.country}
    elif isinstance(model, Operator):
        columns["country"] = model.country
    elif isinstance(model, Site):
        columns |= {"operator": model.operator, "country": model.country}
    title = model.contractor if isinstance(model, CollectionContract) else None
    columns["title"] = title or getattr(model, "title", "")
    columns["search"] = searchable(f"{ident}\x1f{columns['title']}")
    return columns


def named_by(model: Frozen) -> list[str]:
    """Roles that read a dataset, or datasets that a relation relates: sorted, each once."""
    if isinstance(model, Dataset):
        return sorted(set(model.readers))
    if isinstance(model, _RELATIONS):
        return sorted(set(related_datasets(model)))
    return []


_RELATIONS = (DerivedFrom, CoLocated, Separated, Cumulated)
_COLUMNS = (
    "department",
    "confidentiality",
    "gdpr_category",
    "access_rights",
    "current_site",
    "operator",
    "country",
    "volume_gb",
)


def _plain(value: Any) -> Any:
    return None if value is None else value.value


def _by_id(records: Mapping[str, _M]) -> tuple[_M, ...]:
    return tuple(records[ident] for ident in sorted(records))
