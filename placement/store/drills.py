"""Drills as they were asked for. How far one is, the jobs of its parts say."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import select, tuple_

from models import DrillJob, DrillRecord, ExitDrill, FrontierDrill
from placement.errors import NotFound
from placement.store.engine import Transaction
from placement.store.tables import DrillRow


class Drills:
    """The drills of a store, seen in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def record(
        self,
        author: str,
        asked: ExitDrill | FrontierDrill,
        catalog_version: int,
        jobs: Sequence[DrillJob],
    ) -> DrillRecord:
        """Append a drill whose jobs were submitted in this transaction."""
        row = DrillRow(
            id=uuid4().hex,
            created_at=self._tx.now,
            author=author,
            asked=asked.model_dump(mode="json"),
            catalog_version=catalog_version,
            jobs=[part.model_dump(mode="json") for part in jobs],
        )
        self._tx.session.add(row)
        self._tx.session.flush()
        return _record(row)

    def get(self, drill: str) -> DrillRecord:
        """One drill. Raises NotFound."""
        row = self._tx.session.get(DrillRow, drill)
        if row is None:
            raise NotFound("there is no such drill")
        return _record(row)

    def list(self, *, after: str | None = None, limit: int = 100) -> tuple[DrillRecord, ...]:
        """At most `limit` drills, the latest first, that follow the drill `after`.

        Raises
        ------
        NotFound
            When `after` is none of them.
        """
        query = select(DrillRow)
        if after is not None:
            last = self.get(after)
            here = tuple_(DrillRow.created_at, DrillRow.id)
            query = query.where(here < (last.created_at, last.id))
        query = query.order_by(DrillRow.created_at.desc(), DrillRow.id.desc()).limit(limit)
        return tuple(_record(row) for row in self._tx.session.scalars(query))


def _record(row: DrillRow) -> DrillRecord:
    return DrillRecord.model_validate(
        {name: getattr(row, name) for name in DrillRecord.model_fields}
    )
