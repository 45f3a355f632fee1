"""The example city, certified and verified with single queries to the real OPA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import (
    Certificate,
    Digests,
    Inputs,
    Parameters,
    Placement,
    Plan,
    Problem,
    Verdict,
    Versions,
    policy_dataset,
    policy_site,
    sha256_of,
)
from placement.catalog import load_catalog, load_parameters, load_plan, load_register, write_json
from placement.certificate import (
    Certified,
    certify,
    claims_of,
    plan_digest,
    relative_gap,
    stated_bound,
    verify_plan,
)
from placement.eligibility import PolicyEngine, open_engine
from placement.example import CATALOG, PARAMETERS, SITES
from placement.graph import derive_facts
from placement.optimizer import solve
from placement.settings import read_settings

POLICIES = Path(__file__).resolve().parents[2] / "policies"


@dataclass(frozen=True)
class Decided:
    """The example city's plan, and the OPA it was made with."""

    engine: PolicyEngine
    problem: Problem
    certified: Certified
    plan: Plan

    def verify(self, plan: Plan, parameters: Parameters | None = None) -> Certificate:
        inputs = self.plan.inputs
        return verify_plan(
            plan,
            inputs.catalog,
            inputs.sites,
            self.engine.ask,
            self.engine.ask_segregated,
            policies_digest=self.engine.revision,
            parameters=parameters,
        )


@pytest.fixture(scope="module")
def decided() -> Iterator[Decided]:
    catalog, register = load_catalog(CATALOG), load_register(SITES)
    parameters = load_parameters(PARAMETERS)
    facts = derive_facts(catalog, parameters)
    roles = {r.id: r for r in (*catalog.roles, *register.roles)}
    operators = {o.id: o for o in register.operators}
    contracts = {c.id: c for c in catalog.contracts}
    views = [
        (d.id, policy_dataset(d, found, roles, contracts))
        for d, found in zip(catalog.datasets, facts.effective, strict=True)
    ]
    with open_engine(POLICIES, read_settings()) as engine:
        sites = [policy_site(s, operators, roles) for s in register.sites]
        assert parameters.as_of is not None
        problem = Problem(
            datasets=catalog.datasets,
            sites=register.sites,
            operators=register.operators,
            roles=tuple(roles.values()),
            eligibility=engine.evaluate(views, sites, parameters.as_of),
            facts=facts,
            parameters=parameters,
        )
        solution = solve(problem)
        assert solution.report is not None
        claims = claims_of(solution, problem.eligibility, facts.effective)
        answer = certify(catalog, register, parameters, claims, engine.ask, engine.ask_segregated)
        table, stated = problem.eligibility, answer.certificate
        dual = stated_bound(claims.dual_bound_eur, stated.price_bound_eur, stated.objective_eur)
        plan = Plan(
            municipality=catalog.municipality,
            created_at=datetime(2026, 10, 1, tzinfo=UTC),
            placements=tuple(
                Placement(
                    dataset=dataset,
                    sites=tuple(sorted(where)),
                    profile=profile,
                    cost_eur_per_year=answer.costs[dataset].rounded(),
                )
                for (dataset, where), profile in zip(
                    claims.placements, table.profile_of, strict=True
                )
            ),
            costs_eur_per_year=answer.total.rounded(),
            objective_eur=stated.objective_eur,
            dual_bound_eur=dual,
            gap=relative_gap(stated.objective_eur, dual),
            termination=solution.termination,
            solver=solution.report,
            prices=claims.prices,
            flow_prices=claims.flow_prices,
            certificate=stated,
            effective=facts.effective,
            eligibility=table,
            parameters=parameters,
            inputs=Inputs(catalog=catalog, sites=register),
            digests=Digests(
                catalog=sha256_of(catalog),
                sites=sha256_of(register),
                parameters=sha256_of(parameters),
                policies=engine.revision,
            ),
            versions=Versions(
                placement="0", python="3", opa=engine.opa_version, pulp="3", highs="1"
            ),
            digest="0" * 64,
        )
        plan = plan.model_copy(update={"digest": plan_digest(plan)})
        yield Decided(engine, problem, answer, plan)


def failing(certificate: Certificate) -> dict[str, tuple[str, ...]]:
    return {c.name: c.failures for c in certificate.checks if not c.holds}


def test_single_queries_confirm_the_batch_and_every_constraint(decided):
    assert failing(decided.certified.certificate) == {}
    families = {c.name: c.checked for c in decided.certified.certificate.checks}
    assert min(families.values()) >= 1  # the example gives every family something to check


def test_the_price_bound_is_below_the_solvers_bound_and_close_to_it(decided):
    solver = float(decided.plan.dual_bound_eur)
    proven = float(decided.certified.price_bound)
    assert 0.8 * solver <= proven <= solver


def test_a_plan_written_and_read_again_verifies(decided, tmp_path):
    write_json(decided.plan, tmp_path / "plan.json")
    plan = load_plan(tmp_path / "plan.json")
    assert plan_digest(plan) == plan.digest
    assert failing(decided.verify(plan, load_parameters(PARAMETERS))) == {}


def moved(plan: Plan, dataset: str, site: str) -> Plan:
    placements = tuple(
        p.model_copy(update={"sites": (site,)}) if p.dataset == dataset else p
        for p in plan.placements
    )
    return plan.model_copy(update={"placements": placements})


def first_denied(decided: Decided) -> tuple[str, str, Verdict]:
    """A dataset with a site that the policies deny it."""
    table = decided.problem.eligibility
    for i, dataset in enumerate(decided.problem.datasets):
        for j, site in enumerate(table.sites):
            if dataset.replicas == 1 and not table.verdict(i, j).eligible:
                return dataset.id, site, table.verdict(i, j)
    raise AssertionError("the example denies nothing")


def test_a_placement_moved_against_policy_names_the_digest_and_the_obligation(decided):
    dataset, site, verdict = first_denied(decided)
    found = failing(decided.verify(moved(decided.plan, dataset, site)))
    assert found["digest"][0].startswith("the file was changed")
    assert found["policies"] == tuple(
        f"{dataset} at {site}: {v.obligation}: {v.message}" for v in verdict.violations
    )


def test_a_verdict_made_eligible_is_caught_by_the_single_query(decided):
    dataset, site, _ = first_denied(decided)
    table = decided.plan.eligibility
    row = table.profile_of[table.datasets.index(dataset)]
    verdicts = [list(of_row) for of_row in table.verdicts]
    column = table.sites.index(site)
    verdicts[row][column] = verdicts[row][column].model_copy(update={"violations": ()})
    lying = table.model_copy(update={"verdicts": tuple(tuple(r) for r in verdicts)})
    plan = moved(decided.plan, dataset, site).model_copy(update={"eligibility": lying})
    plan = plan.model_copy(update={"digest": plan_digest(plan)})
    found = failing(decided.verify(plan))
    assert "digest" not in found
    assert "claimed eligible, the policies say ineligible" in found["eligibility"][0]
    assert found["policies"]
