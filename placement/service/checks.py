"""Checks: may this dataset rest at that site? Answered in milliseconds, and recorded first.

What is current is read from the database at every check: the catalogue's digest and the revision of
the active policies. Only what hangs on these alone is kept in the process.
"""

from __future__ import annotations

from datetime import date

from models import (
    AuditAction,
    AuditEvent,
    CheckAnswer,
    PolicyDataset,
    PolicySite,
    SourcedViolation,
)
from placement.eligibility import PolicyEngine
from placement.errors import NotFound, PolicyEngineError
from placement.service.city import Caller, City
from placement.service.rows import sees
from placement.service.snapshot import Snapshot
from placement.service.verdicts import Judged
from placement.store.head import Head, read_head


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
    with city.store.reading() as tx:
        head = read_head(tx)
        snapshot = city.snapshots.of(tx, head)
    known = snapshot.records.datasets.get(dataset)
    if known is None or not sees(caller.rows, known):
        raise NotFound(f"there is no dataset {dataset}")
    if site not in snapshot.records.sites:
        raise NotFound(f"there is no site {site}")
    answer = _answer(city, head, snapshot, dataset, site)
    written = city.recorder.record([_event(caller, answer)])
    return answer.model_copy(update={"record": written[0].sequence})


def _answer(city: City, head: Head, snapshot: Snapshot, dataset: str, site: str) -> CheckAnswer:
    if head.policy is None:
        raise PolicyEngineError("no policies are active yet; OPA has not confirmed the first")
    day = snapshot.day()
    question = (snapshot.dataset_view(dataset), snapshot.site_view(site), day)
    judged = city.verdicts.find(head.policy, question)
    if judged is None:
        judged = _asked(city.engine(head.policy), *question)
        city.verdicts.keep(head.policy, question, judged)
    return CheckAnswer(
        dataset=dataset,
        site=site,
        eligible=not judged.violations,
        violations=judged.violations,
        host_obligations=judged.host_obligations,
        preferences=judged.preferences,
        policy_revision=head.policy,
        catalog_version=snapshot.version,
        as_of=day,
    )


def _asked(engine: PolicyEngine, dataset: PolicyDataset, site: PolicySite, day: date) -> Judged:
    """The verdict of OPA on one pair, with the obligations that it names."""
    table = engine.evaluate([("dataset", dataset)], [site], day)
    verdict = table.verdicts[0][0]
    obligations = {obligation.code: obligation for obligation in table.obligations}
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
