"""The published JSON Schemas of the files, generated from the models."""

from __future__ import annotations

import functools
from typing import Any

from models import Catalog, Frozen, Parameters, Plan, SiteRegister
from placement.errors import NotFound

_MODELS: dict[str, type[Frozen]] = {
    "plan": Plan,
    "catalog": Catalog,
    "sites": SiteRegister,
    "parameters": Parameters,
}


@functools.cache
def schema_of(document: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a file: what is accepted when it is read.

    Raises
    ------
    NotFound
        When there is no such document.
    """
    model = _MODELS.get(document)
    if model is None:
        raise NotFound(f"there are schemas of {', '.join(_MODELS)}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:placement:schema:{document}:1",
        **model.model_json_schema(mode="validation"),
    }
