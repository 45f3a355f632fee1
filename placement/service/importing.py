"""Bringing a whole catalogue: native, or in the form of another city, portal or price list."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from models import (
    Catalog,
    CatalogDifference,
    CatalogSnapshot,
    CatalogVersion,
    Frozen,
    RecordChange,
    SiteRegister,
)
from placement.catalog import (
    Lineage,
    catalog_of,
    check_references,
    load_catalog,
    load_lineage,
    load_register,
    register_of,
    with_lineage,
)
from placement.errors import BadInput, Defect, NotAllowed
from placement.graph import derive_facts
from placement.service.bodies import decode_body
from placement.service.catalogs import commit
from placement.service.city import Caller, City
from placement.service.integrity import BODY
from placement.service.performing import Reply
from placement.service.snapshot import Snapshot
from placement.store import Transaction
from placement.store.catalog import CatalogRecords
from placement.store.catalog_versions import CHANGES_KEPT, summary_of
from placement.store.head import read_head
from placement.store.records import Key, Records, difference, encoded, records_of

ImportFormat = Literal[
    "native", "amsterdam-schema", "dcat-ap", "ckan", "openlineage", "mobility", "eu-cloud-prices"
]
ONE_FILE: tuple[ImportFormat, ...] = ("dcat-ap", "ckan", "openlineage")
"""Forms of which a catalogue is a single file."""
FORMATS: tuple[str, ...] = get_args(ImportFormat)
RDF_SUFFIXES: Mapping[str, str] = {
    "application/rdf+xml": ".rdf",
    "text/turtle": ".ttl",
    "application/n-triples": ".nt",
    "application/ld+json": ".jsonld",
}
"""Media types of a DCAT-AP catalogue that is sent as it is."""


class ImportBody(Frozen):
    """What an import sends: the native halves, or the files of a foreign form."""

    catalog: Catalog | None = None
    """Replaces datasets, roles, contracts and relations."""
    sites: SiteRegister | None = None
    """Replaces operators, sites and their roles."""
    files: dict[str, str] | None = None
    """Of a foreign form: contents by relative path."""


FILES_MOST = 20_000
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_DEPTH_MOST = 8


@dataclass(frozen=True)
class Incoming:
    """What an import brings; a half that it does not bring stays as it is."""

    catalog: Catalog | None
    register: SiteRegister | None
    lineage: Lineage | None = None
    """Adds relations to the catalogue that is there, or that is brought."""


def read_native(content: bytes) -> Incoming:
    """An import of `{"catalog": ..., "sites": ...}`, either of which may be absent.

    Raises
    ------
    BadInput
        With every defect of both, as the readers of files give them.
    """
    document = _object(decode_body(content), {"catalog", "sites"})
    defects: list[Defect] = []
    catalog = register = None
    with _gathered(defects):
        if document.get("catalog") is not None:
            catalog = catalog_of(document["catalog"], "catalog")
    with _gathered(defects):
        if document.get("sites") is not None:
            register = register_of(document["sites"], "sites")
    if not defects and catalog is None and register is None:
        defects = [Defect(BODY, "", "", "a catalog, sites or both are expected")]
    if defects:
        raise BadInput(defects)
    return Incoming(catalog, register)


def read_foreign(form: ImportFormat, content: bytes) -> Incoming:
    """An import of `{"files": {"path/in/folder": "text", ...}}` in a foreign form.

    Raises
    ------
    BadInput
        With every defect of every file.
    """
    files = _object(decode_body(content), {"files"}).get("files")
    if not isinstance(files, dict) or not 0 < len(files) <= FILES_MOST:
        raise BadInput([Defect(BODY, "", "files", f"1 to {FILES_MOST} files are expected")])
    defects = [
        Defect(BODY, "", "files", f"file {number} {problem}")
        for number, (path, text) in enumerate(files.items(), start=1)
        if (problem := _wrong_file(path, text)) is not None
    ]
    if form in ONE_FILE and len(files) != 1:
        defects.append(Defect(BODY, "", "files", f"one file is expected for {form}"))
    if defects:
        raise BadInput(defects)
    with _private_folder() as folder:
        try:
            for path, text in files.items():
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise BadInput([Defect(BODY, "", "files", "one path lies below another")]) from error
        return _loaded(form, folder / next(iter(files)) if form in ONE_FILE else folder, folder)


def read_rdf(suffix: str, content: bytes) -> Incoming:
    """An import of one RDF document, as it is. Raises BadInput with all its defects."""
    with _private_folder() as folder:
        path = folder / f"catalog{suffix}"
        path.write_bytes(content)
        return _loaded("dcat-ap", path, folder)


class Import:
    """What an import makes of the catalogue. Working it out can be done before the city is locked.

    Parameters
    ----------
    incoming
        What is brought.
    """

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._known: tuple[str, dict[Key, Frozen | None]] | None = None

    def against(self, head: Snapshot) -> dict[Key, Frozen | None]:
        """The changes that it makes to a version.

        Raises
        ------
        BadInput
            When the result would not fit together.
        """
        if self._known is None or self._known[0] != head.digest:
            self._known = head.digest, _changes(self._incoming, head)
        return self._known[1]


def prepare(city: City, caller: Caller, incoming: Import) -> None:
    """Work an import out against the current version, before the city is locked.

    Raises
    ------
    NotAllowed, BadInput
        As `replace_whole` does.
    """
    _require_all(caller)
    incoming.against(city.snapshots.at_head())


def replace_whole(
    tx: Transaction, city: City, caller: Caller, incoming: Import, *, dry_run: bool
) -> Reply:
    """Replace the catalogue, the sites or both by what is brought: one version, or nothing.

    Raises
    ------
    NotAllowed
        When the caller does not see every record: one would remove what one cannot see.
    BadInput
        When the result would not fit together.
    """
    _require_all(caller)
    head = city.snapshots.at_head(tx)
    changes = incoming.against(head)
    version = None if dry_run else commit(tx, caller, "catalog", changes)
    found = _difference(head, changes, version, dry_run=dry_run)
    location = None if version is None else f"/v1/catalogs/{version.version}"
    return Reply.json(found, 200 if version is None else 201, location=location)


def versions(city: City, caller: Caller, before: int | None, limit: int) -> list[CatalogVersion]:
    """Versions of the catalogue, newest first; their changes for whoever sees all records."""
    with city.store.reading() as tx:
        found = CatalogRecords(tx).versions(before, limit)
    hidden: dict[str, Any] = {} if caller.rows.all else {"changes": ()}
    return [version.model_copy(update=hidden) for version in found]


def snapshot_of(city: City, caller: Caller, version: int | None) -> CatalogSnapshot:
    """A version as the two native files; none: the current one.

    Raises
    ------
    NotFound
        When it was never made.
    NotAllowed
        When the caller does not see every record.
    """
    _require_all(caller)
    with city.store.reading() as tx:
        head = read_head(tx)
        if version is None or version == head.version:
            found = city.snapshots.of(tx, head)
            return CatalogSnapshot(
                version=found.version,
                digest=found.digest,
                catalog=found.catalog,
                sites=found.register,
            )
        records = CatalogRecords(tx)
        whole = records.load(version)
        digest = records.digest(version)
    return CatalogSnapshot(
        version=version, digest=digest, catalog=whole.as_catalog(), sites=whole.as_register()
    )


def snapshot_json(city: City, caller: Caller, version: int | None) -> tuple[str, bytes]:
    """The digest and the JSON of a version (see `snapshot_of`)."""
    found = snapshot_of(city, caller, version)
    return found.digest, found.model_dump_json().encode()


def _require_all(caller: Caller) -> None:
    if not caller.rows.all:
        raise NotAllowed("a whole catalogue is for somebody who may see every record of it")


def _changes(incoming: Incoming, head: Snapshot) -> dict[Key, Frozen | None]:
    after = _after(incoming, head.records)
    catalog, register = after.as_catalog(), after.as_register()
    check_references(catalog, register, catalog_file="catalog", register_file="sites")
    derive_facts(catalog, after.parameters)
    return difference(head.records, after)


def _after(incoming: Incoming, before: Records) -> Records:
    """The records as they were, with one half or both replaced."""
    catalog = incoming.catalog or before.as_catalog()
    if incoming.lineage is not None:
        catalog = with_lineage(catalog, incoming.lineage)
    register = incoming.register or before.as_register()
    brought = records_of(catalog, register, before.parameters)
    # Parameters are no part of an import: where the city set none, none are made.
    return replace(brought, single_parameters=before.single_parameters)


def _difference(
    head: Snapshot,
    changes: Mapping[Key, Frozen | None],
    version: CatalogVersion | None,
    *,
    dry_run: bool,
) -> CatalogDifference:
    known = {(kind, ident) for kind, ident in changes if ident in head.records.of(kind)}
    removed = sum(model is None for model in changes.values())
    added = len(changes) - len(known)
    listed = sorted(changes)
    shown = [
        RecordChange(kind=kind, id=ident, digest=_digest(changes[kind, ident]))
        for kind, ident in listed[:CHANGES_KEPT]
    ]
    return CatalogDifference(
        dry_run=dry_run,
        base=head.version,
        version=head.version if version is None else version.version,
        summary=summary_of(
            (
                RecordChange(kind=k, id=i, digest=_ANY if m is not None else None)
                for (k, i), m in changes.items()
            ),
            known,
        ),
        added=added,
        changed=len(known) - removed,
        removed=removed,
        changes=tuple(shown),
    )


_ANY = "0" * 64


def _digest(model: Frozen | None) -> str | None:
    return None if model is None else encoded(model)[1]


def _object(document: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BadInput([Defect(BODY, "", "", "an object is expected")])
    unknown = sorted(document.keys() - known)
    if unknown:
        expected = " and ".join(sorted(known))
        raise BadInput([Defect(BODY, "", "", f"only {expected} may stand here")])
    return document


def _wrong_file(path: str, text: Any) -> str | None:
    if not isinstance(text, str):
        return "is not a text"
    segments = path.split("/")
    if len(segments) > _DEPTH_MOST or not all(_SEGMENT.fullmatch(part) for part in segments):
        return "needs a plain relative path of letters, digits and . _ - /"
    return None


def _loaded(form: ImportFormat, path: Path, folder: Path) -> Incoming:
    """What a foreign reader finds; its defects name files as they were sent."""
    try:
        if form == "eu-cloud-prices":
            return Incoming(None, load_register(path, form))
        if form == "openlineage":
            # Its defects come later, when it is put into a catalogue.
            named = path.relative_to(folder).as_posix()
            return Incoming(None, None, replace(load_lineage(path), file=named))
        return Incoming(load_catalog(path, form), None)
    except BadInput as error:
        prefix = f"{folder}"
        raise BadInput(
            [
                Defect(
                    d.file.replace(prefix, "").lstrip("/"),
                    d.record,
                    d.field,
                    d.message.replace(f"{prefix}/", "").replace(prefix, "the folder"),
                )
                for d in error.defects
            ]
        ) from None


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that only this process' user can read, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="placement-import-") as name:
        yield Path(name).resolve()


@contextlib.contextmanager
def _gathered(defects: list[Defect]) -> Iterator[None]:
    try:
        yield
    except BadInput as error:
        defects.extend(error.defects)
