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
from typing import TYPE_CHECKING

from models import AccessRights, Catalog, Dataset, DerivedFrom
from placement.catalog import synthetic
from placement.catalog.assumptions import Assumptions
from placement.catalog.dcat.entry import DCAT, DCT, PROV, Entry
from placement.catalog.dcat.reading import BASE, PROFILE, read_graph
from placement.catalog.open_data import (
    ID_MAX,
    Described,
    assumed_access,
    dataset_of,
    gigabytes_of,
    roles_of,
)
from placement.catalog.places import shown
from placement.errors import BadInput, Defect

if TYPE_CHECKING:
    from rdflib import Graph

_URI_MAX = 2_000
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")
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
        roles = roles_of(datasets, self.country, self.assumed)
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
        offered = (distribution.as_distribution() for distribution in entry.distributions)
        agents = entry.names(f"{DCT}publisher", f"{DCT}creator", f"{DCT}rightsHolder")
        stated = entry.access_rights()
        said = Described(
            id=name,
            title=entry.title,
            description=entry.text(f"{DCT}description"),
            department=next(agents, None),
            contact=entry.contact(),
            access=stated if stated is not None else self._access_rights(name, entry),
            high_value=entry.is_high_value(),
            interfaces=entry.interfaces(),
            stated_gb=self._stated_gb(name, entry),
            uri=_own_uri(entry),
            licences=entry.licences(),
            distributions=tuple(filter(None, offered)),
        )
        return dataset_of(said, self.assumed)

    def _access_rights(self, name: str, entry: Entry) -> AccessRights:
        return assumed_access(name, openly_licensed=entry.has_open_licence(), assumed=self.assumed)

    def _stated_gb(self, name: str, entry: Entry) -> int | None:
        size, wrong = entry.stated_bytes()
        for text in wrong:
            message = f"a whole number of bytes is expected, not {shown(text)}"
            self.defects.append(Defect(self.file, f"dataset {name}", "dcat:byteSize", message))
        return None if size is None else gigabytes_of(size, name, self.assumed)

    # --- relations -------------------------------------------------------------------------------

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


def _own_uri(entry: Entry) -> str | None:
    """Its own IRI, where it has one that is not relative nor made up by us."""
    uri = entry.uri or ""
    kept = 0 < len(uri) <= _URI_MAX and uri.isprintable() and not uri.startswith(BASE)
    return uri if kept else None


def _slug(entry: Entry) -> tuple[str, bool]:
    """A readable id, and whether it lost something that could tell two datasets apart."""
    key = entry.uri or entry.text(f"{DCT}identifier") or entry.title
    last = re.split(r"[/#]", key.rstrip("/#"))[-1]
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:ID_MAX]
    return slug or "dataset", slug != last or entry.uri is None
