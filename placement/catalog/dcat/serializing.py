"""A graph without blank nodes as text: the same text for the same triples.

rdflib's Turtle is in order by itself. Its RDF/XML and JSON-LD follow the order of Python's hashes,
which changes from run to run; without blank nodes both are simple enough to write here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from rdflib import Graph

Serialization = Literal["turtle", "rdf-xml", "json-ld"]
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def serialized(graph: Graph, prefixes: Mapping[str, str], serialization: Serialization) -> str:
    """The triples of a graph.

    Parameters
    ----------
    graph
        Of IRIs and literals; every predicate begins with one of the namespaces.
    prefixes
        Namespaces by prefix.
    serialization
        How to write them.
    """
    if serialization == "turtle":
        return graph.serialize(format="turtle")
    if serialization == "rdf-xml":
        return "".join(_xml(graph, prefixes))
    return json.dumps(_json_ld(graph, prefixes), ensure_ascii=False, indent=2) + "\n"


def _subjects(graph: Graph) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Each subject with its predicates and values, in order."""
    triples = sorted(graph, key=lambda t: (str(t[0]), str(t[1]), t[2].n3()))
    for subject, found in groupby(triples, key=lambda t: t[0]):
        yield str(subject), [(str(predicate), value) for _, predicate, value in found]


def _short(iri: str, prefixes: Mapping[str, str]) -> str:
    for prefix, namespace in ({"rdf": RDF} | dict(prefixes)).items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri.removeprefix(namespace)}"
    raise AssertionError(f"no prefix for {iri}")


def _xml(graph: Graph, prefixes: Mapping[str, str]) -> Iterator[str]:
    from rdflib import Literal as Text

    yield '<?xml version="1.0" encoding="utf-8"?>\n<rdf:RDF'
    for prefix, namespace in sorted(({"rdf": RDF} | dict(prefixes)).items()):
        yield f"\n    xmlns:{prefix}={quoteattr(namespace)}"
    yield ">\n"
    for subject, said in _subjects(graph):
        yield f"  <rdf:Description rdf:about={quoteattr(subject)}>\n"
        for predicate, value in said:
            name = _short(predicate, prefixes)
            if not isinstance(value, Text):
                yield f"    <{name} rdf:resource={quoteattr(str(value))}/>\n"
                continue
            kind = f" rdf:datatype={quoteattr(str(value.datatype))}" if value.datatype else ""
            yield f"    <{name}{kind}>{escape(str(value))}</{name}>\n"
        yield "  </rdf:Description>\n"
    yield "</rdf:RDF>\n"


def _json_ld(graph: Graph, prefixes: Mapping[str, str]) -> dict[str, Any]:
    nodes = []
    for subject, said in _subjects(graph):
        node: dict[str, Any] = {"@id": subject}
        for predicate, value in said:
            if predicate == f"{RDF}type":
                node.setdefault("@type", []).append(_short(str(value), prefixes))
            else:
                node.setdefault(_short(predicate, prefixes), []).append(_value(value))
        nodes.append(node)
    return {"@context": dict(prefixes), "@graph": nodes}


def _value(value: Any) -> dict[str, str]:
    from rdflib import Literal as Text

    if not isinstance(value, Text):
        return {"@id": str(value)}
    kind = {"@type": str(value.datatype)} if value.datatype else {}
    return {"@value": str(value)} | kind
