"""Datasets as open-data portals describe them, whatever the format: the rest is assumed.

DCAT-AP and CKAN say who publishes a dataset, who may see it and under what licence. Neither says
what policies judge: classification, personal data, roles. What follows from access rights and the
publisher is assumed here, alike for both, and every assumption is noted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from models import (
    AccessRights,
    CollectorKind,
    Dataset,
    Distribution,
    Dpia,
    GdprCategory,
    Interface,
    Level,
    Role,
    StorageKind,
)
from models.licences import is_open
from placement.catalog import synthetic
from placement.catalog.assumptions import Assumptions

LICENCES_MAX = 20
DISTRIBUTIONS_MAX = 100
"""Most of each that one dataset keeps."""
ID_MAX = 120
MAX_BYTES_STATED = 10**18
"""An exabyte: what is more is a mistake."""
BYTES_PER_GB = 10**9

_CONFIDENTIALITY = {
    AccessRights.PUBLIC: Level.OPEN,
    AccessRights.RESTRICTED: Level.NORMAL,
    AccessRights.NON_PUBLIC: Level.HIGH,
}
_OPEN_LICENCE = re.compile(
    r"creativecommons\.org/(?:publicdomain|licenses/by(?:-sa)?/)|/CC0|/CC_?BY(?:_?SA)?(?:_[0-9]|$)"
    r"|^cc-(?:by|by-sa|zero)$|^odc-|opendatacommons|odbl|iodl|dl-de|etalab|licence-ouverte",
    re.IGNORECASE,
)
_SPDX_ADDRESS = re.compile(
    r"https?://spdx\.org/licenses/(?P<id>[A-Za-z0-9.+-]+?)(?:\.html|\.json)?"
)
_INTERFACES = (
    (re.compile(r"\bwfs\b|opengis.*wfs", re.IGNORECASE), Interface.WFS),
    (re.compile(r"ogcapi|ogc[ -]api", re.IGNORECASE), Interface.OGC_API),
    (re.compile(r"sparql", re.IGNORECASE), Interface.SPARQL),
    (re.compile(r"odata", re.IGNORECASE), Interface.ODATA),
    (re.compile(r"ngsi", re.IGNORECASE), Interface.NGSI_LD),
    (re.compile(r"\bmqtt\b", re.IGNORECASE), Interface.MQTT),
    (re.compile(r"\bs3\b", re.IGNORECASE), Interface.S3),
    (re.compile(r"\bsftp\b", re.IGNORECASE), Interface.SFTP),
)


@dataclass(frozen=True)
class Described:
    """What a portal says of one dataset."""

    id: str
    title: str
    """Empty where it says none."""
    description: str
    department: str | None
    contact: str
    """Empty where it says none."""
    access: AccessRights
    high_value: bool
    interfaces: tuple[Interface, ...]
    stated_gb: int | None
    uri: str | None
    licences: tuple[str, ...]
    distributions: tuple[Distribution, ...]


def is_open_data_licence(licence: str) -> bool:
    """Whether a licence is open: an SPDX id of an open one, or a portal's name for one."""
    spdx = _SPDX_ADDRESS.fullmatch(licence)
    named = licence if spdx is None else spdx["id"]
    return is_open(named) or _OPEN_LICENCE.search(licence) is not None


def interfaces_in(texts: Iterable[str]) -> tuple[Interface, ...]:
    """Interfaces that formats and services name; files over HTTPS where they name none."""
    named = list(texts)
    found = [interface for pattern, interface in _INTERFACES if any(map(pattern.search, named))]
    return tuple(found) or (Interface.HTTPS_FILES,)


def assumed_access(name: str, *, openly_licensed: bool, assumed: Assumptions) -> AccessRights:
    """Where nobody states it: public under an open licence, else restricted."""
    if openly_licensed:
        assumed.note("access_rights: public, not stated but openly licensed", name)
        return AccessRights.PUBLIC
    assumed.note("access_rights: restricted, not stated nor openly licensed", name)
    return AccessRights.RESTRICTED


def dataset_of(said: Described, assumed: Assumptions) -> Dataset:
    """A dataset, with all that had to be assumed of it noted."""
    public = said.access is AccessRights.PUBLIC
    drawn = synthetic.volumes(said.id, bulk=False, public=public, stated_gb=said.stated_gb)
    team = team_of(said.department)
    _note_assumed_fields(said, assumed)
    return Dataset(
        id=said.id,
        title=said.title or said.id,
        description=said.description,
        owner_department=said.department,
        steward=said.contact or said.department,
        confidentiality=_CONFIDENTIALITY[said.access],
        integrity=Level.NORMAL,
        availability=Level.NORMAL,
        gdpr_category=GdprCategory.NONE if public else GdprCategory.PERSONAL,
        lawful_basis=None if public else "art. 6(1)(e) GDPR",
        dpia=Dpia.NONE if public else Dpia.PRE_SCAN,
        access_rights=said.access,
        high_value=said.high_value,
        readers=() if public else (team,),
        writers=(team,),
        administrators=(team,),
        collected_by=CollectorKind.MUNICIPALITY,
        volume_gb=drawn.volume_gb,
        monthly_read_gb=drawn.monthly_read_gb,
        monthly_egress_gb=drawn.monthly_egress_gb,
        storage=StorageKind.OBJECT,
        interfaces=said.interfaces,
        synthetic=synthetic.FIELDS if said.stated_gb is None else synthetic.FIELDS[1:],
        uri=said.uri,
        licences=said.licences[:LICENCES_MAX],
        distributions=said.distributions[:DISTRIBUTIONS_MAX],
    )


def roles_of(
    datasets: Iterable[Dataset], country: str | None, assumed: Assumptions
) -> tuple[Role, ...]:
    """One role for each publisher, cleared for what it publishes."""
    found: dict[str, Role] = {}
    for dataset in datasets:
        (name,) = dataset.administrators
        known = found.get(name)
        levels = [dataset.confidentiality, known.clearance if known else Level.BASIC]
        found[name] = Role(
            id=name,
            title=f"Staff of {dataset.owner_department or 'an unnamed publisher'}"[:500],
            department=dataset.owner_department,
            country=country,
            clearance=max(level for level in levels if level is not None),
        )
    sentence = "roles: the publisher's staff, cleared for the highest class of its datasets"
    assumed.note(sentence, *found, of="role")
    return tuple(found[name] for name in sorted(found))


def team_of(department: str | None) -> str:
    """The id of a publisher's staff."""
    name = department or "unknown"
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:ID_MAX]
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"team:{slug}" if slug.replace("-", " ") == name.lower() else f"team:{slug}-{mark}"


def gigabytes_of(size: int, name: str, assumed: Assumptions) -> int:
    """Whole gigabytes, rounded up, of bytes that are stated."""
    assumed.note("volume_gb: the sum of the byte sizes that distributions state", name)
    return -(-size // BYTES_PER_GB)


def _note_assumed_fields(said: Described, assumed: Assumptions) -> None:
    note, name, access = assumed.note, said.id, said.access
    seed = f'"{synthetic.SEED}"'
    made_up = synthetic.FIELDS if said.stated_gb is None else synthetic.FIELDS[1:]
    note(f"{', '.join(made_up)}: synthetic, lognormal from the seed {seed}", name)
    level = _CONFIDENTIALITY[access].name.lower()
    personal = "none" if access is AccessRights.PUBLIC else "personal"
    note(f"confidentiality, gdpr_category: {level} and {personal} for {access.value} data", name)
    if access is not AccessRights.PUBLIC:
        note("non_publication_grounds: none stated, none assumed; policies ask for one", name)
        note("lawful_basis: a public task, art. 6(1)(e) GDPR; dpia: pre_scan", name)
    note("integrity, availability: normal", name)
    note("readers of data that is not public, writers, administrators: the publisher", name)
    note("storage: object; collected_by: municipality; replicas: 1", name)
    if not said.title:
        note("title: the id, where none is stated", name)
    if not said.contact:
        note("steward: the publisher, where no contact is stated", name)
    if said.department is None:
        note("owner_department: nobody is named, left empty", name)
    for field, found, most in (
        ("licences", said.licences, LICENCES_MAX),
        ("distributions", said.distributions, DISTRIBUTIONS_MAX),
    ):
        if len(found) > most:
            note(f"{field}: the first {most} of more are kept", name)
