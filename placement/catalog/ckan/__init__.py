"""Catalogues as CKAN's API answers them: packages in JSON."""

from __future__ import annotations

from placement.catalog.ckan.importer import load_ckan

__all__ = ["load_ckan"]
