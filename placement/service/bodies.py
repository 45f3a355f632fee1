"""Bodies of requests, read as strictly as files."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from models import Frozen
from placement.catalog.messages import validation_defects
from placement.catalog.strict_json import decode_json
from placement.errors import BadInput

M = TypeVar("M", bound=BaseModel)

BODY = "body"
"""What defects name as their file."""


def decode_body(content: bytes) -> Any:
    """The plain value of a JSON body.

    Raises
    ------
    BadInput
        For what strict JSON refuses: duplicate keys, NaN, invalid UTF-8, deep nesting, ...
    """
    return decode_json(content, BODY)


def model_of(document: Any, model: type[M]) -> M:
    """A decoded body as a model. Raises BadInput with all its defects."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        # Of the model only the names of its fields are looked at.
        known = cast("type[Frozen]", model)
        raise BadInput(validation_defects(error, known, document, BODY)) from error
