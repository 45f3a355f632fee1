"""Hostile bytes on a real server's socket: no 500, no hang, nobody else's answer."""

from __future__ import annotations

import json
import logging
import resource
import socket
import time

import pytest

from api import envelope, listening
from placement.keys import audit_key
from tests import api_cases

GOOD = b"GET /things/a/name HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    key = audit_key(tmp_path_factory.mktemp("keys") / "audit.pem")
    with api_cases.serving(api_cases.application(key)) as address:
        yield address


@pytest.fixture(autouse=True)
def no_500_and_nothing_logged_as_a_defect(caplog):
    with caplog.at_level(logging.ERROR):
        yield
    assert [record for record in caplog.records if record.name == "placement.api"] == []


def talk(server, *parts, pause_s=0.0, close=False):
    """Everything that the server says to these bytes until it closes, or falls silent."""
    with socket.create_connection(server, timeout=20) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:
                break
            time.sleep(pause_s)
        if close:
            connection.shutdown(socket.SHUT_WR)
        heard = b""
        try:
            while chunk := connection.recv(65_536):
                heard += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return heard


def answers(heard):
    """(status, headers, body) of each answer on a connection."""
    found = []
    while heard:
        head, _, rest = heard.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        found.append((int(lines[0].split(" ")[1]), headers, rest[:length]))
        heard = rest[length:]
    return found


def still_well(server):
    (answer,) = answers(talk(server, GOOD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")))
    assert answer[0] == 200
    assert json.loads(answer[2]) == {"id": "a"}


def post(path, body, *headers):
    head = [b"POST " + path + b" HTTP/1.1", b"host: x", b"connection: close", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


CHUNKED = (b"content-type: application/json", b"transfer-encoding: chunked")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00" * 100 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200,
        b"GET\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /things HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        b"GET /things HTTP/1.1\r\nhost: x\r\nbad name: 1\r\n\r\n",
        b"GET /things HTTP/1.1\r\nhost: x\r\nx: a\x00b\r\n\r\n",
        post(b"/notes", b"{}", b"content-length: -1"),
        post(b"/notes", b"{}", b"content-length: two"),
        post(b"/notes", b"{}", b"content-length: 2", b"content-length: 3"),
        post(b"/notes", b"{}", b"content-length: 2", b"transfer-encoding: chunked"),
        post(b"/notes", b"2\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked, identity"),
        post(b"/notes", b"zz\r\n{}\r\n", *CHUNKED),
        post(b"/notes", b"ffffffffffffffffff\r\n{}\r\n", *CHUNKED),
        post(b"/notes", b"-2\r\n{}\r\n", *CHUNKED),
        post(b"/notes", b"2\r\n{}XX\r\n0\r\n\r\n", *CHUNKED),
    ],
)
def test_what_is_not_http_is_refused_as_a_problem(server, raw):
    heard = answers(talk(server, raw, close=True))
    assert heard, "some answer"
    status, headers, body = heard[-1]
    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert json.loads(body)["status"] == 400
    assert "server" not in headers
    still_well(server)


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /things HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 100_000 + b"\r\n\r\n"],
        [b"GET /things HTTP/1.1\r\nhost: x\r\nx-long: ", *[b"a" * 4096] * 40],
        [b"GET /things HTTP/1.1\r\nhost: x\r\n" + b"x-many: a\r\n" * 200 + b"\r\n"],
        [b"GET /things HTTP/1.1\r\nhost: x\r\n", *[b"x-many: aaaaaaaaaaaaaaaa\r\n" * 10] * 200],
        [b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"],
        [b"GET /", *[b"a" * 4096] * 40],
        [b"GET /things?" + b"a=b&" * 30_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"],
    ],
)
def test_heads_without_end_are_refused(server, parts):
    heard = talk(server, *parts)
    # A client that still sends when it is refused may see the reset before the answer.
    if heard:
        ((status, _, body),) = answers(heard)
        assert (status, json.loads(body)["code"]) == (431, "head_too_large")
    still_well(server)


def test_a_long_head_that_comes_at_once_hears_why(server):
    raw = (
        b"GET /things HTTP/1.1\r\nhost: x\r\nx: " + b"a" * (listening.HEAD_BYTES + 1) + b"\r\n\r\n"
    )
    ((status, headers, body),) = answers(talk(server, raw))
    assert (status, json.loads(body)["code"]) == (431, "head_too_large")
    assert headers["content-type"] == "application/problem+json"


def test_a_head_of_the_greatest_length_is_read(server):
    filler = b"a" * (listening.HEAD_BYTES - 200)
    raw = GOOD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\nx: " + filler + b"\r\n\r\n")
    assert answers(talk(server, raw))[0][0] == 200


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"GET /things HTT"],
        [b"GET /things HTTP/1.1\r\nhost: x\r\n"],
        [GOOD, b"GET /things HTT"],
    ],
)
def test_heads_that_do_not_come_end_the_connection(server, monkeypatch, parts):
    monkeypatch.setattr(listening, "HEAD_S", 0.3)
    with socket.create_connection(server, timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        heard = b""
        while chunk := connection.recv(65_536):
            heard += chunk
    assert len(answers(heard)) == parts.count(GOOD)
    still_well(server)


def test_a_body_that_drips_is_given_up(server, monkeypatch):
    monkeypatch.setattr(envelope, "BODY_S", 0.3)
    raw = post(b"/notes", b'{"te', b"content-type: application/json", b"content-length: 1000")
    ((status, headers, body),) = answers(talk(server, raw))
    assert (status, json.loads(body)["code"]) == (408, "body_timeout")
    assert headers["connection"] == "close"
    still_well(server)


@pytest.mark.parametrize(
    ("cut", "close"), [(b'{"text"', True), (b"", True)], ids=["half a body", "no body"]
)
def test_a_client_that_goes_away_is_no_defect(server, cut, close):
    head = (b"content-type: application/json", b"content-length: 1000")
    with socket.create_connection(server, timeout=20) as connection:
        connection.sendall(post(b"/notes", cut, *head))
    still_well(server)


def test_chunks_without_a_length_are_capped(server):
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    heard = talk(server, post(b"/notes", b"", *CHUNKED), *[chunk] * 40, b"0\r\n\r\n")
    if heard:
        status, _, body = answers(heard)[0]
        assert (status, json.loads(body)["code"]) == (413, "body_too_large")
    still_well(server)


def test_a_body_far_too_long_is_not_kept(server):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    length = b"content-length: 10000000000"
    chunks = [b" " * 2**20] * 64
    talk(server, post(b"/notes", b"", b"content-type: application/json", length), *chunks)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024
    still_well(server)


def test_one_byte_at_a_time_is_read(server):
    raw = post(b"/sites", b"{}", b"content-type: application/json", b"content-length: 2")
    with socket.create_connection(server, timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(raw)):
            connection.sendall(raw[at : at + 1])
        heard = b""
        while chunk := connection.recv(65_536):
            heard += chunk
    ((status, _, body),) = answers(heard)
    assert (status, json.loads(body)["code"]) == (422, "bad_input")


def test_pipelined_requests_are_answered_in_order(server):
    names = [f"n{number}" for number in range(20)]
    raw = b"".join(GOOD.replace(b"/a/", f"/{name}/".encode()) for name in names)
    heard = answers(talk(server, raw + post(b"/nothing", b"")))
    assert [json.loads(body).get("id") for _, _, body in heard] == [*names, None]
    assert len({headers["x-request-id"] for _, headers, _ in heard}) == 21


def test_a_body_never_becomes_a_request(server):
    hidden = b"GET /things/smuggled/name HTTP/1.1\r\nhost: x\r\n\r\n"
    head = [b"POST /notes HTTP/1.1", b"host: x", b"content-type: text/plain"]
    head.append(b"content-length: %d" % len(hidden))
    raw = b"\r\n".join(head) + b"\r\n\r\n" + hidden
    heard = answers(talk(server, raw + post(b"/nothing", b"")))
    assert [status for status, _, _ in heard] == [415, 404]
    assert b"smuggled" not in b"".join(body for _, _, body in heard)


def test_http_1_0_is_answered_and_closed(server):
    ((status, _, body),) = answers(talk(server, b"GET /things/a/name HTTP/1.0\r\n\r\n"))
    assert (status, json.loads(body)) == (200, {"id": "a"})


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://x/things/a/name", 200),
        (b"//things/a/name", 200),
        (b"/things/a/name/", 200),
        (b"/things/../things/a/name", 404),
        (b"/things/%2e%2e/%2e%2e/etc/passwd", 404),
        (b"/things/%c0%ae/name", 400),
        (b"/things/a;b/name", 200),
        (b"*", 404),
        (b"/things/a/name#x", 200),
    ],
)
def test_odd_targets(server, target, status):
    raw = b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    heard = answers(talk(server, raw))
    assert heard[0][0] in (status, 400), heard


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"PROPFIND", b"BREW", b"get"])
def test_odd_methods(server, method):
    heard = answers(talk(server, method + b" /things HTTP/1.1\r\nhost: x\r\n\r\n", close=True))
    assert not heard or 400 <= heard[0][0] < 500


def test_an_upgrade_is_not_followed(server):
    raw = GOOD.replace(
        b"\r\n\r\n",
        b"\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    assert answers(talk(server, raw, close=True))[0][0] in (200, 400)
    still_well(server)


def test_many_connections_at_once_are_answered(server):
    connections = [socket.create_connection(server, timeout=20) for _ in range(100)]
    try:
        for connection in connections:
            connection.sendall(GOOD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        for connection in connections:
            heard = b""
            while chunk := connection.recv(65_536):
                heard += chunk
            assert answers(heard)[0][0] == 200
    finally:
        for connection in connections:
            connection.close()
