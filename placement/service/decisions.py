"""Decisions: read, provisioned, put in force, withdrawn. Approving has a module of its own.

    proposed -> approved -> provisioning -> in force -> superseded
                   |             |             |
                   +-------------+-------------+-----> withdrawn

The decision approved last *stands*: /v1/placements shows it. Approving another one replaces a
standing decision that is not in force yet; the one in force stays so until the new one is. When a
decision is withdrawn, what stands is whatever else is approved or in force. A former decision never
comes back by itself: where the one in force is withdrawn and nothing else is approved, nothing
stands, and /v1/placements is empty until a board approves again.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models import (
    AuditAction,
    AuditEvent,
    DecisionEvent,
    DecisionOutcome,
    DecisionRecord,
    DecisionState,
    Frozen,
    PlanDiff,
)
from placement.errors import Conflict, NotAllowed
from placement.service.actual import tell_every_drift
from placement.service.city import Caller, City
from placement.service.diff import Before, diff, placed_by, resting_today
from placement.service.outbox import NOTHING_TO_TELL, Telling, tell_ends, tell_restored
from placement.service.plans import answer_text, plan_of, plan_text, require_plan
from placement.service.preconditions import Precondition
from placement.store import Transaction
from placement.store.decisions import Decisions

_ACTIONS = {
    DecisionState.APPROVED: AuditAction.DECISION_APPROVED,
    DecisionState.PROVISIONING: AuditAction.DECISION_PROVISIONING,
    DecisionState.IN_FORCE: AuditAction.DECISION_IN_FORCE,
    DecisionState.SUPERSEDED: AuditAction.DECISION_SUPERSEDED,
    DecisionState.WITHDRAWN: AuditAction.DECISION_WITHDRAWN,
}
_BEFORE_FORCE = {DecisionState.PROPOSED, DecisionState.APPROVED, DecisionState.PROVISIONING}


class Transition(Frozen):
    """Why a decision is brought into another state."""

    reason: Annotated[str, Field(max_length=2000)] = ""


def etag(record: DecisionRecord) -> str:
    """The version of a decision: it changes with each transition."""
    return f"{record.number}.{record.state_sequence}"


# -- reading --------------------------------------------------------------------------------------


def read(city: City, number: int) -> DecisionRecord:
    """One decision. Raises NotFound."""
    with city.store.reading() as tx:
        return Decisions(tx).get(number)


def list_decisions(
    city: City,
    limit: int,
    *,
    after: int | None = None,
    oldest_first: bool = False,
    state: DecisionState | None = None,
    outcome: DecisionOutcome | None = None,
) -> tuple[DecisionRecord, ...]:
    """At most `limit` decisions that follow number `after`, newest first unless told otherwise."""
    with city.store.reading() as tx:
        return Decisions(tx).list(
            limit, after=after, oldest_first=oldest_first, state=state, outcome=outcome
        )


def events(city: City, number: int) -> tuple[DecisionEvent, ...]:
    """The transitions of a decision, oldest first. Raises NotFound."""
    with city.store.reading() as tx:
        return Decisions(tx).events(number)


def answer(city: City, caller: Caller, number: int) -> tuple[DecisionRecord, str]:
    """A decision and its answer as stored: a plan, or why there is none.

    Raises
    ------
    NotFound
    NotAllowed
        When the caller does not see every record.
    StoreError
    """
    require_all_rows(caller)
    with city.store.reading() as tx:
        record = Decisions(tx).get(number)
        return record, answer_text(tx, record.answer)


def plan_file(city: City, caller: Caller, number: int) -> tuple[DecisionRecord, str]:
    """A decision and its plan file, to the byte as it was decided.

    Raises
    ------
    NotFound
    Conflict
        When it has no plan.
    NotAllowed
        When the caller does not see every record.
    StoreError
    """
    require_all_rows(caller)
    with city.store.reading() as tx:
        record = Decisions(tx).get(number)
        return record, plan_text(tx, record)


def compare(city: City, caller: Caller, number: int, since: int | None = None) -> PlanDiff:
    """What a decision's plan changes.

    Parameters
    ----------
    since
        The decision to compare with. By default the one in force: now, as long as this one is not
        in force itself; from then on, the one that was in force when this one was decided. Where
        there is none, it is compared with where the catalogue says data rests.

    Raises
    ------
    NotFound
    Conflict
        When one of the two has no plan.
    NotAllowed
        When the caller does not see every record.
    StoreError
    """
    require_all_rows(caller)
    with city.store.reading() as tx:
        decisions = Decisions(tx)
        record = decisions.get(number)
        other = decisions.get(since) if since is not None else _compared_with(decisions, record)
    require_plan(record)
    plan = plan_of(city.store, record)
    if other is None:
        return diff(plan, resting_today(plan))
    return diff(plan, before_of(city, other))


def before_of(city: City, record: DecisionRecord) -> Before:
    """The placements of a decision, to compare another plan with. Raises Conflict, StoreError."""
    return placed_by(plan_of(city.store, record), record.number)


def _compared_with(decisions: Decisions, record: DecisionRecord) -> DecisionRecord | None:
    if record.state in _BEFORE_FORCE:
        return decisions.in_force()
    before = record.basis.in_force
    return None if before is None else decisions.get(before)


def require_all_rows(caller: Caller) -> None:
    """Raise NotAllowed for those who see some records only: a plan names every department's."""
    if not caller.rows.all:
        raise NotAllowed("a whole plan is for those who may see every record")


# -- moving on ------------------------------------------------------------------------------------


def provision(
    tx: Transaction, caller: Caller, number: int, seen: Precondition, reason: str = ""
) -> DecisionRecord:
    """Somebody begins to move data. Raises NotFound, Conflict, PreconditionFailed."""
    return move(tx, caller, number, seen, DecisionState.PROVISIONING, reason)


def enforce(
    tx: Transaction, caller: Caller, number: int, seen: Precondition, reason: str = ""
) -> DecisionRecord:
    """Data rests where the plan says; the plan in force before is superseded.

    Raises
    ------
    NotFound, Conflict, PreconditionFailed
    """
    moved = move(tx, caller, number, seen, DecisionState.IN_FORCE, reason)
    tell_every_drift(tx, caller.subject)  # what was tolerated on the way is not any more
    return moved


def withdraw(
    tx: Transaction,
    caller: Caller,
    number: int,
    seen: Precondition,
    reason: str = "",
    telling: Telling = NOTHING_TO_TELL,
) -> DecisionRecord:
    """The board does not stand behind it any more.

    A proposal can be withdrawn, too: then it is never approved.

    Parameters
    ----------
    telling
        What `outbox.before_withdrawing` found.

    Raises
    ------
    NotFound, Conflict, PreconditionFailed
    """
    before = tx.city.standing_decision
    withdrawn = move(tx, caller, number, seen, DecisionState.WITHDRAWN, reason)
    tell_restored(tx, before, telling)
    return withdrawn


def move(
    tx: Transaction,
    caller: Caller,
    number: int,
    seen: Precondition,
    state: DecisionState,
    reason: str,
) -> DecisionRecord:
    """Bring a decision into another state, with a record and an event of what it replaces."""
    decisions = Decisions(tx)
    before = decisions.get(number)
    if seen.stated:
        seen.check(etag(before))
    moved = decisions.move(number, state, caller.subject, reason)
    for record in moved:
        tx.record(_moved(record, caller, reason))
    tell_ends(tx, before.state, moved)
    return moved[0]


def require_proposed(record: DecisionRecord) -> None:
    """Raise Conflict unless the decision waits for an approval."""
    if record.state is not DecisionState.PROPOSED:
        raise Conflict(
            f"decision {record.number} is {record.state.value}: only a proposal can be approved"
        )


def _moved(record: DecisionRecord, caller: Caller, reason: str) -> AuditEvent:
    return AuditEvent(
        action=_ACTIONS[record.state],
        actor=caller.subject,
        subject=f"decision/{record.number}",
        detail={"plan": record.plan, "sequence": record.state_sequence, "reason": reason},
        request_id=caller.request_id,
    )
