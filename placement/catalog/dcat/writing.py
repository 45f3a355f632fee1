"""From a catalogue and its placements to DCAT-AP 3.0.

| Here                     | There                                                                |
|--------------------------|----------------------------------------------------------------------|
| catalogue                | dcat:Catalog that conforms to the profile of `reading.PROFILE`       |
| dataset                  | dcat:Dataset under its own IRI, else one made from its id            |
| distribution it came with| dcat:Distribution                                                    |
| site                     | dcat:DataService, published by its operator                          |
| placement                | dcat:Distribution of type `reading.PLACEMENT` with that accessService|

DCAT-AP wants an accessURL of every distribution and an endpointURL of every service. Where none
is known they are IRIs under the base, which by default lies in a domain that never resolves (RFC
2606): identifiers, not addresses. Every node has an IRI of its own, so equal catalogues have equal
texts.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from models import Catalog, Dataset, DerivedFrom, Distribution, Site, SiteRegister
from placement.catalog.dcat.entry import DCAT, DCATAP, DCT, FOAF, RDFS, VCARD
from placement.catalog.dcat.reading import BASE, PLACEMENT, PROFILE
from placement.catalog.dcat.serializing import Serialization, serialized

if TYPE_CHECKING:
    from rdflib import Graph, URIRef

ACCESS_RIGHT = "http://publications.europa.eu/resource/authority/access-right/"
HIGH_VALUE_LAW = "http://data.europa.eu/eli/reg_impl/2023/138/oj"

SKOS = "http://www.w3.org/2004/02/skos/core#"

_BYTES_PER_GB = 10**9
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_RESERVED = ":/?#[]@!$&'()*+,;=%~"
_MAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_PREFIXES = {
    "dcat": DCAT,
    "dct": DCT,
    "foaf": FOAF,
    "vcard": VCARD,
    "dcatap": DCATAP,
    "rdfs": RDFS,
    "skos": SKOS,
}


def dcat_ap(
    catalog: Catalog,
    register: SiteRegister | None = None,
    placements: Mapping[str, Sequence[str]] | None = None,
    *,
    serialization: Serialization = "turtle",
    base: str = BASE,
) -> str:
    """A catalogue, and where its datasets rest, as RDF.

    Parameters
    ----------
    catalog
        The datasets.
    register
        The sites that placements name.
    placements
        Site ids by dataset id; datasets that are not named rest nowhere.
    serialization
        turtle, rdf-xml or json-ld (with its context inside).
    base
        What IRIs begin with where none is known; it ends in "/".

    Returns
    -------
    str
        The text; the same for the same arguments.
    """
    writing = _Writing(base)
    writing.catalog(catalog)
    if register is not None:
        writing.placements(catalog, register, placements or {})
    return writing.text(serialization)


class _Writing:
    """A graph that grows."""

    def __init__(self, base: str) -> None:
        from rdflib import Graph

        self.base = base
        self.graph: Graph = Graph()
        for prefix, namespace in _PREFIXES.items():
            self.graph.bind(prefix, namespace)
        self._root = self._iri("catalog")
        self._shared: frozenset[str] = frozenset()
        """IRIs that several datasets claim: none of them gets it."""

    def text(self, serialization: Serialization) -> str:
        return serialized(self.graph, _PREFIXES, serialization)

    # --- the catalogue -------------------------------------------------------------------------

    def catalog(self, catalog: Catalog) -> None:
        root = self._root
        self._type(root, f"{DCAT}Catalog")
        self._say(root, f"{DCT}title", f"Datasets of {catalog.municipality}")
        self._say(root, f"{DCT}description", f"Datasets of {catalog.municipality}, and their sites")
        self._link(root, f"{DCT}conformsTo", self._typed(PROFILE, f"{DCT}Standard"))
        self._link(root, f"{DCT}publisher", self._agent(catalog.municipality))
        claimed = Counter(dataset.uri for dataset in catalog.datasets if dataset.uri)
        self._shared = frozenset(uri for uri, times in claimed.items() if times > 1)
        iris = {dataset.id: self._iri_of(dataset) for dataset in catalog.datasets}
        for dataset in catalog.datasets:
            self._link(root, f"{DCAT}dataset", iris[dataset.id])
            self._dataset(iris[dataset.id], dataset)
        for relation in catalog.relations:
            if isinstance(relation, DerivedFrom):
                self._link(iris[relation.derived], f"{DCT}source", iris[relation.source])

    def _dataset(self, node: URIRef, dataset: Dataset) -> None:
        self._type(node, f"{DCAT}Dataset")
        self._say(node, f"{DCT}identifier", dataset.id)
        self._say(node, f"{DCT}title", dataset.title)
        self._say(node, f"{DCT}description", dataset.description or dataset.title)
        if dataset.owner_department:
            self._link(node, f"{DCT}publisher", self._agent(dataset.owner_department))
        if dataset.steward:
            self._link(node, f"{DCAT}contactPoint", self._contact(dataset.steward))
        if dataset.access_rights is not None:
            right = f"{ACCESS_RIGHT}{dataset.access_rights.name}"
            self._link(node, f"{DCT}accessRights", self._typed(right, f"{DCT}RightsStatement"))
        if dataset.high_value:
            self._link(node, f"{DCATAP}applicableLegislation", _ref(HIGH_VALUE_LAW))
        for licence in dataset.licences:
            self._link(node, f"{DCT}license", self._licence(licence))
        for number, offered in enumerate(dataset.distributions, start=1):
            self._distribution(node, dataset, number, offered)

    def _distribution(
        self, dataset_node: URIRef, dataset: Dataset, number: int, offered: Distribution
    ) -> None:
        node = self._iri("distribution", dataset.id, f"{number:03}")
        self._link(dataset_node, f"{DCAT}distribution", node)
        self._type(node, f"{DCAT}Distribution")
        access = offered.access_url or offered.download_url
        self._link(node, f"{DCAT}accessURL", _address(access) if access else dataset_node)
        if offered.download_url:
            self._link(node, f"{DCAT}downloadURL", _address(offered.download_url))
        if offered.title:
            self._say(node, f"{DCT}title", offered.title)
        if offered.format:
            self._link(node, f"{DCT}format", self._named("format", offered.format))
        if offered.licence:
            self._link(node, f"{DCT}license", self._licence(offered.licence))

    # --- where it rests ------------------------------------------------------------------------

    def placements(
        self, catalog: Catalog, register: SiteRegister, placements: Mapping[str, Sequence[str]]
    ) -> None:
        operators = {operator.id: operator.title for operator in register.operators}
        used = {site for sites in placements.values() for site in sites}
        sites = {site.id: site for site in register.sites if site.id in used}
        for site in sites.values():
            self._service(site, operators[site.operator])
        for dataset in catalog.datasets:
            for name in placements.get(dataset.id, ()):
                self._placement(dataset, sites[name])

    def _service(self, site: Site, operator: str) -> None:
        node = self._iri("site", site.id)
        self._link(self._root, f"{DCAT}service", node)
        self._type(node, f"{DCAT}DataService")
        self._say(node, f"{DCT}identifier", site.id)
        self._say(node, f"{DCT}title", site.title)
        self._link(node, f"{DCT}publisher", self._agent(operator))
        self._link(node, f"{DCAT}endpointURL", self._iri("endpoint", site.id))

    def _placement(self, dataset: Dataset, site: Site) -> None:
        dataset_node, service = self._iri_of(dataset), self._iri("site", site.id)
        node = self._iri("placement", dataset.id, site.id)
        self._link(dataset_node, f"{DCAT}distribution", node)
        self._link(service, f"{DCAT}servesDataset", dataset_node)
        self._type(node, f"{DCAT}Distribution")
        self._link(node, f"{DCT}type", self._typed(PLACEMENT, f"{SKOS}Concept"))
        self._say(_ref(PLACEMENT), f"{SKOS}prefLabel", "placement")
        self._say(node, f"{DCT}title", f"{dataset.title}, at {site.title}")
        self._link(node, f"{DCAT}accessURL", self._iri("endpoint", site.id))
        self._link(node, f"{DCAT}accessService", service)
        size = dataset.volume_gb * _BYTES_PER_GB
        self._say(node, f"{DCAT}byteSize", str(size), "nonNegativeInteger")
        if len(dataset.licences) == 1:
            self._link(node, f"{DCT}license", self._licence(dataset.licences[0]))

    # --- what several of them point at ---------------------------------------------------------

    def _agent(self, name: str) -> URIRef:
        node = self._named_node("agent", name, f"{FOAF}Agent")
        self._say(node, f"{FOAF}name", name)
        return node

    def _contact(self, text: str) -> URIRef:
        node = self._named_node("contact", text, f"{VCARD}Kind")
        self._say(node, f"{VCARD}fn", text)
        if _MAIL.fullmatch(text):
            self._link(node, f"{VCARD}hasEmail", _ref("mailto:" + _encoded(text)))
        return node

    def _licence(self, text: str) -> URIRef:
        if _is_iri(text):
            return self._typed(text, f"{DCT}LicenseDocument")
        node = self._named_node("licence", text, f"{DCT}LicenseDocument")
        self._say(node, f"{RDFS}label", text)
        return node

    def _named(self, kind: str, text: str) -> URIRef:
        if _is_iri(text):
            return self._typed(text, f"{DCT}MediaTypeOrExtent")
        node = self._named_node(kind, text, f"{DCT}MediaTypeOrExtent")
        self._say(node, f"{RDFS}label", text)
        return node

    def _named_node(self, kind: str, text: str, type_: str) -> URIRef:
        """A node for a text, under our own base: whoever reads it takes the text."""
        mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._typed(f"{BASE}{kind}/{mark}", type_)

    def _typed(self, iri: str, type_: str) -> URIRef:
        node = _ref(iri)
        self._type(node, type_)
        return node

    # --- triples -------------------------------------------------------------------------------

    def _iri(self, *parts: str) -> URIRef:
        return _ref(self.base + "/".join(quote(part, safe="") for part in parts))

    def _iri_of(self, dataset: Dataset) -> URIRef:
        uri = dataset.uri or ""
        own = _is_iri(uri) and uri not in self._shared
        return _ref(uri) if own else self._iri("dataset", dataset.id)

    def _type(self, node: URIRef, type_: str) -> None:
        from rdflib import RDF

        self.graph.add((node, RDF.type, _ref(type_)))

    def _say(self, node: URIRef, predicate: str, text: str, datatype: str | None = None) -> None:
        from rdflib import XSD, Literal

        kind = None if datatype is None else XSD[datatype]
        self.graph.add((node, _ref(predicate), Literal(_printable(text), datatype=kind)))

    def _link(self, node: URIRef, predicate: str, other: URIRef) -> None:
        self.graph.add((node, _ref(predicate), other))


def _ref(iri: str) -> URIRef:
    from rdflib import URIRef

    return URIRef(iri)


def _is_iri(text: str) -> bool:
    return _IRI.fullmatch(text) is not None and text.isprintable()


def _address(text: str) -> URIRef:
    """An address as an IRI: what may not stand in one is written in per cent."""
    encoded = _encoded(text)
    return _ref(encoded if _is_iri(encoded) else BASE + encoded.lstrip("/"))


def _encoded(text: str) -> str:
    return quote(text, safe=_RESERVED)


def _printable(text: str) -> str:
    """XML 1.0 has no way to write control characters."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
