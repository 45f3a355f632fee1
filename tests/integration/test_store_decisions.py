"""Decisions and their transitions, on both databases."""

from __future__ import annotations

import itertools
import threading
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import NEXT_STATES, Basis, DecisionOutcome, DecisionState, Parameters
from placement.errors import Conflict, NotFound, StoreError
from placement.store.decisions import Decisions, NewDecision
from placement.store.documents import Documents

BASIS = Basis(
    catalog_version=3,
    catalog="1" * 64,
    sites="2" * 64,
    parameters="3" * 64,
    policies="4" * 64,
    policy_files="5" * 64,
    as_of=date(2026, 10, 1),
    standing=None,
    own_parameters=True,
)
WAYS = {
    DecisionState.PROPOSED: (),
    DecisionState.APPROVED: (DecisionState.APPROVED,),
    DecisionState.PROVISIONING: (DecisionState.APPROVED, DecisionState.PROVISIONING),
    DecisionState.IN_FORCE: (
        DecisionState.APPROVED,
        DecisionState.PROVISIONING,
        DecisionState.IN_FORCE,
    ),
    DecisionState.WITHDRAWN: (DecisionState.WITHDRAWN,),
}
_jobs = itertools.count()


def propose(tx, outcome=DecisionOutcome.DECIDED, **changes):
    decided = outcome is DecisionOutcome.DECIDED
    fields = {
        "outcome": outcome,
        "author": "key:office",
        "job": f"{next(_jobs):032x}",
        "basis": BASIS,
        "answer": Documents(tx).put("answer", Parameters()),
        "datasets": 7,
        "plan": "6" * 64 if decided else None,
        "objective_eur": Decimal("1234.50") if decided else None,
        "gap": Decimal("0.000900001") if decided else None,
    }
    return Decisions(tx).record(NewDecision(**(fields | changes)))


def pointed(tx):
    """Numbers of the decision that stands and of the one in force."""
    standing, in_force = Decisions(tx).standing(), Decisions(tx).in_force()
    return standing and standing.number, in_force and in_force.number


def bring(tx, number, state):
    for step in WAYS[state]:
        Decisions(tx).move(number, step, "board")


def test_a_decision_is_read_as_it_was_recorded(store):
    with store.writing() as tx:
        recorded = propose(tx, title="Plan for 2027")
    with store.reading() as tx:
        read = Decisions(tx).get(recorded.number)
    assert read == recorded
    assert (read.number, read.state, read.state_sequence) == (1, DecisionState.PROPOSED, 1)
    assert read.basis == BASIS
    assert (read.objective_eur, read.gap) == (Decimal("1234.50"), Decimal("0.000900001"))
    assert read.title == "Plan for 2027"


@pytest.mark.parametrize("outcome", [DecisionOutcome.NO_ELIGIBLE_SITE, DecisionOutcome.INFEASIBLE])
def test_without_a_plan_a_decision_stays_unresolved(store, outcome):
    with store.writing() as tx:
        number = propose(tx, outcome).number
    for state in DecisionState:
        with pytest.raises(Conflict, match="unresolved"), store.writing() as tx:
            Decisions(tx).move(number, state, "board")
    with store.reading() as tx:
        assert Decisions(tx).get(number).state is DecisionState.UNRESOLVED
        assert len(Decisions(tx).events(number)) == 1


def test_a_job_makes_one_decision(store):
    with store.writing() as tx:
        first = propose(tx, job="a" * 32)
    with pytest.raises(Conflict), store.writing() as tx:
        propose(tx, job="a" * 32)
    with store.reading() as tx:
        assert Decisions(tx).of_job("a" * 32) == first
        assert Decisions(tx).of_job("b" * 32) is None
        assert len(Decisions(tx).list(10)) == 1


def test_what_is_not_there_is_not_found(store):
    with store.reading() as tx:
        for asked in (Decisions(tx).get, Decisions(tx).events):
            with pytest.raises(NotFound):
                asked(1)
        assert Decisions(tx).standing() is None
        assert Decisions(tx).in_force() is None


@pytest.mark.parametrize("start", WAYS)
@pytest.mark.parametrize("target", DecisionState)
def test_the_only_transitions_are_those_of_the_table(store, start, target):
    with store.writing() as tx:
        number = propose(tx).number
        bring(tx, number, start)
    if target in NEXT_STATES[start]:
        with store.writing() as tx:
            moved = Decisions(tx).move(number, target, "board", "why")[0]
        assert moved.state is target
        with store.reading() as tx:
            last = Decisions(tx).events(number)[-1]
        assert (last.state, last.actor, last.reason) == (target, "board", "why")
        assert last.sequence == moved.state_sequence
    else:
        with pytest.raises(Conflict), store.writing() as tx:
            Decisions(tx).move(number, target, "board")
        with store.reading() as tx:
            assert Decisions(tx).get(number).state is start


def test_what_is_approved_next_replaces_what_is_not_in_force_yet(store):
    with store.writing() as tx:
        first, second, third = (propose(tx).number for _ in range(3))
        decisions = Decisions(tx)
        bring(tx, first, DecisionState.IN_FORCE)
        bring(tx, second, DecisionState.PROVISIONING)
        assert pointed(tx) == (second, first)
        moved = decisions.move(third, DecisionState.APPROVED, "board")
    assert [(record.number, record.state) for record in moved] == [
        (third, DecisionState.APPROVED),
        (second, DecisionState.SUPERSEDED),
    ]
    with store.writing() as tx:
        decisions = Decisions(tx)
        assert pointed(tx) == (third, first)
        decisions.move(third, DecisionState.PROVISIONING, "machine")
        moved = decisions.move(third, DecisionState.IN_FORCE, "machine")
        assert [record.number for record in moved] == [third, first]
        assert pointed(tx) == (third, third)
        assert decisions.get(first).state is DecisionState.SUPERSEDED


def test_withdrawing_leaves_what_else_stands_and_brings_nothing_back(store):
    with store.writing() as tx:
        decisions = Decisions(tx)
        first, second, third = (propose(tx).number for _ in range(3))
        bring(tx, first, DecisionState.IN_FORCE)
        bring(tx, second, DecisionState.IN_FORCE)
        bring(tx, third, DecisionState.APPROVED)
        decisions.move(third, DecisionState.WITHDRAWN, "board")
        assert pointed(tx) == (second, second)
        decisions.move(second, DecisionState.WITHDRAWN, "board")
        assert pointed(tx) == (None, None)


def test_lists_are_filtered_and_continue_behind_a_number(store):
    with store.writing() as tx:
        for number in range(1, 8):
            propose(tx, DecisionOutcome.INFEASIBLE if number % 3 == 0 else DecisionOutcome.DECIDED)
        Decisions(tx).move(4, DecisionState.WITHDRAWN, "board")
    with store.reading() as tx:
        decisions = Decisions(tx)
        assert [d.number for d in decisions.list(3)] == [7, 6, 5]
        assert [d.number for d in decisions.list(3, after=5)] == [4, 3, 2]
        assert [d.number for d in decisions.list(9, after=5, oldest_first=True)] == [6, 7]
        assert [d.number for d in decisions.list(9, outcome=DecisionOutcome.INFEASIBLE)] == [6, 3]
        assert [d.number for d in decisions.list(9, state=DecisionState.WITHDRAWN)] == [4]


def test_what_is_recorded_cannot_be_rewritten(store):
    from sqlalchemy import text

    with store.writing() as tx:
        propose(tx)
    for statement in (
        "UPDATE decisions SET author = 'somebody'",
        "DELETE FROM decision_events",
        "DELETE FROM decisions",
    ):
        with pytest.raises((StoreError, Conflict)), store.writing() as tx:
            tx.session.execute(text(statement))


def test_of_two_who_approve_at_once_one_wins(make_store):
    stores = [make_store(), make_store()]
    with stores[0].writing() as tx:
        number = propose(tx).number
    barrier, outcomes = threading.Barrier(2), []

    def approve(mine):
        barrier.wait()
        try:
            with mine.writing() as tx:
                Decisions(tx).move(number, DecisionState.APPROVED, "board")
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=approve, args=(mine,)) for mine in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "won"]
    with stores[1].reading() as tx:
        assert Decisions(tx).get(number).state_sequence == 2


STEPS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(sorted(DecisionState))), min_size=1, max_size=25
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_never_are_two_in_force_or_two_under_way(store, steps):
    """Each example has four decisions of its own; what an earlier one left is withdrawn."""
    with store.writing() as tx:
        decisions = Decisions(tx)
        for record in decisions.list(1000):
            if DecisionState.WITHDRAWN in NEXT_STATES[record.state]:
                decisions.move(record.number, DecisionState.WITHDRAWN, "board")
        numbers = [propose(tx).number for _ in range(4)]
    for which, state in steps:
        number = numbers[which - 1]
        with store.writing() as tx:
            decisions = Decisions(tx)
            before = decisions.get(number)
            try:
                decisions.move(number, state, "anybody")
            except Conflict:
                assert state not in NEXT_STATES[before.state]
            states = {n: decisions.get(n).state for n in numbers}
            in_force = [n for n, s in states.items() if s is DecisionState.IN_FORCE]
            under_way = [
                n
                for n, s in states.items()
                if s in (DecisionState.APPROVED, DecisionState.PROVISIONING)
            ]
            assert len(in_force) <= 1
            assert len(under_way) <= 1
            standing = (under_way or in_force or [None])[0]
            assert tx.city.in_force_decision == (in_force or [None])[0]
            assert tx.city.standing_decision == standing
