"""What tests of DCAT-AP share: the shapes, and what a round trip has to keep."""

from __future__ import annotations

import importlib.resources
import warnings

SUFFIXES = {"turtle": ".ttl", "rdf-xml": ".rdf", "json-ld": ".jsonld"}
_FORMATS = {"turtle": "turtle", "rdf-xml": "xml", "json-ld": "json-ld"}


def shapes():
    """The SHACL shapes that are part of the product."""
    import rdflib

    folder = importlib.resources.files("placement.catalog.dcat") / "shapes"
    return rdflib.Graph().parse(data=(folder / "dcat_ap.ttl").read_text(), format="turtle")


def violations(text, serialization="turtle", *, warn=False):
    """What the shapes find wrong; without warnings of recommended properties."""
    import pyshacl
    import rdflib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # rdflib's, of rdflib
        graph = rdflib.Graph().parse(data=text, format=_FORMATS[serialization])
    conforms, _, told = pyshacl.validate(graph, shacl_graph=shapes(), allow_warnings=not warn)
    return "" if conforms else told


def kept(catalog):
    """What a catalogue keeps when it is exported and imported again."""
    return [
        (
            dataset.id,
            dataset.title,
            dataset.access_rights,
            dataset.licences,
            dataset.owner_department,
            dataset.steward,
            dataset.high_value,
            dataset.distributions,
        )
        for dataset in catalog.datasets
    ]
