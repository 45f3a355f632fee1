"""Tokens and key sets for the tests of identity, made with joserfc itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from placement.identity.issuer_keys import FixedKeys
from placement.identity.key_set import read_key_set
from placement.identity.tokens import Tokens
from placement.settings import OidcSettings

NOW = 1_800_000_000.0
ISSUER = "https://login.soest.example/realms/soest"
OIDC = OidcSettings(issuer=ISSUER, audience="placement")

RSA = RSAKey.generate_key(2048)
OTHER_RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
OKP = OKPKey.generate_key("Ed25519")


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a token that holds; None takes one out."""
    stated = {
        "iss": ISSUER,
        "aud": "placement",
        "sub": "anna",
        "iat": NOW - 60,
        "nbf": NOW - 60,
        "exp": NOW + 600,
        "roles": ["data_steward", "offline_access"],
        "departments": ["Ruimte en Groen"],
        "reader_roles": ["planner"],
        **changes,
    }
    return {name: value for name, value in stated.items() if value is not None}


def header(**changes: Any) -> dict[str, Any]:
    """That of a token that holds; None takes one out."""
    stated = {"alg": "RS256", "kid": "k1", "typ": "JWT", **changes}
    return {name: value for name, value in stated.items() if value is not None}


def signed(head: Mapping[str, Any], payload: Mapping[str, Any], key: Any = RSA) -> str:
    """A compact token with this header, whatever it says, truly signed by its own algorithm."""
    return signed_bytes(json.dumps(head).encode(), json.dumps(payload).encode(), head["alg"], key)


def signed_bytes(head: bytes, payload: bytes, algorithm: str, key: Any) -> str:
    """A compact token over these very bytes."""
    message = b".".join((b64(head), b64(payload)))
    model = jws.JWSRegistry.algorithms[algorithm]
    return (message + b"." + b64(model.sign(message, key))).decode()


def hmac_signed(head: Mapping[str, Any], payload: Mapping[str, Any], secret: bytes) -> str:
    """A token signed with a public key as if it were an HMAC secret."""
    message = b".".join(b64(json.dumps(part).encode()) for part in (head, payload))
    return (message + b"." + b64(hmac.digest(secret, message, hashlib.sha256))).decode()


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def public_pem(key: Any = RSA) -> bytes:
    return key.public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def jwk(key: Any = RSA, **changes: Any) -> dict[str, Any]:
    """A public key as a JWKS has it."""
    stated = {**key.as_dict(private=False), "kid": "k1", "use": "sig", **changes}
    return {name: value for name, value in stated.items() if value is not None}


def jwks(*entries: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


def tokens(algorithm: str = "RS256", *entries: Mapping[str, Any], **options: Any) -> Tokens:
    """A verifier with these keys, or RSA alone."""
    oidc = OidcSettings(issuer=ISSUER, audience="placement", algorithm=algorithm)
    keys = FixedKeys(read_key_set(jwks(*(entries or (jwk(),))), algorithm))
    return Tokens(oidc, keys, **{"clock": lambda: NOW, **options})
