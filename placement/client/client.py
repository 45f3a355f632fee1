"""The service, as Python sees it: one method an operation, models in and models out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from models import (
    ApprovedPlacement,
    AuditRecord,
    AuditReport,
    Catalog,
    CatalogDifference,
    CatalogSnapshot,
    Certificate,
    CheckAnswer,
    Dataset,
    Decision,
    DecisionRecord,
    EligibilityReport,
    Explanation,
    Frozen,
    Job,
    JobState,
    Me,
    Parameters,
    Plan,
    PlanDiff,
    ReplayReport,
    SignedHead,
    SiteRegister,
    WhatIf,
    WhatIfReport,
    canonical_json,
)
from placement.client.connection import Connection, decoded
from placement.client.problems import error_named
from placement.errors import ServiceError

M = TypeVar("M", bound=Frozen)
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)
_LISTEN_AGAIN_S = 0.5


class Client:
    """A service and a caller of it. Use it in a `with` block, or close it.

    Every method raises the PlacementError that the service's problem document names, and
    ServiceError when the service cannot be reached or answers oddly.

    Parameters
    ----------
    url
        https://host[:port], or http:// with a loopback host.
    token
        Bearer token: a person's, or a machine's API key.
    ca_file
        Certificates (PEM) to trust instead of the public ones.

    Raises
    ------
    BadInput
        When one of them cannot be used.
    """

    def __init__(self, url: str, token: str | None, ca_file: Path | None = None) -> None:
        self.connection = Connection(url, token, ca_file)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.connection.close()

    def me(self) -> Me:
        """Whom the service takes this caller for."""
        return self._get(Me, "/v1/me")

    # -- the catalogue ----------------------------------------------------------------------

    def catalog(self, version: int | None = None) -> CatalogSnapshot:
        """The city's records as native files; by default as they are now."""
        return self._get(CatalogSnapshot, f"/v1/catalogs/{version or 'current'}")

    def import_records(
        self,
        catalog: Catalog | None = None,
        sites: SiteRegister | None = None,
        *,
        dry_run: bool = False,
    ) -> CatalogDifference:
        """Replace the catalogue, the sites, or both; what changed, or would change."""
        given = {"catalog": catalog, "sites": sites}
        body = {name: half for name, half in given.items() if half is not None}
        query = {"dry_run": "true"} if dry_run else None
        return self._post(CatalogDifference, "/v1/catalogs", body, query)

    def datasets(self, **filters: Any) -> Iterator[Dataset]:
        """Datasets that this caller may see: `department`, `confidentiality`, `q`, ..."""
        for item in self.connection.items("/v1/datasets", filters):
            yield _read(Dataset, item)

    def dataset(self, dataset: str) -> tuple[Dataset, str]:
        """A dataset, and the version to name when changing it."""
        answer = self.connection.send("GET", f"/v1/datasets/{_part(dataset)}")
        return _read(Dataset, decoded(answer)), _version(answer)

    def put_dataset(self, dataset: Dataset, version: str) -> str:
        """Change a dataset that is still at `version`; its new version."""
        path = f"/v1/datasets/{_part(dataset.id)}"
        body = canonical_json(dataset)
        return _version(self.connection.send("PUT", path, body=body, if_match=version))

    def set_parameters(self, parameters: Parameters) -> str:
        """Replace the city's choices; their new version."""
        now = self.connection.send("GET", "/v1/parameters")
        answer = self.connection.send(
            "PUT", "/v1/parameters", body=canonical_json(parameters), if_match=_version(now)
        )
        return _version(answer)

    # -- asking the policies ----------------------------------------------------------------

    def check(self, dataset: str, site: str) -> CheckAnswer:
        """May this dataset rest at this site? The answer is on the record."""
        return self._post(CheckAnswer, "/v1/checks", {"dataset": dataset, "site": site})

    def eligibility(self) -> EligibilityReport:
        """Which dataset may rest at which site, of the whole catalogue."""
        return self._get(EligibilityReport, "/v1/eligibility")

    def verify(self, plan: bytes) -> Certificate:
        """The certificate of a plan file, worked out again from the service's records."""
        return _read(Certificate, self.connection.json("POST", "/v1/verifications", body=plan))

    # -- decisions --------------------------------------------------------------------------

    def decide(self, title: str | None = None, parameters: Parameters | None = None) -> Job:
        """Ask for a decision on the city's records; a job makes it."""
        given = {"title": title, "parameters": parameters}
        body = {name: value for name, value in given.items() if value is not None}
        return self._post(Job, "/v1/decisions", body)

    def what_if(self, asked: WhatIf) -> Job:
        """Ask what a change would come to; nothing of it can be approved."""
        return self._post(Job, "/v1/what-ifs", asked)

    def what_if_report(self, digest: str) -> WhatIfReport:
        """What a what-if came to."""
        return self._get(WhatIfReport, f"/v1/what-ifs/{digest}")

    def decisions(self, **filters: Any) -> Iterator[DecisionRecord]:
        """Decisions, the newest first: `state`, `outcome`."""
        for item in self.connection.items("/v1/decisions", filters):
            yield _read(DecisionRecord, item)

    def decision(self, number: int) -> DecisionRecord:
        """A decision: what it was made on, and where it stands."""
        return self._get(DecisionRecord, f"/v1/decisions/{number}")

    def answer(self, number: int) -> Decision:
        """What deciding came to: a plan, or why there is none."""
        said = self.connection.json("GET", f"/v1/decisions/{number}/answer")
        try:
            return _DECISION.validate_python(said)
        except ValidationError as error:
            raise _odd("an answer") from error

    def plan(self, number: int) -> Plan:
        """The plan of a decision, with its inputs and its proof."""
        return self._get(Plan, f"/v1/decisions/{number}/plan")

    def diff(self, number: int) -> PlanDiff:
        """What the plan changes against the one in force."""
        return self._get(PlanDiff, f"/v1/decisions/{number}/diff")

    def approve(self, number: int, reason: str = "") -> DecisionRecord:
        """Stand behind a plan."""
        return self._move(number, "approval", reason)

    def provision(self, number: int, reason: str = "") -> DecisionRecord:
        """Say that moving data has begun."""
        return self._move(number, "provisioning", reason)

    def enforce(self, number: int, reason: str = "") -> DecisionRecord:
        """Say that data rests where the plan says."""
        return self._move(number, "in-force", reason)

    def withdraw(self, number: int, reason: str = "") -> DecisionRecord:
        """Stand behind a plan no more."""
        return self._move(number, "withdrawal", reason)

    def replay(self, number: int, policies: int | None = None) -> Job:
        """Ask to decide again on the stored inputs; by the policies of another revision, too."""
        return self._post(Job, f"/v1/decisions/{number}/replay", {"policies": policies})

    # -- approved placements ----------------------------------------------------------------

    def placements(self, **filters: Any) -> Iterator[ApprovedPlacement]:
        """Where datasets are to rest: `classification`, `department`, `site`, `operator`, ..."""
        for item in self.connection.items("/v1/placements", filters):
            yield _read(ApprovedPlacement, item)

    def placement(self, dataset: str) -> ApprovedPlacement:
        """Where a dataset is to rest, by the plan that the board stands behind."""
        return self._get(ApprovedPlacement, f"/v1/placements/{_part(dataset)}")

    def explanation(self, dataset: str, site: str | None = None) -> Explanation:
        """Why a dataset rests where it does, and why not elsewhere."""
        path = f"/v1/placements/{_part(dataset)}/explanation"
        return self._get(Explanation, path, {"site": site})

    # -- jobs -------------------------------------------------------------------------------

    def job(self, job: str) -> Job:
        """A job as it is now."""
        return self._get(Job, f"/v1/jobs/{job}")

    def cancel(self, job: str) -> Job:
        """Ask for a job to end."""
        return self._post(Job, f"/v1/jobs/{job}/cancellation", None)

    def wait(self, job: str, report: Callable[[Job], None] = lambda _: None) -> Job:
        """The job once it has ended, in whatever state; `report` is told of each step."""
        while True:
            try:
                for _ in self.connection.events(f"/v1/jobs/{job}/events"):
                    now = self.job(job)
                    report(now)
                    if now.state.final:
                        return now
            except ServiceError:
                time.sleep(_LISTEN_AGAIN_S)
            now = self.job(job)
            if now.state.final:
                return now

    def result(self, job: str, report: Callable[[Job], None] = lambda _: None) -> dict[str, Any]:
        """What a job came to, once it has ended. Raises why it has not."""
        ended = self.wait(job, report)
        if ended.state is JobState.DONE and ended.result is not None:
            return ended.result
        problem = ended.problem or {"code": "job_cancelled", "detail": "the job was cancelled"}
        raise error_named(problem)

    def replay_report(self, job: str) -> ReplayReport:
        """What deciding again came to, once its job has ended."""
        return _read(ReplayReport, self.result(job))

    # -- the record -------------------------------------------------------------------------

    def audit(self, **filters: Any) -> Iterator[AuditRecord]:
        """The audit log: `action`, `actor`, `subject`, `since`, `until`."""
        for item in self.connection.items("/v1/audit", filters):
            yield _read(AuditRecord, item)

    def audit_head(self) -> SignedHead:
        """The signed end of the audit log: keep it, and nobody can rewrite what came before."""
        return self._get(SignedHead, "/v1/audit/head")

    def audit_verification(self) -> AuditReport:
        """Whether the audit log holds, says the service itself."""
        return self._get(AuditReport, "/v1/audit/verification")

    # ---------------------------------------------------------------------------------------

    def _get(self, model: type[M], path: str, query: dict[str, Any] | None = None) -> M:
        return _read(model, self.connection.json("GET", path, query=query))

    def _post(self, model: type[M], path: str, body: Any, query: dict[str, Any] | None = None) -> M:
        content = None if body is None else canonical_json(body)
        return _read(model, self.connection.json("POST", path, body=content, query=query))

    def _move(self, number: int, step: str, reason: str) -> DecisionRecord:
        """Bring a decision into its next state, if nobody else did in the meantime."""
        path = f"/v1/decisions/{number}"
        seen = _version(self.connection.send("GET", path))
        body = canonical_json({"reason": reason})
        answer = self.connection.send("POST", f"{path}/{step}", body=body, if_match=seen)
        return _read(DecisionRecord, decoded(answer))


def _read(model: type[M], said: Any) -> M:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise _odd(model.__name__) from error


def _odd(what: str) -> ServiceError:
    return ServiceError(f"{what} was expected, and something else came: are versions alike?")


def _version(answer: httpx.Response) -> str:
    return answer.headers.get("etag", "").removeprefix("W/").strip('"')


def _part(name: str) -> str:
    """An id as one part of a path; it may hold slashes."""
    return quote(name, safe="")
