"""Reading the audit log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import ColumnElement, select

from models import AuditAction, AuditRecord, SignedHead
from placement.errors import StoreError
from placement.store.audit import subject_column
from placement.store.engine import Transaction
from placement.store.tables import AuditHeadRow, AuditRow


@dataclass(frozen=True)
class AuditFilter:
    """Which records are asked for; none of a field: all."""

    action: AuditAction | None = None
    actor: str | None = None
    subject: str | None = None
    since: datetime | None = None
    """The first moment that counts."""
    until: datetime | None = None
    """The first moment that counts no more."""


class AuditLog:
    """The chain as one transaction sees it."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def list(
        self,
        which: AuditFilter = AuditFilter(),
        *,
        limit: int = 100,
        after: int | None = None,
        newest_first: bool = False,
    ) -> Sequence[AuditRecord]:
        """Records by their sequence.

        Parameters
        ----------
        which
            What they must match.
        limit
            At most so many.
        after
            Sequence behind which to begin, in the order asked for.

        Raises
        ------
        StoreError
            When one of them is not what was written.
        """
        query = select(AuditRow).where(*_conditions(which))
        if after is not None:
            beyond = AuditRow.sequence < after if newest_first else AuditRow.sequence > after
            query = query.where(beyond)
        order = AuditRow.sequence.desc() if newest_first else AuditRow.sequence.asc()
        rows = self._tx.session.scalars(query.order_by(order).limit(limit))
        return [_record(row) for row in rows]

    def head(self, at_least: int | None = None) -> SignedHead | None:
        """The signed end of the chain, or the first head that stands for record `at_least`.

        None while nothing has happened. Raises StoreError.
        """
        query = select(AuditHeadRow).order_by(AuditHeadRow.sequence.desc())
        if at_least is not None:
            query = (
                select(AuditHeadRow)
                .where(AuditHeadRow.sequence >= at_least)
                .order_by(AuditHeadRow.sequence)
            )
        row = self._tx.session.scalars(query.limit(1)).one_or_none()
        return None if row is None else signed_head(row)


def signed_head(row: AuditHeadRow) -> SignedHead:
    """A head as it was signed. Raises StoreError."""
    try:
        return SignedHead(
            sequence=row.sequence,
            previous=row.previous,
            hash=row.hash,
            at=datetime.fromisoformat(row.at),
            key_id=row.key_id,
            signature=row.signature,
        )
    except (ValueError, TypeError) as error:
        raise StoreError(f"head {row.sequence} of the audit log was changed") from error


def _conditions(which: AuditFilter) -> list[ColumnElement[bool]]:
    conditions = []
    if which.action is not None:
        conditions.append(AuditRow.action == which.action.value)
    if which.actor is not None:
        conditions.append(AuditRow.actor == subject_column(which.actor))
    if which.subject is not None:
        conditions.append(AuditRow.subject == subject_column(which.subject))
    if which.since is not None:
        conditions.append(AuditRow.at >= which.since)
    if which.until is not None:
        conditions.append(AuditRow.at < which.until)
    return conditions


def _record(row: AuditRow) -> AuditRecord:
    try:
        if hashlib.sha256(row.body.encode()).hexdigest() == row.hash:
            record = AuditRecord.model_validate(json.loads(row.body) | {"hash": row.hash})
            if record.sequence == row.sequence:
                return record
    except (ValueError, TypeError, AttributeError, ValidationError) as error:
        raise StoreError(_changed(row)) from error
    raise StoreError(_changed(row))


def _changed(row: AuditRow) -> str:
    return f"audit record {row.sequence} was changed after it was written; verify the log"
