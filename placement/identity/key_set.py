"""The keys of an issuer: those of its JWKS that fit the one algorithm we accept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.util import urlsafe_b64decode

from placement.identity.strict_json import strict_object

MAX_KEYS = 100
MAX_KID = 255
RSA_BITS = range(2048, 8193)
"""Shorter moduli can be factored, longer ones only cost time."""
MIN_RSA_EXPONENT = 65537
"""FIPS 186-5."""
_MAX_HEADER_BYTES = 4096


class VerificationKey:
    """One public key, for one algorithm."""

    def __init__(self, kid: str, algorithm: str, essential: Mapping[str, str]) -> None:
        self.kid = kid
        self._algorithm = algorithm
        self._key = _KEY_KINDS[algorithm](dict(essential))
        self._registry = _Pinned(algorithm)
        text = json.dumps([algorithm, dict(essential)], sort_keys=True)
        self.fingerprint = hashlib.sha256(text.encode()).digest()
        """The same for the same key, however often it is fetched."""

    def payload(self, token: str) -> bytes:
        """What a signed compact token says.

        Raises
        ------
        ValueError
            When it is not a signature by this key.
        """
        try:
            return deserialize_compact(token, self._key, [self._algorithm], self._registry).payload
        except (JoseError, ValueError, TypeError) as error:
            raise ValueError("the signature does not hold") from error


@dataclass(frozen=True)
class KeySet:
    """The keys of one moment, by their ids."""

    keys: Mapping[str, VerificationKey] = field(default_factory=dict)

    def find(self, kid: str) -> VerificationKey | None:
        """The key with this id."""
        return self.keys.get(kid)


def read_key_set(body: bytes, algorithm: str) -> KeySet:
    """The keys of a JWKS document that may verify signatures of one algorithm.

    Others (for encryption, of another kind or size, without an id) are passed over, as RFC 7517
    (section 5) has it. An id that stands for two fitting keys is ambiguous and names none.

    Raises
    ------
    ValueError
        When the document is not a JWKS.
    """
    entries = strict_object(body).get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ValueError("not a JWKS")
    found: dict[str, VerificationKey] = {}
    ambiguous: set[str] = set()
    for entry in entries:
        key = _fitting(entry, algorithm)
        if key is None:
            continue
        if key.kid in found and found[key.kid].fingerprint != key.fingerprint:
            ambiguous.add(key.kid)
        found[key.kid] = key
    return KeySet({kid: key for kid, key in found.items() if kid not in ambiguous})


def _fitting(entry: Any, algorithm: str) -> VerificationKey | None:
    """The key of a JWKS entry, or None where it must not verify this algorithm."""
    if not isinstance(entry, dict):
        return None
    kid = entry.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        return None
    if not _meant_for(entry, algorithm) or _PRIVATE & entry.keys():
        return None
    names = _ESSENTIAL[algorithm]
    essential = {name: entry[name] for name in names if isinstance(entry.get(name), str)}
    if len(essential) < len(names):
        return None
    try:
        if not _SUITS[algorithm](essential):
            return None
        return VerificationKey(kid, algorithm, essential)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _meant_for(entry: dict[str, Any], algorithm: str) -> bool:
    """Whether `use`, `key_ops` and `alg`, where they are given, allow it."""
    operations = entry.get("key_ops", ["verify"])
    alike = _EDWARDS if algorithm in _EDWARDS else (algorithm,)
    return (
        entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and entry.get("alg", algorithm) in alike
    )


def _strong_rsa(key: Mapping[str, str]) -> bool:
    modulus, exponent = (_number(key[name]) for name in ("n", "e"))
    return (
        key["kty"] == "RSA"
        and modulus.bit_length() in RSA_BITS
        and exponent >= MIN_RSA_EXPONENT
        and exponent % 2 == 1
        and exponent.bit_length() <= 64
    )


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text.encode()), "big")


def _p256(key: Mapping[str, str]) -> bool:
    return key["kty"] == "EC" and key["crv"] == "P-256"


def _ed25519(key: Mapping[str, str]) -> bool:
    return key["kty"] == "OKP" and key["crv"] == "Ed25519"


class _Pinned(JWSRegistry):
    """One algorithm and no other, whatever the library recommends or warns of.

    The library's own way warns of "EdDSA", which issuers write for what RFC 9864 calls Ed25519.
    """

    max_header_length = _MAX_HEADER_BYTES

    def __init__(self, algorithm: str) -> None:
        # Unknown header parameters mean nothing (RFC 7515, section 4); dangerous ones were refused.
        super().__init__(algorithms=[algorithm], strict_check_header=False)
        self._pinned = algorithm

    def get_alg(self, name: str) -> Any:
        if name != self._pinned:
            raise ValueError("another algorithm")
        return self.algorithms[name]


_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_EDWARDS = ("EdDSA", "Ed25519")
_RSA, _EC, _OKP = ("kty", "n", "e"), ("kty", "crv", "x", "y"), ("kty", "crv", "x")
_ESSENTIAL = {"RS256": _RSA, "PS256": _RSA, "ES256": _EC, "EdDSA": _OKP, "Ed25519": _OKP}
_SUITS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "RS256": _strong_rsa,
    "PS256": _strong_rsa,
    "ES256": _p256,
    "EdDSA": _ed25519,
    "Ed25519": _ed25519,
}
_KEY_KINDS: dict[str, Callable[[Any], Any]] = {
    "RS256": RSAKey.import_key,
    "PS256": RSAKey.import_key,
    "ES256": ECKey.import_key,
    "EdDSA": OKPKey.import_key,
    "Ed25519": OKPKey.import_key,
}
