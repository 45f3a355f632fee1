"""Whether a process says truly that it can answer, and what monitoring hears."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from litestar.testing import TestClient

from api import health, metrics
from api.app import assemble
from models import JobState
from placement.errors import PolicyEngineError, PolicyRevisionMismatch, StoreError
from placement.service import readiness as service
from placement.store.figures import Figures

ACTIVE, WAITING = "a" * 64, "b" * 64


class Opa:
    """Answers for one revision, with what it was told to say."""

    def __init__(self, holds: str = ACTIVE, says: Any = None, error: Exception | None = None):
        self.holds, self.error = holds, error
        self.says = {"allow": False, "reason": "x"} if says is None else says
        self.asked = 0

    def query(self, rule: str, document: Any, seconds: float, revision: str) -> tuple[Any, str]:
        self.asked += 1
        assert document["principal"]["roles"] == []
        if self.error is not None:
            raise self.error
        if revision != self.holds:
            raise PolicyRevisionMismatch("other policies")
        return self.says, "1.10.0"


def city(opa: Opa, active: str | None = ACTIVE, *, store_error: bool = False, takes: bool = True):
    @contextmanager
    def reading() -> Iterator[Any]:
        if store_error:
            raise StoreError("no route to postgresql://user:password@db")
        yield SimpleNamespace()

    found: Any = SimpleNamespace(
        store=SimpleNamespace(reading=reading),
        opa=opa,
        recorder=SimpleNamespace(takes=takes),
        settings=SimpleNamespace(metrics_token=None),
    )
    found.active = active
    return found


@pytest.fixture
def policies(monkeypatch):
    """Which revisions count, without a database."""
    state = SimpleNamespace(active=ACTIVE, served=frozenset({ACTIVE}))
    stand_in = SimpleNamespace(
        active_revision=lambda: state.active, served_revisions=lambda: state.served
    )
    monkeypatch.setattr(service, "Policies", lambda _tx: stand_in)
    return state


def ready(one):
    with TestClient(assemble(one, [*health.routes, *metrics.routes])) as client:
        return client.get("/ready")


def test_ready_when_every_part_is(policies):
    answer = ready(city(Opa()))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "ready": True,
        "database": "ok",
        "policies": "ok",
        "opa": "ok",
        "recorder": "ok",
    }


def test_ready_while_opa_already_runs_what_was_published(policies):
    policies.served = frozenset({ACTIVE, WAITING})
    assert ready(city(Opa(holds=WAITING))).status_code == 200


@pytest.mark.parametrize(
    ("opa", "changes", "part"),
    [
        (Opa(error=PolicyEngineError("refused at 10.0.0.1")), {}, "opa"),
        (Opa(holds=WAITING), {}, "opa"),
        (Opa(says={"allow": True}), {}, "opa"),
        (Opa(says={"allow": "false"}), {}, "opa"),
        (Opa(says=[]), {}, "opa"),
        (Opa(says="true"), {}, "opa"),
        (Opa(), {"store_error": True}, "database"),
        (Opa(), {"takes": False}, "recorder"),
    ],
)
def test_not_ready_and_why(policies, opa, changes, part):
    answer = ready(city(opa, **changes))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    said = answer.json()
    assert not said["ready"]
    assert said[part] != "ok"
    assert "password" not in answer.text
    assert "10.0.0.1" not in answer.text


def test_not_ready_before_opa_confirmed_any_policies(policies):
    policies.active = None
    opa = Opa()
    answer = ready(city(opa))
    assert (answer.status_code, opa.asked) == (503, 0)
    assert "not yet confirmed" in answer.json()["policies"]


def test_many_who_ask_at_once_cost_one_look(policies, monkeypatch):
    monkeypatch.setattr(health, "KEPT_S", 3600)
    opa = Opa()
    with TestClient(assemble(city(opa), health.routes)) as client:
        assert {client.get("/ready").status_code for _ in range(20)} == {200}
    assert opa.asked == 1


def test_health_asks_nobody(policies):
    with TestClient(assemble(city(Opa(), store_error=True), health.routes)) as client:
        assert client.get("/health").json() == {"status": "ok"}


FIGURES = Figures({"done": 3, "running": 1}, {"pending": 5}, 42, 7, 2, ACTIVE)


def test_metrics_have_routes_states_and_the_policies(monkeypatch):
    monkeypatch.setattr(metrics, "figures", lambda _city: FIGURES)
    app = assemble(city(Opa()), [*health.routes, *metrics.routes])
    with TestClient(app) as client:
        client.get("/health")
        client.get("/nothing/secret-name")
        client.request("BREW", "/health")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["content-type"].count("charset") == 1
    text = answer.text
    assert 'placement_http_requests_total{method="GET",route="/health",status="200"} 1.0' in text
    assert 'placement_http_requests_total{method="GET",route="",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert "secret-name" not in text
    assert "BREW" not in text
    assert 'placement_jobs{state="done"} 3.0' in text
    assert 'placement_deliveries{state="pending"} 5.0' in text
    assert 'placement_deliveries{state="dead"} 0.0' in text
    assert all(f'placement_jobs{{state="{state.value}"}}' in text for state in JobState)
    assert "placement_audit_records 42.0" in text
    assert f'placement_policy_active{{revision="{ACTIVE}"}} 2.0' in text


def test_metrics_without_the_store_say_so_and_repeat_nothing(monkeypatch):
    app = assemble(city(Opa(), store_error=True), metrics.routes)
    with TestClient(app) as client:
        with monkeypatch.context() as patched:
            patched.setattr(metrics, "figures", lambda _city: FIGURES)
            assert "placement_store_up 1.0" in client.get("/metrics").text
        text = client.get("/metrics").text
    assert "placement_store_up 0.0" in text
    assert "placement_jobs{" not in text
    assert "placement_deliveries{" not in text
    assert "placement_policy_active{" not in text


def test_metrics_ask_for_their_token(monkeypatch):
    monkeypatch.setattr(metrics, "figures", lambda _city: FIGURES)
    one = city(Opa())
    one.settings.metrics_token = "the-token"
    with TestClient(assemble(one, metrics.routes)) as client:
        for sent in (None, "Bearer other", "the-token", "Bearer é".encode()):
            headers: Any = {} if sent is None else {"authorization": sent}
            assert client.get("/metrics", headers=headers).status_code == 401
        assert client.get("/metrics", headers={"authorization": "Bearer the-token"}).is_success


def test_failures_of_opa_are_counted():
    numbers = metrics.Metrics()
    with numbers.asking_opa():
        pass
    with pytest.raises(PolicyEngineError), numbers.asking_opa():
        raise PolicyEngineError("late")
    text = numbers.text(None).decode()
    assert "placement_opa_question_seconds_count 2.0" in text
    assert "placement_opa_failures_total 1.0" in text
