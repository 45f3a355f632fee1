"""The published JSON Schemas of the files, generated from the models."""

from __future__ import annotations

from models import Catalog, Frozen, Parameters, Plan, SiteRegister
from placement.cli.options import Document
from placement.cli.views.machine import as_json

_MODELS: dict[Document, type[Frozen]] = {
    Document.PLAN: Plan,
    Document.CATALOG: Catalog,
    Document.SITES: SiteRegister,
    Document.PARAMETERS: Parameters,
}


def render(document: Document) -> bytes:
    """JSON Schema (draft 2020-12) of a file: what is accepted when it is read."""
    schema = _MODELS[document].model_json_schema(mode="validation")
    heading = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:placement:schema:{document.value}:1",
    }
    return as_json({**heading, **schema})
