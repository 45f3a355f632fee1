"""Decisions: what was decided, on what, and how far it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Row, Select, func, select, update

from models import (
    NEXT_STATES,
    Basis,
    DecisionEvent,
    DecisionOutcome,
    DecisionRecord,
    DecisionState,
)
from placement.errors import Conflict, NotFound
from placement.store.engine import Transaction
from placement.store.tables import DecisionEventRow, DecisionRow, DecisionStateRow

_UNDER_WAY = (DecisionState.APPROVED, DecisionState.PROVISIONING)
"""A board stands behind the plan, and it is not yet in force."""


@dataclass(frozen=True)
class NewDecision:
    """What is recorded of a decision; the store adds the number and the time."""

    outcome: DecisionOutcome
    author: str
    job: str
    basis: Basis
    answer: str
    """Digest of the stored answer."""
    datasets: int
    plan: str | None = None
    objective_eur: Decimal | None = None
    gap: Decimal | None = None
    title: str = ""


class Decisions:
    """The decisions of a store, seen in one transaction.

    At most one decision is in force, and at most one other is approved or being provisioned:
    whatever moves a decision ends the one that it replaces.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def record(self, new: NewDecision) -> DecisionRecord:
        """Append a decision: proposed where there is a plan, unresolved where there is none.

        Raises
        ------
        Conflict
            When its job has made a decision already.
        """
        session, decided = self._tx.session, new.outcome is DecisionOutcome.DECIDED
        last = session.scalar(select(func.max(DecisionRow.number)))
        number = (last or 0) + 1
        session.add(
            DecisionRow(
                number=number,
                outcome=new.outcome.value,
                created_at=self._tx.now,
                author=new.author,
                job=new.job,
                basis=new.basis.model_dump(mode="json"),
                answer=new.answer,
                plan=new.plan,
                objective_eur=None if new.objective_eur is None else str(new.objective_eur),
                gap=None if new.gap is None else str(new.gap),
                datasets=new.datasets,
                title=new.title,
            )
        )
        session.flush()
        state = DecisionState.PROPOSED if decided else DecisionState.UNRESOLVED
        session.add(
            DecisionStateRow(
                decision=number, sequence=1, state=state.value, changed_at=self._tx.now
            )
        )
        self._happened(number, 1, state, new.author, "")
        return self.get(number)

    def get(self, number: int) -> DecisionRecord:
        """The decision with this number. Raises NotFound."""
        row = self._tx.session.execute(_decisions().where(DecisionRow.number == number)).first()
        if row is None:
            raise NotFound(f"there is no decision {number}")
        return _record(row)

    def of_plan(self, digest: str) -> DecisionRecord | None:
        """The first decision with this plan, if there is one."""
        query = _decisions().where(DecisionRow.plan == digest).order_by(DecisionRow.number)
        row = self._tx.session.execute(query.limit(1)).first()
        return None if row is None else _record(row)

    def of_job(self, job: str) -> DecisionRecord | None:
        """The decision that a job made, if it has made one."""
        row = self._tx.session.execute(_decisions().where(DecisionRow.job == job)).first()
        return None if row is None else _record(row)

    def list(
        self,
        limit: int,
        *,
        after: int | None = None,
        oldest_first: bool = False,
        state: DecisionState | None = None,
        outcome: DecisionOutcome | None = None,
    ) -> tuple[DecisionRecord, ...]:
        """At most `limit` decisions that follow number `after` in the order asked for."""
        number = DecisionRow.number
        query = _decisions().order_by(number if oldest_first else number.desc()).limit(limit)
        if after is not None:
            query = query.where(number > after if oldest_first else number < after)
        if state is not None:
            query = query.where(DecisionStateRow.state == state.value)
        if outcome is not None:
            query = query.where(DecisionRow.outcome == outcome.value)
        return tuple(_record(row) for row in self._tx.session.execute(query))

    def events(self, number: int) -> tuple[DecisionEvent, ...]:
        """The transitions of a decision, oldest first. Raises NotFound."""
        self.get(number)
        rows = self._tx.session.scalars(
            select(DecisionEventRow)
            .where(DecisionEventRow.decision == number)
            .order_by(DecisionEventRow.sequence)
        )
        return tuple(
            DecisionEvent(
                decision=row.decision,
                sequence=row.sequence,
                state=DecisionState(row.state),
                at=row.at,
                actor=row.actor,
                reason=row.reason,
            )
            for row in rows
        )

    def standing(self) -> DecisionRecord | None:
        """The decision approved last that is neither superseded nor withdrawn."""
        number = self._tx.city.standing_decision
        return None if number is None else self.get(number)

    def in_force(self) -> DecisionRecord | None:
        """The decision that is in force."""
        number = self._tx.city.in_force_decision
        return None if number is None else self.get(number)

    def move(
        self, number: int, state: DecisionState, actor: str, reason: str = ""
    ) -> tuple[DecisionRecord, ...]:
        """Bring a decision into another state, and end the one that it replaces.

        Returns
        -------
        tuple of DecisionRecord
            The decision, and after it the one that this superseded, if any.

        Raises
        ------
        NotFound
        Conflict
            When there is no such transition from its present state.
        """
        moved = [self._move(number, state, actor, reason)]
        moved += [
            self._move(replaced, DecisionState.SUPERSEDED, actor, f"replaced by decision {number}")
            for replaced in self._replaced(number, state)
        ]
        self._point()
        return tuple(moved)

    def _replaced(self, number: int, state: DecisionState) -> Iterator[int]:
        """Whoever else is under way when one is approved, or in force when one comes into force."""
        if state is DecisionState.APPROVED:
            yield from (other for other in self._in(*_UNDER_WAY) if other != number)
        if state is DecisionState.IN_FORCE:
            yield from (other for other in self._in(state) if other != number)

    def _move(self, number: int, state: DecisionState, actor: str, reason: str) -> DecisionRecord:
        before = self.get(number)
        if state not in NEXT_STATES[before.state]:
            raise Conflict(f"decision {number} is {before.state.value}, it cannot be {state.value}")
        sequence = before.state_sequence + 1
        self._tx.session.execute(
            update(DecisionStateRow)
            .where(DecisionStateRow.decision == number)
            .values(sequence=sequence, state=state.value, changed_at=self._tx.now)
        )
        self._happened(number, sequence, state, actor, reason)
        return self.get(number)

    def _happened(
        self, number: int, sequence: int, state: DecisionState, actor: str, reason: str
    ) -> None:
        self._tx.session.add(
            DecisionEventRow(
                decision=number,
                sequence=sequence,
                state=state.value,
                at=self._tx.now,
                actor=actor,
                reason=reason,
            )
        )
        self._tx.session.flush()

    def _point(self) -> None:
        """Let the city's row name the standing decision and the one in force."""
        in_force = next(iter(self._in(DecisionState.IN_FORCE)), None)
        under_way = next(iter(self._in(*_UNDER_WAY)), None)
        self._tx.city.in_force_decision = in_force
        self._tx.city.standing_decision = in_force if under_way is None else under_way

    def _in(self, *states: DecisionState) -> tuple[int, ...]:
        names = [state.value for state in states]
        query = select(DecisionStateRow.decision).where(DecisionStateRow.state.in_(names))
        return tuple(self._tx.session.scalars(query))


def _decisions() -> Select[tuple[DecisionRow, int, str, object]]:
    """Columns, not mapped objects: a state that this transaction changed is read as it is now."""
    return select(
        *DecisionRow.__table__.columns,
        DecisionStateRow.sequence.label("state_sequence"),
        DecisionStateRow.state,
        DecisionStateRow.changed_at,
    ).join(DecisionStateRow, DecisionStateRow.decision == DecisionRow.number)


def _record(row: Row[tuple[DecisionRow, int, str, object]]) -> DecisionRecord:
    fields = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for a row as a mapping
    for name in ("objective_eur", "gap"):
        fields[name] = None if fields[name] is None else Decimal(fields[name])
    return DecisionRecord.model_validate(fields)
