"""Events to deliver, subscriptions that want them, and receivers in processes of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from models import (
    AuditAction,
    AuditEvent,
    DatasetChange,
    EventFilter,
    EventType,
    Grant,
    HostedAt,
    HostObligation,
    NewSubscription,
    StorageKind,
    Subscription,
)
from models.provisioning import AccessLevel
from placement.keys import audit_key, sealing_keys
from placement.provision.sealing import Seal
from placement.provision.signing import new_secret
from placement.store import Store, open_store
from placement.store.outbox import NewEvent, Outbox
from placement.store.subscriptions import Subscriptions

LOOPBACK = {
    "PLACEMENT_WEBHOOK_HOSTS": "127.0.0.1",
    "PLACEMENT_WEBHOOK_NETWORKS": "127.0.0.0/8",
}
"""Settings that let events be sent to this machine."""


def event(dataset: str, number: int = 1, site: str = "archive") -> NewEvent:
    """An event of a usual size: a dataset at one site with six obligations and five roles."""
    now = datetime.now(UTC)
    change = DatasetChange(
        decision=1,
        dataset=dataset,
        title=f"Dataset {dataset}, change {number}",
        department="Parks",
        sites=(
            HostedAt(
                site=site,
                operator="city",
                host_obligations=tuple(
                    HostObligation(code=f"{kind}-{site}", requirement=f"{kind}: " + "a duty " * 8)
                    for kind in ("keys", "logging", "network", "backup", "erasure", "audit")
                ),
            ),
        ),
        from_sites=("cloud",),
        storage=StorageKind.OBJECT,
        volume_gb=number,
        confidentiality=None,
        gdpr_category=None,
        access_rights=None,
        grants=tuple(Grant(role=f"role-{n}", level=AccessLevel.READ) for n in range(5)),
        plan="a" * 64,
        certificate="b" * 64,
        policies="c" * 64,
        approved_at=now,
        expires_at=now + timedelta(days=30),
    )
    return NewEvent(
        type=EventType.OBLIGATIONS_CHANGED,
        decision=1,
        data=change.model_dump_json(),
        dataset=dataset,
        sites=(site,),
        operators=("city",),
        department="Parks",
    )


def append(store: Store, events: Sequence[NewEvent]) -> tuple[int, ...]:
    """Write events in a transaction of their own."""
    with store.writing() as tx:
        tx.record(AuditEvent(action=AuditAction.OBSERVED, actor="test"))
        return Outbox(tx).append(events)


def subscribe(
    store: Store, seal: Seal, url: str, wanted: EventFilter | None = None
) -> tuple[Subscription, str]:
    """An active subscription, and its secret."""
    ident, secret = f"sub_{uuid4().hex}", new_secret()
    asked = NewSubscription(url=url, filter=wanted or EventFilter())
    with store.writing() as tx:
        made = Subscriptions(tx).create(ident, asked, "test", seal.seal(secret, ident))
    return made, secret


def open_folder(data: Path, url: str | None = None) -> tuple[Store, Seal]:
    """The store and the seal of a service's folder, as the service itself opens them."""
    keys = data / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = open_store(
        url or f"sqlite:///{data.resolve() / 'placement.sqlite3'}", audit_key(keys / "audit.pem")
    )
    return store, Seal(*sealing_keys(keys / "secrets.key"))


@contextlib.contextmanager
def counting_receiver() -> Iterator[CountingReceiver]:
    """A receiver that counts, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.outbox_receiver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield CountingReceiver(process)
    finally:
        process.kill()
        process.communicate()


class CountingReceiver:
    """Its parent's side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._read())

    def url(self, path: str = "/ok") -> str:
        """Where to post: /ok answers 200, /status/503 that, /slow after a minute."""
        return f"http://127.0.0.1:{self.port}{path}"

    def told(self) -> dict[str, Any]:
        """By path: posts, distinct ids, and when the first and the last came."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._read())
        return said

    def until(self, path: str, distinct: int, patience_s: float) -> dict[str, Any]:
        """What came to a path once it is so many different events."""
        end = time.monotonic() + patience_s
        while (seen := self.told().get(path, {"distinct": 0}))["distinct"] < distinct:
            assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain: {seen}"
            time.sleep(0.2)
        found: dict[str, Any] = seen
        return found

    def _read(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the receiver has ended"
        return line
