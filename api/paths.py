"""Reading a request's target strictly: percent-encoded UTF-8 without control characters.

Ids of the catalogue may hold slashes. Clients send them percent-encoded ("%2F"); a segment is
decoded after the path was taken apart, so that a slash inside an id never becomes another route.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, unquote_to_bytes

from api.problems import BadRequest

LONGEST = 8192
"""Bytes of a path or a query."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def routable(raw: bytes) -> str:
    """A path to find the route by: each segment in one spelling, still percent-encoded.

    Raises
    ------
    BadRequest
        When it is too long, or holds what is not UTF-8 or a control character.
    """
    return "/".join(quote(_decoded(part, "path"), safe=_PLAIN) for part in raw.split(b"/"))


def segment(routed: str) -> str:
    """The value of a path parameter, from a segment of what `routable` gave."""
    return unquote(routed)


def query_pairs(raw: bytes) -> list[tuple[str, str]]:
    """Names and values of a query, in order. Raises BadRequest as `routable` does."""
    return list(_pairs(raw))


_PLAIN = "!$&'()*+,;=:@-._~"
"""What a path segment holds as it is (RFC 3986, section 3.3)."""


def _pairs(raw: bytes) -> Iterator[tuple[str, str]]:
    for part in raw.split(b"&") if raw else ():
        name, _, value = part.replace(b"+", b" ").partition(b"=")
        yield _decoded(name, "query"), _decoded(value, "query")


def _decoded(raw: bytes, where: str) -> str:
    if len(raw) > LONGEST:
        raise BadRequest(f"the {where} is longer than {LONGEST} bytes")
    if _BAD_PERCENT.search(raw):
        raise BadRequest(f"the {where} holds a percent sign that encodes nothing")
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"the {where} is not percent-encoded UTF-8") from error
    if _CONTROL.search(text):
        raise BadRequest(f"the {where} holds a control character")
    return text
