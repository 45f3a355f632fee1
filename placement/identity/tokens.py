"""Verifying bearer tokens: JWTs of one issuer, by one algorithm.

Nothing in a token chooses how it is verified. Its header must name the pinned algorithm and the
id of a key that the issuer published for it; keys, URLs and extensions inside a token are refused.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.util import urlsafe_b64decode

from models import Principal
from placement.errors import BadInput, Defect
from placement.identity.claims import LEEWAY_S, principal_of
from placement.identity.fetching import KeyFetcher
from placement.identity.issuer_keys import FixedKeys, IssuerKeys, Keys
from placement.identity.key_set import MAX_KID, KeySet
from placement.identity.local import LocalIssuer
from placement.identity.refusal import TokenRefused
from placement.identity.strict_json import strict_object
from placement.settings import OidcSettings, Settings

MAX_TOKEN_BYTES = 16 * 1024
CACHED_TOKENS = 10_000
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = ("jwt", "at+jwt", "application/jwt", "application/at+jwt")
_REFUSED_HEADERS = ("crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip", "cty")
"""Extensions, keys and certificates of the sender's own choice, encryption, nested tokens."""


@dataclass(frozen=True)
class _Known:
    """A token that was verified before."""

    principal: Principal
    expires_at: float
    kid: str
    key: bytes
    """Fingerprint of the key that verified it: without that key it is nobody's."""


class Tokens:
    """Verifies the tokens of one issuer. Safe to use from several threads.

    Parameters
    ----------
    oidc
        The issuer; None: no token is accepted.
    keys
        Where its keys are found.
    clock
        Seconds since 1970.
    cached
        How many verified tokens are remembered.
    """

    def __init__(
        self,
        oidc: OidcSettings | None = None,
        keys: Keys = FixedKeys(KeySet()),  # noqa: B008  it never changes
        *,
        local: bool = False,
        clock: Callable[[], float] = time.time,
        cached: int = CACHED_TOKENS,
    ) -> None:
        self._oidc = oidc
        self._keys = keys
        self._clock = clock
        self._capacity = cached
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = threading.Lock()
        self.local = local
        """Whether the issuer is this process itself, started for development."""

    def recognise(self, token: str) -> Principal | None:
        """Whose token it is, if it was verified before and still holds.

        Takes microseconds, never waits, and says nothing of tokens it has not seen.
        """
        if len(token) > MAX_TOKEN_BYTES:
            return None
        digest = _digest(token)
        with self._lock:
            known = self._known.get(digest)
        if known is None:
            return None
        keys = self._keys.now()
        if keys is None:
            return None
        key = keys.find(known.kid)
        expired = self._clock() >= known.expires_at + LEEWAY_S
        if expired or key is None or key.fingerprint != known.key:
            with self._lock:
                self._known.pop(digest, None)
            return None
        with self._lock:
            if digest in self._known:
                self._known.move_to_end(digest)
        return known.principal

    def verify(self, token: str) -> Principal:
        """Whose token it is. It may wait for the issuer.

        Raises
        ------
        TokenRefused
            Unless everything about it holds.
        IdentityProviderError
            When the issuer's keys are not known.
        """
        if self._oidc is None:
            raise TokenRefused("no_issuer")
        known = self.recognise(token)
        if known is not None:
            return known
        header = _header(token, self._oidc.algorithm)
        kid = _kid(header)
        key = self._keys.find(kid)
        if key is None:
            raise TokenRefused("unknown_key")
        try:
            payload = key.payload(token)
        except ValueError as error:
            raise TokenRefused("bad_signature") from error
        try:
            claims = strict_object(payload)
        except ValueError as error:
            raise TokenRefused("malformed") from error
        verified = principal_of(claims, self._oidc, self._clock())
        found = _Known(verified.principal, verified.expires_at, kid, key.fingerprint)
        with self._lock:
            self._known[_digest(token)] = found
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
        return verified.principal


def open_tokens(settings: Settings, local: LocalIssuer | None = None) -> Tokens:
    """The verifier of one process.

    Parameters
    ----------
    settings
        Name the issuer. Without one, no token is accepted.
    local
        This process' own issuer, for development: the only way to have its tokens accepted.

    Raises
    ------
    BadInput
        For a local issuer beside a real one, and certificates that cannot be read.
    """
    if local is not None:
        if settings.oidc is not None:
            message = "local tokens and those of an issuer exclude each other: leave one out"
            raise BadInput([Defect("", "PLACEMENT_OIDC_ISSUER", "", message)])
        return Tokens(local.oidc, FixedKeys(local.keys()), local=True)
    if settings.oidc is None:
        return Tokens()
    return Tokens(settings.oidc, IssuerKeys(KeyFetcher(settings.oidc).fetch))


def _header(token: str, algorithm: str) -> Mapping[str, Any]:
    """The header of a token that may be verified. Raises TokenRefused."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenRefused("too_large")
    if _COMPACT.fullmatch(token) is None:
        raise TokenRefused("malformed")
    try:
        header = strict_object(urlsafe_b64decode(token.partition(".")[0].encode()))
    except ValueError as error:
        raise TokenRefused("malformed") from error
    if header.get("alg") != algorithm:
        raise TokenRefused("wrong_algorithm")
    if any(name in header for name in _REFUSED_HEADERS):
        raise TokenRefused("refused_header")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefused("wrong_type")
    return header


def _kid(header: Mapping[str, Any]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise TokenRefused("no_key_id")
    return kid


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
