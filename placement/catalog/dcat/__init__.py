"""Catalogues in DCAT-AP and its national profiles, as RDF/XML, Turtle, N-Triples or JSON-LD."""

from __future__ import annotations

from placement.catalog.dcat.importer import load_dcat_ap

__all__ = ["load_dcat_ap"]
