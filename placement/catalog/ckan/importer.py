"""From CKAN's packages to a catalogue.

Taken from a package: name, title, notes, organisation, maintainer, licence, resources, sizes, and
whether it is private. All else is assumed, and every assumption is listed with its count.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from models import AccessRights, Catalog, Dataset, DerivedFrom
from placement.catalog import synthetic
from placement.catalog.assumptions import Assumptions
from placement.catalog.ckan.package import Package
from placement.catalog.open_data import (
    ID_MAX,
    Described,
    assumed_access,
    dataset_of,
    gigabytes_of,
    interfaces_in,
    is_open_data_licence,
    roles_of,
)
from placement.catalog.places import shown
from placement.catalog.strict_json import read_json
from placement.errors import BadInput, Defect

MAX_BYTES = 256 * 2**20
_KEPT_STATES = ("", "active")
_KEPT_TYPES = ("", "dataset")


def load_ckan(path: Path) -> Catalog:
    """The catalogue in an answer of `package_show`, `package_search` or their like.

    Parameters
    ----------
    path
        JSON: the answer with `success` and `result`, a list of packages, or one package.

    Raises
    ------
    BadInput
        With every defect of the file.
    """
    file = str(path)
    importing = _Import(file, _packages(read_json(path, max_bytes=MAX_BYTES), file))
    catalog = importing.catalog()
    if importing.defects:
        raise BadInput(importing.defects)
    return catalog


def _packages(document: Any, file: str) -> list[Any]:
    """The packages in a document, whichever action answered it."""
    found = document
    if isinstance(found, dict) and "success" in found:
        if found["success"] is not True:
            raise BadInput([Defect(file, "", "success", "CKAN answered with an error")])
        found = found.get("result")
    if isinstance(found, dict) and "results" in found:
        found = found["results"]
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise BadInput([Defect(file, "", "result", "a package or a list of packages is expected")])
    if not found:
        raise BadInput([Defect(file, "", "result", "there is no package")])
    return found


class _Import:
    """One import: the packages, and what had to be assumed on the way."""

    def __init__(self, file: str, records: list[Any]) -> None:
        self.file = file
        self.defects: list[Defect] = []
        self.assumed = Assumptions()
        self._packages: dict[str, Package] = {}
        for position, record in enumerate(records, start=1):
            self._take(record, position)

    def catalog(self) -> Catalog:
        if not self._packages and not self.defects:
            self.defects.append(Defect(self.file, "", "result", "there is no dataset to place"))
        datasets = tuple(self._dataset(name) for name in sorted(self._packages))
        relations = self._relations({dataset.id: dataset.volume_gb for dataset in datasets})
        for package in self._packages.values():
            self.defects += package.defects
        self.assumed.note("municipality: not named by CKAN")
        self.assumed.note("roles: country not known, left empty")
        return Catalog(
            municipality="not named",
            source="ckan",
            datasets=datasets,
            roles=roles_of(datasets, None, self.assumed),
            relations=relations,
            assumptions=self.assumed.sentences(),
        )

    def _take(self, record: Any, position: int) -> None:
        if not isinstance(record, dict):
            message = f"an object is expected, not {shown(record)}"
            if isinstance(record, str):
                message = "is a name alone; ask CKAN for the packages themselves (package_search)"
            self.defects.append(Defect(self.file, f"package {position}", "", message))
            return
        package = Package(record, self.file, position)
        if not package.name:
            package.wrong("name", "is missing")
            self.defects += package.defects
            return
        if package.text("state") not in _KEPT_STATES or package.text("type") not in _KEPT_TYPES:
            self.assumed.note("packages: not active, or no datasets, left out", package.name)
            return
        name = _id(package.name)
        if name in self._packages:
            package.wrong("name", "is used by an earlier package")
            self.defects += package.defects
            return
        self._packages[name] = package

    def _dataset(self, name: str) -> Dataset:
        package = self._packages[name]
        licence, offered = package.licence(), package.distributions()
        address = package.said("uri")
        said = Described(
            id=name,
            title=package.text("title"),
            description=package.text("notes"),
            department=package.organization or package.said("publisher_name") or None,
            contact=package.text("maintainer_email")
            or package.text("maintainer")
            or package.text("author_email")
            or package.text("author"),
            access=self._access(name, package, licence),
            high_value=package.is_high_value(),
            interfaces=interfaces_in(filter(None, (each.format for each in offered))),
            stated_gb=self._stated_gb(name, package),
            uri=address or None,
            licences=(licence,) if licence else (),
            distributions=offered,
        )
        if package.has_tags():
            self.assumed.note("tags, groups: not kept, nothing here reads them", name)
        return dataset_of(said, self.assumed)

    def _access(self, name: str, package: Package, licence: str) -> AccessRights:
        stated = package.stated_access()
        if stated is not None and not (package.private and stated is AccessRights.PUBLIC):
            return stated
        if package.private is not None:
            right = AccessRights.NON_PUBLIC if package.private else AccessRights.PUBLIC
            self.assumed.note(f"access_rights: {right.value}, by CKAN's private flag", name)
            return right
        openly = is_open_data_licence(licence)
        return assumed_access(name, openly_licensed=openly, assumed=self.assumed)

    def _stated_gb(self, name: str, package: Package) -> int | None:
        size, unclear = package.stated_bytes()
        if unclear:
            self.assumed.note("volume_gb: sizes that are no number of bytes do not count", name)
        return None if size is None else gigabytes_of(size, name, self.assumed)

    def _relations(self, volumes: dict[str, int]) -> tuple[DerivedFrom, ...]:
        found = []
        for name in sorted(self._packages):
            sources = {_id(other) for other in self._packages[name].derives_from if other}
            for source in sorted(sources & volumes.keys() - {name}):
                self.assumed.note("relations: monthly_transfer_gb is synthetic", name)
                amount = synthetic.transfer_gb(name, source, volumes[source])
                found.append(DerivedFrom(derived=name, source=source, monthly_transfer_gb=amount))
        return tuple(found)


def _id(name: str) -> str:
    """CKAN's names are ids already; what is not becomes one that no other name becomes."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:ID_MAX]
    if slug == name:
        return slug
    return f"{slug or 'dataset'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
