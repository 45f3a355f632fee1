"""Policy drafts in the store: versions that are only ever added, and what was said of them."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import func, select

from models import DraftReport, DraftState, PolicyDraft
from placement.errors import NotFound
from placement.store.documents import Documents
from placement.store.engine import Transaction
from placement.store.tables import PolicyDraftEventRow, PolicyDraftRow


class DraftEvent(StrEnum):
    """What happens to a version of a draft."""

    CHECKED = "checked"
    REVIEWED = "reviewed"
    REJECTED = "rejected"
    APPROVED = "approved"
    PUBLISHED = "published"


_STATE_AFTER = {
    DraftEvent.REVIEWED: DraftState.REVIEWED,
    DraftEvent.REJECTED: DraftState.REJECTED,
    DraftEvent.APPROVED: DraftState.APPROVED,
    DraftEvent.PUBLISHED: DraftState.PUBLISHED,
}


class Drafts:
    """The policy drafts of a store, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._session = tx.session
        self._documents = Documents(tx)

    def begin(self, title: str, author: str, files: str, revision: str, base: str) -> PolicyDraft:
        """The first version of a new draft. Identifiers grow with time."""
        ident = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
        return self._add_version(ident, 1, (title, author, files, revision, base))

    def edit(
        self, draft: PolicyDraft, title: str, author: str, files: str, revision: str, base: str
    ) -> PolicyDraft:
        """The next version; nothing that was said of earlier ones holds for it."""
        told = (title, author, files, revision, base)
        return self._add_version(draft.id, draft.version + 1, told)

    def note(
        self,
        draft: PolicyDraft,
        event: DraftEvent,
        actor: str,
        *,
        report: DraftReport | None = None,
        comment: str = "",
    ) -> PolicyDraft:
        """Note what happened to the version at hand."""
        last = self._session.scalar(
            select(func.max(PolicyDraftEventRow.sequence)).where(
                PolicyDraftEventRow.draft == draft.id,
                PolicyDraftEventRow.version == draft.version,
            )
        )
        stored = None if report is None else self._documents.put("draft_report", report)
        self._session.add(
            PolicyDraftEventRow(
                draft=draft.id,
                version=draft.version,
                sequence=(last or 0) + 1,
                event=event.value,
                actor=actor,
                at=self._tx.now,
                report=stored,
                comment=comment,
            )
        )
        self._session.flush()
        return self.get(draft.id)

    def get(self, ident: str) -> PolicyDraft:
        """The latest version of a draft. Raises NotFound."""
        found = self._load([ident])
        if not found:
            raise NotFound("there is no such policy draft")
        return found[0]

    def page(self, before: str | None = None, limit: int = 100) -> tuple[PolicyDraft, ...]:
        """Drafts in their latest version, the youngest draft first."""
        query = (
            select(PolicyDraftRow.id)
            .where(PolicyDraftRow.version == 1)
            .order_by(PolicyDraftRow.id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(PolicyDraftRow.id < before)
        return self._load(self._session.scalars(query).all())

    def etag(self, draft: PolicyDraft) -> str:
        """Changes with every version, and with everything that happens to it."""
        events = self._session.scalar(
            select(func.count()).where(
                PolicyDraftEventRow.draft == draft.id,
                PolicyDraftEventRow.version == draft.version,
            )
        )
        return f"{draft.version}.{events}"

    def _add_version(
        self, ident: str, version: int, told: tuple[str, str, str, str, str]
    ) -> PolicyDraft:
        title, author, files, revision, base = told
        self._session.add(
            PolicyDraftRow(
                id=ident,
                version=version,
                title=title,
                author=author,
                created_at=self._tx.now,
                files=files,
                revision=revision,
                base=base,
            )
        )
        self._session.flush()
        return self.get(ident)

    def _load(self, idents: Sequence[str]) -> tuple[PolicyDraft, ...]:
        """In the order of the identifiers; unknown ones are left out."""
        versions: dict[str, list[PolicyDraftRow]] = defaultdict(list)
        for row in self._session.scalars(
            select(PolicyDraftRow)
            .where(PolicyDraftRow.id.in_(idents))
            .order_by(PolicyDraftRow.id, PolicyDraftRow.version)
        ):
            versions[row.id].append(row)
        events: dict[tuple[str, int], list[PolicyDraftEventRow]] = defaultdict(list)
        for event in self._session.scalars(
            select(PolicyDraftEventRow)
            .where(PolicyDraftEventRow.draft.in_(idents))
            .order_by(PolicyDraftEventRow.draft, PolicyDraftEventRow.sequence)
        ):
            events[event.draft, event.version].append(event)
        return tuple(
            self._draft(versions[ident], events[ident, versions[ident][-1].version])
            for ident in idents
            if ident in versions
        )

    def _draft(
        self, versions: Sequence[PolicyDraftRow], events: Sequence[PolicyDraftEventRow]
    ) -> PolicyDraft:
        latest = versions[-1]
        state, reviewer, approver, report = DraftState.DRAFT, None, None, None
        for event in events:
            happened = DraftEvent(event.event)
            state = _STATE_AFTER.get(happened, state)
            if happened is DraftEvent.CHECKED:
                report = event.report
            elif happened in (DraftEvent.REVIEWED, DraftEvent.REJECTED):
                reviewer = event.actor
            elif happened is DraftEvent.APPROVED:
                approver = event.actor
        return PolicyDraft(
            id=latest.id,
            version=latest.version,
            state=state,
            title=latest.title,
            author=latest.author,
            authors=tuple(sorted({row.author for row in versions})),
            created_at=latest.created_at,
            files=latest.files,
            revision=latest.revision,
            base=latest.base,
            report=None if report is None else self._documents.get(report, DraftReport),
            reviewer=reviewer,
            approver=approver,
        )
