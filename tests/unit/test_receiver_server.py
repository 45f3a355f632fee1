"""The small server of a receiver, and a receiver that is killed."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from placement.client.receiver import Receiver
from placement.client.receiving.server import MOST_BODY_BYTES, MOST_HEAD_BYTES, ReceiverServer
from tests.message_cases import NOW, SECRET, event, signed


@contextmanager
def serving(tmp_path, effect=lambda received, journal: None):
    receiver = Receiver([SECRET], tmp_path / "journal.sqlite3", effect, clock=lambda: NOW)
    with ReceiverServer(receiver, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(30)


def say(server, raw: bytes) -> bytes:
    """Everything that is answered until the connection is closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
        peer.sendall(raw)
        answer = b""
        try:
            while part := peer.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def test_messages_are_answered_over_a_connection_that_stays(tmp_path):
    with serving(tmp_path) as server:
        peer = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for sequence, status in ((1, 200), (2, 200), (2, 200)):
            headers, body = signed(event(sequence))
            peer.request("POST", "/hook?x=1", body, headers)
            answer = peer.getresponse()
            assert answer.status == status
            assert answer.read().startswith(b'{"result"')
        headers, body = signed(event(3))
        peer.request("POST", "/", body + b" ", headers)
        answer = peer.getresponse()
        assert (answer.status, b"unproven" in answer.read()) == (401, True)
        peer.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"411",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY_BYTES + 1), b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", b"400"),
        (b"POST / HTTP/1.1\r\nwebhook-id: a\r\nWebhook-Id: b\r\nContent-Length: 0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"501"),
    ],
)
def test_a_request_that_is_not_bounded_is_refused(tmp_path, raw, status):
    with serving(tmp_path) as server:
        assert say(server, raw).startswith(b"HTTP/1.1 " + status)
        assert b"unproven" in say(
            server, b"POST / HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nX: " + b"y" * MOST_HEAD_BYTES + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * MOST_HEAD_BYTES,
        b"POST /" + b"y" * MOST_HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_a_head_that_is_too_long_ends_the_connection_and_nothing_else(tmp_path, raw):
    with serving(tmp_path) as server:
        assert b"200 OK" not in say(server, raw)
        assert b"unproven" in say(
            server, b"POST / HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )


def test_a_body_that_is_cut_short_is_no_message(tmp_path):
    asked = []
    headers, body = signed(event())
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    raw = f"POST / HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1]
    with (
        serving(tmp_path, lambda received, journal: asked.append(received)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer,
    ):
        peer.sendall(raw)
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b""
    assert not asked


KILLED = """
import os, sys
from pathlib import Path
from placement.client.receiver import Receiver
from tests.message_cases import NOW, SECRET, event, signed
folder = Path(sys.argv[1])
def effect(received, journal):
    with (folder / "asked").open("a") as file:
        file.write(f"{received.again}\\n")
    journal.execute("CREATE TABLE IF NOT EXISTS done_here (id TEXT)")
    journal.execute("INSERT INTO done_here VALUES (?)", (received.id,))
    if not received.again:
        os._exit(9)
receiver = Receiver([SECRET], folder / "journal.sqlite3", effect, clock=lambda: NOW)
sys.exit(receiver.handle(*signed(event())).status - 200)
"""


def test_a_receiver_that_is_killed_after_the_effect_asks_for_it_again(tmp_path):
    root = Path(__file__).resolve().parents[2]

    def run():
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(root)},
            cwd=root,
            check=False,
            timeout=120,
        ).returncode

    assert run() == 9
    assert (tmp_path / "asked").read_text() == "False\n"
    assert run() == 0
    assert run() == 0
    assert (tmp_path / "asked").read_text() == "False\nTrue\n"
