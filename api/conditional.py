"""ETags (RFC 9110, section 13): strong ones, made of digests."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

from api.problems import BadRequest
from placement.service.preconditions import ANY, Precondition

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t]*)+")
_LONGEST = 4096


def precondition(request: Request[Any, Any, Any]) -> Precondition:
    """What If-Match and If-None-Match say. Raises BadRequest for what is not a list of tags.

    Weak tags of If-Match never match: a strong comparison is asked for. For If-None-Match the
    weak comparison holds.
    """
    return Precondition(
        match=_versions(request, "if-match", weak=False),
        none_match=_versions(request, "if-none-match", weak=True),
    )


def not_modified(request: Request[Any, Any, Any], version: str) -> bool:
    """Whether a GET's If-None-Match names this version: 304 is the answer then."""
    known = _versions(request, "if-none-match", weak=True)
    return known is not None and (known == (ANY,) or version in known)


def require_match(request: Request[Any, Any, Any], version: str) -> None:
    """Raise PreconditionFailed when a GET's If-Match names other versions only."""
    named = _versions(request, "if-match", weak=False)
    if named is not None:
        Precondition(match=named).check(version)


def quoted(version: str) -> str:
    """A version as a strong ETag."""
    return f'"{version}"'


def _versions(
    request: Request[Any, Any, Any], header: str, *, weak: bool
) -> tuple[str, ...] | None:
    lines = request.headers.getall(header, [])
    if not lines:
        return None
    text = ",".join(lines).strip(" \t")
    if text == ANY:
        return (ANY,)
    return _tags(text, header, weak=weak)


def _tags(text: str, header: str, *, weak: bool) -> tuple[str, ...]:
    versions, at = [], 0
    if len(text) > _LONGEST:
        raise BadRequest(f"{header} is longer than {_LONGEST} characters")
    while at < len(text):
        found = _TAG.match(text, at)
        if found is None:
            raise BadRequest(f"{header} is not a list of entity tags")
        if weak or not found[1]:
            # A quoted asterisk is a tag like any other, and none of ours.
            versions.append(found[2] if found[2] != ANY else found[0])
        at = found.end()
        separator = _SEPARATOR.match(text, at)
        if separator is None and at < len(text):
            raise BadRequest(f"{header} is not a list of entity tags")
        at = separator.end() if separator else at
    return tuple(versions)
