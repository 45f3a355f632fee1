"""Deciding on catalogues of millions of datasets: the same steps, over columns.

    decide = read -> facts -> profiles and verdicts -> arrays -> prices and core -> certify -> write

Plans of columns are files, as catalogues of columns are folders; the service's records are of
single datasets.
"""

from __future__ import annotations

import platform
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import placement
from models import (
    Infeasible,
    NoEligibleSite,
    Parameters,
    SiteVerdict,
    Termination,
    Unplaceable,
    Versions,
    canonical_json,
)
from models.column_plan import ColumnPlan
from models.columns import EligibilityColumns, PlacedColumns
from placement.catalog.columns import (
    placements_digest,
    write_plan_columns,
)
from placement.certificate import relative_gap, stated_bound
from placement.certificate.columns import ColumnCertificate, certify_columns
from placement.eligibility import PolicyEngine, open_engine
from placement.eligibility.columns import evaluate_columns, unplaceable_columns
from placement.errors import CertificateError, GapNotReached, JobCancelled
from placement.explaining import constraint_sentence
from placement.optimizer.arrays.build import City
from placement.optimizer.by_columns import ColumnSolution, solve_columns
from placement.optimizer.progress import Progress
from placement.reading import Request, policies_of
from placement.service.in_columns.header import (
    PROFILE,
    digests_of,
    plan_digest,
    row_prices,
    tallies_of,
)
from placement.service.in_columns.reading import ColumnReading, Phases, read_columns
from placement.settings import Settings
from placement.steps import Report, Step, silent

UNPLACEABLE_NAMED = 100
"""Datasets without an eligible site that an answer names."""


@dataclass(frozen=True)
class ColumnAnswer:
    """A plan, or why there is none; and how long each phase took."""

    answer: ColumnPlan | NoEligibleSite | Infeasible
    phases: dict[str, float]


def decide(
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
        sites=tallies_of(read, placed),
        costs_eur_per_year=proof.costs,
        objective_eur=own.objective_eur,
        dual_bound_eur=dual_bound,
        gap=relative_gap(own.objective_eur, dual_bound),
        termination=solution.termination,
        solver=solution.report,
        prices=row_prices(placed),
        certificate=own,
        eligibility=eligibility.table,
        parameters=read.parameters,
        site_register=read.register,
        placements_digest=placements_digest(read.columns.ids, eligibility.profile_of, placed),
        digests=digests_of(read, eligibility),
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
        pair_first=read.facts.pair_first,
    )


def _solving(at: Progress) -> Step:
    return Step(
        "solve", f"looking for the cheapest plan: {at.phase}", at.incumbent, at.bound, at.gap
    )


def _unless_cancelled(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise JobCancelled("the work was cancelled")
