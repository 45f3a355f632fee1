"""Deciding as a job: from a request to a proposal that a board may approve.

    request -> job -> inputs of one moment -> decide -> released, or not

A plan is released only if, in the transaction that records it, the policies it was made under are
still the active ones. If they are not, nothing is recorded but that: the job fails with the code
`policy_revision`, and whoever asked may ask again. It is not decided again by itself: a person
should know that the policies changed under a request.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal

from models import (
    AuditAction,
    AuditEvent,
    Basis,
    Decided,
    Decision,
    DecisionOutcome,
    DecisionRecord,
    Job,
    JobKind,
    Parameters,
    canonical_json,
)
from models.base import Frozen, Title
from placement.errors import PolicyRevisionMismatch
from placement.service.city import Caller, City
from placement.service.deciding import decide_on
from placement.service.jobs import submit
from placement.service.plans import ANSWER
from placement.service.situation import Situation, situation
from placement.service.working import JobEnding, Refused
from placement.steps import Report, Step
from placement.store import Transaction
from placement.store.decisions import Decisions, NewDecision
from placement.store.documents import Documents
from placement.store.policies import Policies


class DecisionRequest(Frozen):
    """What to decide. Empty: by the city's own records and parameters."""

    title: Title | None = None
    parameters: Parameters | None = None
    """Instead of the city's."""


def request(tx: Transaction, city: City, caller: Caller, asked: DecisionRequest) -> Job:
    """A job that decides on the records of the moment when it starts."""
    job = submit(tx, city, caller, JobKind.DECIDE, asked.model_dump(mode="json"))
    tx.record(
        AuditEvent(
            action=AuditAction.DECISION_REQUESTED,
            actor=caller.subject,
            subject=f"job/{job.id}",
            detail=asked.model_dump(mode="json", exclude_none=True),
            request_id=caller.request_id,
        )
    )
    return job


def decide_job(city: City, job: Job, report: Report, cancel: threading.Event) -> JobEnding:
    """Decide, and end with a proposal, or with a decision that there is no plan."""
    asked = DecisionRequest.model_validate(job.arguments)
    report(Step("read", "reading the city's records"))
    given = situation(city, asked.parameters)
    engine = city.engine(given.basis.policies)
    answer = decide_on(given.reading, engine, report, cancel=cancel)
    released = _Release(job, asked.title or "", given.basis, prepared(given, answer))
    return released.ending


@dataclass(frozen=True)
class Prepared:
    """An answer as it will be stored; made outside the transaction, for it takes a while."""

    outcome: DecisionOutcome
    documents: tuple[tuple[str, bytes], ...]
    """(kind, canonical JSON); the answer is the last."""
    datasets: int
    plan: str | None = None
    objective_eur: Decimal | None = None
    gap: Decimal | None = None

    def keep(self, tx: Transaction) -> str:
        """Store everything; the digest of the answer."""
        kept = [Documents(tx).put_body(kind, body) for kind, body in self.documents]
        return kept[-1]


def prepared(given: Situation, answer: Decision) -> Prepared:
    """An answer and its inputs, as they will be stored."""
    reading = given.reading
    documents = (
        ("catalog", canonical_json(reading.catalog)),
        ("sites", canonical_json(reading.register)),
        ("parameters", canonical_json(reading.parameters)),
        (ANSWER, canonical_json(answer)),
    )
    outcome, datasets = DecisionOutcome(answer.answer), len(reading.catalog.datasets)
    if not isinstance(answer, Decided):
        return Prepared(outcome, documents, datasets)
    plan = answer.plan
    return Prepared(outcome, documents, datasets, plan.digest, plan.objective_eur, plan.gap)


@dataclass(frozen=True)
class _Release:
    """What the job writes when it ends."""

    job: Job
    title: str
    basis: Basis
    prepared: Prepared

    def ending(self, tx: Transaction) -> dict[str, object] | Refused:
        active = Policies(tx).active_revision()
        if active != self.basis.policies:
            return self._not_released(tx, active)
        record = Decisions(tx).record(
            NewDecision(
                outcome=self.prepared.outcome,
                author=self.job.author,
                job=self.job.id,
                basis=self.basis,
                answer=self.prepared.keep(tx),
                datasets=self.prepared.datasets,
                plan=self.prepared.plan,
                objective_eur=self.prepared.objective_eur,
                gap=self.prepared.gap,
                title=self.title,
            )
        )
        tx.record(_recorded(record))
        return {
            "decision": record.number,
            "outcome": record.outcome.value,
            "state": record.state.value,
        }

    def _not_released(self, tx: Transaction, active: str | None) -> Refused:
        tx.record(
            AuditEvent(
                action=AuditAction.DECISION_NOT_RELEASED,
                actor=self.job.author,
                subject=f"job/{self.job.id}",
                detail={"decided_under": self.basis.policies, "active": active},
            )
        )
        return Refused(
            PolicyRevisionMismatch.code,
            "the policies that this was decided under were withdrawn meanwhile: nothing is "
            "released. Ask again to decide under the present ones",
        )


def _recorded(record: DecisionRecord) -> AuditEvent:
    return AuditEvent(
        action=AuditAction.DECISION_RECORDED,
        actor=record.author,
        subject=f"decision/{record.number}",
        detail={
            "outcome": record.outcome.value,
            "answer": record.answer,
            "plan": record.plan,
            "job": record.job,
            "basis": record.basis.model_dump(mode="json"),
        },
    )
