"""The asynchronous OPA client, made strict: for the one question that every request asks.

What transport.py says of opa-python-client holds for its asynchronous half, too; that one also asks
again after HTTP status 500 and loses the error's text. `_init_session` is its hook as well: the
session below reads each answer whole, within limits, before the library sees it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
from opa_client.opa_async import AsyncOpaClient

from placement.eligibility.decoding import strict_json
from placement.eligibility.transport import Endpoint, refusal
from placement.errors import PolicyEngineError

MAX_ANSWER_BYTES = 64 * 1024
_CONNECTIONS = 64
"""More questions at a time than these wait for a connection, within their deadline."""
_KEPT_S = 30.0
_CHUNK_BYTES = 16 * 1024
_HEADERS = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
_QUERY_PARAMETERS = {"provenance": "true", "strict-builtin-errors": "true"}


class AsyncLink:
    """Questions to one OPA from one event loop; connections are kept and used again.

    A connection is used again only after its answer was read to the end: a question that was
    cancelled or came too late takes its connection with it, and no other hears its answer.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._client = _Client(endpoint)

    async def query(self, rule: str, document: Mapping[str, Any], seconds: float) -> Any:
        """POST one document to a rule; the decoded answer, whose shape is not yet checked.

        Parameters
        ----------
        seconds
            All the time there is: for connecting, asking, reading and decoding together.

        Raises
        ------
        PolicyEngineError
            When OPA cannot be reached, is late, refuses, or sends anything but strict JSON.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._client.open()
                return await self._client.query_rule(document, rule, None, _QUERY_PARAMETERS)
        except PolicyEngineError:
            raise
        except TimeoutError as error:
            raise PolicyEngineError(f"OPA did not answer within {seconds:.1f} s") from error
        except Exception as error:
            # The cause's own text can quote headers: only its kind is told.
            raise PolicyEngineError(
                f"the connection to OPA failed ({type(error).__name__})"
            ) from error

    async def close(self) -> None:
        """Hang up; questions that still wait fail."""
        await self._client.close_connection()


class _Client(AsyncOpaClient):  # type: ignore[misc]  # the library publishes no types
    """The library's client over a strict session."""

    _session: _Session | None

    def __init__(self, endpoint: Endpoint) -> None:
        self._ca_file = endpoint.ca_file
        self._token = endpoint.token
        self._closed = False
        super().__init__(
            host=endpoint.host,
            port=endpoint.port,
            ssl=endpoint.tls,
            retries=0,
        )

    async def open(self) -> None:
        """Open the session, once: it belongs to the loop that runs now."""
        if self._closed:
            raise PolicyEngineError("the connection to OPA is closed")
        if self._session is None:
            await self._init_session()

    async def close_connection(self) -> None:
        """Hang up for good."""
        self._closed = True
        await super().close_connection()

    async def _init_session(self) -> None:
        trusted = ssl.create_default_context(cafile=self._ca_file) if self.ssl else True
        self._session = _Session(self._token, trusted)


class _Session:
    """What the library needs of an aiohttp session: no proxies, redirects, cookies or retries."""

    def __init__(self, token: str | None, trusted: ssl.SSLContext | bool) -> None:
        self._token = token
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS, keepalive_timeout=_KEPT_S, ssl=trusted
            ),
            headers=_HEADERS | ({"Authorization": f"Bearer {token}"} if token else {}),
            skip_auto_headers=("User-Agent", "Accept"),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the link has one
            trust_env=False,
            auto_decompress=False,
        )

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def close(self) -> None:
        await self._session.close()

    async def request(self, method: str, url: str, *, json: Mapping[str, Any]) -> _Answer:
        # Leaving the block before the body's end closes the connection.
        async with self._session.request(
            method, url, data=_encoded(json), allow_redirects=False
        ) as response:
            _check_head(response)
            body = await _body(response)
        if response.status != 200:
            text = refusal(response.status, body)
            raise PolicyEngineError(text.replace(self._token, "***") if self._token else text)
        return _Answer(body)


class _Answer:
    """A whole answer in the form in which the library asks for it."""

    status = 200

    def __init__(self, body: bytes) -> None:
        self._body = body

    def raise_for_status(self) -> None:
        """Nothing: any other status was refused before the body was read."""

    async def release(self) -> None:
        """Nothing: the connection was given back when the body had ended."""

    async def json(self) -> Any:
        try:
            return strict_json(self._body)
        except ValueError as error:
            raise PolicyEngineError(f"OPA's answer is not strict JSON: {error}") from error


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def _check_head(response: aiohttp.ClientResponse) -> None:
    if "Content-Encoding" in response.headers:
        raise PolicyEngineError("OPA's answer is compressed, which was not asked for")
    if response.status == 200 and response.content_type != "application/json":
        raise PolicyEngineError("OPA's answer is not declared as JSON")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    parts = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        parts += chunk
        if len(parts) > MAX_ANSWER_BYTES:
            raise PolicyEngineError(f"OPA's answer is larger than {MAX_ANSWER_BYTES} bytes")
    return bytes(parts)
