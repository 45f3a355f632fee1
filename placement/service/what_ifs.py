"""What-ifs: deciding on the city's records as they might be. Nothing of it can be approved.

A site that is out is one that the policies forbid for everything: it hosts nothing, and it is no
alternative for anybody; data that rests there must leave, at the cost of leaving. Pairs that are
required or forbidden are constraints of the problem.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from datetime import date

from models import (
    Basis,
    Catalog,
    Decided,
    Decision,
    DecisionOutcome,
    EligibilityTable,
    Infeasible,
    Job,
    JobKind,
    NoEligibleSite,
    Obligation,
    Plan,
    PlanDiff,
    PolicyDataset,
    PolicyInput,
    PolicySite,
    Severity,
    SiteRegister,
    Source,
    Verdict,
    Violation,
    WhatIf,
    WhatIfReport,
    canonical_json,
    sha256_of,
)
from placement.eligibility import PolicyEngine
from placement.errors import BadInput, Defect, NotFound
from placement.service.bodies import BODY
from placement.service.city import Caller, City
from placement.service.deciding import decide_on
from placement.service.decisions import before_of, require_all_rows
from placement.service.diff import diff, resting_today
from placement.service.jobs import submit
from placement.service.plans import ANSWER, plan_of
from placement.service.situation import Situation, situation
from placement.service.working import JobEnding
from placement.steps import Report, Step
from placement.store import Transaction
from placement.store.decisions import Decisions
from placement.store.documents import Documents

REPORT = "what_if"
"""Kind of the stored document."""
NAMED = 20
"""Datasets without a site that a job's result names; the report has them all."""
OUT = Obligation(
    code="what_if.site_out",
    text="the question asks for a plan without this site",
    severity=Severity.MUNICIPAL,
    sources=(Source(description="The question itself", ref="urn:placement:what-if"),),
)


def ask(tx: Transaction, city: City, caller: Caller, asked: WhatIf) -> Job:
    """A job that decides on the records of the moment when it starts."""
    return submit(tx, city, caller, JobKind.WHAT_IF, asked.model_dump(mode="json"))


def require_possible(city: City, asked: WhatIf) -> None:
    """Raise BadInput when the records, as they are now, know less than the question names.

    What is true when the job starts is what counts; this spares whoever mistypes the wait.
    """
    snapshot = city.snapshots.at_head()
    require_known(asked, snapshot.catalog, snapshot.register)


def read(city: City, caller: Caller, digest: str) -> WhatIfReport:
    """What a what-if came to. Raises NotFound, NotAllowed, StoreError."""
    require_all_rows(caller)
    with city.store.reading() as tx:
        if Documents(tx).kind_of(digest) != REPORT:
            raise NotFound("there is no such what-if")
        return Documents(tx).get(digest, WhatIfReport)


def what_if_job(city: City, job: Job, report: Report, cancel: threading.Event) -> JobEnding:
    """Decide on the city as it might be, and compare with the decision that stands."""
    asked = WhatIf.model_validate(job.arguments)
    report(Step("read", "reading the city's records"))
    given = situation(city, asked.parameters)
    require_known(asked, given.reading.catalog, given.reading.register)
    engine = without_sites(city.engine(given.basis.policies), asked.sites_out)
    answer = decide_on(
        given.reading,
        engine,
        report,
        fixed=asked.fixed,
        cancel=cancel,
        start=_standing_plan(city, given),
    )
    found = _report(city, asked, given, answer)
    documents = ((ANSWER, canonical_json(answer)), (REPORT, canonical_json(found)))
    result = _result(answer, found)

    def ending(tx: Transaction) -> dict[str, object]:
        kept = [Documents(tx).put_body(kind, body) for kind, body in documents]
        return {"what_if": kept[-1], **result}

    return ending


def _standing_plan(city: City, given: Situation) -> Plan | None:
    """The plan that stands, from which a plan of a similar city is not far."""
    if given.basis.standing is None:
        return None
    with city.store.reading() as tx:
        standing = Decisions(tx).get(given.basis.standing)
    return plan_of(city.store, standing)


def require_known(asked: WhatIf, catalog: Catalog, register: SiteRegister) -> None:
    """Raise BadInput with every site and dataset that the records do not know."""
    sites = {site.id for site in register.sites}
    datasets = {dataset.id for dataset in catalog.datasets}
    named = [(f"sites_out.{n}", "site", s, sites) for n, s in enumerate(asked.sites_out)]
    for number, pair in enumerate(asked.fixed):
        named.append((f"fixed.{number}.site", "site", pair.site, sites))
        named.append((f"fixed.{number}.dataset", "dataset", pair.dataset, datasets))
    defects = [
        Defect(BODY, f"{kind} {name}", field, "the city's records have none of that name")
        for field, kind, name, known in named
        if name not in known
    ]
    if defects:
        raise BadInput(defects)


def _report(city: City, asked: WhatIf, given: Situation, answer: Decision) -> WhatIfReport:
    plan = answer.plan if isinstance(answer, Decided) else None
    since, changes = _compared(city, given, answer)
    return WhatIfReport(
        asked=asked,
        basis=given.basis,
        outcome=DecisionOutcome(answer.answer),
        answer=sha256_of(answer),
        objective_eur=None if plan is None else plan.objective_eur,
        gap=None if plan is None else plan.gap,
        since=since,
        diff=changes,
    )


def _compared(city: City, given: Situation, answer: Decision) -> tuple[int | None, PlanDiff | None]:
    since = given.basis.standing
    if not isinstance(answer, Decided):
        return since, None
    if since is None:
        return None, diff(answer.plan, resting_today(answer.plan))
    with city.store.reading() as tx:
        standing = Decisions(tx).get(since)
    return since, diff(answer.plan, before_of(city, standing))


def _result(answer: Decision, report: WhatIfReport) -> dict[str, object]:
    """The report in a few words, for those who collect many of them."""
    told: dict[str, object] = {"outcome": answer.answer, "basis": _told(report.basis)}
    match answer:
        case Decided():
            told |= {"objective_eur": str(answer.plan.objective_eur), "gap": str(answer.plan.gap)}
        case Infeasible():
            told["core"] = list(answer.core)
        case NoEligibleSite():
            names = [item.dataset for item in answer.datasets]
            told |= {"unplaceable": names[:NAMED], "unplaceable_datasets": len(names)}
    changes = report.diff
    if changes is not None:
        told["datasets_moved"] = sum(bool(m.from_sites and m.to_sites) for m in changes.moves)
        if changes.since is not None and changes.eur_per_year_before is not None:
            more = changes.eur_per_year_after - changes.eur_per_year_before
            told["difference_eur"] = str(more)
    return told


def _told(basis: Basis) -> dict[str, object]:
    return basis.model_dump(mode="json", include={"catalog_version", "policies", "standing"})


# -- policies without some sites ------------------------------------------------------------------


def without_sites(engine: PolicyEngine, sites: Collection[str]) -> PolicyEngine:
    """The same policies, but that these sites may hold nothing."""
    return _WithoutSites(engine, frozenset(sites)) if sites else engine


class _WithoutSites(PolicyEngine):
    """Another engine's answers, with one violation more at some sites."""

    def __init__(self, engine: PolicyEngine, sites: frozenset[str]) -> None:
        # No question at the start: the other engine has asked it.
        self._engine = engine
        self._sites = sites
        self.revision = engine.revision
        self.opa_version = engine.opa_version

    def evaluate(
        self,
        datasets: Sequence[tuple[str, PolicyDataset]],
        sites: Sequence[PolicySite],
        as_of: date,
    ) -> EligibilityTable:
        """Verdicts for N datasets at S sites, none eligible at the sites that are out."""
        table = self._engine.evaluate(datasets, sites, as_of)
        rows = tuple(
            tuple(
                self._judged(verdict, site) for verdict, site in zip(row, table.sites, strict=True)
            )
            for row in table.verdicts
        )
        obligations = table.obligations
        if rows:
            obligations = tuple(sorted((*obligations, OUT), key=lambda o: o.code))
        return table.model_copy(update={"verdicts": rows, "obligations": obligations})

    def ask(self, question: PolicyInput) -> Verdict:
        """The verdict of one dataset at one site."""
        return self._judged(self._engine.ask(question), question.site.id)

    def ask_segregated(
        self, site: PolicySite, duties: Sequence[str], as_of: date
    ) -> frozenset[tuple[str, str]]:
        """As the other engine answers."""
        return self._engine.ask_segregated(site, duties, as_of)

    def _judged(self, verdict: Verdict, site: str) -> Verdict:
        if site not in self._sites:
            return verdict
        out = Violation(obligation=OUT.code, message=f"{site} is out, by the question asked")
        return verdict.model_copy(update={"violations": (*verdict.violations, out)})
