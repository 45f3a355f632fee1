"""Catalogue records, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import httpx
from pydantic import TypeAdapter

from models import Frozen, canonical_json
from placement.client.connection import ANY, Connection, decoded
from placement.client.decoding import part, read_any, version_of

R = TypeVar("R")
"""A record as the service tells it."""
G = TypeVar("G", bound=Frozen)
"""A record as it is given to the service; another type for relations alone, whose ids it makes."""


class Kept(NamedTuple, Generic[R]):
    """A record and the version to name when changing it."""

    record: R
    version: str


class Records(Generic[R, G]):
    """The records of one kind, such as `client.datasets`. Every method raises as `Client` says.

    Parameters
    ----------
    connection
        Where they are.
    path
        Their list, such as /v1/datasets.
    adapter
        Reads one of them.
    """

    def __init__(self, connection: Connection, path: str, adapter: TypeAdapter[R]) -> None:
        self._connection = connection
        self._path = path
        self._adapter = adapter

    def list(self, **filters: Any) -> Iterator[R]:
        """Those that the caller may see, page by page: with `q`, `sort`, `department`, ..."""
        for item in self._connection.items(self._path, filters):
            yield read_any(self._adapter, item, f"an item of {self._path}")

    def read(self, ident: str) -> Kept[R]:
        """One of them. Raises NotFound, also for one that the caller may not see."""
        return self._kept(self._connection.send("GET", self._one(ident)))

    def create(self, record: G) -> Kept[R]:
        """Add one. Raises Conflict where there is one of that id already."""
        return self._kept(self._connection.send("POST", self._path, body=canonical_json(record)))

    def put(self, ident: str, record: G, version: str | None) -> Kept[R]:
        """Replace one that is still at `version`; none: add it where there is none.

        Raises
        ------
        PreconditionFailed
            When somebody changed, added or removed it meanwhile.
        """
        answer = self._connection.send(
            "PUT",
            self._one(ident),
            body=canonical_json(record),
            if_match=version,
            if_none_match=ANY if version is None else None,
        )
        return self._kept(answer)

    def delete(self, ident: str, version: str) -> None:
        """Remove one that is still at `version`. Raises PreconditionFailed, BadInput."""
        self._connection.send("DELETE", self._one(ident), if_match=version)

    def _one(self, ident: str) -> str:
        return f"{self._path}/{part(ident)}"

    def _kept(self, answer: httpx.Response) -> Kept[R]:
        record = read_any(self._adapter, decoded(answer), f"a record of {self._path}")
        return Kept(record, version_of(answer))
