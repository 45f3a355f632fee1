"""Replaying a decision: deciding again on its stored inputs, and telling what differs.

Everything comes from the store, by digest: the records, the parameters with their day, and the
files of the policies, which an OPA of its own reads from a private folder. Judged by the same
policies, it tells whether this software still decides the same; by others, what they would have
decided instead. Nothing is changed, and no server is needed.

Compared is everything in an answer but when it was made, how long that took, and the digests that
depend on it.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from models import (
    Catalog,
    Decided,
    Decision,
    DecisionOutcome,
    DecisionRecord,
    Infeasible,
    Job,
    JobKind,
    Parameters,
    Plan,
    PolicyFiles,
    ReplayDifference,
    ReplayReport,
    SiteRegister,
)
from models.base import Frozen
from placement.eligibility import open_engine
from placement.eligibility.bundle import bundle_of
from placement.errors import BadInput, StoreError
from placement.reading import Reading, join
from placement.service.city import Caller, City
from placement.service.deciding import decide_on
from placement.service.jobs import submit
from placement.service.plans import answer_of
from placement.service.working import JobEnding
from placement.settings import Settings
from placement.steps import Report, Step, silent
from placement.store import Store, Transaction
from placement.store.decisions import Decisions
from placement.store.documents import Documents
from placement.store.policies import Policies

DIFFERENCES_NAMED = 1000
_APART = frozenset(
    {"placements", "versions", "solver", "created_at", "digest", "digests", "inputs"}
)
"""Fields of a plan that are compared in their own way, follow from others, or are not compared."""


class ReplayRequest(Frozen):
    """How to replay a decision."""

    policies: int | None = None
    """Number of a policy revision to judge by; none: those of the decision itself."""


def request(tx: Transaction, city: City, caller: Caller, number: int, asked: ReplayRequest) -> Job:
    """A job that replays a decision. Raises NotFound: no such decision or policies."""
    Decisions(tx).get(number)
    if asked.policies is not None:
        Policies(tx).revision(asked.policies)
    arguments = {"decision": number, **asked.model_dump(mode="json")}
    return submit(tx, city, caller, JobKind.REPLAY, arguments)


def replay_job(city: City, job: Job, report: Report, cancel: threading.Event) -> JobEnding:
    """Replay, and end with the report."""
    found = replay(
        city.store,
        city.settings,
        int(job.arguments["decision"]),
        policies=job.arguments.get("policies"),
        progress=report,
        cancel=cancel,
    )
    result = {
        **found.model_dump(mode="json"),
        "reproduced": found.reproduced,
        "exact": found.exact,
    }
    return lambda _tx: result


def replay(
    store: Store,
    settings: Settings,
    number: int,
    *,
    policies: int | None = None,
    progress: Report = silent,
    cancel: threading.Event | None = None,
) -> ReplayReport:
    """Decide again on what decision `number` was decided on.

    Parameters
    ----------
    store
        Is only read.
    settings
        Where the OPA binary is; a shared OPA is not asked, for it holds other policies.
    policies
        Number of the policy revision to judge by. Default: those of the decision.
    cancel
        Set it to stop within about half a second.

    Raises
    ------
    NotFound
    StoreError
        When a stored document is missing or was changed, or does not make the revision that it
        should.
    JobCancelled
    PolicyEngineError, GapNotReached, SolverError, CertificateError
    """
    progress(Step("read", f"reading what decision {number} was decided on"))
    with store.reading() as tx:
        case = _Case.of(tx, number, policies)
    with tempfile.TemporaryDirectory(prefix="placement-replay-") as folder:
        root = Path(folder) / "policies"
        bundle = bundle_of(case.files)
        if bundle.digest != case.revision:
            raise StoreError(f"the stored files do not make policy revision {case.revision}")
        bundle.write(root)
        with open_engine(root, replace(settings, opa_url=None)) as engine:
            answer = decide_on(case.reading, engine, progress, cancel=cancel)
    return _report(case, answer)


@dataclass(frozen=True)
class _Case:
    """Everything a replay needs."""

    record: DecisionRecord
    reading: Reading
    files: PolicyFiles
    revision: str
    decided: Decision

    @classmethod
    def of(cls, tx: Transaction, number: int, policies: int | None) -> _Case:
        record = Decisions(tx).get(number)
        basis, documents = record.basis, Documents(tx)
        files, revision = basis.policy_files, basis.policies
        if policies is not None:
            other = Policies(tx).revision(policies)
            files, revision = other.files, other.revision
        if files is None:
            raise StoreError(f"decision {number} does not say which files its policies were")
        try:
            reading = join(
                documents.get(basis.catalog, Catalog),
                documents.get(basis.sites, SiteRegister),
                documents.get(basis.parameters, Parameters),
            )
        except BadInput as error:
            raise StoreError(f"the inputs of decision {number} do not fit together") from error
        return cls(
            record=record,
            reading=reading,
            files=documents.get(files, PolicyFiles),
            revision=revision,
            decided=answer_of(tx, record.answer),
        )


def _report(case: _Case, answer: Decision) -> ReplayReport:
    found = list(differences(case.decided, answer))
    versions = list(_versions(case.decided, answer))
    return ReplayReport(
        decision=case.record.number,
        policies=case.revision,
        own_policies=case.revision == case.record.basis.policies,
        outcome=DecisionOutcome(answer.answer),
        differences=tuple(found[:DIFFERENCES_NAMED]),
        differing=len(found),
        versions=tuple(versions),
        versions_now=answer.plan.versions if isinstance(answer, Decided) else None,
    )


def differences(decided: Decision, replayed: Decision) -> Iterator[ReplayDifference]:
    """What two answers to one question say otherwise."""
    if decided.answer != replayed.answer:
        yield _differ("outcome", _told(decided), _told(replayed))
    elif isinstance(decided, Decided) and isinstance(replayed, Decided):
        yield from _plans(decided.plan, replayed.plan)
    else:
        yield from _fields("", decided, replayed, frozenset({"answer"}))


def _plans(decided: Plan, replayed: Plan) -> Iterator[ReplayDifference]:
    now = {placed.dataset: placed for placed in replayed.placements}
    for placed in decided.placements:
        again = now.get(placed.dataset)
        if again is None or again.sites != placed.sites:
            there = "nowhere" if again is None else ", ".join(again.sites)
            yield _differ(f"placements.{placed.dataset}", ", ".join(placed.sites), there)
        elif again != placed:
            yield from _fields(f"placements.{placed.dataset}.", placed, again, frozenset())
    yield from _fields("", decided, replayed, _APART)
    timings = frozenset({"build_s", "solve_s", "solver"})
    yield from _fields("solver.", decided.solver, replayed.solver, timings)


def _versions(decided: Decision, replayed: Decision) -> Iterator[ReplayDifference]:
    """Software that differs. An answer without a plan does not say what made it."""
    if isinstance(decided, Decided) and isinstance(replayed, Decided):
        yield from _fields("versions.", decided.plan.versions, replayed.plan.versions, frozenset())
        if decided.plan.solver.solver != replayed.plan.solver.solver:
            yield _differ("solver", decided.plan.solver.solver, replayed.plan.solver.solver)


def _fields(
    place: str, decided: Frozen, replayed: Frozen, but: frozenset[str]
) -> Iterator[ReplayDifference]:
    for field in type(decided).model_fields:
        before, now = getattr(decided, field), getattr(replayed, field)
        if field in but or before == now:
            continue
        if isinstance(before, Frozen) and isinstance(now, Frozen):
            yield from _fields(f"{place}{field}.", before, now, frozenset())
        else:
            yield _differ(f"{place}{field}", before, now)


def _differ(what: str, decided: object, replayed: object) -> ReplayDifference:
    return ReplayDifference(what=what, decided=_short(decided), replayed=_short(replayed))


def _told(answer: Decision) -> str:
    if isinstance(answer, Decided):
        return f"decided: EUR {answer.plan.objective_eur} a year"
    if isinstance(answer, Infeasible):
        return f"infeasible: {', '.join(answer.core)}"
    return f"no eligible site: {', '.join(item.dataset for item in answer.datasets)}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
