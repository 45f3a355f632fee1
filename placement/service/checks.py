"""Checks: may this dataset rest at that site? Answered in milliseconds, and recorded first.

What is current is read from the database at every check: the catalogue's digest and the revision of
the active policies. Only what hangs on these alone is kept in the process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from models import (
    AuditAction,
    AuditEvent,
    CheckAnswer,
    Obligation,
    SourcedViolation,
    Verdict,
)
from placement.errors import NotFound, PolicyEngineError, PolicyRevisionMismatch
from placement.service.city import Caller, City
from placement.service.performing import Reply
from placement.service.rows import sees
from placement.service.snapshot import Snapshot
from placement.service.verdicts import Judged, Question
from placement.store import Transaction
from placement.store.head import read_head

ASKED_TOGETHER = 16
"""Sites that OPA is asked about at a time."""


def check(city: City, caller: Caller, dataset: str, site: str) -> CheckAnswer:
    """Whether a dataset may rest at a site, by the active policies, today or on the city's day.

    The record is committed together with those of others who wait.

    Raises
    ------
    NotFound
        When there is no such dataset that the caller may see, or no such site.
    PolicyEngineError
        When no policies are active, or OPA cannot answer by the active ones.
    StoreError
        When the check was not recorded: then it is not answered.
    """
    answer = judge(city, caller, dataset, site)
    written = city.recorder.record([_event(caller, answer)])
    return answer.model_copy(update={"record": written[0].sequence})


def check_in(tx: Transaction, city: City, caller: Caller, dataset: str, site: str) -> Reply:
    """The same in a writing transaction: OPA must have been asked before (see `judge`).

    Raises
    ------
    NotFound
    PolicyEngineError
        Also when the catalogue or the policies have changed since OPA was asked.
    """
    question = _question(city, tx, caller, dataset, site)
    judged = city.verdicts.find(question.revision, question.views)
    if judged is None:
        raise PolicyEngineError("the catalogue or the policies have just changed; ask again")
    answer = _answer(question, judged)
    record = tx.record(_event(caller, answer))
    return Reply.json(answer.model_copy(update={"record": record.sequence}))


def prepare(city: City, caller: Caller, dataset: str, site: str) -> None:
    """Have OPA asked before a transaction locks the city. Raises PolicyEngineError, StoreError."""
    with contextlib.suppress(NotFound):  # the transaction says so, unless it replays a reply
        judge(city, caller, dataset, site)


def judge(city: City, caller: Caller, dataset: str, site: str) -> CheckAnswer:
    """The answer to a check, before it is recorded. Do not give it to anybody.

    Raises
    ------
    NotFound, PolicyEngineError, StoreError
    """
    with city.store.reading() as tx:
        question = _question(city, tx, caller, dataset, site)
    judged = city.verdicts.find(question.revision, question.views)
    if judged is None:
        judged = _asked(city, question)
    return _answer(question, judged)


@dataclass(frozen=True)
class _Asked:
    """A question, and the state of the city that it is asked in."""

    dataset: str
    site: str
    revision: str
    snapshot: Snapshot
    views: Question


def _question(city: City, tx: Transaction, caller: Caller, dataset: str, site: str) -> _Asked:
    head = read_head(tx)
    snapshot = city.snapshots.of(tx, head)
    known = snapshot.records.datasets.get(dataset)
    if known is None or not sees(caller.rows, known):
        raise NotFound(f"there is no dataset {dataset}")
    if site not in snapshot.records.sites:
        raise NotFound(f"there is no site {site}")
    if head.policy is None:
        raise PolicyEngineError("no policies are active yet; OPA has not confirmed the first")
    views = (snapshot.dataset_view(dataset), snapshot.site_view(site), snapshot.day())
    return _Asked(dataset, site, head.policy, snapshot, views)


def _answer(question: _Asked, judged: Judged) -> CheckAnswer:
    return CheckAnswer(
        dataset=question.dataset,
        site=question.site,
        eligible=not judged.violations,
        violations=judged.violations,
        host_obligations=judged.host_obligations,
        preferences=judged.preferences,
        policy_revision=question.revision,
        catalog_version=question.snapshot.version,
        as_of=question.views[2],
    )


def _asked(city: City, question: _Asked) -> Judged:
    """The verdict of OPA on one pair.

    Those of the site's neighbours in the register are kept, too: they cost little more in the same
    question, and are often asked about next.
    """
    dataset, site, day = question.views
    sites = question.snapshot.site_views_beside(question.site, ASKED_TOGETHER)
    table = city.engine(question.revision).evaluate([(question.dataset, dataset)], sites, day)
    if table.policy_revision != question.revision:
        raise PolicyRevisionMismatch("OPA answered by other policies than the active ones")
    obligations = {obligation.code: obligation for obligation in table.obligations}
    found = {
        view: _judged(verdict, obligations)
        for view, verdict in zip(sites, table.verdicts[0], strict=True)
    }
    for view, judged in found.items():
        city.verdicts.keep(question.revision, (dataset, view, day), judged)
    return found[site]


def _judged(verdict: Verdict, obligations: Mapping[str, Obligation]) -> Judged:
    """A verdict with the obligations that it names."""
    return Judged(
        tuple(
            SourcedViolation(obligation=obligations[v.obligation], message=v.message)
            for v in verdict.violations
        ),
        verdict.host_obligations,
        verdict.preferences,
    )


def _event(caller: Caller, answer: CheckAnswer) -> AuditEvent:
    return AuditEvent(
        action=AuditAction.CHECKED,
        actor=caller.subject,
        subject=f"dataset/{answer.dataset}",
        detail={
            "dataset": answer.dataset,
            "site": answer.site,
            "eligible": answer.eligible,
            "obligations": sorted({v.obligation.code for v in answer.violations}),
            "policy_revision": answer.policy_revision,
            "catalog_version": answer.catalog_version,
            "as_of": answer.as_of.isoformat(),
        },
        request_id=caller.request_id,
    )
