"""The OPA client, made strict: what it asks goes to one host, and what comes back has limits.

opa-python-client 3.0 follows redirects to other hosts, obeys proxy variables, limits each read
instead of the whole answer, and decodes NaN and repeated keys. Its hook for the HTTP session
(`_init_session`) is where each of these ends; `Link.query` adds the deadline over everything.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import requests
import urllib3
from opa_client import OpaClient
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from placement.eligibility.decoding import strict_json
from placement.errors import PolicyEngineError

MAX_ANSWER_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_QUERY_PARAMETERS = {"provenance": "true", "strict-builtin-errors": "true"}

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """Where an OPA listens."""

    host: str
    port: int
    tls: bool
    token: str | None = field(repr=False)
    ca_file: Path | None = None
    """Certificates to trust instead of the public ones."""


class Link:
    """Queries to one OPA from any number of threads; connections are kept and used again."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._idle: list[_Client] = []
        self._busy: set[_Client] = set()
        self._lock = threading.Lock()
        self._closed = False

    def query(self, rule: str, document: Mapping[str, Any], seconds: float) -> Any:
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
        client = self._take(seconds)
        answered = False
        try:
            answer = _within(
                seconds, lambda: client.query_rule(document, rule, None, _QUERY_PARAMETERS)
            )
            answered = True
        except PolicyEngineError:
            raise
        except Exception as error:
            raise _as_engine_error(error, self._endpoint.token, seconds) from error
        finally:
            self._give_back(client, fit_for_more=answered)
        return answer

    def close(self) -> None:
        """Hang up, also on queries that other threads wait for; these and later ones fail."""
        with self._lock:
            self._closed = True
            clients = [*self._idle, *self._busy]
            self._idle.clear()
        for client in clients:
            client.abort()

    def _take(self, seconds: float) -> _Client:
        with self._lock:
            if self._closed:
                raise PolicyEngineError("the policy engine is closed")
            client = self._idle.pop() if self._idle else _Client(self._endpoint)
            self._busy.add(client)
        client.timeout = seconds
        return client

    def _give_back(self, client: _Client, *, fit_for_more: bool) -> None:
        with self._lock:
            self._busy.discard(client)
            if fit_for_more and not self._closed:
                self._idle.append(client)
                return
        client.abort()


class _Client(OpaClient):  # type: ignore[misc]  # the library publishes no types
    """The library's client over a strict session."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._line = _Line()
        self._ca_file = endpoint.ca_file
        super().__init__(
            host=endpoint.host,
            port=endpoint.port,
            ssl=endpoint.tls,
            token=endpoint.token,
            retries=0,
        )

    def _init_session(self) -> requests.Session:
        session = _Session(self._line, self.headers or {})
        if self._ca_file is not None:
            session.verify = str(self._ca_file)
        return session

    def abort(self) -> None:
        """Hang up, also under a thread that is waiting for bytes."""
        self._line.cut()
        self.close_connection()


class _Session(requests.Session):
    """No proxies, no netrc, no redirects, no retries, no compression, no endless bodies."""

    def __init__(self, line: _Line, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.trust_env = False
        self.headers = requests.structures.CaseInsensitiveDict(headers)
        self.headers["Accept-Encoding"] = "identity"
        adapter = _Adapter(line)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def request(self, *args: Any, **options: Any) -> requests.Response:
        options |= {"allow_redirects": False, "stream": True}
        with super().request(*args, **options) as response:
            body = _body(response)
        if response.ok and response.status_code != requests.codes.ok:
            raise PolicyEngineError(
                f"OPA answered with HTTP status {response.status_code}; redirects are not followed"
            )
        return _Answer(response, body)


class _Answer(requests.Response):
    """A whole answer, decoded strictly."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        super().__init__()
        self.status_code = response.status_code
        self.reason = response.reason
        self.url = response.url
        self.body = body

    def json(self, **_: Any) -> Any:
        try:
            return strict_json(self.body)
        except ValueError as error:
            raise PolicyEngineError(f"OPA's answer is not strict JSON: {error}") from error


class _Line:
    """A second handle on the connection in use, for hanging up from another thread."""

    def __init__(self) -> None:
        self._handle: socket.socket | None = None
        self._cut = False
        self._lock = threading.Lock()

    def hold(self, connection: socket.socket) -> None:
        """Remember a new connection instead of the last one."""
        with self._lock:
            self._drop()
            if self._cut:
                connection.close()
                raise ConnectionAbortedError("the deadline has passed")
            # TLS takes the original handle over before its handshake ends; this one stays.
            self._handle = connection.dup()

    def cut(self) -> None:
        """End the connection, and refuse any other."""
        with self._lock:
            self._cut = True
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)
            self._drop()

    def _drop(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class _Adapter(HTTPAdapter):
    """Opens connections that the line can cut."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        line = self._line

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                connection = super()._new_conn()
                line.hold(connection)
                return connection

        class Tls(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                connection = super()._new_conn()
                line.hold(connection)
                return connection

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = Tls

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Run a call in a thread of its own; TimeoutError when it takes longer, whatever it does."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001  # handed to the caller, who waits for it
            outcome.set_exception(error)

    threading.Thread(target=run, name="opa-query", daemon=True).start()
    return outcome.result(timeout=max(seconds, 0))


def _body(response: requests.Response) -> bytes:
    if "Content-Encoding" in response.headers:
        raise PolicyEngineError("OPA's answer is compressed, which was not asked for")
    parts = bytearray()
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
        parts += chunk
        if len(parts) > MAX_ANSWER_BYTES:
            raise PolicyEngineError(f"OPA's answer is larger than {MAX_ANSWER_BYTES} bytes")
    return bytes(parts)


def _as_engine_error(error: Exception, token: str | None, seconds: float) -> PolicyEngineError:
    if isinstance(error, (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)):
        return PolicyEngineError(f"OPA did not answer within {seconds:.1f} s")
    if isinstance(error, requests.HTTPError) and isinstance(error.response, _Answer):
        text = refusal(error.response.status_code, error.response.body)
        return PolicyEngineError(text.replace(token, "***") if token else text)
    # The cause's own text can quote headers: only its kind is told.
    return PolicyEngineError(f"the connection to OPA failed ({type(error).__name__})")


def refusal(status: int, answer: bytes) -> str:
    """OPA's own code and message for HTTP status 4xx and 5xx, as one bounded, printable line."""
    try:
        body = strict_json(answer)
    except ValueError:
        body = None
    parts = [f"OPA refused the query with HTTP status {status}"]
    if isinstance(body, dict):
        causes = body.get("errors")
        cause = causes[0] if isinstance(causes, list) and causes else {}
        detail = cause.get("message") if isinstance(cause, dict) else None
        told = (body.get("code"), body.get("message"), detail)
        parts += [text for text in told if isinstance(text, str) and text]
    line = ": ".join(parts)
    return "".join(c if c.isprintable() else " " for c in line)[:600]
