"""The service, as Python sees it: one method an operation, models in and models out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models import (
    AuditRecord,
    AuditVerification,
    Catalog,
    CatalogDifference,
    CatalogSnapshot,
    CatalogVersion,
    Certificate,
    CheckAnswer,
    CollectionContract,
    Dataset,
    Decision,
    DecisionEvent,
    DecisionRecord,
    EligibilityReport,
    Explanation,
    Job,
    JobState,
    KeptRelation,
    Me,
    NewObservation,
    NewProvisioningReport,
    Observation,
    Operator,
    Parameters,
    PlacementStatus,
    Plan,
    PlanDiff,
    ProvisioningReport,
    Relation,
    ReplayReport,
    Role,
    SignedHead,
    Site,
    SiteRegister,
    WhatIf,
    WhatIfReport,
    canonical_json,
)
from placement.client.connection import Connection
from placement.client.decoding import M, part, read, read_plain, unexpected, version_of
from placement.client.drills import Drills
from placement.client.keys import Keys
from placement.client.policies import Policies
from placement.client.problems import error_named
from placement.client.procurement import Procurement
from placement.client.records import Records
from placement.client.subscriptions import Subscriptions
from placement.errors import PlacementError, ServiceError

_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)
_KEPT_RELATION: TypeAdapter[KeptRelation] = TypeAdapter(KeptRelation)
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
        at = self.connection
        self.datasets: Records[Dataset, Dataset] = Records(at, "/v1/datasets", TypeAdapter(Dataset))
        self.sites: Records[Site, Site] = Records(at, "/v1/sites", TypeAdapter(Site))
        self.operators: Records[Operator, Operator] = Records(
            at, "/v1/operators", TypeAdapter(Operator)
        )
        self.relations: Records[KeptRelation, Relation] = Records(
            at, "/v1/relations", _KEPT_RELATION
        )
        self.roles: Records[Role, Role] = Records(at, "/v1/roles", TypeAdapter(Role))
        self.contracts: Records[CollectionContract, CollectionContract] = Records(
            at, "/v1/contracts", TypeAdapter(CollectionContract)
        )
        self.drills = Drills(at)
        self.policies = Policies(at)
        self.procurement = Procurement(at)
        self.keys = Keys(at)
        self.subscriptions = Subscriptions(at)

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

    def import_files(
        self, form: str, files: Mapping[str, str], *, dry_run: bool = False
    ) -> CatalogDifference:
        """As `import_records`, of a foreign form (such as dcat-ap) that the service reads itself.

        Parameters
        ----------
        files
            Relative path -> text.
        """
        query = {"format": form, "dry_run": "true" if dry_run else None}
        return self._post(CatalogDifference, "/v1/catalogs", {"files": dict(files)}, query)

    def catalogs(self) -> Iterator[CatalogVersion]:
        """Versions of the catalogue, the newest first."""
        for item in self.connection.items("/v1/catalogs"):
            yield read_plain(CatalogVersion, item)

    def parameters(self) -> Parameters:
        """The city's choices."""
        return self._get(Parameters, "/v1/parameters")

    def set_parameters(self, parameters: Parameters) -> str:
        """Replace the city's choices; their new version."""
        now = self.connection.send("GET", "/v1/parameters")
        answer = self.connection.send(
            "PUT", "/v1/parameters", body=canonical_json(parameters), if_match=version_of(now)
        )
        return version_of(answer)

    def schema(self, document: str) -> Any:
        """The JSON Schema of a file, as the service reads it: plan, catalog, sites, parameters."""
        return self.connection.json("GET", f"/v1/schemas/{part(document)}")

    # -- asking the policies ----------------------------------------------------------------

    def check(self, dataset: str, site: str) -> CheckAnswer:
        """May this dataset rest at this site? The answer is on the record."""
        return self._post(CheckAnswer, "/v1/checks", {"dataset": dataset, "site": site})

    def eligibility(self) -> EligibilityReport:
        """Which dataset may rest at which site, of the whole catalogue."""
        return self._get(EligibilityReport, "/v1/eligibility")

    def verify(self, plan: bytes) -> Certificate:
        """The certificate of a plan file, worked out again from the service's records."""
        return read(Certificate, self.connection.send("POST", "/v1/verifications", body=plan))

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
            yield read_plain(DecisionRecord, item)

    def decision(self, number: int) -> DecisionRecord:
        """A decision: what it was made on, and where it stands."""
        return self._get(DecisionRecord, f"/v1/decisions/{number}")

    def answer(self, number: int) -> Decision:
        """What deciding came to: a plan, or why there is none."""
        return self._answer(f"/v1/decisions/{number}/answer")

    def events(self, number: int) -> tuple[DecisionEvent, ...]:
        """Who brought a decision into which state, and when; oldest first."""
        said = self.connection.json("GET", f"/v1/decisions/{number}/events")
        if not isinstance(said, dict) or not isinstance(said.get("items"), list):
            raise unexpected("a list of events")
        return tuple(read_plain(DecisionEvent, item) for item in said["items"])

    def plan(self, number: int) -> Plan:
        """The plan of a decision, with its inputs and its proof."""
        return self._get(Plan, f"/v1/decisions/{number}/plan")

    def diff(self, number: int, since: int | None = None) -> PlanDiff:
        """What the plan changes against decision `since`; none: against the plan that stands."""
        return self._get(PlanDiff, f"/v1/decisions/{number}/diff", {"since": since})

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

    def placements(self, **filters: Any) -> Iterator[PlacementStatus]:
        """Where datasets are to rest: `classification`, `department`, `site`, `operator`, ..."""
        for item in self.connection.items("/v1/placements", filters):
            yield read_plain(PlacementStatus, item)

    def placement(self, dataset: str, by: str | None = None) -> PlacementStatus:
        """Where a dataset is to rest; with "in_force", where it does."""
        return self._get(PlacementStatus, f"/v1/placements/{part(dataset)}", {"by": by})

    def explanation(self, dataset: str, site: str | None = None) -> Explanation:
        """Why a dataset rests where it does, and why not elsewhere."""
        path = f"/v1/placements/{part(dataset)}/explanation"
        return self._get(Explanation, path, {"site": site})

    def report(self, dataset: str, report: NewProvisioningReport) -> ProvisioningReport:
        """Say how far a provisioner is with a dataset at one site."""
        body = report.model_dump(mode="json")
        return self._post(ProvisioningReport, f"/v1/placements/{part(dataset)}/reports", body)

    def reports(self, dataset: str) -> Iterator[ProvisioningReport]:
        """What provisioners said of a dataset, the latest first."""
        for item in self.connection.items(f"/v1/placements/{part(dataset)}/reports", {}):
            yield read_plain(ProvisioningReport, item)

    def observe(self, dataset: str, observation: NewObservation) -> Observation:
        """Say where a dataset was found, and where it was looked for and is not."""
        body = observation.model_dump(mode="json")
        return self._post(Observation, f"/v1/placements/{part(dataset)}/observations", body)

    # -- jobs -------------------------------------------------------------------------------

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """Jobs, the latest first: `state`, `kind`; one's own, or everybody's."""
        for item in self.connection.items("/v1/jobs", filters):
            yield read_plain(Job, item)

    def job(self, job: str) -> Job:
        """A job as it is now."""
        return self._get(Job, f"/v1/jobs/{part(job)}")

    def cancel(self, job: str) -> Job:
        """End a job at once; one that has ended stays as it is."""
        return self._post(Job, f"/v1/jobs/{part(job)}/cancellation", None)

    def wait(self, job: str, report: Callable[[Job], None] = lambda _: None) -> Job:
        """The job once it has ended, in whatever state; `report` is told of each step.

        Events only say when to look: where they break off or are refused, it is asked again.
        """
        while True:
            try:
                for _ in self.connection.events(f"/v1/jobs/{part(job)}/events"):
                    now = self.job(job)
                    report(now)
                    if now.state.final:
                        return now
            except PlacementError:
                pass  # what is wrong for good, the next line says
            now = self.job(job)
            report(now)
            if now.state.final:
                return now
            time.sleep(_LISTEN_AGAIN_S)

    def result(self, job: str, report: Callable[[Job], None] = lambda _: None) -> dict[str, Any]:
        """What a job came to, once it has ended. Raises why it has not."""
        ended = self.wait(job, report)
        if ended.state is JobState.DONE and ended.result is not None:
            return ended.result
        problem = ended.problem or {"code": "job_cancelled", "detail": "the job was cancelled"}
        try:
            raise error_named(problem)
        except (KeyError, TypeError) as error:
            raise ServiceError(f"job {job} failed without saying why") from error

    def replay_report(
        self, job: str, report: Callable[[Job], None] = lambda _: None
    ) -> ReplayReport:
        """What deciding again came to, once its job has ended."""
        return replay_report_of(self.result(job, report))

    # -- the record -------------------------------------------------------------------------

    def audit(self, **filters: Any) -> Iterator[AuditRecord]:
        """The audit log: `action`, `actor`, `subject`, `since`, `until`."""
        for item in self.connection.items("/v1/audit", filters):
            yield read_plain(AuditRecord, item)

    def audit_head(self) -> SignedHead:
        """The signed end of the audit log: keep it, and nobody can rewrite what came before."""
        return self._get(SignedHead, "/v1/audit/head")

    def audit_verification(self) -> AuditVerification:
        """Whether the audit log holds, says the service itself."""
        return self._get(AuditVerification, "/v1/audit/verification")

    def audit_export(self, after: int = 0) -> Iterator[str]:
        """All records behind `after` as JSON lines; the last line has the signed head.

        That it was taken is recorded. Without its last line it is not whole.
        """
        return self.connection.lines("/v1/audit/export", {"after": after})

    # ---------------------------------------------------------------------------------------

    def _get(self, model: type[M], path: str, query: dict[str, Any] | None = None) -> M:
        return read(model, self.connection.send("GET", path, query=query))

    def _post(self, model: type[M], path: str, body: Any, query: dict[str, Any] | None = None) -> M:
        content = None if body is None else canonical_json(body)
        return read(model, self.connection.send("POST", path, body=content, query=query))

    def _answer(self, path: str) -> Decision:
        content = self.connection.send("GET", path).content
        try:
            return _DECISION.validate_json(content)
        except ValidationError as error:
            raise unexpected("an answer") from error

    def _move(self, number: int, step: str, reason: str) -> DecisionRecord:
        """Bring a decision into its next state, if nobody else did in the meantime."""
        path = f"/v1/decisions/{number}"
        seen = version_of(self.connection.send("GET", path))
        body = canonical_json({"reason": reason})
        answer = self.connection.send("POST", f"{path}/{step}", body=body, if_match=seen)
        return read(DecisionRecord, answer)


def replay_report_of(result: dict[str, Any]) -> ReplayReport:
    """The report in the result of a job that replayed a decision. Raises ServiceError."""
    said = dict(result)
    concluded = {name: said.pop(name, None) for name in ("reproduced", "exact")}
    found = read_plain(ReplayReport, said)
    if concluded != {"reproduced": found.reproduced, "exact": found.exact}:
        raise unexpected("a conclusion that follows from the differences")
    return found
