"""Every table. The same on SQLite and PostgreSQL.

Append-only tables (see `APPEND_ONLY`) refuse UPDATE and DELETE by trigger. The only mutable rows
are `city`, the ends of catalogue records, jobs, API key revocations and projections that can be
rebuilt from append-only rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from advanced_alchemy.base import CommonTableAttributes, create_registry
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SHA256 = String(64)
NAME = String(200)
"""An identifier of the catalogue."""
ORDERED_NAME = NAME.with_variant(String(200, collation="C"), "postgresql")
"""An identifier that lists are sorted by: by code point on either database."""
ORDERED_TITLE = String(500).with_variant(String(500, collation="C"), "postgresql")
WHO = String(320)


class Base(CommonTableAttributes, DeclarativeBase):
    """Base of all tables, in metadata of their own: the job engine keeps its tables elsewhere."""

    registry = create_registry(
        custom_annotation_map={
            datetime: DateTimeUTC(timezone=True),
            # 300 checks a second number 2^31 audit records within three months. SQLite's integers
            # have 64 bits by themselves.
            int: BigInteger().with_variant(Integer, "sqlite"),
        }
    )


class CityRow(Base):
    """One row. Every writing transaction locks it first: one writer at a time, on any database."""

    __tablename__ = "city"
    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    catalog_version: Mapped[int]
    standing_decision: Mapped[int | None]
    """The latest approved decision that is neither superseded nor withdrawn."""
    in_force_decision: Mapped[int | None]
    active_policy: Mapped[int | None]
    """Number of the policy revision that OPA confirmed."""
    published_policy: Mapped[int | None]
    """Number of the policy revision that is served to OPA."""
    audit_sequence: Mapped[int]
    audit_hash: Mapped[str] = mapped_column(SHA256)


class DocumentRow(Base):
    """Append-only, content-addressed: canonical JSON under its SHA-256."""

    __tablename__ = "documents"
    digest: Mapped[str] = mapped_column(SHA256, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    """catalog, sites, parameters, policies, answer, draft_report."""
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class RecordRow(Base):
    """One version of one catalogue record. Only `valid_to` is ever set, once."""

    __tablename__ = "records"
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    """dataset, role, contract, relation, operator, site, site_role, parameters or city."""
    id: Mapped[str] = mapped_column(ORDERED_NAME, primary_key=True)
    valid_from: Mapped[int] = mapped_column(primary_key=True)
    """Catalogue version that brought it."""
    valid_to: Mapped[int | None]
    """Catalogue version that replaced or removed it; none: current."""
    digest: Mapped[str] = mapped_column(SHA256)
    """SHA-256 of the canonical JSON of the record: its ETag."""
    body: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(ORDERED_TITLE, default="")
    search: Mapped[str] = mapped_column(Text, default="")
    """Id and title, folded, for searching."""
    department: Mapped[str | None] = mapped_column(String(500))
    confidentiality: Mapped[int | None]
    gdpr_category: Mapped[str | None] = mapped_column(String(20))
    access_rights: Mapped[str | None] = mapped_column(String(20))
    current_site: Mapped[str | None] = mapped_column(NAME)
    """Of a dataset."""
    operator: Mapped[str | None] = mapped_column(NAME)
    """Of a site."""
    country: Mapped[str | None] = mapped_column(String(2))
    volume_gb: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index("ix_records_current", "kind", "valid_to", "id"),
        Index("ix_records_title", "kind", "valid_to", "title", "id"),
        Index("ix_records_volume", "kind", "valid_to", "volume_gb", "id"),
        Index("ix_records_department", "kind", "valid_to", "department", "id"),
        # What a version took away, found without reading every record.
        Index("ix_records_ended", "valid_to"),
        Index("ix_records_began", "valid_from"),
    )


class RecordReaderRow(Base):
    """Which catalogue roles read a dataset record: for row filters."""

    __tablename__ = "record_readers"
    dataset: Mapped[str] = mapped_column(NAME, primary_key=True)
    valid_from: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(NAME, primary_key=True)


class RecordMemberRow(Base):
    """Append-only: which datasets a relation record names, for row filters."""

    __tablename__ = "record_members"
    relation: Mapped[str] = mapped_column(NAME, primary_key=True)
    valid_from: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(NAME, primary_key=True)

    __table_args__ = (Index("ix_record_members_dataset", "dataset", "relation", "valid_from"),)


class CatalogVersionRow(Base):
    """Append-only: what each version of the catalogue changed."""

    __tablename__ = "catalog_versions"
    version: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    author: Mapped[str] = mapped_column(WHO)
    summary: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(SHA256)
    """SHA-256 over the previous version's digest and this version's changes."""
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """[{"kind", "id", "digest" or null where removed}], at most the first thousand."""
    changed: Mapped[int]


class DecisionRow(Base):
    """Append-only: a decision as it was recorded."""

    __tablename__ = "decisions"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]
    author: Mapped[str] = mapped_column(WHO)
    job: Mapped[str] = mapped_column(String(32), unique=True)
    basis: Mapped[dict[str, Any]] = mapped_column(JSON)
    answer: Mapped[str] = mapped_column(SHA256, ForeignKey("documents.digest"))
    plan: Mapped[str | None] = mapped_column(SHA256)
    objective_eur: Mapped[str | None] = mapped_column(String(60))
    gap: Mapped[str | None] = mapped_column(String(60))
    datasets: Mapped[int]
    title: Mapped[str] = mapped_column(String(500), default="")


class DecisionEventRow(Base):
    """Append-only: the transitions of a decision."""

    __tablename__ = "decision_events"
    decision: Mapped[int] = mapped_column(ForeignKey("decisions.number"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(WHO)
    reason: Mapped[str] = mapped_column(Text, default="")


class DecisionStateRow(Base):
    """Projection of the last event of each decision."""

    __tablename__ = "decision_states"
    decision: Mapped[int] = mapped_column(ForeignKey("decisions.number"), primary_key=True)
    sequence: Mapped[int]
    state: Mapped[str] = mapped_column(String(20), index=True)
    changed_at: Mapped[datetime]


class PlacedRow(Base):
    """Append-only: one dataset of an approved plan, ready to be read."""

    __tablename__ = "placed"
    decision: Mapped[int] = mapped_column(ForeignKey("decisions.number"), primary_key=True)
    dataset: Mapped[str] = mapped_column(NAME, primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    """JSON as /v1/placements shows it."""
    department: Mapped[str | None] = mapped_column(String(500))
    confidentiality: Mapped[int | None]
    """Effective class."""
    gdpr_category: Mapped[str | None] = mapped_column(String(20))
    access_rights: Mapped[str | None] = mapped_column(String(20))


class PlacedSiteRow(Base):
    """Append-only: the sites of a placed dataset."""

    __tablename__ = "placed_sites"
    decision: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(NAME, primary_key=True)
    site: Mapped[str] = mapped_column(NAME, primary_key=True)
    operator: Mapped[str] = mapped_column(NAME)

    __table_args__ = (Index("ix_placed_sites", "decision", "site", "dataset"),)


class PlacedReaderRow(Base):
    """Append-only: the catalogue roles that read a placed dataset."""

    __tablename__ = "placed_readers"
    decision: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(NAME, primary_key=True)
    role: Mapped[str] = mapped_column(NAME, primary_key=True)


class JobRow(Base):
    """A durable job: what was acknowledged. The job engine only brings it to a worker."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), index=True)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    """Of a queued job: not to be started earlier, since the last attempt failed."""
    heartbeat_at: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(100))
    """The attempt that holds the job; an older attempt may not write any more."""
    author: Mapped[str] = mapped_column(WHO)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    attempt: Mapped[int]
    cancel_requested: Mapped[bool]
    progress: Mapped[dict[str, Any]] = mapped_column(JSON)
    progress_sequence: Mapped[int]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class DrillRow(Base):
    """Append-only: a drill as it was asked for. How far it is, its jobs say."""

    __tablename__ = "drills"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime]
    author: Mapped[str] = mapped_column(WHO)
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    catalog_version: Mapped[int]
    jobs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """[{"name", "job"}], in the order of the answer."""

    __table_args__ = (Index("ix_drills_latest", "created_at", "id"),)


class PolicyDraftRow(Base):
    """Append-only: one version of a policy draft."""

    __tablename__ = "policy_drafts"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(500))
    author: Mapped[str] = mapped_column(WHO)
    created_at: Mapped[datetime]
    files: Mapped[str] = mapped_column(SHA256, ForeignKey("documents.digest"))
    revision: Mapped[str] = mapped_column(SHA256)
    base: Mapped[str] = mapped_column(SHA256)


class PolicyDraftEventRow(Base):
    """Append-only: checked, reviewed, approved, rejected, published."""

    __tablename__ = "policy_draft_events"
    draft: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(String(20))
    actor: Mapped[str] = mapped_column(WHO)
    at: Mapped[datetime]
    report: Mapped[str | None] = mapped_column(SHA256)
    """Digest of the stored DraftReport, of a check."""
    comment: Mapped[str] = mapped_column(Text, default="")


class PolicyRevisionRow(Base):
    """Append-only: a publication of policies."""

    __tablename__ = "policy_revisions"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[str] = mapped_column(SHA256)
    files: Mapped[str] = mapped_column(SHA256, ForeignKey("documents.digest"))
    published_at: Mapped[datetime]
    published_by: Mapped[str] = mapped_column(WHO)
    draft: Mapped[str | None] = mapped_column(String(32))
    rollback_of: Mapped[int | None]


class PolicyRevisionEventRow(Base):
    """Append-only: published, active, withdrawn."""

    __tablename__ = "policy_revision_events"
    number: Mapped[int] = mapped_column(ForeignKey("policy_revisions.number"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(WHO)


class OpaStatusRow(Base):
    """The last status report of each OPA instance."""

    __tablename__ = "opa_status"
    instance: Mapped[str] = mapped_column(String(100), primary_key=True)
    policies: Mapped[str | None] = mapped_column(SHA256)
    """Revision of the policies that it has activated."""
    authz: Mapped[str | None] = mapped_column(SHA256)
    error: Mapped[str] = mapped_column(Text, default="")
    seen_at: Mapped[datetime]


class AuditRow(Base):
    """Append-only: a link of the audit chain. `body` is the canonical JSON that was hashed."""

    __tablename__ = "audit"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str] = mapped_column(Text)
    """Canonical JSON of sequence, at, event and previous."""
    hash: Mapped[str] = mapped_column(SHA256)
    action: Mapped[str] = mapped_column(String(40), index=True)
    actor: Mapped[str] = mapped_column(WHO, index=True)
    subject: Mapped[str] = mapped_column(String(400), default="", index=True)
    at: Mapped[datetime] = mapped_column(index=True)


class AuditHeadRow(Base):
    """Append-only: a signed end of the chain, one a transaction."""

    __tablename__ = "audit_heads"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    previous: Mapped[int]
    """Sequence of the head before; 0 for the first."""
    hash: Mapped[str] = mapped_column(SHA256)
    at: Mapped[str] = mapped_column(String(40))
    """ISO 8601 as it was signed."""
    key_id: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(120))


class IdempotencyRow(Base):
    """The reply to a request with an Idempotency-Key, stored together with its effect."""

    __tablename__ = "idempotency_keys"
    subject: Mapped[str] = mapped_column(WHO, primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(SHA256)
    """SHA-256 over method, path and body: another request may not use the same key."""
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(JSON)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)


class ApiKeyRow(Base):
    """An API key: only its hash is known here."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret_sha256: Mapped[str] = mapped_column(SHA256)
    """The secret is 256 random bits: a plain hash cannot be guessed back."""
    label: Mapped[str] = mapped_column(String(500))
    principal: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(WHO)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SubscriptionRow(Base):
    """Who gets events. What it was before, the audit log says."""

    __tablename__ = "subscriptions"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int]
    url: Mapped[str] = mapped_column(Text)
    form: Mapped[str] = mapped_column(String(20))
    filter: Mapped[dict[str, Any]] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(String(500), default="")
    ngsi_ld: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(WHO)
    position: Mapped[int]
    """The last event that was looked at for it: those behind it have their deliveries."""


class SubscriptionSecretRow(Base):
    """What a subscription's events are signed with, encrypted with a key that is not here."""

    __tablename__ = "subscription_secrets"
    subscription: Mapped[str] = mapped_column(
        ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class OutboxRow(Base):
    """Append-only: events, written in the transaction of what they tell."""

    __tablename__ = "outbox"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    type: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]
    dataset: Mapped[str | None] = mapped_column(NAME)
    decision: Mapped[int]
    sites: Mapped[list[str]] = mapped_column(JSON)
    operators: Mapped[list[str]] = mapped_column(JSON)
    department: Mapped[str | None] = mapped_column(String(500))
    data: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index("ix_outbox_dataset", "dataset", "sequence"),)


class DeliveryRow(Base):
    """One event on its way to one subscription."""

    __tablename__ = "deliveries"
    subscription: Mapped[str] = mapped_column(
        ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True
    )
    sequence: Mapped[int] = mapped_column(
        ForeignKey("outbox.sequence"), primary_key=True, autoincrement=False
    )
    dataset: Mapped[str] = mapped_column(NAME)
    """"" for events of plans: deliveries with the same are made one after the other."""
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(100))
    """Who is delivering it now."""
    leased_until: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str] = mapped_column(String(500), default="")
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_deliveries_due", "subscription", "state", "next_attempt_at", "sequence"),
        Index("ix_deliveries_order", "subscription", "dataset", "state", "sequence"),
    )


class ProvisioningReportRow(Base):
    """Append-only: what provisioners said of one dataset at one site."""

    __tablename__ = "provisioning_reports"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    dataset: Mapped[str] = mapped_column(NAME)
    decision: Mapped[int]
    site: Mapped[str] = mapped_column(NAME)
    state: Mapped[str] = mapped_column(String(20))
    event: Mapped[str | None] = mapped_column(String(40))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(WHO)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index("ix_provisioning_reports_dataset", "dataset", "number"),)


class ObservationRow(Base):
    """Append-only: where somebody looked for a dataset, and where it was."""

    __tablename__ = "observations"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    dataset: Mapped[str] = mapped_column(NAME)
    found: Mapped[list[str]] = mapped_column(JSON)
    looked_at: Mapped[list[str]] = mapped_column(JSON)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(WHO)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index("ix_observations_dataset", "dataset", "number"),)


class ActualRow(Base):
    """Projection of the last report and the last observation of each dataset at each site."""

    __tablename__ = "actual"
    dataset: Mapped[str] = mapped_column(NAME, primary_key=True)
    site: Mapped[str] = mapped_column(NAME, primary_key=True)
    decision: Mapped[int | None]
    """Of the last report."""
    state: Mapped[str | None] = mapped_column(String(20))
    found: Mapped[bool | None]
    reported_at: Mapped[datetime | None]
    reported_by: Mapped[str | None] = mapped_column(WHO)
    observed_at: Mapped[datetime | None]
    observed_by: Mapped[str | None] = mapped_column(WHO)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)


class DriftRow(Base):
    """Projection: datasets whose drift has been told, and whose end has not."""

    __tablename__ = "drifts"
    dataset: Mapped[str] = mapped_column(NAME, primary_key=True)
    found: Mapped[list[str]] = mapped_column(JSON)
    since: Mapped[datetime]


APPEND_ONLY = (
    "documents",
    "record_readers",
    "record_members",
    "catalog_versions",
    "decisions",
    "decision_events",
    "placed",
    "placed_sites",
    "placed_readers",
    "drills",
    "outbox",
    "provisioning_reports",
    "observations",
    "policy_drafts",
    "policy_draft_events",
    "policy_revisions",
    "policy_revision_events",
    "audit",
    "audit_heads",
)
