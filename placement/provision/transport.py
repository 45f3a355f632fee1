"""Sending: to checked addresses alone, in time, and nothing of the answer but its status is kept.

    URL -> guard -> name looked up, every address checked -> connection to one of them -> TLS for
    the name -> POST -> status

The check and the connection see the same answer of the DNS: the resolver that the HTTP library is
given checks, and hands on what it checked. A socket is made for a checked address only, whatever
the library asks for. A connection that stays open stays with its address; a new one asks again.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import math
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any

from placement.errors import BadInput
from placement.provision.guard import Guard, Target

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

DEADLINE_S = 10.0
"""For one attempt, from the wait for a connection to the last byte of the answer."""
MOST_ANSWER_BYTES = 64 * 1024
_MOST_PER_HOST = 20
_KEPT_OPEN_S = 30.0
_LONGEST_RETRY_AFTER_S = 24 * 3600.0


@dataclass(frozen=True)
class Reply:
    """What became of one attempt."""

    status: int | None
    """HTTP status; none: there was no answer."""
    error: str
    """Why it counts as failed, in one line of our own words; empty: 2xx."""
    retry_after_s: float | None = None
    """Seconds that the receiver asks us to wait, at most a day."""
    refused: bool = False
    """The guard let nothing be sent."""


class Sender:
    """Posts to receivers. Use it in an `async with` block, from one event loop.

    Parameters
    ----------
    guard
        Judges URLs and addresses.
    deadline_s
        Seconds that one attempt may take altogether.
    most_connections
        At once, of all receivers; one receiver gets at most 20 of them.
    tls
        Whom to trust; by default the system's authorities (SSL_CERT_FILE names others).
    """

    def __init__(
        self,
        guard: Guard,
        deadline_s: float = DEADLINE_S,
        most_connections: int = 100,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._deadline_s = deadline_s
        self._most = most_connections
        self._tls = tls
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Sender:
        tls = self._tls or _default_tls()
        for scheme in ("https", "http"):
            self._sessions[scheme] = _session(self._guard, scheme, self._most, tls)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a body. Whatever the network does is told in the reply, and never raised.

        Parameters
        ----------
        url
            As the subscription has it: it is judged again, as settings may have changed.
        headers
            Signature and content type; Host and the like are the library's.
        """
        import aiohttp

        try:
            target = self._guard.check_url(url)
            async with asyncio.timeout(self._deadline_s):
                return await self._post(target, headers, body)
        except BadInput as error:
            return Reply(None, error.defects[0].message, refused=True)
        except TimeoutError:
            return Reply(None, f"no whole answer within {self._deadline_s:g} s")
        except _Refused as error:
            return Reply(None, str(error), refused=True)
        except aiohttp.ClientError as error:
            return _failed(error)
        except OSError as error:
            return Reply(None, f"the connection failed ({type(error).__name__})")

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Reply:
        from yarl import URL

        async with self._sessions[target.scheme].post(
            URL(target.url, encoded=True), headers=headers, data=body, allow_redirects=False
        ) as answer:
            if not await _ended(answer):
                answer.close()  # nobody waits for the rest
            return _reply(answer.status, answer.headers.get("Retry-After"))


class _Refused(Exception):
    """The guard's refusal, on its way through a library that knows OSError alone."""


@cache
def _default_tls() -> ssl.SSLContext:
    """Reading all authorities takes long: once for all senders of a process."""
    return ssl.create_default_context()


def _session(guard: Guard, scheme: str, most: int, tls: ssl.SSLContext) -> aiohttp.ClientSession:
    import aiohttp

    connector = aiohttp.TCPConnector(
        resolver=_resolver(guard, scheme),
        use_dns_cache=False,
        socket_factory=_socket_factory(guard, scheme),
        ssl=tls,
        limit=most,
        limit_per_host=min(most, _MOST_PER_HOST),
        keepalive_timeout=_KEPT_OPEN_S,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        requote_redirect_url=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # ours is over all of it
        headers={"User-Agent": "placement", "Accept-Encoding": "identity"},
    )


def _resolver(guard: Guard, scheme: str) -> AbstractResolver:
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Checked(AbstractResolver):
        async def resolve(
            self,
            host: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  all are judged
        ) -> list[ResolveResult]:
            try:
                found = await guard.resolve(Target(scheme, host, port, "/"))
            except BadInput as error:
                raise _Refused(error.defects[0].message) from error
            return [
                ResolveResult(
                    hostname=host,
                    host=address,
                    port=port,
                    family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for address in found
            ]

        async def close(self) -> None:
            """Nothing is held open."""

    return Checked()


def _socket_factory(guard: Guard, scheme: str) -> Callable[[Any], socket.socket]:
    """Makes sockets for allowed addresses alone: the last one to look before a connection."""

    def make(info: Any) -> socket.socket:
        family, kind, proto, _, where = info
        try:
            guard.check_address(ipaddress.ip_address(where[0]), scheme)
        except BadInput as error:
            raise _Refused(error.defects[0].message) from error
        return socket.socket(family, kind, proto)

    return make


async def _ended(answer: aiohttp.ClientResponse) -> bool:
    """Read what the receiver says, to no end but that the connection can be used again."""
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > MOST_ANSWER_BYTES:
            return False
    return True


def _reply(status: int, retry_after: str | None) -> Reply:
    if 200 <= status < 300:
        return Reply(status, "")
    error = f"HTTP status {status}"
    if 300 <= status < 400:
        error += "; redirects are not followed"
    return Reply(status, error, _seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After as seconds from now (RFC 9110, 10.2.3); none where it says nothing usable."""
    if retry_after is None or len(retry_after) > 100:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_RETRY_AFTER_S)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(0.0, math.ceil(seconds)), _LONGEST_RETRY_AFTER_S)


def _failed(error: aiohttp.ClientError) -> Reply:
    """Never the library's own words: they may hold the URL, or what the receiver said."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Reply(None, "the name cannot be looked up")
    if isinstance(error, aiohttp.ClientSSLError):
        return Reply(None, "TLS failed: the receiver's certificate does not hold for its name")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Reply(None, "no connection could be made")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Reply(None, "the receiver closed the connection without an answer")
    return Reply(None, f"the answer cannot be read ({type(error).__name__})")
