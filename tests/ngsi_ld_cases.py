"""NGSI-LD documents as linked data, for tests: expanded without a network."""

from __future__ import annotations

import json
import warnings
from typing import Any

from rdflib import Graph

from placement.provision.ngsi_ld.vocabulary import context_document


def graph_of(document: dict[str, Any], context: dict[str, Any] | None = None) -> Graph:
    """A document as a graph, expanded with our own @context instead of its own links to it."""
    alone = {**document, **(context or context_document())}
    with warnings.catch_warnings():
        # rdflib 7 warns of its own use of what it deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Graph().parse(data=json.dumps(alone), format="json-ld")
