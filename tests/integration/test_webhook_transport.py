"""Sending over real sockets on loopback: where it goes, where it does not, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import ipaddress
import socket
from datetime import UTC, datetime, timedelta

import pytest

from placement.errors import BadInput
from placement.provision.guard import Guard
from placement.provision.transport import (
    MOST_ANSWER_BYTES,
    Reply,
    Sender,
    _Refused,
    _socket_factory,
)
from tests.tls_cases import Authority

NAME = "hooks.example.org"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
SECRET = "tok-5f0c9d"


class Peer:
    """A server that notes what it is sent, and answers as it is told."""

    def __init__(self, answer=NO_CONTENT, address="127.0.0.1", tls=None, port=0):
        self.answer, self.address, self.tls, self.port = answer, address, tls, port
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.crowded = asyncio.Event()
        """As many came as a sender makes to one receiver."""
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(
            self._serve, self.address, self.port, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.drop()
        await self._server.wait_closed()
        await asyncio.sleep(0.01)  # let what is closing be closed

    def drop(self):
        """Close all connections."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self.connections += 1
        if self.connections == 20:
            self.crowded.set()
        self._open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                if callable(self.answer):
                    await self.answer(writer)
                    break
                writer.write(self.answer)
                await writer.drain()
        self.closed.set()
        self._open.discard(writer)
        writer.transport.abort()


class Dns:
    """Says one thing after another, the last one for ever; it counts its questions."""

    def __init__(self, *answers):
        self._answers = answers
        self.asked = 0

    async def __call__(self, host, port):
        self.asked += 1
        answer = self._answers[min(self.asked, len(self._answers)) - 1]
        if isinstance(answer, OSError):
            raise answer
        return answer


def guard_of(look_up=None, networks=("127.0.0.1/32",), hosts=(NAME, "127.0.0.1")):
    allowed = [ipaddress.ip_network(network) for network in networks]
    return Guard(hosts, allowed, look_up or Dns(("127.0.0.1",)))


async def post(peer, guard=None, scheme="http", path="/in", **options) -> Reply:
    async with Sender(guard or guard_of(), **options) as sender:
        return await sender.post(f"{scheme}://{NAME}:{peer.port}{path}", {"webhook-id": "1"}, b"{}")


# -- what arrives -------------------------------------------------------------------------------


def test_a_post_arrives_as_it_was_given():
    async def story():
        async with Peer() as peer:
            reply = await post(peer, path="/in?a=%2F..%2f&b=%20")
        return peer, reply

    peer, reply = asyncio.run(story())
    assert reply == Reply(204, "")
    (request,) = peer.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /in?a=%2F..%2f&b=%20 HTTP/1.1"
    assert f"Host: {NAME}:{peer.port}".encode() in head
    assert b"webhook-id: 1" in head
    assert body == b"{}"


def test_tls_is_verified_for_the_name_and_not_for_the_address(tmp_path):
    authority = Authority(tmp_path)

    async def story(server, trusted):
        async with Peer(tls=server) as peer:
            return await post(peer, scheme="https", tls=trusted), peer.requests

    reply, requests = asyncio.run(story(authority.serve(NAME), authority.trust()))
    assert reply == Reply(204, "")
    assert len(requests) == 1
    others = [
        (authority.serve("other.example.org"), authority.trust()),
        (authority.serve(NAME, late=True), authority.trust()),
        (authority.serve(NAME), None),
    ]
    for server, trusted in others:
        reply, requests = asyncio.run(story(server, trusted))
        assert reply.status is None
        assert "TLS failed" in reply.error
        assert not requests


def test_many_at_once_arrive_each_over_few_connections():
    async def story():
        async with Peer() as peer, Sender(guard_of()) as sender:
            url = f"http://{NAME}:{peer.port}/"
            replies = await asyncio.gather(*[sender.post(url, {}, b"{}") for _ in range(500)])
            return peer, replies

    peer, replies = asyncio.run(story())
    assert set(replies) == {Reply(204, "")}
    assert len(peer.requests) == 500
    assert peer.connections <= 20


# -- where it does not go -----------------------------------------------------------------------


def test_an_answer_of_the_dns_that_changes_after_the_check_is_seen():
    """Rebinding: the name was fine when the subscription was made, and leads elsewhere now."""

    async def story():
        look_up = Dns(("127.0.0.1",), ("127.0.0.2",))
        guard = guard_of(look_up)
        async with Peer() as fine, Peer(address="127.0.0.2", port=fine.port) as inside:
            url = f"http://{NAME}:{fine.port}/"
            assert await guard.resolve(guard.check_url(url)) == ("127.0.0.1",)
            async with Sender(guard) as sender:
                reply = await sender.post(url, {}, b"{}")
            return reply, fine.connections, inside.connections

    reply, fine, inside = asyncio.run(story())
    assert reply.refused
    assert "loopback" in reply.error
    assert (fine, inside) == (0, 0)


def test_the_dns_is_asked_once_for_a_connection_which_goes_to_what_it_said():
    """Between check and connection nobody asks again: what would be said then does not matter."""

    async def story():
        look_up = Dns(("127.0.0.1",), ("127.0.0.2",))
        async with Peer() as fine, Peer(address="127.0.0.2", port=fine.port) as inside:
            reply = await post(fine, guard_of(look_up))
            return reply, look_up.asked, fine.connections, inside.connections

    assert asyncio.run(story()) == (Reply(204, ""), 1, 1, 0)


def test_an_open_connection_stays_with_its_address_and_a_new_one_asks_again():
    async def story():
        look_up = Dns(("127.0.0.1",), ("127.0.0.2",))
        async with (
            Peer() as fine,
            Peer(address="127.0.0.2", port=fine.port) as inside,
            Sender(guard_of(look_up)) as sender,
        ):
            url = f"http://{NAME}:{fine.port}/"
            replies = [await sender.post(url, {}, b"{}") for _ in range(3)]
            assert look_up.asked == 1
            fine.drop()
            await asyncio.sleep(0.05)
            replies.append(await sender.post(url, {}, b"{}"))
            return replies, look_up.asked, fine.connections, inside.connections

    replies, asked, fine, inside = asyncio.run(story())
    assert [reply.status for reply in replies] == [204, 204, 204, None]
    assert replies[3].refused
    assert (asked, fine, inside) == (2, 1, 0)


def test_a_name_with_one_address_inside_is_not_connected_to_at_all():
    async def story():
        async with Peer() as peer:
            reply = await post(peer, guard_of(Dns(("127.0.0.1", "127.0.0.2"))))
            return reply, peer.connections

    reply, connections = asyncio.run(story())
    assert reply.refused
    assert connections == 0


def test_a_socket_is_made_for_a_checked_address_only_whatever_the_library_asks_for():
    for scheme, address in (("https", "10.0.0.1"), ("http", "93.184.215.14"), ("https", "::1")):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with pytest.raises(_Refused):
            _socket_factory(guard_of(), scheme)((family, socket.SOCK_STREAM, 6, "", (address, 80)))
    made = _socket_factory(guard_of(), "http")(
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    )
    made.close()


def test_the_sockets_own_check_ends_a_post_as_a_refusal(monkeypatch):
    """As if the library had let an unchecked address through its resolver."""

    async def story():
        guard = guard_of(networks=())
        async with Peer() as peer, Sender(guard) as sender:

            async def unchecked(target):
                return ("127.0.0.1",)

            monkeypatch.setattr(guard, "resolve", unchecked)
            reply = await sender.post(f"https://{NAME}:{peer.port}/", {}, b"{}")
            return reply, peer.connections

    reply, connections = asyncio.run(story())
    assert reply.refused
    assert connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    async def story():
        async with Peer() as elsewhere:
            there = f"http://{NAME}:{elsewhere.port}/"
            moved = f"HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
            async with Peer(moved.encode()) as peer:
                return await post(peer), elsewhere.connections

    reply, elsewhere = asyncio.run(story())
    assert reply == Reply(status, f"HTTP status {status}; redirects are not followed")
    assert elsewhere == 0


def test_the_environment_names_no_proxy_to_us(monkeypatch):
    async def story():
        async with Peer() as proxy, Peer() as peer:
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.delenv("NO_PROXY", raising=False)
            return await post(peer), proxy.connections

    assert asyncio.run(story()) == (Reply(204, ""), 0)


def test_a_cookie_is_not_kept():
    async def story():
        answer = b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; Path=/\r\n\r\n"
        async with Peer(answer) as peer, Sender(guard_of()) as sender:
            for _ in range(2):
                await sender.post(f"http://{NAME}:{peer.port}/", {}, b"{}")
            return peer.requests

    requests = asyncio.run(story())
    assert len(requests) == 2
    assert not any(b"cookie" in request.lower() for request in requests)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example.org/",
        "https://127.0.0.2/",
        "http://127.1/",
        "ftp://hooks.example.org/",
        "",
    ],
)
def test_a_url_that_settings_do_not_allow_any_more_is_not_posted_to(url):
    async def story():
        look_up = Dns(("127.0.0.1",))
        async with Sender(guard_of(look_up)) as sender:
            return await sender.post(url, {}, b"{}"), look_up.asked

    reply, asked = asyncio.run(story())
    assert reply.refused
    assert reply.status is None
    assert asked == 0


# -- when it ends -------------------------------------------------------------------------------


def drip(text, pause_s=0.02):
    """Writes a byte at a time, for ever once the text is over."""

    async def answer(writer):
        for byte in text:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_s)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(pause_s)

    return answer


async def silent(writer):
    await asyncio.sleep(3600)


async def interim(writer):
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        interim,
        drip(b"HTTP/1.1 200 OK\r\nX: "),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", 0.001),
    ],
    ids=["silent", "interim", "head", "body"],
)
def test_an_answer_that_never_ends_is_ended(answer):
    async def story():
        async with Peer(answer) as peer:
            return await post(peer, deadline_s=0.5, path=f"/?{SECRET}")

    assert asyncio.run(story()) == Reply(None, "no whole answer within 0.5 s")


def test_a_dns_that_never_answers_is_ended():
    async def never(host, port):
        await asyncio.sleep(3600)

    async def story():
        async with Peer() as peer:
            return await post(peer, guard_of(never), deadline_s=0.2)

    assert asyncio.run(story()) == Reply(None, "no whole answer within 0.2 s")


def test_more_answer_than_anybody_needs_is_not_read():
    async def flood(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * MOST_ANSWER_BYTES)
                await writer.drain()

    async def story():
        async with Peer(flood) as peer:
            reply = await post(peer)
            await asyncio.wait_for(peer.closed.wait(), 30)
            return reply

    assert asyncio.run(story()) == Reply(200, "")


def test_a_compressed_answer_is_not_unpacked():
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"

    async def story():
        async with Peer(answer) as peer:
            return await post(peer), peer.requests[0]

    reply, request = asyncio.run(story())
    assert reply == Reply(200, "")
    assert b"Accept-Encoding: identity" in request


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x00\x00",
    ],
)
def test_an_answer_that_is_none_is_told_and_not_raised(answer):
    async def broken(writer):
        writer.write(answer)
        await writer.drain()

    async def story():
        async with Peer(broken) as peer:
            return await post(peer, path=f"/?{SECRET}")

    reply = asyncio.run(story())
    assert reply.status is None or reply.error
    assert reply.error
    assert SECRET not in reply.error
    assert "\n" not in reply.error


def test_nobody_there_a_closed_door_and_an_unknown_name_are_told_apart():
    async def hang_up(writer):
        return

    async def story():
        async with Peer(hang_up) as peer:
            closed = await post(peer)
        nobody = await post(peer)
        unknown = await post(peer, guard_of(Dns(socket.gaierror(-2, SECRET))))
        return closed.error, nobody.error, unknown.error

    assert asyncio.run(story()) == (
        "the receiver closed the connection without an answer",
        "no connection could be made",
        "the name cannot be looked up",
    )


@pytest.mark.parametrize(
    "status", [200, 201, 202, 299, 400, 401, 404, 410, 413, 422, 429, 500, 503]
)
def test_what_is_2xx_is_well_and_nothing_else(status):
    async def story():
        body = f"HTTP/1.1 {status} X\r\nContent-Length: 6\r\n\r\n{SECRET[:6]}"
        async with Peer(body.encode()) as peer:
            return await post(peer)

    error = "" if status < 300 else f"HTTP status {status}"
    assert asyncio.run(story()) == Reply(status, error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("99999999999", 86_400.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 200, None),
    ],
)
def test_how_long_to_wait_is_read_with_care(header, seconds):
    async def story():
        head = f"HTTP/1.1 503 X\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n"
        async with Peer(head.encode()) as peer:
            return await post(peer)

    assert asyncio.run(story()) == Reply(503, "HTTP status 503", seconds)


def test_a_moment_to_wait_for_is_read_as_seconds():
    moment = email.utils.format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    async def story():
        head = f"HTTP/1.1 429 X\r\nRetry-After: {moment}\r\nContent-Length: 0\r\n\r\n"
        async with Peer(head.encode()) as peer:
            return await post(peer)

    reply = asyncio.run(story())
    assert reply.retry_after_s is not None
    assert 3000 < reply.retry_after_s <= 3601


def test_one_slow_receiver_leaves_connections_for_the_others():
    async def story():
        async with Peer(silent) as slow, Peer() as peer:
            async with Sender(guard_of(), deadline_s=5.0, most_connections=40) as sender:
                stuck = [
                    asyncio.create_task(sender.post(f"http://{NAME}:{slow.port}/", {}, b"{}"))
                    for _ in range(100)
                ]
                await slow.crowded.wait()
                reply = await sender.post(f"http://{NAME}:{peer.port}/", {}, b"{}")
                pending = sum(not task.done() for task in stuck)
                for task in stuck:
                    task.cancel()
                await asyncio.gather(*stuck, return_exceptions=True)
            return reply, pending, slow.connections

    assert asyncio.run(story()) == (Reply(204, ""), 100, 20)


def test_a_guard_that_allows_nothing_sends_nothing():
    async def story():
        async with Sender(Guard()) as sender:
            return await sender.post(f"https://{NAME}/", {}, b"{}")

    reply = asyncio.run(story())
    assert reply.refused
    with pytest.raises(BadInput):
        Guard().check_url(f"https://{NAME}/")
