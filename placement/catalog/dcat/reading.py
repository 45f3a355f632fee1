"""RDF read without trust: no network, no document types, no entities, a cap on size.

rdflib is imported here only, and only when a DCAT catalogue is read: it costs start-up time.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from placement.catalog.strict_json import decode_json, read_bytes
from placement.errors import BadInput, Defect

if TYPE_CHECKING:
    from rdflib import Graph

MAX_BYTES = 64 * 2**20
MAX_XML_DEPTH = 200
"""Open elements at once: the parser keeps each in memory; catalogues nest a tenth as deep."""
BASE = "https://catalog.invalid/"
"""What relative references are resolved against; never looked up (RFC 2606)."""

PROFILE = f"{BASE}placement-catalog/1"
"""A catalogue that conforms to it gives each dataset's own id as its dct:identifier."""
PLACEMENT = f"{BASE}placement"
"""The dct:type of a distribution that says where a plan puts its dataset."""

_BY_SUFFIX = {
    ".rdf": "xml",
    ".xml": "xml",
    ".owl": "xml",
    ".ttl": "turtle",
    ".nt": "nt",
    ".jsonld": "json-ld",
    ".json": "json-ld",
}


def read_graph(path: Path) -> Graph:
    """The triples of an RDF file; its form by suffix, or else by its first characters.

    Raises
    ------
    BadInput
        Where it is not RDF, or asks for something outside the file.
    """
    content = read_bytes(path, max_bytes=MAX_BYTES)
    form = _BY_SUFFIX.get(path.suffix.lower()) or _sniffed(content)
    if form == "xml":
        _refuse_unsafe_xml(content, str(path))
    elif form == "json-ld":
        _refuse_outside_context(decode_json(content, str(path)), str(path))
    return _parsed(content, form, str(path))


def _sniffed(content: bytes) -> str:
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:200]
    if start.startswith((b"<?xml", b"<rdf:", b"<RDF", b"\xff\xfe", b"\xfe\xff")):
        return "xml"
    return "json-ld" if start.startswith((b"{", b"[")) else "turtle"


class _Refused(Exception):
    """Something in the XML that is never read on."""


def _refuse_unsafe_xml(content: bytes, file: str) -> None:
    """No document type and no deep nesting: with neither, memory follows the file's size.

    Entities need a document type: without one there are no bombs and no outside files.
    """
    depth = 0

    def refuse_document_type(*_: Any) -> None:
        message = "declares a document type (DOCTYPE), which is refused: it can hold entity bombs"
        raise _Refused(message)

    def enter(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_XML_DEPTH:
            message = f"is nested too deeply: more than {MAX_XML_DEPTH} elements"
            raise _Refused(message)

    def leave(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_document_type
    parser.EntityDeclHandler = refuse_document_type
    parser.StartElementHandler = enter
    parser.EndElementHandler = leave
    try:
        parser.Parse(content, True)  # noqa: FBT003  expat takes no keyword
    except _Refused as error:
        raise _bad(file, str(error)) from None
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: its encoding
        raise _bad(file, f"is not well-formed XML: {_one_line(error)}") from error


def _refuse_outside_context(document: Any, file: str) -> None:
    """A context given by name would be fetched; it has to stand in the file."""
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        if not isinstance(value, dict):
            continue
        context = value.get("@context")
        contexts = context if isinstance(context, list) else [context]
        if any(isinstance(part, str) for part in contexts) or "@import" in value:
            raise _bad(
                file, "names an @context elsewhere; it is not fetched, write it into the file"
            )
        pending += value.values()


def _parsed(content: bytes, form: str, file: str) -> Graph:
    import rdflib

    graph = rdflib.Graph()
    try:
        with _quiet():
            if form == "json-ld":
                # JSON-LD may hold named graphs: all of them are read as one.
                named = rdflib.Dataset()
                named.parse(data=content, format=form, publicID=BASE)
                for subject, predicate, value, _ in named.quads():
                    graph.add((subject, predicate, value))
            else:
                graph.parse(data=content, format=form, publicID=BASE)
    except RecursionError as error:
        raise _bad(file, "is nested too deeply") from error
    except Exception as error:  # rdflib raises whatever its parsers meet
        kind = {"xml": "RDF/XML", "turtle": "Turtle", "nt": "N-Triples"}.get(form, "JSON-LD")
        raise _bad(file, f"is not {kind}: {_one_line(error)}") from error
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep rdflib from logging every odd literal: values are checked where they are used.

    Its JSON-LD reader also warns of its own use of what rdflib 7 deprecates.
    """
    logger = logging.getLogger("rdflib")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)


def _one_line(error: Exception) -> str:
    # rdflib's parsers quote the input after these words, over several lines.
    text = " ".join(str(error).partition(" at ^ in")[0].split())
    printable = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return printable[:200] or type(error).__name__


def _bad(file: str, message: str) -> BadInput:
    return BadInput([Defect(file, "", "", message)])
