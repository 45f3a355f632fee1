"""From the claims of a verified token to a principal."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models import CityRole, Principal, PrincipalKind
from models.base import Identifier, Title
from placement.identity.refusal import TokenRefused
from placement.settings import OidcSettings

LEEWAY_S = 30
"""How far the clocks of the issuer and of this machine may be apart."""
_LATEST = 2**43
"""Seconds since 1970: beyond any calendar; larger numbers are mistakes or attacks."""
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
"""OpenID Connect Core, section 2: at most 255 ASCII characters. No blanks: a subject is named
together with its issuer, and two of them must never read alike."""
_ACCESS_TYPES = ("bearer", "jwt", "at+jwt")
_OTHER_PURPOSES = ("at_hash", "c_hash", "s_hash", "events", "cnf")
"""Claims of ID tokens, of logout and security event tokens, and of tokens that need a second
proof of possession, which we could not check."""


@dataclass(frozen=True)
class Verified:
    """Who a token speaks for, and until when."""

    principal: Principal
    expires_at: float
    """Seconds since 1970, without leeway."""


def principal_of(claims: Mapping[str, Any], oidc: OidcSettings, now: float) -> Verified:
    """Whom the claims speak for, once every one of them holds.

    Parameters
    ----------
    claims
        Of a token whose signature holds.
    oidc
        Issuer and audience that it must name, and where its roles stand.
    now
        Seconds since 1970.

    Raises
    ------
    TokenRefused
        With the first claim that does not hold.
    """
    _require(claims.get("iss") == oidc.issuer, "wrong_issuer")
    _require(oidc.audience in _texts(claims.get("aud"), "wrong_audience"), "wrong_audience")
    expires_at = _check_times(claims, now)
    _check_purpose(claims)
    subject = claims.get("sub")
    _require(isinstance(subject, str) and _SUBJECT.fullmatch(subject) is not None, "bad_subject")
    return Verified(_principal(claims, oidc, f"{oidc.issuer} {subject}"), expires_at)


def _principal(claims: Mapping[str, Any], oidc: OidcSettings, subject: str) -> Principal:
    known = {role.value: role for role in CityRole}
    roles = dict.fromkeys(_texts(_claim(claims, oidc.roles_claim), "bad_roles"))
    departments = _texts(_claim(claims, oidc.departments_claim), "bad_departments")
    readers = _texts(_claim(claims, oidc.reader_roles_claim), "bad_reader_roles")
    try:
        return Principal(
            subject=subject,
            kind=PrincipalKind.PERSON,
            # The issuer's other applications have roles of their own: they mean nothing here.
            roles=tuple(known[role] for role in roles if role in known),
            departments=_valid(_TITLE, departments),
            reader_roles=_valid(_IDENTIFIER, readers),
        )
    except ValidationError as error:
        raise TokenRefused("bad_subject") from error


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    expires_at = _seconds(claims, "exp")
    if expires_at is None:
        raise TokenRefused("no_expiry")
    _require(now < expires_at + LEEWAY_S, "expired")
    not_before, issued_at = _seconds(claims, "nbf"), _seconds(claims, "iat")
    _require(not_before is None or not_before - LEEWAY_S <= now, "not_yet_valid")
    if issued_at is not None:
        _require(issued_at - LEEWAY_S <= now, "issued_in_future")
        _require(issued_at <= expires_at, "bad_times")
    return expires_at


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LATEST:
        raise TokenRefused("bad_times")
    return float(value)


def _check_purpose(claims: Mapping[str, Any]) -> None:
    """Tokens of the same issuer for other purposes are signed with the same keys."""
    kind = claims.get("typ", "Bearer")  # Keycloak says here what it says nowhere else
    _require(isinstance(kind, str) and kind.lower() in _ACCESS_TYPES, "wrong_type")
    _require(not any(name in claims for name in _OTHER_PURPOSES), "wrong_type")


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by a dotted path through objects."""
    if "://" in path:
        return claims.get(path)
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _texts(value: Any, reason: str) -> list[str]:
    """A text or a list of texts, as a list; none where there is no claim."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenRefused(reason)
    return value


_TITLE: TypeAdapter[str] = TypeAdapter(Title)
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)


def _valid(adapter: TypeAdapter[str], texts: list[str]) -> tuple[str, ...]:
    """Those that can name a department or a role of the catalogue; others name none."""
    kept: dict[str, None] = {}
    for text in texts:
        with contextlib.suppress(ValidationError):
            kept[adapter.validate_python(text.strip())] = None
    return tuple(kept)


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise TokenRefused(reason)
