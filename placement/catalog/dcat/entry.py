"""One dataset of a DCAT catalogue, as its triples describe it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from models import AccessRights, Distribution, Interface
from placement.catalog.dcat.reading import BASE, PLACEMENT
from placement.catalog.open_data import MAX_BYTES_STATED, interfaces_in, is_open_data_licence

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node as Term
else:
    Graph: TypeAlias = Any
    Term: TypeAlias = Any

DCAT = "http://www.w3.org/ns/dcat#"
DCT = "http://purl.org/dc/terms/"
FOAF = "http://xmlns.com/foaf/0.1/"
VCARD = "http://www.w3.org/2006/vcard/ns#"
DCATAP = "http://data.europa.eu/r5r/"
PROV = "http://www.w3.org/ns/prov#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"

_HVD_LAW = "eli/reg_impl/2023/138"
_ACCESS = {right.value.replace("_", ""): right for right in AccessRights}
_LANGUAGES = ("en", "nl", "de", "fr", "it", "es")
_TEXT_MAX = 500
_ADDRESS_MAX = 2_000


class Entry:
    """A dataset's description. Terms are read in a fixed order, so that answers are stable."""

    def __init__(self, graph: Graph, subject: Term) -> None:
        """Look at `subject` in `graph`."""
        self.graph = graph
        self.subject = subject

    @property
    def uri(self) -> str | None:
        """Its URI; None for a blank node."""
        from rdflib import URIRef

        return str(self.subject) if isinstance(self.subject, URIRef) else None

    @cached_property
    def title(self) -> str:
        """Title in one line; "" where there is none."""
        return self.text(f"{DCT}title")

    @cached_property
    def distributions(self) -> tuple[Entry, ...]:
        """Its distributions, as its publisher offers them."""
        return tuple(d for d in self._all_distributions if not d.is_placement)

    @cached_property
    def placed(self) -> tuple[Entry, ...]:
        """Its distributions that say at which site a plan puts it."""
        return tuple(d for d in self._all_distributions if d.is_placement)

    @cached_property
    def _all_distributions(self) -> tuple[Entry, ...]:
        return tuple(Entry(self.graph, d) for d in self.terms(f"{DCAT}distribution"))

    @property
    def is_placement(self) -> bool:
        """Whether it was written for a placement, by us."""
        return any(str(term) == PLACEMENT for term in self.terms(f"{DCT}type"))

    def terms(self, *predicates: str) -> list[Term]:
        """Values of the first predicate that has any."""
        from rdflib import URIRef

        for predicate in predicates:
            found = sorted(set(self.graph.objects(self.subject, URIRef(predicate))), key=_order)
            if found:
                return found
        return []

    def text(self, *predicates: str) -> str:
        """The text of the first predicate that has one, in the first known language."""
        from rdflib import Literal

        for predicate in predicates:
            literals = [
                t for t in self.terms(predicate) if isinstance(t, Literal) and str(t).strip()
            ]
            if literals:
                chosen = min(literals, key=_language_rank)
                return _clean(str(chosen))
        return ""

    def names(self, *predicates: str) -> Iterator[str]:
        """Names of the agents or concepts that the predicates point at."""
        from rdflib import Literal

        for predicate in predicates:
            for term in self.terms(predicate):
                if isinstance(term, Literal):
                    name = _clean(str(term))
                else:
                    agent = Entry(self.graph, term)
                    labels = (f"{FOAF}name", f"{VCARD}fn", f"{VCARD}organization-name")
                    name = agent.text(*labels, f"{RDFS}label", f"{DCT}title")
                if name:
                    yield name

    def contact(self) -> str:
        """A mail address, or the name or page of the contact point."""
        for term in self.terms(f"{DCAT}contactPoint"):
            point = Entry(self.graph, term)
            mails = [*point.terms(f"{VCARD}hasEmail"), *point.terms(f"{VCARD}email")]
            values = [str(mail).removeprefix(BASE).removeprefix("mailto:") for mail in mails]
            found = [*values, point.text(f"{VCARD}fn"), _clean(point.uri or "").removeprefix(BASE)]
            for value in found:
                if value and not value.startswith("_:"):
                    return _clean(value)
        return ""

    def access_rights(self) -> AccessRights | None:
        """PUBLIC, RESTRICTED or NON_PUBLIC of the EU's authority list; None where not stated."""
        for term in self.terms(f"{DCT}accessRights"):
            last = re.split(r"[/#]", str(term).rstrip("/#"))[-1]
            right = _ACCESS.get(re.sub(r"[^a-z]", "", last.lower()))
            if right is not None:
                return right
        return None

    def has_open_licence(self) -> bool:
        """Whether it or a distribution carries a well-known open licence."""
        licences = [*self.terms(f"{DCT}license")]
        licences += [t for d in self.distributions for t in d.terms(f"{DCT}license")]
        return any(is_open_data_licence(str(term)) for term in licences)

    def licences(self) -> tuple[str, ...]:
        """URIs or texts of its own licences, without those of its distributions."""
        found = (self._licence(term) for term in self.terms(f"{DCT}license"))
        return tuple(dict.fromkeys(licence for licence in found if licence))

    def _licence(self, term: Term) -> str:
        from rdflib import Literal, URIRef

        if isinstance(term, URIRef) and not str(term).startswith(BASE):
            return _clean(str(term))
        if isinstance(term, Literal):
            return _clean(str(term))
        document = Entry(self.graph, term)
        named = document.text(f"{RDFS}label", f"{DCT}title", f"{FOAF}name", f"{DCT}identifier")
        return named or _clean((document.uri or "").removeprefix(BASE))

    def as_distribution(self) -> Distribution | None:
        """What is kept of a distribution; None where it says nothing of that."""
        formats = self.terms(f"{DCT}format", f"{DCAT}mediaType")
        found = {
            "title": self.title,
            "access_url": self._address(f"{DCAT}accessURL"),
            "download_url": self._address(f"{DCAT}downloadURL"),
            "format": next(filter(None, map(self.name_of, formats)), ""),
            "licence": next(iter(self.licences()), ""),
        }
        said = {name: value for name, value in found.items() if value}
        return Distribution.model_validate(said) if said else None

    def _address(self, predicate: str) -> str:
        """The first that is short enough to keep, made relative again where it was."""
        texts = (str(term).removeprefix(BASE).strip() for term in self.terms(predicate))
        return next((t for t in texts if t.isprintable() and 0 < len(t) <= _ADDRESS_MAX), "")

    def name_of(self, term: Term) -> str:
        """A text; the IRI of a term elsewhere; the label of one here, or its relative IRI."""
        from rdflib import BNode, Literal

        if isinstance(term, Literal) or not (isinstance(term, BNode) or str(term).startswith(BASE)):
            return _clean(str(term))
        labelled = Entry(self.graph, term)
        label = labelled.text(f"{RDFS}label", f"{DCT}title")
        return label or _clean((labelled.uri or "").removeprefix(BASE))

    def is_high_value(self) -> bool:
        """A high-value dataset under Implementing Regulation (EU) 2023/138."""
        laws = self.terms(f"{DCATAP}applicableLegislation")
        return any(_HVD_LAW in str(law) for law in laws) or bool(self.terms(f"{DCATAP}hvdCategory"))

    def stated_bytes(self) -> tuple[int | None, list[str]]:
        """Sum of the distributions' byte sizes (None where none is stated), and wrong texts.

        Placements are copies of one another: one of them counts.
        """
        sizes, wrong = [], []
        for distribution in (*self.distributions, *self.placed[:1]):
            for term in distribution.terms(f"{DCAT}byteSize")[:1]:
                size = _whole(str(term))
                if size is None:
                    wrong.append(str(term))
                else:
                    sizes.append(size)
        total = sum(sizes)
        wrong += [str(total)] if total > MAX_BYTES_STATED else []
        return (min(total, MAX_BYTES_STATED) if sizes else None), wrong

    def interfaces(self) -> tuple[Interface, ...]:
        """Interfaces that formats and services name; files over HTTPS where they name none."""
        named: list[str] = []
        for distribution in self.distributions:
            formats = distribution.terms(f"{DCT}format", f"{DCAT}mediaType")
            named += map(distribution.name_of, formats)
            for service in distribution.terms(f"{DCAT}accessService"):
                entry = Entry(self.graph, service)
                named += map(str, entry.terms(f"{DCT}conformsTo"))
                named += map(str, entry.terms(f"{DCAT}endpointURL"))
                named.append(entry.title)
        return interfaces_in(named)


def _order(term: Term) -> tuple[str, str]:
    return type(term).__name__, str(term)


def _language_rank(literal: Any) -> tuple[int, str]:
    language = (literal.language or "").split("-")[0]
    rank = _LANGUAGES.index(language) if language in _LANGUAGES else len(_LANGUAGES)
    return (-1 if not language else rank), str(literal)


def _clean(text: str) -> str:
    """One printable line, cut to what a title may hold."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_TEXT_MAX]


def _whole(text: str) -> int | None:
    """A whole, sensible number of bytes; None for anything else."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or not 0 <= number <= MAX_BYTES_STATED:
        return None
    return int(number)
