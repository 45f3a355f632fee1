"""Requests to one service: strict about where the token goes, and safe to repeat.

Every request that changes something carries an Idempotency-Key, made once for each call: a repeated
request has the effect of the first one and no other, and gets its answer. So a lost connection and
an overloaded service are tried again; all other answers are final.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from placement.client.problems import error_of
from placement.errors import BadInput, Defect, ServiceError

TRIES = 4
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
TIMEOUT_S = 120.0
ANY = "*"
"""As `if_none_match`: nothing may be there yet."""


class Connection:
    """One service and one caller. Safe to use from several threads.

    Parameters
    ----------
    url
        https://host[:port], or http:// with a loopback host.
    token
        Bearer token of a person or a machine.
    ca_file
        Certificates (PEM) to trust instead of the public ones.

    Raises
    ------
    BadInput
        When the URL, the token or the certificates cannot be used.
    """

    def __init__(self, url: str, token: str | None, ca_file: Path | None = None) -> None:
        self.url = _checked(url)
        headers = {"accept": "application/json", "user-agent": "placement-client"}
        if token is not None:
            headers["authorization"] = f"Bearer {_token(token)}"
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(TIMEOUT_S, connect=10.0),
            follow_redirects=False,
            trust_env=False,
            verify=_trusted(ca_file),
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> httpx.Response:
        """The answer to a request; everything but a success is raised.

        Parameters
        ----------
        body
            Bytes of JSON, or plain data.
        query
            Names and values; those that are None are left out.
        if_match
            The version that the change is meant for.
        if_none_match
            ANY: only if nothing is there yet.

        Raises
        ------
        PlacementError
            The error that the service's problem document names.
        ServiceError
            When it cannot be reached, or does not speak as it should.
        """
        headers = {} if method == "GET" else {"idempotency-key": uuid.uuid4().hex}
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        if if_none_match is not None:
            headers["if-none-match"] = if_none_match
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = body if isinstance(body, bytes) else json.dumps(body, allow_nan=False)
        request = self._http.build_request(
            method, path, content=content, params=_named(query), headers=headers
        )
        for attempt in range(1, TRIES + 1):
            answer = self._try(request, last=attempt == TRIES)
            if answer is not None:
                return answer
            time.sleep(min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** (attempt - 1)))
        raise AssertionError("the last try ends in an answer or an error")

    def json(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of the answer. Raises as `send`."""
        return decoded(self.send(method, path, **options))

    def items(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """All items of a list, page by page. Raises as `send`."""
        cursor: str | None = None
        while True:
            page = self.json("GET", path, query={**(query or {}), "cursor": cursor})
            try:
                yield from page["items"]
                cursor = page["next"]
            except (KeyError, TypeError) as error:
                raise ServiceError("a page without items or without a next cursor") from error
            if cursor is None:
                return

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (name, decoded data), until the service ends them.

        Raises
        ------
        ServiceError
            When the connection breaks: ask for the state, or listen again.
        """
        try:
            yield from _events(self._stream(path, "text/event-stream", None))
        except ValueError as error:
            raise ServiceError("an event of the service is not JSON") from error

    def lines(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[str]:
        """The lines of a long answer, as they come. Raises as `send`, also in between."""
        return self._stream(path, "application/x-ndjson", query)

    def _stream(self, path: str, accept: str, query: Mapping[str, Any] | None) -> Iterator[str]:
        try:
            with self._http.stream(
                "GET", path, headers={"accept": accept}, params=_named(query)
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise error_of(answer)
                yield from answer.iter_lines()
        except httpx.HTTPError as error:
            raise ServiceError(f"the connection broke ({type(error).__name__})") from error

    def _try(self, request: httpx.Request, *, last: bool) -> httpx.Response | None:
        """The answer; None: try again."""
        try:
            answer = self._http.send(request)
        except httpx.HTTPError as error:
            if not last:
                return None
            raise ServiceError(f"{self.url}: no answer ({type(error).__name__})") from error
        if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and not last:
            return None
        raise error_of(answer)


def decoded(answer: httpx.Response) -> Any:
    """The JSON of an answer. Raises ServiceError."""
    try:
        return answer.json()
    except ValueError as error:
        raise ServiceError("the service did not answer in JSON") from error


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = "message"
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        if not line and data:
            yield name, json.loads("\n".join(data))
        if not line:
            name, data = "message", []
        elif field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))


def _named(query: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in (query or {}).items() if value is not None} or None


def _checked(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _bad("not a URL") from error
    if parts.scheme not in ("http", "https") or not parts.host or parts.userinfo:
        raise _bad("https://host[:port] is expected")
    if parts.scheme == "http" and not _is_loopback(parts.host):
        raise _bad("plain http is accepted for this machine only: the token would be readable")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(token: str) -> str:
    if not (token.isascii() and token.isprintable() and " " not in token and token):
        raise BadInput(
            [Defect("", "PLACEMENT_TOKEN", "", "a token without blanks and control characters")]
        )
    return token


def _trusted(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        message = f"no certificates can be read from {ca_file}"
        raise BadInput([Defect("", "PLACEMENT_CA_FILE", "", message)]) from error


def _bad(message: str) -> BadInput:
    return BadInput([Defect("", "--server", "", message)])
