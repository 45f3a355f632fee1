"""Keys from a real issuer on a socket: rotated, withdrawn, and from one that misbehaves."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from placement.errors import BadInput, IdentityProviderError
from placement.identity import TokenRefused, Tokens, open_tokens
from placement.identity.fetching import MAX_BYTES, KeyFetcher
from placement.identity.issuer_keys import IssuerKeys
from placement.settings import OidcSettings, Settings, read_settings
from tests import oidc_server
from tests.identity_cases import EC, OTHER_RSA, RSA, claims, header, jwk, signed
from tests.oidc_server import DISCOVERY, TLS, OidcServer

QUICK = 0.6
"""Seconds before an issuer that does not answer is given up, where that is what is tested."""


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with oidc_server.oidc_server() as running:
        yield running


def settings_of(server: OidcServer, **changes) -> OidcSettings:
    return OidcSettings(issuer=server.issuer, audience="placement", **changes)


def token(server: OidcServer, key=RSA, **head) -> str:
    now = time.time()
    stated = claims(iss=server.issuer, iat=now, nbf=now, exp=now + 600)
    return signed(header(**head), stated, key)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_token_is_verified_with_keys_found_by_discovery(server):
    verifier = open_tokens(Settings(oidc=settings_of(server)))
    assert verifier.verify(token(server)).subject == f"{server.issuer} anna"
    assert verifier.verify(token(server, jti=1)).subject
    assert server.asked == [DISCOVERY, "/keys"]


def test_token_is_verified_with_keys_from_a_url_of_the_settings(server):
    named = settings_of(server, jwks_url=f"{server.url}/keys")
    assert open_tokens(Settings(oidc=named)).verify(token(server)).subject
    assert server.asked == ["/keys"]


def test_issuer_whose_url_ends_in_a_slash_is_found(server):
    server.issuer = server.discovery["issuer"] = server.url + "/"
    assert open_tokens(Settings(oidc=settings_of(server))).verify(token(server)).subject


def test_rotation_is_followed_and_a_withdrawn_key_ends(server):
    clock = Clock()
    verifier = Tokens(
        settings_of(server), IssuerKeys(KeyFetcher(settings_of(server)).fetch, clock=clock)
    )
    old, new = token(server), token(server, OTHER_RSA, kid="k2")
    assert verifier.verify(old).subject

    server.keys = [jwk(), jwk(OTHER_RSA, kid="k2")]
    clock.now += 11
    assert verifier.verify(new).subject
    assert verifier.recognise(old)

    server.keys = [jwk(OTHER_RSA, kid="k2")]
    clock.now += 301
    assert verifier.recognise(old) is None
    with pytest.raises(TokenRefused) as caught:
        verifier.verify(old)
    assert caught.value.reason == "unknown_key"
    assert verifier.verify(new).subject


def test_key_ids_of_strangers_do_not_flood_the_issuer(server):
    verifier = open_tokens(Settings(oidc=settings_of(server)))
    verifier.verify(token(server))
    for number in range(50):
        with pytest.raises(TokenRefused):
            verifier.verify(token(server, kid=f"stranger{number}"))
    assert server.asked.count("/keys") == 1


def test_requests_at_once_ask_the_issuer_once(server):
    verifier = open_tokens(Settings(oidc=settings_of(server)))
    text = token(server)
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(verifier.verify(text))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert server.asked.count("/keys") == 1


def test_dead_issuer_leaves_the_known_keys_until_they_are_too_old():
    clock = Clock()
    with oidc_server.oidc_server() as server:
        keys = IssuerKeys(KeyFetcher(settings_of(server)).fetch, clock=clock)
        verifier = Tokens(settings_of(server), keys)
        good = token(server)
        assert verifier.verify(good).subject
    clock.now += 301
    assert verifier.verify(good).subject
    with pytest.raises(IdentityProviderError):
        verifier.verify(token(server, kid="k2"))
    clock.now += 3300
    assert verifier.recognise(good) is None
    with pytest.raises(IdentityProviderError):
        verifier.verify(good)


def test_service_without_its_issuer_judges_nobody():
    with oidc_server.oidc_server() as server:
        pass
    with pytest.raises(IdentityProviderError, match="not known"):
        open_tokens(Settings(oidc=settings_of(server))).verify(token(server))


MOODS = {
    "redirect": oidc_server.status(302, "Location: /elsewhere"),
    "permanent redirect": oidc_server.status(308, "Location: /elsewhere"),
    "error": oidc_server.status(500),
    "not found": oidc_server.status(404),
    "created": oidc_server.status(201),
    "no content": oidc_server.raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "garbage": oidc_server.raw(b"\x00\x01garbage\r\n\r\n"),
    "silence": oidc_server.raw(b""),
    "truncated": oidc_server.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"keys":[]}'),
    "huge body": oidc_server.says(b'{"keys":[]}' + b" " * MAX_BYTES),
    "endless body": oidc_server.endless,
    "not JSON": oidc_server.says(b"<html>"),
    "empty": oidc_server.says(b""),
    "null": oidc_server.says(b"null"),
    "empty object": oidc_server.says(b"{}"),
    "list": oidc_server.says(b"[]"),
    "repeated key": oidc_server.says(b'{"keys":[],"keys":[],"issuer":"a","issuer":"b"}'),
    "NaN": oidc_server.says(b'{"keys":[],"x":NaN}'),
    "deep": oidc_server.says(b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "compressed": oidc_server.says(gzip.compress(b'{"keys":[]}'), "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("path", [DISCOVERY, "/keys"])
@pytest.mark.parametrize("mood", MOODS)
def test_answer_that_is_not_exactly_right_gives_no_keys(server, path, mood):
    server.moods[path] = MOODS[mood]
    with pytest.raises(IdentityProviderError):
        KeyFetcher(settings_of(server)).fetch()
    assert "/elsewhere" not in server.asked


@pytest.mark.parametrize("path", [DISCOVERY, "/keys"])
@pytest.mark.parametrize("mood", [oidc_server.hang, oidc_server.drip_head, oidc_server.drip_body])
def test_issuer_that_takes_too_long_is_given_up(server, path, mood):
    # Dripping would take 80 s by itself: each byte comes in time, all of them do not.
    server.moods[path] = mood
    with pytest.raises(IdentityProviderError, match="did not answer within"):
        KeyFetcher(settings_of(server), deadline_s=QUICK).fetch()


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://attacker.example"},
        {"issuer": None},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user@keys.example/"},
        {"jwks_uri": "https://[::1"},
        {"jwks_uri": "/keys"},
        {"jwks_uri": 7},
        {"jwks_uri": None},
    ],
)
def test_discovery_document_that_is_not_the_issuers_own_is_refused(server, changes):
    server.discovery |= changes
    with pytest.raises(IdentityProviderError):
        KeyFetcher(settings_of(server)).fetch()
    assert server.asked == [DISCOVERY]


def test_proxies_and_credentials_of_the_environment_are_not_used(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login placement password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert KeyFetcher(settings_of(server)).fetch().find("k1")
    assert not any(b"authorization" in request.lower() for request in server.requests)


def test_keys_over_tls_from_an_issuer_that_is_trusted():
    with oidc_server.oidc_server(tls=True) as server:
        trusting = settings_of(server, ca_file=TLS / "cert.pem")
        assert KeyFetcher(trusting).fetch().find("k1")
        with pytest.raises(IdentityProviderError, match="cannot be reached"):
            KeyFetcher(settings_of(server)).fetch()


def test_https_issuer_cannot_send_us_to_plain_http():
    with oidc_server.oidc_server(tls=True) as server, oidc_server.oidc_server() as plain:
        server.discovery["jwks_uri"] = f"{plain.url}/keys"
        with pytest.raises(IdentityProviderError, match="no https URL"):
            KeyFetcher(settings_of(server, ca_file=TLS / "cert.pem")).fetch()
        assert plain.asked == []


def test_certificates_that_cannot_be_read_are_bad_input(server, tmp_path):
    with pytest.raises(BadInput, match="PLACEMENT_OIDC_CA_FILE"):
        KeyFetcher(settings_of(server, ca_file=tmp_path / "none.pem"))


def test_issuer_may_use_another_pinned_algorithm(server):
    server.keys = [jwk(), jwk(EC, kid="ec")]
    oidc = replace(settings_of(server), algorithm="ES256")
    verifier = open_tokens(Settings(oidc=oidc))
    assert verifier.verify(token(server, EC, alg="ES256", kid="ec")).subject
    with pytest.raises(TokenRefused):
        verifier.verify(token(server))


def test_settings_from_the_environment_reach_the_issuer(server):
    settings = read_settings(
        {"PLACEMENT_OIDC_ISSUER": server.issuer, "PLACEMENT_OIDC_AUDIENCE": "placement"}
    )
    assert open_tokens(settings).verify(token(server)).subject
