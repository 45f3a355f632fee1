"""Lists by the page: a cursor says where the next one begins.

A cursor is signed with a key derived from the deployment's own, so that a client cannot make one
up, and bound to the sort order and the filters it was given with.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

from litestar import Response
from litestar.params import QueryParameter
from pydantic import BaseModel

from api.problems import BadRequest
from models import Frozen, canonical_json
from placement.keys import AuditKey
from placement.service.performing import JSON

T = TypeVar("T")

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000

Limit = Annotated[
    int,
    QueryParameter(ge=1, le=LARGEST_LIMIT, description="Most items of a page."),
]
"""Declare as `limit: Limit = DEFAULT_LIMIT`."""
Cursor = Annotated[
    str | None,
    QueryParameter(min_length=1, max_length=2000, description="`next` of the page before; opaque."),
]
"""Declare as `cursor: Cursor = None`."""


class Page(Frozen, Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    next: str | None
    """Cursor of the next page; none: this is the last one."""


class Cursors:
    """Makes and reads the cursors of one deployment.

    Parameters
    ----------
    key
        The deployment's audit key; every replica has the same one.
    """

    def __init__(self, key: AuditKey) -> None:
        # Ed25519 signatures are deterministic: a secret that the database never holds.
        self._secret = hashlib.sha256(key.sign(b"placement paging cursor/1").encode()).digest()

    def make(self, sort: str, filters: Mapping[str, Any], last: Sequence[Any]) -> str:
        """A cursor behind the item whose sort keys are `last` (texts, numbers, nulls)."""
        content = canonical_json([sort, _digest(filters), list(last)])
        return base64.urlsafe_b64encode(self._mac(content) + content).decode().rstrip("=")

    def read(self, cursor: str, sort: str, filters: Mapping[str, Any]) -> tuple[Any, ...]:
        """The sort keys in a cursor.

        Raises
        ------
        BadRequest
            When it was not made here, or for another order or other filters.
        """
        content = self._content(cursor)
        found_sort, found_filters, last = json.loads(content)
        if (found_sort, found_filters) != (sort, _digest(filters)):
            raise BadRequest("this cursor was given with another sort order or other filters")
        return tuple(last)

    def _content(self, cursor: str) -> bytes:
        try:
            raw = base64.b64decode(
                cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
            )
        except ValueError as error:
            raise BadRequest("this is no cursor") from error
        mac, content = raw[:16], raw[16:]
        if not hmac.compare_digest(mac, self._mac(content)):
            raise BadRequest("this is no cursor of this service")
        return content

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, "sha256")[:16]


def page(
    rows: Sequence[T], limit: int, cursor_behind: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """The items of a page and the next cursor, from up to `limit` + 1 rows."""
    if len(rows) <= limit:
        return rows, None
    shown = rows[:limit]
    return shown, cursor_behind(shown[-1])


def page_response(items: Sequence[BaseModel], following: str | None) -> Response[Any]:
    """A page as a response, without building a second model of it."""
    body = b",".join(item.model_dump_json().encode() for item in items)
    tail = json.dumps(following).encode()
    return Response(b'{"items":[' + body + b'],"next":' + tail + b"}", media_type=JSON)


def one_sort(sort: str | None, allowed: Sequence[str], default: str) -> str:
    """The sort order asked for: a field, or -field for descending. Raises BadRequest."""
    chosen = default if sort is None else sort
    if chosen.removeprefix("-") not in allowed:
        raise BadRequest(f"sort by one of {', '.join(allowed)}, or -FIELD for descending")
    return chosen


def _digest(filters: Mapping[str, Any]) -> str:
    stated = {name: value for name, value in filters.items() if value is not None}
    return hashlib.sha256(canonical_json(stated)).hexdigest()[:32]
