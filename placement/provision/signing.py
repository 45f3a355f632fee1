"""Signatures of events, by Standard Webhooks 1.0: HMAC-SHA256 of id, time and body.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

SECRET_BYTES = 32


def new_secret() -> str:
    """A fresh secret: `whsec_` and 32 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def signed_headers(keys: Sequence[str], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that prove who sent a body, and when.

    Parameters
    ----------
    keys
        Secrets, at least one; more of them while a rotation overlaps: a receiver that holds any
        of them accepts the message.
    event_id
        The same at every delivery.
    at
        The moment of this attempt, of any time zone.
    body
        UTF-8, exactly as it is sent.

    Returns
    -------
    dict
        webhook-id, webhook-timestamp (seconds) and webhook-signature (`v1,...` for each secret,
        separated by blanks).

    Raises
    ------
    ValueError
        When there is no secret, or the moment has no time zone.
    """
    from standardwebhooks import Webhook

    if not keys:
        raise ValueError("an event is signed with at least one secret")
    if at.tzinfo is None:
        raise ValueError("a moment with a time zone is expected")
    # The library takes the wall clock for UTC, whatever its time zone.
    moment = at.astimezone(UTC)
    text = body.decode()
    signatures = [Webhook(key).sign(event_id, moment, text) for key in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
