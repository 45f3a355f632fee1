"""The service's OPA: it pulls signed bundles from the API, and says which ones it runs.

Managed, it is a child process that is started again whenever it ends, for as long as the service
lives; shared (PLACEMENT_OPA_URL), others run it with the same configuration. Either way an answer
counts only when its provenance names exactly two bundles, `policies` and `authz`, of the revisions
asked about.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from placement.eligibility.answers import open_envelope
from placement.eligibility.binary import find_opa
from placement.eligibility.bundle import Bundle, read_authz_bundle
from placement.eligibility.engine import PolicyEngine
from placement.eligibility.hosts import parse_endpoint
from placement.eligibility.process import OpaChild
from placement.eligibility.publishing import AUTHZ, KEY_ID, POLICIES, BundleKey, pack
from placement.eligibility.transport import Endpoint, Link
from placement.errors import PolicyEngineError
from placement.keys import es256_key, secret_token
from placement.settings import Settings, shipped_policies

_WATCH_S = 0.1
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 60.0
"""An OPA that lived so long did not die of what its predecessor died of."""
_OUTPUT_BYTES = 1_000_000

_SYSTEM_AUTHZ = """package system.authz

default allow := false

allow if {
	crypto.sha256(input.identity) == "%s"
	input.method == "POST"
	input.path in {
		["v1", "data", "placement", "verdict"],
		["v1", "data", "placement", "batch"],
		["v1", "data", "placement", "segregated_duties"],
		["v1", "data", "authz", "decision"],
	}
}

allow if {
	crypto.sha256(input.identity) == "%s"
	input.method == "GET"
	input.path == ["health"]
}
"""


@dataclass(frozen=True)
class Feed:
    """What the API serves to OPA: from where, to whom, and signed by whom."""

    api_url: str
    """The API as OPA reaches it, such as http://127.0.0.1:8000."""
    token: str = field(repr=False)
    """Bearer token that the API accepts from OPA alone."""
    key: BundleKey = field(repr=False)
    authz: Bundle = field(repr=False)
    """Who may do what: comes with the software, never from a draft."""


def open_feed(settings: Settings, api_url: str) -> Feed:
    """The feed of this service; its key and its token are made on first use.

    Raises
    ------
    BadInput
        When the key's or the token's file cannot be used.
    PolicyEngineError
        When the authorisation policies cannot be read.
    """
    return Feed(
        api_url=api_url.rstrip("/"),
        token=secret_token(settings.keys / "opa.token"),
        key=BundleKey(es256_key(settings.keys / "bundles.pem")),
        authz=read_authz_bundle(shipped_policies()),
    )


class _Place(Protocol):
    """Where an OPA is."""

    def asking(self) -> contextlib.AbstractContextManager[tuple[Endpoint, Link]]:
        """The way to it; PolicyEngineError unless the same OPA was there from start to end."""

    def close(self) -> None:
        """End everything that was started."""


class ServiceOpa:
    """The OPA of one service process. Safe to use from several threads.

    Attributes
    ----------
    feed
        What the API serves to it.
    authz_revision
        Digest of the authorisation policies that came with this software.
    """

    def __init__(self, place: _Place, feed: Feed, deadline_s: float) -> None:
        self._place = place
        self._deadline_s = deadline_s
        self._packed: dict[str, tuple[str, bytes]] = {}
        self._packing = threading.Lock()
        self.feed = feed
        self.authz_revision = feed.authz.digest

    def engine(self, revision: str) -> PolicyEngine:
        """OPA with exactly this revision of the policies.

        Raises
        ------
        PolicyRevisionMismatch
            When OPA holds other policies; also from the engine's methods, later.
        PolicyEngineError
            When OPA does not answer.
        """
        return PolicyEngine(_Pinned(self, revision), revision, self._deadline_s)

    @contextmanager
    def asking(self) -> Iterator[Endpoint]:
        """Where OPA listens, for a client of one's own; what was heard counts after the block.

        Raises
        ------
        PolicyEngineError
            When there is no OPA, or when it ended during the block: somebody else may have
            answered on its port.
        """
        with self._place.asking() as (endpoint, _):
            yield endpoint

    def bundles(self, revision: str) -> Mapping[str, str]:
        """What an answer's provenance must name: no bundle less, and none more."""
        return {POLICIES: revision, AUTHZ: self.authz_revision}

    def packed(self, name: str, revision: str, load: Callable[[], Bundle]) -> bytes:
        """The signed tar.gz of a bundle; the last one of each name is kept.

        Raises
        ------
        PolicyEngineError
            When what `load` gives is not of this revision, or cannot be signed.
        """
        with self._packing:
            kept = self._packed.get(name)
            if kept is None or kept[0] != revision:
                bundle = load()
                if bundle.digest != revision:
                    raise PolicyEngineError(f"the {name} to be served are not {revision}")
                kept = self._packed[name] = (revision, pack(name, bundle, self.feed.key))
        return kept[1]

    def query(
        self, rule: str, document: Mapping[str, Any], seconds: float, revision: str
    ) -> tuple[Any, str]:
        """The result of a rule under a revision, and OPA's version. Raises PolicyEngineError."""
        with self._place.asking() as (_, link):
            body = link.query(rule, document, seconds)
        return open_envelope(body, self.bundles(revision))

    def close(self) -> None:
        """Stop a managed OPA; queries that still run fail."""
        self._place.close()


def open_service_opa(settings: Settings, feed: Feed) -> ServiceOpa:
    """The shared OPA that the settings name, or one of our own, until it is closed.

    A managed one listens when this returns; it pulls its bundles once the API answers.

    Raises
    ------
    PolicyEngineError
        When OPA is missing, too old or does not start.
    BadInput
        When the settings of a shared one cannot be used.
    """
    place: _Place
    if settings.opa_url is not None:
        place = _Shared(parse_endpoint(settings.opa_url, settings.opa_token, settings.opa_ca_file))
    else:
        place = _Supervised(find_opa(settings.opa_bin), feed)
    return ServiceOpa(place, feed, settings.opa_deadline_s)


def opa_configuration(feed: Feed, token_path: str, instance: str | None) -> dict[str, Any]:
    """The configuration of an OPA that serves this API, managed or shared.

    Parameters
    ----------
    token_path
        Where OPA finds its token for the API.
    instance
        How it is called in its reports; none: by the identifier that each start of OPA makes up,
        which tells several apart that share a configuration.
    """
    bearer = {"bearer": {"token_path": token_path}}
    return {
        "labels": {} if instance is None else {"placement": instance},
        "services": {
            "placement": {"url": feed.api_url, "credentials": bearer},
            "placement_opa": {"url": f"{feed.api_url}/v1/opa", "credentials": bearer},
        },
        "keys": {KEY_ID: {"algorithm": "ES256", "key": feed.key.public_pem}},
        "bundles": {
            name: {
                "service": "placement",
                "resource": f"/v1/bundles/{name}.tar.gz",
                "polling": {"min_delay_seconds": 1, "max_delay_seconds": 2},
                "signing": {"keyid": KEY_ID, "scope": name},
            }
            for name in (POLICIES, AUTHZ)
        },
        "status": {"service": "placement_opa"},
    }


def system_authz(token_sha256: str) -> str:
    """The policy by which OPA itself lets nobody in but whoever holds this token."""
    return _SYSTEM_AUTHZ % (token_sha256, token_sha256)


class _Pinned:
    """An OpaHost that answers from one revision."""

    def __init__(self, opa: ServiceOpa, revision: str) -> None:
        self._opa = opa
        self._revision = revision

    def query(self, rule: str, document: Mapping[str, Any], seconds: float) -> tuple[Any, str]:
        return self._opa.query(rule, document, seconds, self._revision)

    def close(self) -> None:
        """Nothing: the OPA serves others, too."""


class _Shared:
    """An OPA that others run."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._way = endpoint, Link(endpoint)

    @contextmanager
    def asking(self) -> Iterator[tuple[Endpoint, Link]]:
        yield self._way

    def close(self) -> None:
        self._way[1].close()


class _Supervised:
    """A child of ours. Its death fails the queries it was asked; a thread starts the next one."""

    def __init__(self, binary: Path, feed: Feed) -> None:
        self._binary = binary
        self._feed = feed
        # One name across restarts: to the service it is the same OPA.
        self._instance = f"managed-{secrets.token_hex(8)}"
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._words = "OPA has not been started"
        self._running: tuple[OpaChild, Link] | None = self._start()
        self._watch = threading.Thread(target=self._supervise, name="opa-supervisor", daemon=True)
        self._watch.start()

    @contextmanager
    def asking(self) -> Iterator[tuple[Endpoint, Link]]:
        with self._lock:
            running = self._running
        if running is None or running[0].ended():
            raise PolicyEngineError(f"{self._words} (it is being started again)")
        child, link = running
        try:
            yield child.endpoint, link
        finally:
            # An OPA that still runs has held its port all the time: nobody else answered.
            if child.ended():
                raise PolicyEngineError("OPA ended during the question (the answer is not known)")

    def close(self) -> None:
        self._closing.set()
        self._watch.join()
        self._stop()

    def _supervise(self) -> None:
        deaths = 0
        started = time.monotonic()
        while not self._closing.wait(_WATCH_S):
            running = self._running
            if running is not None and not running[0].ended():
                running[0].forget_output(_OUTPUT_BYTES)
                continue
            deaths = 1 if time.monotonic() - started > _STEADY_S else deaths + 1
            self._stop()
            pause = min(_LONGEST_PAUSE_S, _SHORTEST_PAUSE_S * 2 ** min(deaths - 1, 10))
            if self._closing.wait(pause):
                return
            started = time.monotonic()
            try:
                again = self._start()
            except PolicyEngineError as error:
                self._words = str(error)
            else:
                with self._lock:
                    self._running = again

    def _start(self) -> tuple[OpaChild, Link]:
        child = OpaChild(self._binary, self._prepare, keeps_folder=True)
        return child, Link(child.endpoint)

    def _stop(self) -> None:
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            child, link = running
            self._words = child.last_words()
            link.close()
            child.stop()

    def _prepare(self, folder: Path, token: str) -> Sequence[str]:
        token_path = folder / "token"
        token_path.touch(mode=0o600)
        token_path.write_text(self._feed.token)
        digest = hashlib.sha256(token.encode()).hexdigest()
        (folder / "authz.rego").write_text(system_authz(digest))
        configuration = opa_configuration(self._feed, str(token_path), self._instance)
        (folder / "config.json").write_text(json.dumps(configuration))
        return ("--config-file", "config.json", "authz.rego")
