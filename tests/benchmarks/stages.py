"""One decision, stage by stage, through the real rooms and the real OPA, each stage timed."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models import Catalog, Parameters, Problem, SiteRegister, policy_dataset, policy_site
from placement.certificate import certify, claims_of
from placement.eligibility import PolicyEngine, open_engine
from placement.graph import derive_facts
from placement.optimizer import solve
from placement.settings import read_settings
from tests.benchmarks.city import make_city
from tests.benchmarks.plain import solve_plain

POLICIES = Path(__file__).resolve().parents[2] / "policies"


@dataclass
class Run:
    """What one size took and gave. Seconds; EUR a year; MB at the peak of the process."""

    datasets: int
    sites: int
    seed: int
    seconds: dict[str, float] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    compared: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        began = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - began, 3)


def run_size(datasets: int, seed: int, plain: list[str], plain_limit_s: float) -> Run:
    """Decide a generated city, then let the textbook's way try the same problem."""
    catalog, register, parameters = make_city(datasets, seed)
    run = Run(datasets, len(register.sites), seed)
    engine_manager = open_engine(POLICIES, read_settings())
    with run.timed("set-up"):
        engine = engine_manager.__enter__()
    try:
        problem = _decide(run, catalog, register, parameters, engine)
    finally:
        engine_manager.__exit__(None, None, None)
    run.memory_mb = {
        "placement": _peak_mb(resource.RUSAGE_SELF),
        "opa": _peak_mb(resource.RUSAGE_CHILDREN),
    }
    for name in plain:
        run.compared.append(asdict(solve_plain(problem, name, plain_limit_s)))
    return run


def _decide(
    run: Run,
    catalog: Catalog,
    register: SiteRegister,
    parameters: Parameters,
    engine: PolicyEngine,
) -> Problem:
    with run.timed("graph"):
        facts = derive_facts(catalog, parameters)
    with run.timed("eligibility"):
        roles = {role.id: role for role in (*register.roles, *catalog.roles)}
        operators = {operator.id: operator for operator in register.operators}
        views = [
            (dataset.id, policy_dataset(dataset, effective, roles, {}))
            for dataset, effective in zip(catalog.datasets, facts.effective, strict=True)
        ]
        sites = [policy_site(site, operators, roles) for site in register.sites]
        assert parameters.as_of is not None
        table = engine.evaluate(views, sites, parameters.as_of)
    problem = Problem(
        datasets=catalog.datasets,
        sites=register.sites,
        operators=register.operators,
        roles=tuple(roles.values()),
        eligibility=table,
        facts=facts,
        parameters=parameters,
    )
    began = time.perf_counter()
    solution = solve(problem)
    spent = time.perf_counter() - began
    assert solution.report is not None
    run.seconds["build"] = solution.report.build_s
    run.seconds["solve"] = round(spent - solution.report.build_s, 3)
    if not solution.placements:
        raise SystemExit(f"no plan: {solution.termination}, {solution.core}")
    with run.timed("certificate"):
        certified = certify(
            catalog,
            register,
            parameters,
            claims_of(solution, table, facts.effective),
            engine.ask,
            engine.ask_segregated,
        )
    run.seconds["all"] = round(sum(run.seconds.values()), 3)
    binding = sorted({price.row.split("[")[0] for price in solution.prices})
    run.result = {
        "termination": solution.termination.value,
        "objective_eur": solution.objective_eur,
        "dual_bound_eur": solution.dual_bound_eur,
        "gap": solution.gap,
        "price_gap": float(certified.certificate.price_gap),
        "certificate_holds": certified.certificate.holds,
        "profiles": len(table.verdicts),
        "variables": solution.report.variables,
        "constraints": solution.report.constraints,
        "binding": binding,
    }
    return problem


def _peak_mb(whom: int) -> float:
    """Linux counts in kB, macOS in bytes."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(whom).ru_maxrss / unit, 1)
