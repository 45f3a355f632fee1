"""Telling what was decided: events in the very transaction of the decision.

What takes long is done before the transaction, as for approving: which datasets change, and the
JSON of each event. The transaction adds the moment, and writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from models import (
    STANDING,
    ApprovedPlacement,
    DecisionRecord,
    DecisionState,
    EventType,
    Frozen,
    Plan,
    PlanEnded,
    sha256_of,
)
from placement.errors import Conflict
from placement.provision.changes import Approval, Change, changes
from placement.service.city import City
from placement.service.plans import plan_of
from placement.store import Transaction
from placement.store.actual import Actuals
from placement.store.decisions import Decisions
from placement.store.outbox import NewEvent, Outbox

_LATER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for moments that the transaction alone knows."""


class _Times(Frozen):
    """The last two fields of a DatasetChange."""

    approved_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Telling:
    """Events about datasets, ready but for their moments."""

    events: tuple[NewEvent, ...] = ()
    """The JSON of each lacks the two moments at its end."""
    valid: timedelta = timedelta(0)
    """How long somebody may act on them."""
    approved_at: datetime | None = None
    """None: when they are written."""
    restored: int | None = None
    """The decision that stands again, of a withdrawal."""


NOTHING_TO_TELL = Telling()


def before_approving(
    city: City, record: DecisionRecord, plan: Plan, shown: Iterable[ApprovedPlacement]
) -> Telling:
    """What approving a proposal changes, against the decision that stood when it was made.

    That this one still stands, the transaction sees to.
    """
    before = None if record.basis.standing is None else _placed(city, record.basis.standing)
    return _telling(city, changes(_approval(record, plan), shown, before, _operators(plan)))


def before_withdrawing(city: City, number: int) -> Telling:
    """What is told when a decision is withdrawn and the one in force stands again.

    Datasets that the withdrawn plan alone places are not retired: no board said so. Raises
    NotFound, StoreError.
    """
    with city.store.reading() as tx:
        decisions = Decisions(tx)
        decisions.get(number)
        other = decisions.in_force()
        if other is None or tx.city.standing_decision != number or other.number == number:
            return NOTHING_TO_TELL
        approved_at = next(
            event.at
            for event in decisions.events(other.number)
            if event.state is DecisionState.APPROVED
        )
    plan = plan_of(city.store, other)
    now, before = _placed(city, other.number), _placed(city, number)
    found = changes(_approval(other, plan), now, before, _operators(plan), retires=False)
    return replace(_telling(city, found), approved_at=approved_at, restored=other.number)


def tell_changes(tx: Transaction, telling: Telling) -> None:
    """Write what was prepared."""
    times = _Times(
        approved_at=telling.approved_at or tx.now, expires_at=tx.now + telling.valid
    ).model_dump_json()
    Outbox(tx).append(
        [replace(event, data=f"{str(event.data)[:-1]},{times[1:]}") for event in telling.events]
    )
    # What provisioners said was of the plan before.
    Actuals(tx).begin_again(event.dataset for event in telling.events if event.dataset)


def tell_ends(tx: Transaction, before: DecisionState, moved: Iterable[DecisionRecord]) -> None:
    """Write which plans have ended.

    Parameters
    ----------
    before
        State of the first one before it was moved: a proposal was never told to anybody.
    moved
        A decision in its new state, and those that it superseded.
    """
    first, *replaced = moved
    ended: list[tuple[DecisionRecord, int | None]]
    ended = [(record, first.number) for record in replaced]
    if first.state is DecisionState.WITHDRAWN and before in STANDING:
        ended.append((first, None))
    Outbox(tx).append([_ended(record, by) for record, by in ended])


def tell_restored(tx: Transaction, before: int | None, telling: Telling) -> None:
    """Write what changes where withdrawing a decision let another one stand again.

    Parameters
    ----------
    before
        The decision that stood until now.

    Raises
    ------
    Conflict
        When it is not the one that was prepared for.
    """
    standing = tx.city.standing_decision
    if standing in (None, before):
        return
    if telling.restored != standing:
        raise Conflict("another decision came into force at this very moment: try again")
    tell_changes(tx, telling)


def _ended(record: DecisionRecord, replaced_by: int | None) -> NewEvent:
    withdrawn = replaced_by is None
    data = PlanEnded(decision=record.number, plan=record.plan or "", replaced_by=replaced_by)
    return NewEvent(
        type=EventType.PLAN_WITHDRAWN if withdrawn else EventType.PLAN_SUPERSEDED,
        decision=record.number,
        data=data.model_dump_json(),
    )


def _telling(city: City, found: Iterable[Change]) -> Telling:
    valid = timedelta(days=city.settings.event_valid_days)
    return Telling(tuple(_event(change) for change in found), valid)


def _event(change: Change) -> NewEvent:
    data = change.data
    return NewEvent(
        type=change.type,
        dataset=data.dataset,
        decision=data.decision,
        sites=change.sites,
        operators=change.operators,
        department=data.department,
        data=data.model_dump_json(exclude=set(_Times.model_fields)),
    )


def _approval(record: DecisionRecord, plan: Plan) -> Approval:
    return Approval(
        decision=record.number,
        plan=record.plan or "",
        certificate=sha256_of(plan.certificate),
        policies=record.basis.policies,
        approved_at=_LATER,
        expires_at=_LATER,
    )


def _placed(city: City, decision: int) -> tuple[ApprovedPlacement, ...]:
    with city.store.reading() as tx:
        bodies = Outbox(tx).placements(decision)
    return tuple(map(ApprovedPlacement.model_validate_json, bodies))


def _operators(plan: Plan) -> dict[str, str]:
    return {site.id: site.operator for site in plan.inputs.sites.sites}
