"""The folder of an Amsterdam schema, read: datasets, scopes, publishers and profiles.

datasets/<folder>/dataset.json            a dataset, its versions and their tables
datasets/<folder>/<table>/<version>.json  a table, named by "$ref": "<table>/<version>"
publishers/<ID>.json                      a data team
scopes/<ID>/<scope>.json                  a scope of access and the team that owns it
profiles/<ID>/<profile>.json              scopes that may also read certain datasets
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from placement.catalog.nodes import Folder, Node, is_identifier
from placement.catalog.places import shown
from placement.errors import Defect

PUBLIC_SCOPE = "OPENBAAR"
TEAM = "team:"
"""What the id of a data team's role begins with."""
FILE_MAX_BYTES = 16 * 2**20
"""The largest real file has 0.2 MB."""


@dataclass(frozen=True)
class Part:
    """A dataset, table or field that says who may read it."""

    level: str
    """dataset, table or field."""
    scopes: tuple[str, ...]
    """Any of these may read it; empty where public or not stated."""
    grounds: tuple[str, ...]
    """Why it is not public, as written."""

    @property
    def restricted(self) -> bool:
        """It names a scope, or a ground for not being public."""
        return bool(self.scopes or self.grounds)


@dataclass
class SchemaDataset:
    """What a dataset's files say that matters for placing it."""

    id: str
    title: str
    description: str
    owner: str
    creator: str
    grantor: str
    contact: str
    publisher: str
    """The publisher's id; "" where absent."""
    says_who_may_read: bool
    served_by_api: bool
    has_exports: bool
    parts: list[Part] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Titles, themes and keywords of the dataset and its tables."""
    has_geometry: bool = False
    derived_from: dict[str, None] = field(default_factory=dict)
    """Ids of datasets whose tables its tables are computed from."""
    references: int = 0
    """Fields that point into another dataset."""


@dataclass(frozen=True)
class Scope:
    """A scope of access."""

    id: str
    name: str
    owner: str
    """The publisher's id; "" where absent."""


@dataclass(frozen=True)
class AmsterdamSchema:
    """Everything read."""

    datasets: tuple[SchemaDataset, ...]
    scopes: tuple[Scope, ...]
    publishers: dict[str, str]
    """Names of data teams by id."""
    profile_readers: dict[str, tuple[str, ...]]
    """Scopes that a profile lets read a dataset, by dataset id."""
    nested: tuple[str, ...]
    """Folders of datasets below another folder, which are not read."""


def read_schema(root: Path) -> tuple[AmsterdamSchema, list[Defect]]:
    """Read the folder; all defects met are returned beside what could be read."""
    folder = Folder(root, file_max_bytes=FILE_MAX_BYTES)
    found, nested = _dataset_files(root)
    if not found:
        folder.defects.append(Defect(str(root), "", "", "holds no datasets/*/dataset.json"))
    datasets = [d for relative in found if (d := _dataset(folder, relative)) is not None]
    _refuse_repeated_ids(folder, datasets)
    schema = AmsterdamSchema(
        datasets=tuple(sorted(datasets, key=lambda d: d.id)),
        scopes=tuple(_scopes(folder)),
        publishers=dict(_publishers(folder)),
        profile_readers=_profile_readers(folder),
        nested=tuple(nested),
    )
    return schema, folder.defects


def _dataset_files(root: Path) -> tuple[list[str], list[str]]:
    """Files of datasets one folder deep, and folders of those that lie deeper."""
    found, nested = [], []
    for folder, _, files in os.walk(root / "datasets"):
        if "dataset.json" in files:
            relative = Path(folder).relative_to(root)
            if len(relative.parts) == 2:
                found.append((relative / "dataset.json").as_posix())
            else:
                nested.append(relative.as_posix())
    return sorted(found), sorted(nested)


def _files(folder: Folder, name: str) -> Iterator[tuple[str, str]]:
    """JSON files below a top folder: their paths, and a record name from the file's."""
    top = folder.path(name)
    for file in sorted(top.rglob("*.json")) if top.is_dir() else ():
        relative = file.relative_to(folder.root).as_posix()
        yield relative, f"{name.removesuffix('s')} {file.stem}"


def _dataset(folder: Folder, relative: str) -> SchemaDataset | None:
    place = Path(relative).parent
    node = folder.read(relative, f"dataset {place.name}")
    if node is None or (name := node.identifier("id")) is None:
        return None
    node = node.named(f"dataset {name}")
    version = _default_version(node)
    contact = node.node("contactPoint")
    dataset = SchemaDataset(
        id=name,
        title=node.text("title"),
        description=node.text("description"),
        owner=node.text("owner"),
        creator=node.text("creator"),
        grantor=node.text("authorizationGrantor"),
        contact=contact.text("email") if contact else "",
        publisher=_reference(node, "publisher"),
        says_who_may_read=bool(node.texts("auth")),
        served_by_api=version.flag("enableAPI", default=True) if version else True,
        has_exports=any(True for _ in version.nodes("exports")) if version else False,
        parts=[_part("dataset", node)],
        words=[*node.texts("theme"), *node.texts("keywords")],
    )
    for entry in version.nodes("tables") if version else ():
        table = _table(folder, place.as_posix(), entry)
        if table is not None:
            _add_table(dataset, table)
    return dataset


def _default_version(node: Node) -> Node | None:
    versions = node.node("versions")
    if versions is None:
        if "versions" not in node.value and "tables" not in node.value:
            node.defect("versions", "is missing")
        return node  # the older form: tables stand in the dataset itself
    wanted = node.text("defaultVersion") or node.text("default_version")
    if not wanted and len(versions.value) == 1:
        wanted = next(iter(versions.value))
    if wanted not in versions.value:
        node.defect("defaultVersion", f"there is no version {wanted or '(none is named)'}")
        return None
    return versions.node(wanted)


def _table(folder: Folder, place: str, entry: Node) -> Node | None:
    """The table an entry names. A missing file is a defect: it may hold the one secret field."""
    reference = entry.text("$ref")
    if not reference:
        if "schema" in entry.value:
            return entry
        entry.defect("$ref", "is missing")
        return None
    return folder.read(f"{place}/{reference}.json", entry.record)


def _add_table(dataset: SchemaDataset, table: Node) -> None:
    dataset.parts.append(_part("table", table))
    dataset.words += [table.text("title") or table.text("id")]
    for source in table.texts("derivedFrom"):
        other = source.partition(":")[0]
        if other != dataset.id:
            dataset.derived_from[other] = None
    schema = table.node("schema")
    properties = schema.node("properties") if schema else None
    for prop in _properties(properties):
        part = _part("field", prop)
        if part.restricted:
            dataset.parts.append(part)
        target = prop.text("relation") if isinstance(prop.value.get("relation"), str) else ""
        dataset.references += bool(target) and target.partition(":")[0] != dataset.id
        dataset.has_geometry |= "geojson.org" in prop.text("$ref")


def _properties(properties: Node | None) -> Iterator[Node]:
    """Every property, also of objects and lists inside; without recursion."""
    pending = [properties] if properties else []
    while pending:
        for _, prop in pending.pop().members():
            yield prop
            items = prop.node("items") if isinstance(prop.value.get("items"), dict) else None
            pending += [n for p in (prop, items) if p and (n := p.node("properties"))]


def _part(level: str, node: Node) -> Part:
    scopes = node.identifiers("auth")
    public = any(scope.upper() == PUBLIC_SCOPE for scope in scopes)
    return Part(level, () if public else scopes, node.texts("reasonsNonPublic"))


def _reference(node: Node, key: str) -> str:
    """The last part of a reference: {"$ref": "/publishers/MOBI"} and "MOBI" are MOBI."""
    value = node.value.get(key)
    target = node.node(key) if isinstance(value, dict) else None
    text = target.text("$ref") if target else node.text(key)
    name = text.rpartition("/")[2]
    if name and not is_identifier(f"{TEAM}{name}"):
        node.defect(key, f"{shown(text)} names no publisher by a valid id")
        return ""
    return name


def _scopes(folder: Folder) -> Iterator[Scope]:
    for relative, record in _files(folder, "scopes"):
        node = folder.read(relative, record)
        if node is not None and (name := node.identifier("id")) is not None:
            yield Scope(name, node.text("name") or name, _reference(node, "owner"))


def _publishers(folder: Folder) -> Iterator[tuple[str, str]]:
    for relative, record in _files(folder, "publishers"):
        if Path(relative).name == "publishers.json":
            continue  # an index that repeats the others
        node = folder.read(relative, record)
        if node is not None and (name := node.identifier("id")) is not None:
            yield name, node.text("name") or name


def _profile_readers(folder: Folder) -> dict[str, tuple[str, ...]]:
    readers: dict[str, tuple[str, ...]] = {}
    for relative, record in _files(folder, "profiles"):
        node = folder.read(relative, record)
        named = node.node("datasets") if node else None
        if node is not None and named is not None:
            for dataset in named.value:
                readers[dataset] = (*readers.get(dataset, ()), *node.identifiers("scopes"))
    return readers


def _refuse_repeated_ids(folder: Folder, datasets: list[SchemaDataset]) -> None:
    seen: set[str] = set()
    for dataset in datasets:
        if dataset.id in seen:
            record = f"dataset {dataset.id}"
            message = "is used by more than one dataset.json"
            folder.defects.append(Defect(str(folder.path("datasets")), record, "id", message))
        seen.add(dataset.id)
