"""Local tokens and where their server may listen; the form of machines' tokens; settings."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from models import CityRole
from placement.errors import BadInput
from placement.identity import (
    LOCAL_ISSUER,
    LocalIssuer,
    TokenRefused,
    new_machine_token,
    open_tokens,
    read_machine_token,
    require_loopback,
)
from placement.settings import OIDC_ALGORITHMS, OidcSettings, Settings, read_settings
from tests.identity_cases import ISSUER, OIDC

ENVIRONMENT = {"PLACEMENT_OIDC_ISSUER": ISSUER, "PLACEMENT_OIDC_AUDIENCE": "placement"}


@pytest.fixture
def local(tmp_path) -> LocalIssuer:
    return LocalIssuer(tmp_path / "keys" / "local-issuer.pem")


def test_local_token_is_accepted_by_the_process_that_issues_them(local, tmp_path):
    token = local.issue("anna", [CityRole.DATA_USER], ["Ruimte"], ["planner"])
    verifier = open_tokens(Settings(), local)
    person = verifier.verify(token)
    assert verifier.local
    assert person.subject == f"{LOCAL_ISSUER} anna"
    assert person.roles == (CityRole.DATA_USER,)
    assert person.departments == ("Ruimte",)
    assert person.reader_roles == ("planner",)
    again = LocalIssuer(tmp_path / "keys" / "local-issuer.pem")
    assert open_tokens(Settings(), again).verify(token) == person, "the same key file"


def test_local_token_ends(local):
    with pytest.raises(TokenRefused) as caught:
        open_tokens(Settings(), local).verify(local.issue("anna", [], ttl_s=-31))
    assert caught.value.reason == "expired"


def test_local_token_of_another_key_is_refused(local, tmp_path):
    other = LocalIssuer(tmp_path / "other.pem")
    with pytest.raises(TokenRefused):
        open_tokens(Settings(), local).verify(other.issue("anna", [CityRole.AUDITOR]))


@pytest.mark.parametrize("settings", [Settings(), Settings(oidc=OIDC)])
def test_server_without_dev_accepts_no_local_token(local, settings):
    verifier = open_tokens(settings)
    assert not verifier.local
    token = local.issue("anna", [CityRole.GOVERNANCE_BOARD])
    with pytest.raises(TokenRefused) as caught:
        verifier.verify(token)
    # Refused before any key is asked for: the pinned algorithm, or no issuer at all.
    assert caught.value.reason in ("no_issuer", "wrong_algorithm")


def test_local_tokens_and_an_issuer_exclude_each_other(local):
    with pytest.raises(BadInput, match="exclude each other"):
        open_tokens(Settings(oidc=OIDC), local)


@pytest.mark.parametrize(
    "issuer",
    [
        LOCAL_ISSUER,
        "urn:placement:dev",
        "http://login.soest.example",
        "http://127.0.0.1.attacker.example",
        "http://localhost.attacker.example",
        "https://",
        "https://user@login.soest.example",
        "https://login.soest.example/?realm=1",
        "https://login.soest.example/#x",
        "https://login.soest.example/\n",
        "https://login soest.example/",
        "https://[::1",
        "ftp://login.soest.example",
        "https://x/" + "y" * 200,
    ],
)
def test_issuer_must_be_a_url_that_can_be_trusted(issuer):
    with pytest.raises(BadInput, match="PLACEMENT_OIDC_ISSUER"):
        read_settings({**ENVIRONMENT, "PLACEMENT_OIDC_ISSUER": issuer})


@pytest.mark.parametrize(
    "changes",
    [
        {"PLACEMENT_OIDC_AUDIENCE": ""},
        {"PLACEMENT_OIDC_ISSUER": ""},
        {"PLACEMENT_OIDC_JWKS_URL": "http://keys.example"},
        {"PLACEMENT_OIDC_JWKS_URL": "keys"},
        {"PLACEMENT_OIDC_ALGORITHM": "none"},
        {"PLACEMENT_OIDC_ALGORITHM": "HS256"},
        {"PLACEMENT_OIDC_ALGORITHM": "rs256"},
        {"PLACEMENT_OIDC_ALGORITHM": "RS256,HS256"},
    ],
)
def test_settings_of_an_issuer_that_do_not_fit_are_refused(changes):
    with pytest.raises(BadInput, match=next(iter(changes))):
        read_settings({**ENVIRONMENT, **changes})


def test_settings_of_an_issuer():
    assert read_settings({}).oidc is None
    assert read_settings(ENVIRONMENT).oidc == OidcSettings(ISSUER, "placement")
    for algorithm in OIDC_ALGORITHMS:
        found = read_settings({**ENVIRONMENT, "PLACEMENT_OIDC_ALGORITHM": algorithm}).oidc
        assert found == replace(OidcSettings(ISSUER, "placement"), algorithm=algorithm)
    named = {
        "PLACEMENT_OIDC_ROLES_CLAIM": "realm_access.roles",
        "PLACEMENT_OIDC_DEPARTMENTS_CLAIM": "afdeling",
        "PLACEMENT_OIDC_READER_ROLES_CLAIM": "lezer",
    }
    found = read_settings({**ENVIRONMENT, **named}).oidc
    assert found is not None
    assert (found.roles_claim, found.departments_claim) == ("realm_access.roles", "afdeling")
    assert found.reader_roles_claim == "lezer"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.8.9.10", "127.8.9.10"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("localhost", "127.0.0.1"),
        ("LocalHost", "127.0.0.1"),
    ],
)
def test_loopback_is_accepted_as_a_literal(host, address):
    assert require_loopback(host) == address


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*",
        "0",
        "0.0.0.0",
        "::",
        "[::]",
        "0:0:0:0:0:0:0:0",
        "::ffff:0.0.0.0",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:192.168.1.1",
        "::1%eth0",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.1\x00",
        "128.0.0.1",
        "192.168.1.1",
        "10.0.0.1",
        "169.254.1.1",
        "fe80::1",
        "localhost.",
        "localhost.attacker.example",
        "localhost6",
        "placement.soest.example",
        "127.0.0.1.nip.io",
        "１２７.0.0.1",
        "[127.0.0.1",
        "[127.0.0.1]",
        "[[::1]]",
        "[::1",
    ],
)
def test_everything_else_is_beyond_loopback(host):
    with pytest.raises(BadInput, match="listens to this machine alone"):
        require_loopback(host)


def test_machine_tokens_are_random_and_only_their_digest_is_kept():
    made = [new_machine_token() for _ in range(50)]
    assert len({token for _, token in made}) == len({kept.id for kept, _ in made}) == 50
    for kept, token in made:
        assert re.fullmatch(r"plk_[A-Za-z0-9]{16}_[A-Za-z0-9]{43}", token)
        assert read_machine_token(token) == kept
        secret = token.rpartition("_")[2]
        assert secret not in repr(kept)
        assert kept.secret_sha256 not in repr(kept)
        assert secret not in kept.secret_sha256


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token + "\n",
        lambda token: token.upper(),
        lambda token: token.replace("_", "-"),
        lambda token: token[:-1] + "é",
        lambda token: token[:-1] + "_",
        lambda token: "plk__",
        lambda token: "",
    ],
)
def test_text_of_another_form_is_no_machine_token(spoil):
    _, token = new_machine_token()
    assert read_machine_token(spoil(token)) is None
