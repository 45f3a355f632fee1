"""Policies in the store: what was published, what is active, and what each OPA says it runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from models import PolicyFiles, PolicyRevision, RevisionState
from placement.errors import NotFound, StoreError
from placement.store.documents import Documents
from placement.store.engine import Transaction
from placement.store.tables import (
    OpaStatusRow,
    PolicyRevisionEventRow,
    PolicyRevisionRow,
)


@dataclass(frozen=True)
class OpaStatus:
    """The last report of one OPA."""

    instance: str
    policies: str | None
    """Revision of the policies that it runs; none yet: None."""
    authz: str | None
    error: str
    """Why it does not run what it was offered; empty when it does."""
    seen_at: datetime


class Policies:
    """The policies of a store, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._session = tx.session
        self._documents = Documents(tx)

    # -- revisions --------------------------------------------------------------------------

    def active(self) -> PolicyRevision | None:
        """The revision that OPA confirmed: the only one under which decisions are released."""
        number = self._tx.city.active_policy
        return None if number is None else self.revision(number)

    def published(self) -> PolicyRevision | None:
        """The revision that is offered to OPA: the active one, or one that it has to confirm."""
        number = self._tx.city.published_policy
        return None if number is None else self.revision(number)

    def active_revision(self) -> str | None:
        """Digest of the active policies; None until OPA has confirmed any."""
        active = self.active()
        return None if active is None else active.revision

    def served_revisions(self) -> frozenset[str]:
        """Digests from which answers of OPA count: the active one, and one to be confirmed."""
        found = (self.active(), self.published())
        return frozenset(item.revision for item in found if item is not None)

    def revision(self, number: int) -> PolicyRevision:
        """One publication. Raises NotFound."""
        row = self._session.get(PolicyRevisionRow, number)
        if row is None:
            raise NotFound(f"there is no policy revision {number}")
        return self._revisions([row])[0]

    def revisions(self, before: int | None = None, limit: int = 100) -> tuple[PolicyRevision, ...]:
        """Publications, the latest first: those with a number below `before`."""
        query = select(PolicyRevisionRow).order_by(PolicyRevisionRow.number.desc()).limit(limit)
        if before is not None:
            query = query.where(PolicyRevisionRow.number < before)
        return self._revisions(self._session.scalars(query).all())

    def files(self, digest: str) -> PolicyFiles:
        """Stored files. Raises StoreError when they are missing or were changed."""
        return self._documents.get(digest, PolicyFiles)

    def keep_files(self, files: PolicyFiles) -> str:
        """Keep files; their digest."""
        return self._documents.put("policies", files)

    def publish(
        self,
        files: str,
        revision: str,
        actor: str,
        *,
        draft: str | None = None,
        rollback_of: int | None = None,
    ) -> PolicyRevision:
        """Offer a revision to OPA; one that waits for its confirmation is withdrawn.

        Parameters
        ----------
        files
            Digest of the stored PolicyFiles.
        revision
            Digest of the bundle that they make.
        """
        city = self._tx.city
        waiting = city.published_policy
        number = self._session.scalar(select(func.max(PolicyRevisionRow.number))) or 0
        number += 1
        self._session.add(
            PolicyRevisionRow(
                number=number,
                revision=revision,
                files=files,
                published_at=self._tx.now,
                published_by=actor,
                draft=draft,
                rollback_of=rollback_of,
            )
        )
        self._session.flush()
        self._enter(number, RevisionState.PUBLISHED, actor)
        if waiting is not None and waiting != city.active_policy:
            self._enter(waiting, RevisionState.WITHDRAWN, actor)
        city.published_policy = number
        return self.revision(number)

    def activate(self, actor: str) -> PolicyRevision | None:
        """The published revision becomes the active one; None when it is already."""
        city = self._tx.city
        number, previous = city.published_policy, city.active_policy
        if number is None or number == previous:
            return None
        self._enter(number, RevisionState.ACTIVE, actor)
        if previous is not None:
            self._enter(previous, RevisionState.WITHDRAWN, actor)
        city.active_policy = number
        return self.revision(number)

    def opa_status(self, instance: str) -> OpaStatus | None:
        """The last report of an OPA."""
        row = self._session.get(OpaStatusRow, instance)
        return None if row is None else _status(row)

    def opa_reported(self, status: OpaStatus) -> None:
        """Keep a report instead of the OPA's last one."""
        self._session.merge(
            OpaStatusRow(
                instance=status.instance,
                policies=status.policies,
                authz=status.authz,
                error=status.error,
                seen_at=status.seen_at,
            )
        )
        self._session.flush()

    def opas_alive(self, within: timedelta) -> tuple[OpaStatus, ...]:
        """Every OPA that reported lately."""
        query = select(OpaStatusRow).where(OpaStatusRow.seen_at > self._tx.now - within)
        return tuple(map(_status, self._session.scalars(query)))

    def _enter(self, number: int, state: RevisionState, actor: str) -> None:
        last = self._session.scalar(
            select(func.max(PolicyRevisionEventRow.sequence)).where(
                PolicyRevisionEventRow.number == number
            )
        )
        self._session.add(
            PolicyRevisionEventRow(
                number=number,
                sequence=(last or 0) + 1,
                state=state.value,
                at=self._tx.now,
                actor=actor,
            )
        )
        self._session.flush()

    def _revisions(self, rows: Sequence[PolicyRevisionRow]) -> tuple[PolicyRevision, ...]:
        events: dict[int, list[PolicyRevisionEventRow]] = defaultdict(list)
        for event in self._session.scalars(
            select(PolicyRevisionEventRow)
            .where(PolicyRevisionEventRow.number.in_([row.number for row in rows]))
            .order_by(PolicyRevisionEventRow.number, PolicyRevisionEventRow.sequence)
        ):
            events[event.number].append(event)
        return tuple(_revision(row, events[row.number]) for row in rows)


def _revision(row: PolicyRevisionRow, events: Sequence[PolicyRevisionEventRow]) -> PolicyRevision:
    if not events:
        raise StoreError(f"policy revision {row.number} has no history")
    activated = [event.at for event in events if event.state == RevisionState.ACTIVE.value]
    return PolicyRevision(
        number=row.number,
        revision=row.revision,
        files=row.files,
        state=RevisionState(events[-1].state),
        published_at=row.published_at,
        published_by=row.published_by,
        activated_at=activated[0] if activated else None,
        draft=row.draft,
        rollback_of=row.rollback_of,
    )


def _status(row: OpaStatusRow) -> OpaStatus:
    return OpaStatus(row.instance, row.policies, row.authz, row.error, row.seen_at)
