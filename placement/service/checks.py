"""Checks: may this dataset rest at that site? Answered in milliseconds, and recorded first.

What is current is read from the database at every check: the catalogue's digest and the revision of
the active policies. Only what hangs on these alone is kept in the process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from models import (
    AuditAction,
    AuditEvent,
    CheckAnswer,
    Obligation,
    SourcedViolation,
    Verdict,
)
from placement.errors import NotFound, PolicyEngineError, PolicyRevisionMismatch, StoreError
from placement.service.city import Caller, City
from placement.service.performing import Reply
from placement.service.rows import sees
from placement.service.snapshot import Snapshot
from placement.service.verdicts import Judged, Question
from placement.store import Transaction
from placement.store.head import Head, read_head

ASKED_TOGETHER = 16
"""Sites that OPA is asked about at a time."""
TRIES = 4
"""How often the records or the policies may change between asking OPA and recording."""
PATIENCE_S = 60.0
_CHANGING = "the catalogue or the policies have just changed; ask again"


class VerdictUnknown(PolicyEngineError):
    """No verdict is at hand for the present records and policies: OPA must be asked first."""


def check(city: City, caller: Caller, dataset: str, site: str) -> CheckAnswer:
    """Whether a dataset may rest at a site, by the active policies, today or on the city's day.

    Raises
    ------
    NotFound
        When there is no such dataset that the caller may see, or no such site.
    PolicyEngineError
        When no policies are active, or OPA cannot answer by the active ones.
    StoreError
        When the check was not recorded: then it is not answered.
    """
    for _ in range(TRIES):
        try:
            return submit(city, caller, dataset, site).result(PATIENCE_S)
        except VerdictUnknown:
            pass
        except TimeoutError as error:
            raise StoreError("the check was not recorded in time") from error
        judge(city, caller, dataset, site)
    raise PolicyEngineError(_CHANGING)


def submit(city: City, caller: Caller, dataset: str, site: str) -> Future[CheckAnswer]:
    """A check that is judged and recorded in one transaction, together with others that wait.

    The future fails with VerdictUnknown where OPA must be asked first, which takes too long for a
    transaction: see `prepare`. Else it raises as `check` does.
    """
    return city.recorder.submit(lambda tx: _recorded(tx, city, caller, dataset, site))


def _recorded(tx: Transaction, city: City, caller: Caller, dataset: str, site: str) -> CheckAnswer:
    head = tx.shared.get("head")
    if head is None:
        head = tx.shared["head"] = read_head(tx)
    snapshot = city.snapshots.kept(head)
    if snapshot is None:
        raise VerdictUnknown(_CHANGING)
    _require_visible(snapshot, caller, dataset, site)
    if snapshot.known_facts is None:
        raise VerdictUnknown(_CHANGING)
    question = _question_of(head, snapshot, caller, dataset, site)
    judged = city.verdicts.find(question.revision, question.views)
    if judged is None:
        raise VerdictUnknown(_CHANGING)
    answer = _answer(question, judged)
    record = tx.record(_event(caller, answer))
    return answer.model_copy(update={"record": record.sequence})


def check_in(tx: Transaction, city: City, caller: Caller, dataset: str, site: str) -> Reply:
    """The same in a writing transaction: OPA must have been asked before (see `judge`).

    Raises
    ------
    NotFound
    PolicyEngineError
        Also when the catalogue or the policies have changed since OPA was asked.
    """
    return Reply.json(_recorded(tx, city, caller, dataset, site))


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
    return _question_of(head, city.snapshots.of(tx, head), caller, dataset, site)


def _question_of(head: Head, snapshot: Snapshot, caller: Caller, dataset: str, site: str) -> _Asked:
    _require_visible(snapshot, caller, dataset, site)
    if head.policy is None:
        raise PolicyEngineError("no policies are active yet; OPA has not confirmed the first")
    views = (snapshot.dataset_view(dataset), snapshot.site_view(site), snapshot.day())
    return _Asked(dataset, site, head.policy, snapshot, views)


def _require_visible(snapshot: Snapshot, caller: Caller, dataset: str, site: str) -> None:
    known = snapshot.records.datasets.get(dataset)
    if known is None or not sees(caller.rows, known):
        raise NotFound(f"there is no dataset {dataset}")
    if site not in snapshot.records.sites:
        raise NotFound(f"there is no site {site}")


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
