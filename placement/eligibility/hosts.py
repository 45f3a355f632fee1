"""The two places where an OPA can be: a child of ours, or a shared one behind a URL."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from placement.eligibility.answers import open_envelope
from placement.eligibility.bundle import Bundle
from placement.eligibility.process import OpaProcess
from placement.eligibility.transport import Endpoint, Link
from placement.errors import BadInput, Defect, PolicyEngineError

MAX_RESTARTS = 3
_DEATH_PATIENCE_S = 0.5


class OpaHost(Protocol):
    """Something that answers from exactly the policies asked about."""

    def query(self, rule: str, document: Mapping[str, Any], seconds: float) -> tuple[Any, str]:
        """The result of a rule and OPA's version; PolicyEngineError for anything else."""

    def close(self) -> None:
        """End everything that was started."""


class ManagedOpa:
    """Our own OPA. Its death fails one query, always; the next one finds a new OPA.

    A decision whose OPA died half-way is therefore never released, while a service that decides
    often goes on.
    """

    def __init__(self, binary: Path, bundle: Bundle) -> None:
        self._binary = binary
        self._bundle = bundle
        self._lock = threading.Lock()
        self._restarts_left = MAX_RESTARTS
        self._closed = False
        self._running: tuple[OpaProcess, Link] | None = self._start()

    @property
    def process(self) -> OpaProcess | None:
        """The child, unless it is known to have died."""
        return self._running[0] if self._running else None

    def query(self, rule: str, document: Mapping[str, Any], seconds: float) -> tuple[Any, str]:
        """See OpaHost; the query during which OPA ends fails, even if an answer came."""
        process, link = self._alive()
        try:
            body = link.query(rule, document, seconds)
        except PolicyEngineError as error:
            if process.ended(_DEATH_PATIENCE_S):
                raise self._buried(process) from error
            raise
        # An OPA that still runs has held its port all the time: nobody else can have answered.
        if process.ended():
            raise self._buried(process)
        return open_envelope(body, process.bundles)

    def close(self) -> None:
        """Kill OPA; queries that still run fail."""
        with self._lock:
            self._closed = True
            self._stop()

    def _alive(self) -> tuple[OpaProcess, Link]:
        with self._lock:
            if self._closed:
                raise PolicyEngineError("the policy engine is closed")
            if self._running is None:
                if not self._restarts_left:
                    raise PolicyEngineError(f"OPA died more than {MAX_RESTARTS} times")
                self._restarts_left -= 1
                self._running = self._start()
            process, link = self._running
        if process.ended():
            raise self._buried(process)
        return process, link

    def _buried(self, process: OpaProcess) -> PolicyEngineError:
        """Clear a dead child away; the error that says so."""
        with self._lock:
            if self._running is None or self._running[0] is not process:
                return PolicyEngineError("OPA ended during the decision")
            words = process.last_words()
            self._stop()
        return PolicyEngineError(f"{words} (the answer is not known)")

    def _start(self) -> tuple[OpaProcess, Link]:
        process = OpaProcess(self._binary, self._bundle)
        return process, Link(process.endpoint)

    def _stop(self) -> None:
        if self._running is not None:
            process, link = self._running
            self._running = None
            link.close()
            process.stop()


class SharedOpa:
    """An OPA that others run. It must hold the same policies, under their digest as revision."""

    def __init__(self, endpoint: Endpoint, revision: str) -> None:
        self._link = Link(endpoint)
        self._revision = revision

    def query(self, rule: str, document: Mapping[str, Any], seconds: float) -> tuple[Any, str]:
        """See OpaHost."""
        return open_envelope(self._link.query(rule, document, seconds), self._revision)

    def close(self) -> None:
        """Hang up."""
        self._link.close()


def parse_endpoint(url: str, token: str | None, ca_file: Path | None = None) -> Endpoint:
    """The endpoint that PLACEMENT_OPA_URL and its companions name.

    Raises
    ------
    BadInput
        Unless the URL is https://host[:port], or http:// with a loopback host; for a token that
        fits no header, and certificates that cannot be read.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _bad("PLACEMENT_OPA_URL", "not a URL") from error
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not host or not bare:
        raise _bad("PLACEMENT_OPA_URL", "https://host[:port] is expected, and nothing after it")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _bad("PLACEMENT_OPA_URL", "plain http is accepted for this machine only; use https")
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise _bad("PLACEMENT_OPA_TOKEN", "a token without blanks and control characters is needed")
    if ca_file is not None:
        _check_certificates(ca_file)
    tls = parts.scheme == "https"
    return Endpoint(
        host=f"[{host}]" if ":" in host else host,
        port=port or (443 if tls else 80),
        tls=tls,
        token=token,
        ca_file=ca_file,
    )


def _check_certificates(path: Path) -> None:
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:  # ssl.SSLError is one
        raise _bad("PLACEMENT_OPA_CA_FILE", f"no certificates can be read from {path}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bad(variable: str, message: str) -> BadInput:
    return BadInput([Defect("", variable, "", message)])
