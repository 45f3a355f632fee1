"""Deciding on catalogues of millions of datasets: the same steps, over columns.

    decide = read -> facts -> profiles and verdicts -> arrays -> prices and core -> certify -> write

Plans of columns are files, as catalogues of columns are folders; the service's records are of
single datasets.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np

import placement
from models import (
    Certificate,
    Check,
    Digests,
    Infeasible,
    NoEligibleSite,
    Parameters,
    RowPrice,
    SiteRegister,
    SiteVerdict,
    Termination,
    Unplaceable,
    Versions,
    canonical_json,
    sha256_of,
)
from models.column_plan import ColumnPlan, SiteTally
from models.columns import CatalogColumns, EligibilityColumns, FactColumns, PlacedColumns
from placement.catalog import SitesFormat, load_parameters, load_register
from placement.catalog.columns import (
    PlanColumns,
    check_columns_references,
    columns_digest,
    load_catalog_columns,
    placements_digest,
    read_plan_columns,
    write_plan_columns,
)
from placement.certificate import relative_gap, stated_bound
from placement.certificate.columns import ColumnCertificate, certify_columns
from placement.eligibility import PolicyEngine, open_engine
from placement.eligibility.columns import evaluate_columns, unplaceable_columns
from placement.errors import BadInput, CertificateError, Defect, GapNotReached, JobCancelled
from placement.explaining import constraint_sentence
from placement.graph.columns import derive_fact_columns
from placement.optimizer.arrays.build import City
from placement.optimizer.by_columns import ColumnSolution, solve_columns
from placement.optimizer.progress import Progress
from placement.reading import Request, overridden, policies_of
from placement.settings import Settings
from placement.steps import Report, Step, silent

PRICE_DECIMALS = 12
UNPLACEABLE_NAMED = 100
"""Datasets without an eligible site that an answer names."""
PROFILE = "profile"
"""The column of a plan file that holds each dataset's row of the verdict table."""


@dataclass
class Phases:
    """Seconds by phase, in the order in which they were entered."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Add the time spent inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


@dataclass(frozen=True)
class ColumnReading:
    """Inputs that were read and fit together, and what follows from them."""

    columns: CatalogColumns
    register: SiteRegister
    parameters: Parameters
    facts: FactColumns


@dataclass(frozen=True)
class ColumnAnswer:
    """A plan, or why there is none; and how long each phase took."""

    answer: ColumnPlan | NoEligibleSite | Infeasible
    phases: dict[str, float]


def decide_columns(
    request: Request,
    settings: Settings,
    progress: Report = silent,
    *,
    out: Path | None = None,
    cancel: threading.Event | None = None,
) -> ColumnAnswer:
    """Where each of a catalogue folder's datasets should live, certified.

    Parameters
    ----------
    out
        The plan file to write; it appears whole, or not at all.

    Raises
    ------
    BadInput, PolicyEngineError, GapNotReached, SolverError, CertificateError, JobCancelled
    """
    phases = Phases()
    read = read_columns(request, progress, phases)
    with open_engine(policies_of(request, settings), settings) as engine:
        progress(Step("eligibility", f"asking the policies about {len(read.columns):,} datasets"))
        with phases.of("profiles and OPA"):
            eligibility = evaluate_columns(
                engine, read.columns, read.facts, read.register, read.parameters
            )
        stuck = _unplaceable(read, eligibility)
        if stuck is not None:
            return ColumnAnswer(stuck, phases.seconds)
        solution = solve_columns(
            _city(read, eligibility), progress=lambda at: progress(_solving(at)), cancel=cancel
        )
        phases.seconds |= solution.phases
        _unless_cancelled(cancel)
        if solution.termination is Termination.INFEASIBLE:
            return ColumnAnswer(_infeasible(solution), phases.seconds)
        placed = _within_gap(solution, read.parameters)
        progress(Step("certify", "checking the plan again, without the solver"))
        with phases.of("certificate"):
            proof = _certified(read, eligibility, solution, placed, engine)
        _unless_cancelled(cancel)
    with phases.of("digests"):
        plan = _plan(read, eligibility, solution, placed, proof)
    if out is not None:
        with phases.of("write"):
            _write(out, plan, read, eligibility, placed)
    return ColumnAnswer(plan, phases.seconds)


def read_columns(
    request: Request,
    progress: Report,
    phases: Phases | None = None,
    plan: Parameters | None = None,
) -> ColumnReading:
    """Read a catalogue folder, a register and parameters, and derive what follows.

    Raises
    ------
    BadInput
    """
    phases = Phases() if phases is None else phases
    if request.current is not None:
        raise BadInput(
            [
                Defect(
                    str(request.current), "", "", "a catalogue folder says itself what rests where"
                )
            ]
        )
    progress(Step("read", "reading the catalogue, the sites and the parameters"))
    with phases.of("read"):
        register = load_register(request.sites, _sites_format(request))
        parameters = overridden(_parameters(request, plan), request, plan)
        columns = load_catalog_columns(request.catalog)
        check_columns_references(
            columns,
            register,
            catalog_file=str(request.catalog),
            register_file=str(request.sites),
        )
    with phases.of("facts"):
        facts = derive_fact_columns(columns, parameters)
    return ColumnReading(columns, register, parameters, facts)


def verify_columns(
    plan_file: Path, request: Request, settings: Settings, progress: Report = silent
) -> Certificate:
    """The certificate of a plan of columns, worked out again from the raw inputs.

    Raises
    ------
    BadInput, PolicyEngineError
    """
    found = read_plan_columns(plan_file)
    plan = header_of(found, plan_file)
    read = read_columns(request, progress, plan=plan.parameters)
    with open_engine(policies_of(request, settings), settings) as engine:
        eligibility = evaluate_columns(
            engine, read.columns, read.facts, read.register, read.parameters
        )
        progress(Step("verify", "checking the plan against the inputs and the policies"))
        placed = _in_register_order(found, read.register)
        proof = certify_columns(
            read.columns,
            read.register,
            read.parameters,
            eligibility,
            read.facts,
            placed,
            ask=engine.ask,
            ask_segregated=engine.ask_segregated,
            objective_eur=plan.objective_eur,
            dual_bound_eur=plan.dual_bound_eur,
        )
    stated = Check(
        name="file",
        holds=not (said := list(_untrue(plan, found, read, eligibility, proof))),
        checked=8,
        failures=tuple(said),
    )
    own = proof.certificate
    return own.model_copy(update={"checks": (*own.checks, stated)})


def header_of(found: PlanColumns, plan_file: Path) -> ColumnPlan:
    """The header of a plan file. Raises BadInput."""
    from pydantic import ValidationError

    try:
        return ColumnPlan.model_validate_json(found.header)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput([Defect(str(plan_file), "header", place, first["msg"])]) from None


def _untrue(
    plan: ColumnPlan,
    found: PlanColumns,
    read: ColumnReading,
    eligibility: EligibilityColumns,
    proof: ColumnCertificate,
) -> Iterator[str]:
    """What a plan file says that is not so."""
    own = proof.certificate
    digests = _digests(read, eligibility)
    for name, digest in digests.model_dump().items():
        if getattr(plan.digests, name) != digest:
            yield f"digest of {name}: the plan was made on others"
    if not found.ids.equals(read.columns.ids):
        yield "datasets: not those of the catalogue"
    if plan.placements_digest != placements_digest(found.ids, found.extra[PROFILE], found.placed):
        yield "placements: not those that the header was written for"
    if plan.digest != plan_digest(plan):
        yield "digest: the header was changed"
    if plan.prices != _row_prices(found.placed):
        yield "prices: the header and the file differ"
    if plan.costs_eur_per_year != proof.costs or plan.objective_eur != own.objective_eur:
        yield "costs: not those of the placements"
    if plan.certificate.price_bound_eur != own.price_bound_eur:
        yield f"price bound: it is EUR {own.price_bound_eur}"
    if plan.gap != relative_gap(plan.objective_eur, plan.dual_bound_eur):
        yield "gap: not that of objective and dual bound"


def _sites_format(request: Request) -> SitesFormat:
    return cast("SitesFormat", request.sites_format)


def _parameters(request: Request, plan: Parameters | None) -> Parameters:
    if plan is not None and request.parameters is None:
        return plan
    return load_parameters(request.parameters)


def _city(read: ColumnReading, eligibility: EligibilityColumns) -> City:
    roles = {role.id: role for role in (*read.columns.roles, *read.register.roles)}
    return City(
        columns=read.columns,
        facts=read.facts,
        eligibility=eligibility,
        sites=read.register.sites,
        operators=read.register.operators,
        roles=tuple(roles.values()),
        parameters=read.parameters,
    )


def _unplaceable(read: ColumnReading, eligibility: EligibilityColumns) -> NoEligibleSite | None:
    rows = unplaceable_columns(read.columns, eligibility, read.register)
    if not len(rows):
        return None
    table = eligibility.table
    named = tuple(
        Unplaceable(
            dataset=read.columns.ids[row].as_py(),
            reasons=tuple(
                SiteVerdict(site=site, violations=verdict.violations)
                for site, verdict in zip(
                    table.sites, table.verdicts[eligibility.profile_of[row]], strict=True
                )
            ),
        )
        for row in rows[:UNPLACEABLE_NAMED].tolist()
    )
    return NoEligibleSite(datasets=named, obligations=table.obligations)


def _infeasible(solution: ColumnSolution) -> Infeasible:
    sentences = tuple(constraint_sentence(name) for name in solution.core)
    return Infeasible(core=solution.core, explanation=(*sentences, *solution.meaning))


def _within_gap(solution: ColumnSolution, parameters: Parameters) -> PlacedColumns:
    limit = f"after {parameters.time_limit_s} s"
    if solution.placed is None:
        raise GapNotReached(f"{limit} no plan was found; give it more time (--time-limit)")
    if solution.termination is not Termination.WITHIN_GAP:
        raise GapNotReached(
            f"{limit} the best plan is proven within {solution.gap:.6%} of the cheapest; "
            f"{parameters.gap:.6%} was asked for. Give it more time (--time-limit) or ask for "
            "less (--gap)"
        )
    return solution.placed


def _certified(
    read: ColumnReading,
    eligibility: EligibilityColumns,
    solution: ColumnSolution,
    placed: PlacedColumns,
    engine: PolicyEngine,
) -> ColumnCertificate:
    proof = certify_columns(
        read.columns,
        read.register,
        read.parameters,
        eligibility,
        read.facts,
        placed,
        ask=engine.ask,
        ask_segregated=engine.ask_segregated,
        objective_eur=solution.objective_eur,
        dual_bound_eur=min(solution.dual_bound_eur, solution.objective_eur),
    )
    failed = [check for check in proof.checks if not check.holds]
    if failed:
        raise CertificateError(
            "the solver's plan does not hold and is not released: "
            + "; ".join(f"{item.name}: {', '.join(item.failures[:3])}" for item in failed)
        )
    return proof


def _plan(
    read: ColumnReading,
    eligibility: EligibilityColumns,
    solution: ColumnSolution,
    placed: PlacedColumns,
    proof: ColumnCertificate,
) -> ColumnPlan:
    own = proof.certificate
    dual_bound = stated_bound(
        min(solution.dual_bound_eur, solution.objective_eur), own.price_bound_eur, own.objective_eur
    )
    draft = ColumnPlan(
        municipality=read.columns.municipality,
        created_at=datetime.now(UTC),
        datasets=len(read.columns),
        sites=_tallies(read, placed),
        costs_eur_per_year=proof.costs,
        objective_eur=own.objective_eur,
        dual_bound_eur=dual_bound,
        gap=relative_gap(own.objective_eur, dual_bound),
        termination=solution.termination,
        solver=solution.report,
        prices=_row_prices(placed),
        certificate=own,
        eligibility=eligibility.table,
        parameters=read.parameters,
        site_register=read.register,
        placements_digest=placements_digest(read.columns.ids, eligibility.profile_of, placed),
        digests=_digests(read, eligibility),
        versions=Versions(
            placement=placement.__version__,
            python=platform.python_version(),
            opa=eligibility.table.opa_version,
            pulp=version("pulp"),
            highs=version("highspy"),
        ),
        digest="0" * 64,
    )
    return draft.model_copy(update={"digest": plan_digest(draft)})


def plan_digest(plan: ColumnPlan) -> str:
    """SHA-256 of the canonical JSON of everything in a header but its digest."""
    return sha256(canonical_json(plan.model_dump(mode="json", exclude={"digest"}))).hexdigest()


def _row_prices(placed: PlacedColumns) -> tuple[RowPrice, ...]:
    return tuple(
        RowPrice(row=name, price=Decimal(price).scaleb(-PRICE_DECIMALS))
        for name, price in sorted(placed.row_prices.items())
    )


def _tallies(read: ColumnReading, placed: PlacedColumns) -> tuple[SiteTally, ...]:
    sites = read.register.sites
    replicas, volume = np.zeros(len(sites), np.int64), np.zeros(len(sites), np.int64)
    for column in placed.sites.T:
        there = column >= 0
        replicas += np.bincount(column[there], minlength=len(sites))
        np.add.at(volume, column[there], read.columns.volume_gb[there])
    return tuple(
        SiteTally(site=site.id, replicas=int(replicas[s]), volume_gb=int(volume[s]))
        for s, site in enumerate(sites)
    )


def _digests(read: ColumnReading, eligibility: EligibilityColumns) -> Digests:
    return Digests(
        catalog=columns_digest(read.columns),
        sites=sha256_of(read.register),
        parameters=sha256_of(read.parameters),
        policies=eligibility.table.policy_revision,
    )


def _write(
    out: Path,
    plan: ColumnPlan,
    read: ColumnReading,
    eligibility: EligibilityColumns,
    placed: PlacedColumns,
) -> None:
    write_plan_columns(
        out,
        canonical_json(plan),
        read.columns,
        [site.id for site in read.register.sites],
        placed,
        {PROFILE: eligibility.profile_of},
        flow_source=read.facts.flow_source,
    )


def _in_register_order(found: PlanColumns, register: SiteRegister) -> PlacedColumns:
    """The file's placements with sites as rows of the register; unknown ones are out of range."""
    row = {site.id: s for s, site in enumerate(register.sites)}
    rows = np.array([row.get(site, len(row)) for site in found.site_ids], dtype=np.int32)
    at = found.placed.sites
    there = at >= 0
    sites = np.where(there, rows[np.maximum(at, 0)], -1).astype(np.int32)
    order = np.argsort(np.where(there, sites, np.iinfo(np.int32).max), axis=1, kind="stable")
    sites = np.take_along_axis(sites, order, axis=1)
    flows = np.zeros((len(found.placed.flow_prices), len(row)), dtype=np.int64)
    known = rows < len(row)
    flows[:, rows[known]] = found.placed.flow_prices[:, known]
    return PlacedColumns(sites, found.placed.row_prices, flows)


def _solving(at: Progress) -> Step:
    return Step(
        "solve", f"looking for the cheapest plan: {at.phase}", at.incumbent, at.bound, at.gap
    )


def _unless_cancelled(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise JobCancelled("the work was cancelled")
