"""Answers of a service as models."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from models import Frozen
from placement.errors import ServiceError

M = TypeVar("M", bound=Frozen)
T = TypeVar("T")


def read(model: type[M], answer: httpx.Response) -> M:
    """The model in the body of an answer. Raises ServiceError."""
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise unexpected(model.__name__) from error


def read_plain(model: type[M], said: Any) -> M:
    """The model in decoded JSON. Raises ServiceError."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise unexpected(model.__name__) from error


def read_any(adapter: TypeAdapter[T], said: Any, what: str) -> T:
    """One of several models, in decoded JSON. Raises ServiceError."""
    try:
        return adapter.validate_python(said)
    except ValidationError as error:
        raise unexpected(what) from error


def unexpected(what: str) -> ServiceError:
    """The error for an answer that is not what it should be."""
    return ServiceError(f"{what} was expected, and something else came: are versions alike?")


def version_of(answer: httpx.Response) -> str:
    """The version that an answer's ETag names; empty where it has none."""
    return str(answer.headers.get("etag", "")).removeprefix("W/").strip('"')


def part(name: str) -> str:
    """An id as one part of a path; it may hold slashes."""
    return quote(name, safe="")
