"""Numbers for Prometheus, in a registry of this application's own."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import Request, Response, get
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.injected import InjectedCity
from api.threads import in_reader
from models import DeliveryState, JobState
from placement.errors import NotAuthenticated, PlacementError
from placement.service.readiness import figures
from placement.store.figures import Figures

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_TEXT = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
"""Litestar says the character set of texts."""

_log = logging.getLogger("placement.api")


class Metrics:
    """Every number of one application. Few labels, whatever clients send."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._count = Counter(
            "placement_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "placement_http_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._opa_seconds = Histogram(
            "placement_opa_question_seconds",
            "Seconds that OPA took to say whether a request is allowed.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._opa_failures = Counter(
            "placement_opa_failures",
            "Questions that OPA did not answer as it must.",
            registry=registry,
        )
        self._stored = _Stored(registry)

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; status 0: the connection went away before there was one."""
        known = method if method in KNOWN_METHODS else "other"
        self._count.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)

    @contextmanager
    def asking_opa(self) -> Iterator[None]:
        """Measures one question to OPA; an error of ours counts as a failure of OPA."""
        began = time.perf_counter()
        try:
            yield
        except PlacementError:
            self._opa_failures.inc()
            raise
        finally:
            self._opa_seconds.observe(time.perf_counter() - began)

    def text(self, stored: Figures | None) -> bytes:
        """Prometheus' text format; None: the store did not answer."""
        self._stored.set(stored)
        return generate_latest(self.registry)


class _Stored:
    """What the store says when it is asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge("placement_store_up", "Whether the store answers.", registry=registry)
        self._jobs = Gauge("placement_jobs", "Jobs by state.", ("state",), registry=registry)
        self._deliveries = Gauge(
            "placement_deliveries",
            "Events that wait for a subscriber (pending), or for a person (dead).",
            ("state",),
            registry=registry,
        )
        self._audit = Gauge(
            "placement_audit_records", "Records of the audit log.", registry=registry
        )
        self._catalog = Gauge(
            "placement_catalog_version", "Version of the catalogue.", registry=registry
        )
        self._policy = Gauge(
            "placement_policy_active",
            "Number of the policy revision in force, with its digest.",
            ("revision",),
            registry=registry,
        )

    def set(self, stored: Figures | None) -> None:
        self._up.set(0 if stored is None else 1)
        self._policy.clear()
        if stored is None:
            # Old numbers would look like news.
            self._jobs.clear()
            self._deliveries.clear()
            return
        for state in JobState:
            self._jobs.labels(state.value).set(stored.jobs.get(state.value, 0))
        for waits in (DeliveryState.PENDING, DeliveryState.DEAD):
            self._deliveries.labels(waits.value).set(stored.deliveries.get(waits.value, 0))
        self._audit.set(stored.audit_records)
        self._catalog.set(stored.catalog_version)
        self._policy.labels(stored.policy_revision).set(stored.policy_number)


@get("/metrics", opt={"access": "public"}, include_in_schema=False)
async def metrics(request: Request[Any, Any, Any], city: InjectedCity) -> Response[bytes]:
    """Numbers in Prometheus' text format; PLACEMENT_METRICS_TOKEN asks for a bearer token."""
    _require(request, city.settings.metrics_token)
    try:
        stored = await in_reader(figures, city)
    except PlacementError as error:
        _log.warning("metrics without the store: %s", error.code)
        stored = None
    numbers: Metrics = request.app.state.metrics
    return Response(numbers.text(stored), media_type=_TEXT)


def _require(request: Request[Any, Any, Any], token: str | None) -> None:
    if token is None:
        return
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise NotAuthenticated("metrics ask for the token of the monitoring")


routes = (metrics,)
