"""The record nobody can rewrite: a hash chain with signed heads."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from models.base import Flag, Frozen
from models.plan import Sha256
from models.principal import Subject

FIRST_PREVIOUS = "0" * 64
"""What the first record of a chain names as its predecessor."""


class AuditAction(StrEnum):
    """What is worth a record."""

    CATALOG_CHANGED = "catalog_changed"
    PARAMETERS_CHANGED = "parameters_changed"
    DECISION_REQUESTED = "decision_requested"
    DECISION_RECORDED = "decision_recorded"
    DECISION_NOT_RELEASED = "decision_not_released"
    """A plan was made under policies that were withdrawn meanwhile."""
    DECISION_APPROVED = "decision_approved"
    DECISION_PROVISIONING = "decision_provisioning"
    DECISION_IN_FORCE = "decision_in_force"
    DECISION_SUPERSEDED = "decision_superseded"
    DECISION_WITHDRAWN = "decision_withdrawn"
    JOB_CANCELLED = "job_cancelled"
    CHECKED = "checked"
    POLICY_DRAFTED = "policy_drafted"
    POLICY_CHECKED = "policy_checked"
    POLICY_REVIEWED = "policy_reviewed"
    POLICY_APPROVED = "policy_approved"
    POLICY_PUBLISHED = "policy_published"
    POLICY_ACTIVATED = "policy_activated"
    POLICY_ROLLED_BACK = "policy_rolled_back"
    LOGIN_FAILED = "login_failed"
    DENIED = "denied"
    API_KEY_CREATED = "api_key_created"
    API_KEY_REVOKED = "api_key_revoked"
    EXPORTED = "exported"
    SUBSCRIPTION_CREATED = "subscription_created"
    SUBSCRIPTION_CHANGED = "subscription_changed"
    SUBSCRIPTION_DELETED = "subscription_deleted"
    SECRET_ROTATED = "secret_rotated"  # noqa: S105  the name of a deed
    DELIVERIES_REDRIVEN = "deliveries_redriven"
    DELIVERIES_DISCARDED = "deliveries_discarded"
    PROVISIONING_REPORTED = "provisioning_reported"
    OBSERVED = "observed"


class AuditEvent(Frozen):
    """What happened; the log adds when, and its place in the chain."""

    action: AuditAction
    actor: Subject
    subject: str = ""
    """What it happened to, such as dataset/bomen or decision/12."""
    detail: dict[str, Any] = Field(default_factory=dict)
    """Plain JSON: digests, states, reasons. Never secrets."""
    request_id: str = ""


class AuditRecord(Frozen):
    """A link of the chain. `hash` is the SHA-256 of the canonical JSON of all other fields."""

    sequence: Annotated[int, Field(ge=1)]
    at: datetime
    event: AuditEvent
    previous: Sha256
    """Hash of the record before."""
    hash: Sha256


class SignedHead(Frozen):
    """The end of the chain at one moment, signed with a key that the database never holds."""

    sequence: Annotated[int, Field(ge=0)]
    previous: Annotated[int, Field(ge=0)] = 0
    """Sequence of the head before, 0 for the first: so that no head goes missing unseen."""
    hash: Sha256
    at: datetime
    key_id: str
    signature: str
    """Ed25519 over the canonical JSON of the other fields, base64."""


class AuditDefect(Frozen):
    """One place where the chain does not hold."""

    sequence: int
    """The first record that is wrong or missing."""
    message: str


class AuditReport(Frozen):
    """What `audit verify` found."""

    records: int
    heads: int
    head: SignedHead | None
    defects: tuple[AuditDefect, ...]
    catalog_defects: tuple[str, ...] = ()
    """Where records of the catalogue are not what was written, at most the first thousand."""

    @property
    def holds(self) -> bool:
        """Nothing was edited, deleted, swapped or cut off."""
        return not self.defects and not self.catalog_defects


class AuditVerification(Frozen):
    """A report with its conclusion, as the service tells it."""

    holds: Flag
    report: AuditReport
