"""Deciding, checking and verifying: the use cases that need files or models, and no database.

    decide = read -> derive graph facts -> evaluate verdicts -> solve -> certify -> plan

A dataset without an eligible site is reported before anything is solved, and a solution that
fails its certificate never becomes a plan.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import placement
from models import (
    Catalog,
    Certificate,
    Decided,
    Decision,
    Digests,
    EligibilityReport,
    EligibilityTable,
    FixedPair,
    Infeasible,
    Inputs,
    NoEligibleSite,
    Parameters,
    Placement,
    Plan,
    Problem,
    SiteVerdict,
    Solution,
    Termination,
    Unplaceable,
    Versions,
    policy_dataset,
    policy_site,
    sha256_of,
)
from placement.catalog import (
    load_plan,
)
from placement.certificate import (
    Certified,
    Claims,
    certify,
    claims_of,
    plan_digest,
    relative_gap,
    stated_bound,
    verify_plan,
)
from placement.eligibility import PolicyEngine, open_engine
from placement.errors import CertificateError, GapNotReached, JobCancelled, SolverError
from placement.explaining import constraint_sentence
from placement.optimizer import Progress, Start, solve
from placement.reading import Reading, Request, policies_of, read_inputs
from placement.settings import Settings
from placement.steps import Report, Step, silent


def decide(request: Request, settings: Settings, progress: Report = silent) -> Decision:
    """Where each dataset should live: a certified plan, or the reason why there is none.

    Raises
    ------
    BadInput
        With the defects of all input files.
    PolicyEngineError
        When OPA cannot answer.
    GapNotReached
        When time ran out before a plan was proven to be within the gap asked for.
    SolverError, CertificateError
        When the solver failed, or its plan does not hold.
    """
    read = read_inputs(request, progress)
    with open_engine(policies_of(request, settings), settings) as engine:
        return decide_on(read, engine, progress)


def decide_on(
    read: Reading,
    engine: PolicyEngine,
    progress: Report = silent,
    *,
    fixed: tuple[FixedPair, ...] = (),
    cancel: threading.Event | None = None,
    start: Plan | None = None,
) -> Decision:
    """Decide on inputs that were read, by the policies that an engine holds.

    Parameters
    ----------
    read, engine
        The inputs and the policies.
    progress
        Told of each phase, and a few times a second while solving.
    fixed
        Pairs that are required or forbidden: a what-if.
    cancel
        Set it to stop within about half a second.
    start
        The plan of a similar city to start from, for what-ifs. Decisions that somebody may approve
        start from nothing, so that a replay on the same inputs comes out the same.

    Raises
    ------
    JobCancelled
        When `cancel` was set.
    PolicyEngineError, GapNotReached, SolverError, CertificateError
    """
    table = evaluate(read, engine, progress)
    unplaceable = _unplaceable(read.catalog, table)
    if unplaceable:
        return NoEligibleSite(datasets=unplaceable, obligations=table.obligations)
    _unless_cancelled(cancel)
    problem = problem_of(read, table).model_copy(update={"fixed": fixed})
    solution = solve(
        problem,
        progress=lambda at: progress(_solving(at)),
        cancel=cancel,
        start=None if start is None else start_of(start),
    )
    _unless_cancelled(cancel)
    if solution.termination is Termination.INFEASIBLE:
        sentences = tuple(constraint_sentence(name) for name in solution.core)
        return Infeasible(core=solution.core, explanation=sentences)
    _require_gap(solution, read.parameters)
    progress(Step("certify", "checking the plan again, without the solver"))
    claims = claims_of(solution, table, read.facts.effective)
    certified = _certified(read, claims, engine)
    _unless_cancelled(cancel)
    return Decided(plan=_plan(read, solution, claims, certified))


def start_of(plan: Plan) -> Start:
    """What a plan leaves to the next solve: its prices and placements."""
    return Start(plan.prices, {placed.dataset: placed.sites for placed in plan.placements})


def _certified(read: Reading, claims: Claims, engine: PolicyEngine) -> Certified:
    certified = certify(
        read.catalog, read.register, read.parameters, claims, engine.ask, engine.ask_segregated
    )
    _require_certificate(certified.certificate)
    return certified


def _unless_cancelled(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise JobCancelled("the work was cancelled")


def check(request: Request, settings: Settings, progress: Report = silent) -> EligibilityReport:
    """Which dataset may rest at which site, without choosing.

    Raises
    ------
    BadInput, PolicyEngineError
    """
    read = read_inputs(request, progress)
    with open_engine(policies_of(request, settings), settings) as engine:
        return check_on(read, engine, progress)


def check_on(read: Reading, engine: PolicyEngine, progress: Report = silent) -> EligibilityReport:
    """Which dataset may rest at which site, of inputs that were read. Raises PolicyEngineError."""
    table = evaluate(read, engine, progress)
    return EligibilityReport(
        catalog=read.catalog,
        sites=read.register,
        facts=read.facts,
        table=table,
        unplaceable=_unplaceable(read.catalog, table),
    )


def verify(
    plan_file: Path, request: Request, settings: Settings, progress: Report = silent
) -> Certificate:
    """The certificate of a plan file, worked out again from the raw inputs.

    Without a parameters file those of the plan are taken; a cap or a gap raised in the plan is
    then visible, but not judged.

    Raises
    ------
    BadInput, PolicyEngineError
    """
    plan = load_plan(plan_file)
    read = read_inputs(request, progress, plan=plan.parameters)
    judged_by = read.parameters if request.parameters else None
    with open_engine(policies_of(request, settings), settings) as engine:
        return verify_on(plan, read, engine, progress, judged_by=judged_by)


def verify_on(
    plan: Plan,
    read: Reading,
    engine: PolicyEngine,
    progress: Report = silent,
    *,
    judged_by: Parameters | None = None,
) -> Certificate:
    """The certificate of a plan, worked out again from inputs that were read.

    Parameters
    ----------
    judged_by
        The parameters that the plan has to keep to; none: its own are not judged.

    Raises
    ------
    PolicyEngineError
    """
    table = evaluate(read, engine, progress)
    progress(Step("verify", "checking the plan against the inputs and the policies"))
    return verify_plan(
        plan,
        read.catalog,
        read.register,
        engine.ask,
        engine.ask_segregated,
        policies_digest=engine.revision,
        parameters=judged_by,
        obligations=table.obligations,
    )


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises BadInput; says nothing of whether the plan holds."""
    return load_plan(path)


def evaluate(read: Reading, engine: PolicyEngine, progress: Report = silent) -> EligibilityTable:
    """The verdict of every dataset at every site. Raises PolicyEngineError."""
    catalog, register = read.catalog, read.register
    progress(
        Step(
            "eligibility",
            f"asking the policies about {len(catalog.datasets)} datasets "
            f"at {len(register.sites)} sites",
        )
    )
    roles = {role.id: role for role in (*catalog.roles, *register.roles)}
    contracts = {contract.id: contract for contract in catalog.contracts}
    operators = {operator.id: operator for operator in register.operators}
    if read.parameters.as_of is None:
        raise AssertionError("the day of judgement is set when the parameters are read")
    return engine.evaluate(
        [
            (dataset.id, policy_dataset(dataset, effective, roles, contracts))
            for dataset, effective in zip(catalog.datasets, read.facts.effective, strict=True)
        ],
        [policy_site(site, operators, roles) for site in register.sites],
        read.parameters.as_of,
    )


def _unplaceable(catalog: Catalog, table: EligibilityTable) -> tuple[Unplaceable, ...]:
    """Datasets with fewer eligible sites than they need replicas."""
    found: list[Unplaceable] = []
    for number, dataset in enumerate(catalog.datasets):
        row = table.verdicts[table.profile_of[number]]
        if sum(verdict.eligible for verdict in row) < dataset.replicas:
            reasons = tuple(
                SiteVerdict(site=site, violations=verdict.violations)
                for site, verdict in zip(table.sites, row, strict=True)
            )
            found.append(Unplaceable(dataset=dataset.id, reasons=reasons))
    return tuple(found)


def problem_of(read: Reading, table: EligibilityTable) -> Problem:
    """The mathematical problem of inputs and their verdicts."""
    roles = {role.id: role for role in (*read.catalog.roles, *read.register.roles)}
    return Problem(
        datasets=read.catalog.datasets,
        sites=read.register.sites,
        operators=read.register.operators,
        roles=tuple(roles.values()),
        eligibility=table,
        facts=read.facts,
        parameters=read.parameters,
    )


def _solving(at: Progress) -> Step:
    return Step(
        "solve", f"looking for the cheapest plan: {at.phase}", at.incumbent, at.bound, at.gap
    )


def _require_gap(solution: Solution, parameters: Parameters) -> None:
    if solution.termination is Termination.WITHIN_GAP:
        return
    limit = f"after {parameters.time_limit_s} s"
    if solution.gap is None:
        raise GapNotReached(f"{limit} no plan was found; give it more time (--time-limit)")
    raise GapNotReached(
        f"{limit} the best plan is proven within {solution.gap:.4%} of the cheapest; "
        f"{parameters.gap:.4%} was asked for. Give it more time (--time-limit) or ask for less "
        "(--gap)"
    )


def _require_certificate(certificate: Certificate) -> None:
    failed = [check for check in certificate.checks if not check.holds]
    if failed:
        raise CertificateError(
            "the solver's plan does not hold and is not released: "
            + "; ".join(f"{item.name}: {', '.join(item.failures[:3])}" for item in failed)
        )


def _plan(read: Reading, solution: Solution, claims: Claims, certified: Certified) -> Plan:
    if solution.report is None:
        raise SolverError("the solver gave a plan without saying how it was found")
    proof, table = certified.certificate, claims.eligibility
    dual_bound = stated_bound(claims.dual_bound_eur, proof.price_bound_eur, proof.objective_eur)
    draft = Plan(
        municipality=read.catalog.municipality,
        created_at=datetime.now(UTC),
        placements=_placements(claims.placements, certified, table),
        costs_eur_per_year=certified.total.rounded(),
        objective_eur=proof.objective_eur,
        dual_bound_eur=dual_bound,
        gap=relative_gap(proof.objective_eur, dual_bound),
        termination=solution.termination,
        solver=solution.report,
        prices=claims.prices,
        flow_prices=claims.flow_prices,
        separation_prices=claims.separation_prices,
        certificate=proof,
        effective=read.facts.effective,
        eligibility=table,
        parameters=read.parameters,
        inputs=Inputs(catalog=read.catalog, sites=read.register),
        digests=Digests(
            catalog=sha256_of(read.catalog),
            sites=sha256_of(read.register),
            parameters=sha256_of(read.parameters),
            policies=table.policy_revision,
        ),
        versions=Versions(
            placement=placement.__version__,
            python=platform.python_version(),
            opa=table.opa_version,
            pulp=version("pulp"),
            highs=version("highspy"),
        ),
        digest="0" * 64,
    )
    return draft.model_copy(update={"digest": plan_digest(draft)})


def _placements(
    placed: Iterable[tuple[str, tuple[str, ...]]], certified: Certified, table: EligibilityTable
) -> tuple[Placement, ...]:
    return tuple(
        Placement(
            dataset=dataset,
            sites=tuple(sorted(sites)),
            profile=profile,
            cost_eur_per_year=certified.costs[dataset].rounded(),
        )
        for (dataset, sites), profile in zip(placed, table.profile_of, strict=True)
    )
