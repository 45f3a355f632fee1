"""Publishing policies: what is served to OPA, what OPA confirms, and the way back."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models import AuditAction, AuditEvent, PolicyFiles, PolicyRevision
from placement.eligibility.bundle import Bundle, bundle_of, read_policy_files
from placement.eligibility.decoding import strict_json
from placement.eligibility.publishing import AUTHZ, POLICIES, file_hash
from placement.errors import BadInput, Conflict, Defect, NotAuthenticated, NotFound, StoreError
from placement.service.city import Caller, City
from placement.store import Transaction
from placement.store.policies import OpaStatus, Policies

ITSELF = "placement"
"""Who acts when nobody asked: the service."""
MAX_STATUS_BYTES = 1_000_000
ALIVE = timedelta(seconds=30)
"""An OPA that was silent for longer is not waited for. It reports every second or two."""
_NOTED_EVERY = timedelta(seconds=10)
"""A report that says nothing new is written down so often: it shows that the OPA is alive."""
_ERROR_CHARACTERS = 2_000


@dataclass(frozen=True)
class Served:
    """A bundle as OPA gets it."""

    etag: str
    """Names the content and the key; not the bytes, in which the signature is random."""
    content: bytes


def bootstrap(tx: Transaction, shipped: Path) -> PolicyRevision | None:
    """At the very first start, publish the policies of a folder as number 1; else do nothing.

    Raises
    ------
    PolicyEngineError
        When they cannot be read or signed.
    """
    policies = Policies(tx)
    if policies.published() is not None:
        return None
    files = read_policy_files(shipped)
    bundle = bundle_of(files)
    for path, content in bundle.files.items():
        file_hash(path, content)
    first = policies.publish(policies.keep_files(files), bundle.digest, ITSELF)
    _record(tx, AuditAction.POLICY_PUBLISHED, ITSELF, first)
    return first


def list_revisions(
    city: City, before: int | None = None, limit: int = 100
) -> tuple[PolicyRevision, ...]:
    """Publications, the latest first: those with a number below `before`."""
    with city.store.reading() as tx:
        return Policies(tx).revisions(before, limit)


def read_revision(city: City, number: int) -> PolicyRevision:
    """One publication. Raises NotFound."""
    with city.store.reading() as tx:
        return Policies(tx).revision(number)


def read_files(city: City, number: int | None = None) -> tuple[PolicyRevision, PolicyFiles]:
    """The files of a publication; by default of the active one.

    Raises
    ------
    NotFound
        When there is no such publication, or none is active yet.
    """
    with city.store.reading() as tx:
        policies = Policies(tx)
        revision = policies.active() if number is None else policies.revision(number)
        if revision is None:
            raise NotFound("OPA has not confirmed any policies yet")
        return revision, policies.files(revision.files)


def roll_back(tx: Transaction, caller: Caller, number: int) -> PolicyRevision:
    """Publish an earlier revision again, under a new number.

    Raises
    ------
    NotFound
    Conflict
        When it is the one that is published now.
    """
    policies = Policies(tx)
    target, now = policies.revision(number), policies.published()
    if now is not None and now.revision == target.revision:
        raise Conflict(f"revision {now.number} with the same policies is published already")
    _bundle(policies, target)
    again = policies.publish(target.files, target.revision, caller.subject, rollback_of=number)
    _record(tx, AuditAction.POLICY_ROLLED_BACK, caller.subject, again, caller.request_id)
    return again


def served_bundle(city: City, name: str, token: str) -> Served:
    """A signed bundle for OPA: the published policies, or who may do what.

    Raises
    ------
    NotAuthenticated
        When the token is not the one made for OPA.
    NotFound
        For another name; before anything was published.
    """
    require_opa(city, token)
    if name == AUTHZ:
        return _served(city, AUTHZ, city.opa.feed.authz)
    if name != POLICIES:
        raise NotFound("there is no such bundle")
    with city.store.reading() as tx:
        policies = Policies(tx)
        published = policies.published()
        if published is None:
            raise NotFound("no policies are published yet")
        content = city.opa.packed(
            POLICIES, published.revision, lambda: _bundle(policies, published)
        )
    return Served(_etag(city, published.revision), content)


def require_opa(city: City, token: str) -> None:
    """Raise NotAuthenticated unless this is the token made for OPA."""
    if not hmac.compare_digest(token.encode(), city.opa.feed.token.encode()):
        raise NotAuthenticated("this is for the policy engine alone")


def note_status(city: City, report: bytes, token: str) -> PolicyRevision | None:
    """Take a status report of an OPA; the revision that became active by it, if any.

    The published revision becomes active when the OPA that reports runs it, together with the
    authorisation policies of this software and without an error, and every other OPA that was
    heard of lately runs it, too. Until then the earlier one stays the active one.

    Raises
    ------
    NotAuthenticated
        When the token is not the one made for OPA.
    BadInput
        When it is not a status report.
    """
    require_opa(city, token)
    with city.store.reading() as tx:
        status = read_status(report, tx.now)
        policies = Policies(tx)
        before = policies.opa_status(status.instance)
        waiting = tx.city.published_policy != tx.city.active_policy
    if before is None or _is_news(before, status):
        with city.store.noting() as tx:
            Policies(tx).opa_reported(status)
    if not waiting or status.error or status.authz != city.opa.authz_revision:
        return None
    with city.store.writing() as tx:
        return _activate(tx, status)


def read_status(report: bytes, now: datetime) -> OpaStatus:
    """What a status report says of our two bundles. Raises BadInput."""
    if len(report) > MAX_STATUS_BYTES:
        raise _bad(f"larger than {MAX_STATUS_BYTES} bytes")
    try:
        said = _Report.model_validate(strict_json(report))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _bad(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise _bad(str(error)) from error
    held = {name: said.bundles.get(name, _BundleReport()) for name in (POLICIES, AUTHZ)}
    errors = [f"{name}: {bundle.told}" for name, bundle in held.items() if bundle.told]
    return OpaStatus(
        instance=said.labels.placement or said.labels.id,
        policies=held[POLICIES].active_revision,
        authz=held[AUTHZ].active_revision,
        error="; ".join(errors)[:_ERROR_CHARACTERS],
        seen_at=now,
    )


class _Loose(BaseModel):
    """OPA's reports hold much that we do not need; what we read must be as expected."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Labels(_Loose):
    id: str = Field(min_length=1, max_length=100)
    placement: str = Field(default="", max_length=100)


class _BundleReport(_Loose):
    active_revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    code: str = ""
    message: str = ""

    @property
    def told(self) -> str:
        """What is wrong; empty when nothing is."""
        return f"{self.code} {self.message}".strip()


class _Report(_Loose):
    labels: _Labels
    bundles: Mapping[str, _BundleReport] = Field(default_factory=dict)


def _is_news(before: OpaStatus, now: OpaStatus) -> bool:
    same = (before.policies, before.authz, before.error) == (now.policies, now.authz, now.error)
    return not same or now.seen_at - before.seen_at > _NOTED_EVERY


def _activate(tx: Transaction, status: OpaStatus) -> PolicyRevision | None:
    policies = Policies(tx)
    published = policies.published()
    if published is None:
        return None
    others = [opa for opa in policies.opas_alive(ALIVE) if opa.instance != status.instance]
    if any(opa.policies != published.revision or opa.error for opa in (status, *others)):
        return None
    active = policies.activate(ITSELF)
    if active is not None:
        detail = {"opa": sorted([status.instance, *(opa.instance for opa in others)])}
        _record(tx, AuditAction.POLICY_ACTIVATED, ITSELF, active, detail=detail)
    return active


def _served(city: City, name: str, bundle: Bundle) -> Served:
    content = city.opa.packed(name, bundle.digest, lambda: bundle)
    return Served(_etag(city, bundle.digest), content)


def _etag(city: City, revision: str) -> str:
    return f"{revision}.{city.opa.feed.key.id[:16]}"


def _bundle(policies: Policies, revision: PolicyRevision) -> Bundle:
    """The bundle of a publication. Raises StoreError unless it is the one that was published."""
    bundle = bundle_of(policies.files(revision.files))
    if bundle.digest != revision.revision:
        raise StoreError(f"the files of policy revision {revision.number} are not those published")
    return bundle


def _record(
    tx: Transaction,
    action: AuditAction,
    actor: str,
    revision: PolicyRevision,
    request_id: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    tx.record(
        AuditEvent(
            action=action,
            actor=actor,
            subject=f"policies/{revision.number}",
            detail={
                "revision": revision.revision,
                "files": revision.files,
                "draft": revision.draft,
                "rollback_of": revision.rollback_of,
                **(detail or {}),
            },
            request_id=request_id,
        )
    )


def _bad(message: str) -> BadInput:
    return BadInput([Defect("", "OPA status report", "", message)])
