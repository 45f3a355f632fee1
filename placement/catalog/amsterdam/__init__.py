"""Catalogues in the form of Amsterdam's data schemas (Amsterdam/amsterdam-schema, MPL-2.0)."""

from __future__ import annotations

from placement.catalog.amsterdam.importer import load_amsterdam_schema

__all__ = ["load_amsterdam_schema"]
