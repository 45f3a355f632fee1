"""Stored answers of decisions, read back: as text, and as plans that a process keeps at hand."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pydantic import TypeAdapter

from models import Decided, Decision, DecisionRecord, Plan
from placement.errors import Conflict, StoreError
from placement.store import Store, Transaction
from placement.store.documents import Documents

ANSWER = "answer"
"""Kind of the stored document."""
_PLANS_KEPT = 3
"""A plan of 10,000 datasets takes some 100 MB in memory."""
_PREFIX, _SUFFIX = '{"answer":"decided","plan":', "}"
_ANSWERS: TypeAdapter[Decision] = TypeAdapter(Decision)


def answer_text(tx: Transaction, digest: str) -> str:
    """The canonical JSON of an answer. Raises StoreError when it is missing or was changed."""
    return Documents(tx).body(digest)


def answer_of(tx: Transaction, digest: str) -> Decision:
    """A stored answer. Raises StoreError when it is missing or was changed."""
    return _ANSWERS.validate_json(answer_text(tx, digest))


def plan_text(tx: Transaction, record: DecisionRecord) -> str:
    """The plan file of a decision, to the byte as it was decided.

    Raises
    ------
    Conflict
        When the decision has no plan.
    StoreError
    """
    require_plan(record)
    text = answer_text(tx, record.answer)
    if not (text.startswith(_PREFIX) and text.endswith(_SUFFIX)):
        raise StoreError(f"the answer of decision {record.number} is not the plan it should be")
    return text[len(_PREFIX) : -len(_SUFFIX)]


def require_plan(record: DecisionRecord) -> None:
    """Raise Conflict unless the decision has a plan."""
    if record.plan is None:
        raise Conflict(f"decision {record.number} has no plan: it is {record.outcome.value}")


class _Plans:
    """The plans read last, by the digest of their answer: content that cannot change."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._lock = threading.Lock()  # also while one is read: nobody reads it twice

    def get(self, store: Store, record: DecisionRecord) -> Plan:
        with self._lock:
            plan = self._plans.get(record.answer)
            if plan is None:
                plan = stored_plan(store, record)
                self._plans[record.answer] = plan
                if len(self._plans) > _PLANS_KEPT:
                    self._plans.popitem(last=False)
            self._plans.move_to_end(record.answer)
            return plan


def stored_plan(store: Store, record: DecisionRecord) -> Plan:
    """The plan of a decision, read from the store whatever is in memory.

    Raises
    ------
    Conflict
        When the decision has no plan.
    StoreError
        When the stored answer is missing, or was changed.
    """
    require_plan(record)
    with store.reading() as tx:
        text = answer_text(tx, record.answer)
    answer = _ANSWERS.validate_json(text)
    if not isinstance(answer, Decided) or answer.plan.digest != record.plan:
        raise StoreError(f"the answer of decision {record.number} is not the plan it should be")
    return answer.plan


_kept = _Plans()


def plan_of(store: Store, record: DecisionRecord) -> Plan:
    """The plan of a decision, from memory where it was read before. Raises as `stored_plan`."""
    return _kept.get(store, record)
