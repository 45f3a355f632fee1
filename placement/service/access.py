"""Who asks: proving it, and the keys by which machines do."""

from __future__ import annotations

from typing import Protocol

from models import (
    ApiKey,
    ApiKeyRequest,
    AuditAction,
    AuditEvent,
    CityRole,
    IssuedApiKey,
    Me,
    Principal,
    PrincipalKind,
    RowFilter,
)
from placement.eligibility.permissions import Permissions
from placement.errors import NotAllowed, NotAuthenticated
from placement.identity import (
    GENERIC,
    LOCAL_ISSUER,
    PREFIX,
    TokenRefused,
    Tokens,
    new_machine_token,
    read_machine_token,
)
from placement.service.city import Caller
from placement.store import Store, Transaction
from placement.store.api_keys import ApiKeys, subject_of
from placement.store.recorder import Recorder

ANONYMOUS = "anonymous"
"""Actor in the record where nobody has proven anything."""

IN_PERSON = frozenset({CityRole.GOVERNANCE_BOARD, CityRole.SECURITY_REVIEWER})
"""Roles that approve and review. A key of theirs would be a second pair of eyes for one person."""
FROM_OFFICE = frozenset({CityRole.DATA_STEWARD, CityRole.DATA_USER, CityRole.PROVISIONER})
"""Roles that the data management office gives to machines without holding them itself: the work
of the first two is part of its own, and provisioning follows a plan that the board approved."""


class Door(Protocol):
    """What of a City is needed to let somebody in."""

    @property
    def tokens(self) -> Tokens:
        """Verifies people's tokens."""

    @property
    def store(self) -> Store:
        """Knows machines' keys."""

    @property
    def recorder(self) -> Recorder:
        """Records who was refused."""


class Asker(Protocol):
    """What of a City is needed to ask what somebody may do."""

    @property
    def permissions(self) -> Permissions:
        """Asks the policies."""


def recognise(city: Door, authorization: str | None) -> Principal | None:
    """Whose token it is, if that can be told without waiting for anything.

    That is so for people's tokens that were verified before. None says nothing: `authenticate`.
    """
    token = _bearer(authorization)
    return city.tokens.recognise(token) if token else None


def authenticate(city: Door, authorization: str | None, request_id: str = "") -> Principal:
    """Whoever sent this Authorization header.

    Parameters
    ----------
    authorization
        The header's value; None where there is not exactly one.
    request_id
        For the record of a refusal.

    Raises
    ------
    NotAuthenticated
        With the same text whatever was wrong, once the refusal is recorded.
    IdentityProviderError
        When the issuer's keys are not known.
    StoreError
        When keys cannot be looked up, or the refusal cannot be recorded.
    """
    token = _bearer(authorization)
    try:
        if token is None:
            raise TokenRefused("no_token" if authorization is None else "no_bearer_token")
        if token.startswith(PREFIX):
            return _machine(city, token)
        return city.tokens.verify(token)
    except TokenRefused as refusal:
        claimed = read_machine_token(token) if token else None
        event = AuditEvent(
            action=AuditAction.LOGIN_FAILED,
            actor=subject_of(claimed.id) if claimed else ANONYMOUS,
            detail={"reason": refusal.reason},
            request_id=request_id,
        )
    city.recorder.record([event])
    raise NotAuthenticated(GENERIC)


def me(city: Asker, caller: Caller) -> Me:
    """Whom the service takes the caller for. Raises PolicyEngineError."""
    try:
        rows = city.permissions.require(
            caller.principal, "datasets.list", "GET", "/v1/datasets"
        ).rows
    except NotAllowed:
        rows = RowFilter()
    return Me(principal=caller.principal, rows=rows)


def create_key(tx: Transaction, caller: Caller, asked: ApiKeyRequest) -> IssuedApiKey:
    """A new key for a machine. The token in the answer is kept nowhere.

    Raises
    ------
    NotAllowed
        For a caller that is a machine itself, and for roles that the caller cannot pass on.
    """
    if caller.principal.kind is not PrincipalKind.PERSON:
        raise NotAllowed("only a person creates API keys: somebody has to answer for them")
    refused = sorted(set(asked.roles) - _grantable(caller.principal))
    if refused:
        raise NotAllowed(f"you cannot give these roles to an API key: {', '.join(refused)}")
    fresh, token = new_machine_token()
    key = ApiKeys(tx).create(fresh.id, fresh.secret_sha256, asked, caller.subject)
    tx.record(
        AuditEvent(
            action=AuditAction.API_KEY_CREATED,
            actor=caller.subject,
            subject=f"key/{key.id}",
            detail={
                "label": key.label,
                "principal": key.principal.model_dump(mode="json"),
                "expires_at": key.expires_at.isoformat(),
            },
            request_id=caller.request_id,
        )
    )
    return IssuedApiKey(key=key, token=token)


def list_keys(tx: Transaction, limit: int, after: str | None = None) -> tuple[ApiKey, ...]:
    """Up to `limit` keys in the order of their ids, behind the one called `after`."""
    return ApiKeys(tx).page(limit, after)


def revoke_key(tx: Transaction, caller: Caller, key: str) -> ApiKey:
    """End a key. No request that begins after this commits is accepted with it.

    Revoking it again changes nothing and is no error.

    Raises
    ------
    NotFound
        When there is no such key.
    """
    keys = ApiKeys(tx)
    if keys.revoke(key):
        tx.record(
            AuditEvent(
                action=AuditAction.API_KEY_REVOKED,
                actor=caller.subject,
                subject=f"key/{key}",
                detail={},
                request_id=caller.request_id,
            )
        )
    return keys.get(key)


def person_behind(tx: Transaction, subject: str) -> str:
    """Who answers for what a subject did: for a key, whoever created it.

    Four eyes need it: a plan that somebody's key asked for was asked for by them.
    """
    return ApiKeys(tx).creator(subject)


def _machine(city: Door, token: str) -> Principal:
    claimed = read_machine_token(token)
    if claimed is None:
        raise TokenRefused("malformed_key")
    with city.store.reading() as tx:
        found = ApiKeys(tx).find(claimed.id, claimed.secret_sha256)
    if found.key is None or found.objection is not None:
        raise TokenRefused(found.objection or "unknown_key")
    if found.key.created_by.startswith(f"{LOCAL_ISSUER} ") and not city.tokens.local:
        # Made while this database was served for development, by somebody who needed no proof.
        raise TokenRefused("development_key")
    return found.key.principal


def _grantable(principal: Principal) -> frozenset[CityRole]:
    own = frozenset(principal.roles)
    office = FROM_OFFICE if CityRole.DATA_MANAGEMENT_OFFICE in own else frozenset()
    return (own | office) - IN_PERSON


def _bearer(authorization: str | None) -> str | None:
    """The token of a header: one, and nothing beside it. The scheme may be written any way."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" and token.strip(" ") else None
