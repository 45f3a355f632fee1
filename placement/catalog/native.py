"""The native files: catalogue, sites, parameters and plan, each one JSON document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from models import Catalog, Frozen, Parameters, Plan, SiteRegister
from placement.catalog.messages import validation_defects
from placement.catalog.records import catalog_defects, register_defects
from placement.catalog.strict_json import read_json
from placement.errors import BadInput, Defect

Model = TypeVar("Model", bound=Frozen)
Checks = Callable[[Any, str], list[Defect]]
"""From a decoded document and the name of its file to what is wrong between its records."""


def load_native_catalog(path: Path) -> Catalog:
    """A catalogue in the format placement-catalog/1; BadInput with all its defects."""
    return _load(Catalog, path, catalog_defects)


def load_native_register(path: Path) -> SiteRegister:
    """A sites file in the format placement-sites/1; BadInput with all its defects."""
    return _load(SiteRegister, path, register_defects)


def load_parameters(path: Path | None) -> Parameters:
    """The parameters of a file, or the documented defaults; BadInput with all defects."""
    return Parameters() if path is None else _load(Parameters, path)


def load_plan(path: Path) -> Plan:
    """A plan in the format placement-plan/1.

    Only its form is checked here; whether it is true is for the certificate to say.

    Raises
    ------
    BadInput
        With all defects.
    """
    return _load(Plan, path)


def catalog_of(document: Any, file: str) -> Catalog:
    """The catalogue in a decoded JSON document; BadInput with all its defects."""
    return _model(Catalog, document, file, catalog_defects)


def register_of(document: Any, file: str) -> SiteRegister:
    """The sites in a decoded JSON document; BadInput with all its defects."""
    return _model(SiteRegister, document, file, register_defects)


def _load(model: type[Model], path: Path, checks: Checks | None = None) -> Model:
    return _model(model, read_json(path), str(path), checks)


def _model(model: type[Model], document: Any, file: str, checks: Checks | None = None) -> Model:
    try:
        loaded, defects = model.model_validate(document), []
    except ValidationError as error:
        loaded, defects = None, validation_defects(error, model, document, file)
    defects += checks(document, file) if checks else []
    if loaded is None or defects:
        raise BadInput(defects)
    return loaded
