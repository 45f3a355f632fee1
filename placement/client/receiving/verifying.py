"""Whether a message is the sender's, as it was sent, and of now: Standard Webhooks 1.0.

The signature is the HMAC-SHA256 of `id.timestamp.body`, over the bytes as they came.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from placement.client.receiving.answers import Unproven
from placement.errors import BadInput, Defect

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_SECONDS = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_LEAST_SECRET_BYTES, _MOST_SECRET_BYTES = 24, 64
_MOST_SIGNATURES = 20
_UNPROVEN = "the signature does not hold"


def secret_keys(secrets: Sequence[str]) -> tuple[bytes, ...]:
    """The keys in secrets such as whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw.

    Raises
    ------
    BadInput
        When there is none, or one is not a secret. What was given is not repeated.
    """
    keys = []
    for secret in secrets:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not secret.startswith("whsec_") or not (
            _LEAST_SECRET_BYTES <= len(key) <= _MOST_SECRET_BYTES
        ):
            raise _bad("whsec_ and 24 to 64 bytes in base64 are expected")
        keys.append(key)
    if not keys:
        raise _bad("a receiver needs at least one secret")
    return tuple(keys)


def verified_id(
    keys: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance_s: float,
) -> str:
    """The id of a message that is proven.

    Parameters
    ----------
    keys
        One of them is enough: they overlap while a secret is rotated.
    headers
        By name in any case.
    body
        As it came, before anybody read it.
    tolerance_s
        Seconds by which the sender's clock may differ, into the past and the future.

    Raises
    ------
    Unproven
        With the same words whatever is wrong, until the signature holds.
    """
    given = {name.lower(): value for name, value in headers.items()}
    ident, seconds = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    told = given.get("webhook-signature", "")
    if not (_ID.fullmatch(ident) and _SECONDS.fullmatch(seconds)):
        raise Unproven(_UNPROVEN)
    signed = f"{ident}.{seconds}.".encode() + body
    candidates = _signatures(told)
    holds = False
    for key in keys:
        expected = hmac.new(key, signed, hashlib.sha256).digest()
        for candidate in candidates:
            holds |= hmac.compare_digest(expected, candidate)
    if not holds:
        raise Unproven(_UNPROVEN)
    late_s = now.timestamp() - int(seconds)
    if abs(late_s) > tolerance_s:
        when = "earlier" if late_s > 0 else "later"
        raise Unproven(f"it was signed more than {tolerance_s:g} s {when} than now")
    return ident


def _signatures(told: str) -> list[bytes]:
    """The signatures of the one version that there is."""
    found = []
    for part in told.split(" ")[:_MOST_SIGNATURES]:
        version, _, text = part.partition(",")
        if version != "v1" or not text.isascii():
            continue
        try:
            found.append(base64.b64decode(text, validate=True))
        except ValueError:
            continue
    return found


def _bad(message: str) -> BadInput:
    return BadInput([Defect("", "secret", "", message)])
