"""Signatures as other people's libraries check them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from placement.provision.signing import new_secret, signed_headers

AT = datetime(2026, 11, 2, 9, 30, 15, 999_999, tzinfo=UTC)
BODY = '{"a":"é€𝄞"}'.encode()


def test_a_secret_has_32_random_bytes():
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert new_secret() != secret


def test_the_signature_is_that_of_the_standard():
    # by hand: HMAC-SHA256 of "id.timestamp.body" with the bytes behind whsec_
    key = b"0123456789abcdef0123456789abcdef"
    secret = f"whsec_{base64.b64encode(key).decode()}"
    headers = signed_headers([secret], "evt_1", AT, BODY)
    told = f"evt_1.{int(AT.timestamp())}.".encode() + BODY
    expected = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    assert headers == {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(AT.timestamp())),
        "webhook-signature": f"v1,{expected}",
    }


def test_a_receiver_with_any_of_the_secrets_accepts_it():
    secrets = [new_secret(), new_secret()]
    headers = signed_headers(secrets, "evt_1", datetime.now(UTC), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in secrets:
        assert Webhook(secret).verify(BODY, headers) == {"a": "é€𝄞"}
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_the_time_zone_of_the_moment_does_not_matter():
    secret = new_secret()
    here = AT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert signed_headers([secret], "e", here, BODY) == signed_headers([secret], "e", AT, BODY)


def test_no_secret_and_no_time_zone_are_refused():
    with pytest.raises(ValueError, match="at least one secret"):
        signed_headers([], "evt_1", AT, BODY)
    with pytest.raises(ValueError, match="time zone"):
        signed_headers([new_secret()], "evt_1", AT.replace(tzinfo=None), BODY)
