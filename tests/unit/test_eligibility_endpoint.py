"""PLACEMENT_OPA_URL and PLACEMENT_OPA_TOKEN: nothing that would send a question in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from placement.eligibility.hosts import parse_endpoint
from placement.errors import BadInput
from placement.settings import read_settings


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("https://opa.city.example", "opa.city.example", 443, True),
        ("https://opa.city.example:8443/", "opa.city.example", 8443, True),
        ("http://127.0.0.1:8181", "127.0.0.1", 8181, False),
        ("http://localhost:8181", "localhost", 8181, False),
        ("http://[::1]:8181", "[::1]", 8181, False),
        ("https://[2001:db8::1]", "[2001:db8::1]", 443, True),
        ("http://127.1.2.3", "127.1.2.3", 80, False),
    ],
)
def test_urls_that_are_accepted(url, host, port, tls):
    endpoint = parse_endpoint(url, "token")
    assert (endpoint.host, endpoint.port, endpoint.tls) == (host, port, tls)


@pytest.mark.parametrize(
    "url",
    [
        "http://opa.city.example",
        "http://10.0.0.1:8181",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://[::ffff:10.0.0.1]",
        "http://0.0.0.0:8181",
        "opa.city.example:8181",
        "//opa.city.example",
        "ftp://opa.city.example",
        "unix:///run/opa.sock",
        "https://",
        "https://:443",
        "https://user:secret@opa.city.example",
        "https://@opa.city.example",
        "https://opa.city.example/v1",
        "https://opa.city.example/?a=1",
        "https://opa.city.example/#a",
        "https://opa.city.example:port",
        "https://opa.city.example:99999",
        "https://[::1",
        "",
    ],
)
def test_urls_that_are_refused(url):
    with pytest.raises(BadInput) as caught:
        parse_endpoint(url, None)
    (defect,) = caught.value.defects
    assert defect.record == "PLACEMENT_OPA_URL"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a\n", "a\r\nX-Other: 1", "tökén", "\x00"])
def test_tokens_that_would_break_the_header_are_refused_and_not_repeated(token):
    with pytest.raises(BadInput) as caught:
        parse_endpoint("https://opa.city.example", token)
    assert str(caught.value).startswith("PLACEMENT_OPA_TOKEN: ")
    assert token not in str(caught.value)


def test_the_token_is_not_in_the_endpoints_text():
    assert "s3cret" not in repr(parse_endpoint("https://opa.city.example", "s3cret"))


def test_the_token_is_not_in_the_settings_text():
    settings = read_settings({"PLACEMENT_OPA_TOKEN": "s3cret"})
    assert settings.opa_token == "s3cret"
    assert "s3cret" not in repr(settings)


def test_certificates_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "empty.pem").write_text("no certificate")
    assert read_settings({"PLACEMENT_OPA_CA_FILE": "a.pem"}).opa_ca_file == Path("a.pem")
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem", tmp_path):
        with pytest.raises(BadInput, match="PLACEMENT_OPA_CA_FILE"):
            parse_endpoint("https://opa.city.example", None, path)
