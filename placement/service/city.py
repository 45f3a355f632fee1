"""City: one process' hold on everything the service works with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from models import Principal, RowFilter
from placement.eligibility import PolicyEngine
from placement.eligibility.permissions import Permissions
from placement.eligibility.service_opa import ServiceOpa
from placement.identity import Tokens
from placement.keys import AuditKey
from placement.provision.guard import Guard
from placement.provision.sealing import Seal
from placement.service.snapshot import Snapshots
from placement.service.verdicts import Verdicts
from placement.settings import Settings
from placement.store import Store
from placement.store.recorder import Recorder


@dataclass(frozen=True)
class Caller:
    """Who asks, as far as a use case needs to know."""

    principal: Principal
    rows: RowFilter
    """Which records the operation may touch."""
    request_id: str = ""

    @property
    def subject(self) -> str:
        """Whose name stands in the record."""
        return self.principal.subject


def _nobody(_job: str) -> None:
    """Nobody listens for jobs: the sweeper finds them."""


@dataclass
class City:
    """What the use cases of one process share. Safe to use from several threads."""

    settings: Settings
    store: Store
    recorder: Recorder
    audit_key: AuditKey
    opa: ServiceOpa
    permissions: Permissions
    snapshots: Snapshots
    seal: Seal
    """Encrypts the secrets that events are signed with."""
    guard: Guard = field(default_factory=Guard)
    """Judges where events may be sent; by default nowhere."""
    tokens: Tokens = field(default_factory=Tokens)
    """Verifies people's bearer tokens; by default none is accepted."""
    wake: Callable[[str], None] = _nobody
    """Tells the job engine that a job was committed."""
    verdicts: Verdicts = field(default_factory=Verdicts)
    """What OPA said of single pairs, by the active policies."""
    _engines: dict[str, PolicyEngine] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def engine(self, revision: str) -> PolicyEngine:
        """OPA with exactly this revision of the policies.

        Raises
        ------
        PolicyRevisionMismatch
            From the engine's methods, or here, when OPA holds other policies.
        PolicyEngineError
            When OPA does not answer.
        """
        with self._lock:
            engine = self._engines.get(revision)
        if engine is None:
            engine = self.opa.engine(revision)
            with self._lock:
                self._engines = {revision: engine}
        return engine
