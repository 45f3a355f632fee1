"""Who sent a request: its one Authorization header, and nothing else of it.

Tokens in the query, in cookies or in the body are not looked at: they end up in logs, or are sent
by browsers on somebody else's behalf. A 401 names the scheme in WWW-Authenticate (api/problems.py).
"""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

from api.threads import in_reader
from models import Principal
from placement.service.access import Door, authenticate, recognise


async def principal_of(connection: ASGIConnection[Any, Any, Any, Any], city: Door) -> Principal:
    """Whoever sent the request.

    A token that was verified before takes microseconds; everything else runs in a thread.

    Raises
    ------
    NotAuthenticated
        When they have not proven it; this is recorded.
    IdentityProviderError, StoreError
        When it cannot be told.
    """
    header = authorization_of(connection)
    known = recognise(city, header)
    if known is not None:
        return known
    request_id = str(connection.scope["state"].get("request_id", ""))
    return await in_reader(authenticate, city, header, request_id)


def authorization_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The Authorization header; None without one, "" for several, which prove nothing."""
    values = connection.headers.getall("authorization", [])
    if len(values) > 1:
        return ""
    return str(values[0]) if values else None
