"""API keys: how machines prove who they are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from models.base import Frozen, Identifier, Title
from models.principal import CityRole, Principal, RowFilter, Subject

MAX_KEY_DAYS = 400
"""The longest life of an API key: a year, and time to replace it."""

OperationName = Annotated[str, Field(pattern=r"^[a-z_]{1,60}\.[a-z_]{1,60}$")]
"""The stable name of an operation, such as placements.read."""


KeyLabel = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ApiKeyRequest(Frozen):
    """What a new API key is for."""

    label: KeyLabel
    """Which machine holds it, for the people who will have to revoke it."""
    roles: Annotated[tuple[CityRole, ...], Field(min_length=1, max_length=len(CityRole))]
    valid_days: Annotated[int, Field(ge=1, le=MAX_KEY_DAYS, strict=True)]
    departments: Annotated[tuple[Title, ...], Field(max_length=200)] = ()
    reader_roles: Annotated[tuple[Identifier, ...], Field(max_length=200)] = ()
    operations: Annotated[tuple[OperationName, ...], Field(min_length=1, max_length=200)] | None = (
        None
    )
    """The only operations it is for; none: all that its roles may."""


class ApiKey(Frozen):
    """An API key as everybody who keeps them sees it: never its secret."""

    id: str
    label: Title
    principal: Principal
    created_at: datetime
    created_by: Subject
    expires_at: datetime
    revoked_at: datetime | None = None


class IssuedApiKey(Frozen):
    """A new API key. The token is shown this once and kept nowhere."""

    key: ApiKey
    token: str | None
    """What the machine sends as its bearer token. None in the repeated reply to a request with an
    Idempotency-Key: revoke that key and create another, if the first reply was lost."""


class Me(Frozen):
    """Who the service takes the caller for."""

    principal: Principal
    rows: RowFilter
    """Which datasets they may read."""
