"""The published JSON Schemas of the files."""

from __future__ import annotations

from placement.cli.options import Document
from placement.cli.views.machine import as_json
from placement.service.schemas import schema_of


def render(document: Document) -> bytes:
    """JSON Schema (draft 2020-12) of a file: what is accepted when it is read."""
    return as_json(schema_of(document.value))
