"""From DCAT-AP to a catalogue.

Taken from the description: titles, access rights, publishers, contacts, high-value marks,
stated byte sizes, formats and services, and lineage between datasets of the catalogue. All else
is assumed, and every assumption is listed in the catalogue with its count.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from models import (
    AccessRights,
    Catalog,
    CollectorKind,
    Dataset,
    DerivedFrom,
    Dpia,
    GdprCategory,
    Level,
    Role,
    StorageKind,
)
from placement.catalog import synthetic
from placement.catalog.assumptions import Assumptions
from placement.catalog.dcat.entry import DCAT, DCT, DISTRIBUTIONS_MAX, LICENCES_MAX, PROV, Entry
from placement.catalog.dcat.reading import BASE, PROFILE, read_graph
from placement.catalog.places import shown
from placement.errors import BadInput, Defect

if TYPE_CHECKING:
    from rdflib import Graph

_BYTES_PER_GB = 10**9
_ID_MAX = 120
_URI_MAX = 2_000
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")
_T = TypeVar("_T")
_CONFIDENTIALITY = {
    AccessRights.PUBLIC: Level.OPEN,
    AccessRights.RESTRICTED: Level.NORMAL,
    AccessRights.NON_PUBLIC: Level.HIGH,
}
_COUNTRY_OF_LANGUAGE = {
    "BUL": "BG", "CES": "CZ", "DAN": "DK", "DEU": "DE", "ELL": "GR", "EST": "EE", "FIN": "FI",
    "FRA": "FR", "GLE": "IE", "HRV": "HR", "HUN": "HU", "ITA": "IT", "LAV": "LV", "LIT": "LT",
    "MLT": "MT", "NLD": "NL", "POL": "PL", "POR": "PT", "RON": "RO", "SLK": "SK", "SLV": "SI",
    "SPA": "ES", "SWE": "SE",
}  # fmt: skip
"""The EU country a language is first spoken in; English says nothing."""


def load_dcat_ap(path: Path) -> Catalog:
    """The catalogue of an RDF file.

    Raises
    ------
    BadInput
        With every defect of the file.
    """
    importing = _Import(read_graph(path), str(path))
    catalog = importing.catalog()
    if importing.defects:
        raise BadInput(importing.defects)
    return catalog


class _Import:
    """One import: the graph, and what had to be assumed on the way."""

    def __init__(self, graph: Graph, file: str) -> None:
        self.graph = graph
        self.file = file
        self.defects: list[Defect] = []
        self.assumed = Assumptions()
        self.country: str | None = None

    def catalog(self) -> Catalog:
        entries = self._entries()
        if not entries:
            self.defects.append(Defect(self.file, "", "", "describes no dcat:Dataset"))
        self.country = self._country(list(entries.values()))
        datasets = tuple(self._dataset(name, entries[name]) for name in sorted(entries))
        roles = self._roles(datasets)
        return Catalog(
            municipality=self._municipality(),
            source="dcat-ap",
            assumptions=self.assumed.sentences(),
            datasets=datasets,
            roles=roles,
            relations=self._relations(entries, datasets),
        )

    # --- which datasets ------------------------------------------------------------------------

    def _entries(self) -> dict[str, Entry]:
        """Every described dataset under a stable id."""
        from rdflib import RDF, URIRef

        subjects = set(self.graph.subjects(RDF.type, URIRef(f"{DCAT}Dataset")))
        for listed in set(self.graph.objects(None, URIRef(f"{DCAT}dataset"))) - subjects:
            if (listed, None, None) in self.graph:
                subjects.add(listed)
            else:
                self.assumed.note(
                    "datasets: listed but not described here, left out", shown(str(listed))
                )
        entries = [Entry(self.graph, subject) for subject in subjects]
        if (None, URIRef(f"{DCT}conformsTo"), URIRef(PROFILE)) in self.graph:
            return self._under_own_ids(entries)
        slugs = Counter(_slug(entry)[0] for entry in entries)
        found: dict[str, Entry] = {}
        for entry in sorted(entries, key=lambda e: (_key(e), e.title)):
            slug, lossy = _slug(entry)
            mark = hashlib.sha256(_key(entry).encode()).hexdigest()[:8]
            name = f"{slug}-{mark}" if lossy or slugs[slug] > 1 else slug
            if name in found:
                message = "two datasets without a URI have the same identifier and title"
                self.defects.append(Defect(self.file, f"dataset {name}", "", message))
            found[name] = entry
        return found

    def _under_own_ids(self, entries: list[Entry]) -> dict[str, Entry]:
        """Datasets of a catalogue that this product wrote: each names its id."""
        found: dict[str, Entry] = {}
        for entry in sorted(entries, key=lambda e: (_key(e), e.title)):
            name = entry.text(f"{DCT}identifier")
            if _IDENTIFIER.fullmatch(name) is None or name in found:
                message = f"an id of its own is expected, not {shown(name)}"
                record = f"dataset {shown(_key(entry))}"
                self.defects.append(Defect(self.file, record, "dct:identifier", message))
            else:
                found[name] = entry
        return found

    def _municipality(self) -> str:
        from rdflib import RDF, URIRef

        for subject in sorted(self.graph.subjects(RDF.type, URIRef(f"{DCAT}Catalog")), key=str):
            catalog = Entry(self.graph, subject)
            for name in (*catalog.names(f"{DCT}publisher"), catalog.title):
                if name:
                    return name
        self.assumed.note("municipality: not named by the catalogue")
        return "not named"

    def _country(self, entries: list[Entry]) -> str | None:
        """The country people work from: by the language most datasets are described in."""
        languages = Counter(
            str(term).rstrip("/").rpartition("/")[2].upper()
            for entry in entries
            for term in entry.terms(f"{DCT}language")
        )
        for language, _ in languages.most_common(1):
            if language in _COUNTRY_OF_LANGUAGE:
                country = _COUNTRY_OF_LANGUAGE[language]
                self.assumed.note(f"roles: country {country}, judged by the language {language}")
                return country
        self.assumed.note("roles: country not known, left empty")
        return None

    # --- one dataset ---------------------------------------------------------------------------

    def _dataset(self, name: str, entry: Entry) -> Dataset:
        access = self._access_rights(name, entry)
        public = access is AccessRights.PUBLIC
        category = GdprCategory.NONE if public else GdprCategory.PERSONAL
        stated_gb = self._stated_gb(name, entry)
        drawn = synthetic.volumes(name, bulk=False, public=public, stated_gb=stated_gb)
        department = next(
            entry.names(f"{DCT}publisher", f"{DCT}creator", f"{DCT}rightsHolder"), None
        )
        team = _team(department)
        self._note_assumed_fields(name, entry, access, department)
        return Dataset(
            id=name,
            title=entry.title or name,
            description=entry.text(f"{DCT}description"),
            owner_department=department,
            steward=entry.contact() or department,
            confidentiality=_CONFIDENTIALITY[access],
            integrity=Level.NORMAL,
            availability=Level.NORMAL,
            gdpr_category=category,
            lawful_basis=None if public else "art. 6(1)(e) GDPR",
            dpia=Dpia.NONE if public else Dpia.PRE_SCAN,
            access_rights=access,
            high_value=entry.is_high_value(),
            readers=() if public else (team,),
            writers=(team,),
            administrators=(team,),
            collected_by=CollectorKind.MUNICIPALITY,
            volume_gb=drawn.volume_gb,
            monthly_read_gb=drawn.monthly_read_gb,
            monthly_egress_gb=drawn.monthly_egress_gb,
            storage=StorageKind.OBJECT,
            interfaces=entry.interfaces(),
            synthetic=synthetic.FIELDS if stated_gb is None else synthetic.FIELDS[1:],
            uri=self._uri(entry),
            licences=self._some("licences", name, entry.licences(), LICENCES_MAX),
            distributions=self._some(
                "distributions",
                name,
                tuple(filter(None, (d.as_distribution() for d in entry.distributions))),
                DISTRIBUTIONS_MAX,
            ),
        )

    def _uri(self, entry: Entry) -> str | None:
        """Its own IRI, where it has one that is not relative nor made up by us."""
        uri = entry.uri or ""
        kept = 0 < len(uri) <= _URI_MAX and uri.isprintable() and not uri.startswith(BASE)
        return uri if kept else None

    def _some(self, field: str, name: str, found: tuple[_T, ...], most: int) -> tuple[_T, ...]:
        if len(found) > most:
            self.assumed.note(f"{field}: the first {most} of more are kept", name)
        return found[:most]

    def _access_rights(self, name: str, entry: Entry) -> AccessRights:
        """As stated; failing that public under an open licence, else restricted."""
        stated = entry.access_rights()
        if stated is not None:
            return stated
        if entry.has_open_licence():
            self.assumed.note("access_rights: public, not stated but openly licensed", name)
            return AccessRights.PUBLIC
        self.assumed.note("access_rights: restricted, not stated nor openly licensed", name)
        return AccessRights.RESTRICTED

    def _stated_gb(self, name: str, entry: Entry) -> int | None:
        size, wrong = entry.stated_bytes()
        for text in wrong:
            message = f"a whole number of bytes is expected, not {shown(text)}"
            self.defects.append(Defect(self.file, f"dataset {name}", "dcat:byteSize", message))
        if size is None:
            return None
        self.assumed.note("volume_gb: the sum of the byte sizes that distributions state", name)
        return -(-size // _BYTES_PER_GB)

    def _note_assumed_fields(
        self, name: str, entry: Entry, access: AccessRights, department: str | None
    ) -> None:
        note = self.assumed.note
        seed = f'"{synthetic.SEED}"'
        made_up = synthetic.FIELDS if entry.stated_bytes()[0] is None else synthetic.FIELDS[1:]
        note(f"{', '.join(made_up)}: synthetic, lognormal from the seed {seed}", name)
        level = _CONFIDENTIALITY[access].name.lower()
        personal = "none" if access is AccessRights.PUBLIC else "personal"
        note(
            f"confidentiality, gdpr_category: {level} and {personal} for {access.value} data", name
        )
        if access is not AccessRights.PUBLIC:
            note("non_publication_grounds: none stated, none assumed; policies ask for one", name)
            note("lawful_basis: a public task, art. 6(1)(e) GDPR; dpia: pre_scan", name)
        note("integrity, availability: normal", name)
        note("readers of data that is not public, writers, administrators: the publisher", name)
        note("storage: object; collected_by: municipality; replicas: 1", name)
        if not entry.title:
            note("title: the id, where none is stated", name)
        if not entry.contact():
            note("steward: the publisher, where no contact is stated", name)
        if department is None:
            note("owner_department: nobody is named, left empty", name)

    # --- roles and relations -------------------------------------------------------------------

    def _roles(self, datasets: tuple[Dataset, ...]) -> tuple[Role, ...]:
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
                country=self.country,
                clearance=max(level for level in levels if level is not None),
            )
        sentence = "roles: the publisher's staff, cleared for the highest class of its datasets"
        self.assumed.note(sentence, *found, of="role")
        return tuple(found[name] for name in sorted(found))

    def _relations(
        self, entries: dict[str, Entry], datasets: tuple[Dataset, ...]
    ) -> tuple[DerivedFrom, ...]:
        names = {entry.subject: name for name, entry in entries.items()}
        volumes = {dataset.id: dataset.volume_gb for dataset in datasets}
        found: list[DerivedFrom] = []
        for name, entry in sorted(entries.items()):
            terms = [*entry.terms(f"{PROV}wasDerivedFrom"), *entry.terms(f"{DCT}source")]
            sources = {names[term] for term in terms if term in names} - {name}
            for source in sorted(sources):
                self.assumed.note("relations: monthly_transfer_gb is synthetic", name)
                amount = synthetic.transfer_gb(name, source, volumes[source])
                found.append(DerivedFrom(derived=name, source=source, monthly_transfer_gb=amount))
        return tuple(found)


def _key(entry: Entry) -> str:
    """What a dataset's id is made from: its URI, or what a blank node says of itself."""
    return entry.uri or f"{entry.text(f'{DCT}identifier')}\n{entry.title}"


def _slug(entry: Entry) -> tuple[str, bool]:
    """A readable id, and whether it lost something that could tell two datasets apart."""
    key = entry.uri or entry.text(f"{DCT}identifier") or entry.title
    last = re.split(r"[/#]", key.rstrip("/#"))[-1]
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:_ID_MAX]
    return slug or "dataset", slug != last or entry.uri is None


def _team(department: str | None) -> str:
    name = department or "unknown"
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:_ID_MAX]
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"team:{slug}" if slug.replace("-", " ") == name.lower() else f"team:{slug}-{mark}"
