"""Golden cases: a small city in YAML, and the answer it must get from the real parts.

A case names only what differs from the valid defaults of tests/builders.py, so that what stands
in it is what the answer turns on. Policies, OPA, solver and certificate are the shipped ones. Each
case is decided twice: on files, and on a city's records, where the audit log must say the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field

from models import (
    AuditAction,
    Catalog,
    Decided,
    Decision,
    DecisionState,
    Frozen,
    Infeasible,
    NoEligibleSite,
    Parameters,
    Plan,
    SiteRegister,
    Violation,
    sha256_of,
)
from placement import service
from placement.catalog import write_json
from placement.service.plans import answer_of
from placement.settings import read_settings, shipped_policies
from placement.store.audit_log import AuditFilter, AuditLog
from tests import builders
from tests.decision_cases import city, keep, make_city, propose, shipped_engine

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))

Changes = tuple[dict[str, Any], ...]
Codes = tuple[str, ...]
SiteCodes = dict[str, Codes]
"""Site id -> every obligation code violated there, sorted; empty where it is eligible."""


class ExpectedPlan(Frozen):
    """Every placement, and the verdicts of the pairs that the case is about."""

    answer: Literal["decided"]
    placements: dict[str, tuple[str, ...]]
    violations: dict[str, SiteCodes] = Field(default_factory=dict)


class ExpectedRefusal(Frozen):
    """Every dataset that cannot be placed, with every site's reasons."""

    answer: Literal["no_eligible_site"]
    datasets: dict[str, SiteCodes]


class ExpectedCore(Frozen):
    """The whole core, and constraints of the same problem that have no part in it."""

    answer: Literal["infeasible"]
    core: tuple[str, ...]
    not_in_core: Annotated[tuple[str, ...], Field(min_length=1)]


class Case(Frozen):
    """One golden file; an unknown key is an error, never ignored."""

    title: str
    datasets: Changes
    sites: Changes
    operators: Changes = ({"id": "city"},)
    roles: Changes = ({"id": "registrar"},)
    relations: Changes = ()
    contracts: Changes = ()
    parameters: dict[str, Any] = Field(default_factory=dict)
    expected: Annotated[
        ExpectedPlan | ExpectedRefusal | ExpectedCore, Field(discriminator="answer")
    ]


def read_case(file: Path) -> Case:
    return Case.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def inputs(case: Case) -> tuple[Catalog, SiteRegister, Parameters]:
    catalog = builders.catalog(
        *(builders.dataset(changes["id"], **changes) for changes in case.datasets),
        roles=tuple(builders.role(changes["id"], **changes) for changes in case.roles),
        relations=case.relations,
        contracts=case.contracts,
    )
    register = builders.register(
        *(builders.site(changes["id"], **changes) for changes in case.sites),
        operators=tuple(builders.operator(changes["id"], **changes) for changes in case.operators),
    )
    return catalog, register, Parameters(**({"as_of": builders.AS_OF} | case.parameters))


def decide(case: Case, folder: Path) -> Decision:
    """The answer on the case's native files."""
    catalog, register, parameters = inputs(case)
    request = service.Request(
        catalog=folder / "catalog.json",
        sites=folder / "sites.json",
        parameters=folder / "parameters.json",
        policies=shipped_policies(),
    )
    write_json(catalog, request.catalog)
    write_json(register, request.sites)
    write_json(parameters, folder / "parameters.json")
    return service.decide(request, read_settings())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_golden(file: Path, tmp_path: Path) -> None:
    case = read_case(file)
    decision = decide(case, tmp_path)
    assert decision.answer == case.expected.answer, decision
    match decision, case.expected:
        case Decided(plan=plan), ExpectedPlan() as expected:
            assert_plan(plan, expected)
        case NoEligibleSite() as refusal, ExpectedRefusal() as expected:
            assert reasons(refusal) == expected.datasets
        case Infeasible() as infeasible, ExpectedCore() as expected:
            assert_core(infeasible, expected, case)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_record_of_a_golden_case_says_what_was_decided(file, city) -> None:
    case = read_case(file)
    keep(city, *inputs(case))
    decision = propose(city)
    decided = case.expected.answer == "decided"
    assert decision.outcome == case.expected.answer
    assert decision.state is (DecisionState.PROPOSED if decided else DecisionState.UNRESOLVED)
    with city.store.reading() as tx:
        answer = answer_of(tx, decision.answer)
        (record,) = AuditLog(tx).list(AuditFilter(action=AuditAction.DECISION_RECORDED), limit=2)
    assert record.event.subject == f"decision/{decision.number}"
    assert record.event.detail["outcome"] == case.expected.answer
    assert record.event.detail["answer"] == sha256_of(answer)
    assert record.event.detail["basis"]["policies"] == decision.basis.policies
    match answer, case.expected:
        case Decided(plan=plan), ExpectedPlan() as expected:
            assert record.event.detail["plan"] == plan.digest
            assert_plan(plan, expected)
        case NoEligibleSite() as refusal, ExpectedRefusal() as expected:
            assert reasons(refusal) == expected.datasets
        case Infeasible() as infeasible, ExpectedCore() as expected:
            assert_core(infeasible, expected, case)


def test_every_answer_has_a_golden_case() -> None:
    answers = {read_case(file).expected.answer for file in FILES}
    assert answers == {"decided", "no_eligible_site", "infeasible"}


def assert_plan(plan: Plan, expected: ExpectedPlan) -> None:
    assert {placed.dataset: placed.sites for placed in plan.placements} == expected.placements
    assert {
        dataset: {site: verdict_codes(plan, dataset, site) for site in sites}
        for dataset, sites in expected.violations.items()
    } == expected.violations
    assert plan.certificate.holds


def assert_core(infeasible: Infeasible, expected: ExpectedCore, case: Case) -> None:
    assert sorted(infeasible.core) == sorted(expected.core)
    assert len(infeasible.explanation) == len(infeasible.core)
    assert not set(infeasible.core) & set(expected.not_in_core)
    known = {changes["id"] for changes in (*case.datasets, *case.sites, *case.operators)}
    subjects = {name.partition("[")[2].rstrip("]") for name in expected.not_in_core}
    assert subjects - {""} <= known, "not_in_core names something the case does not have"


def reasons(refusal: NoEligibleSite) -> dict[str, SiteCodes]:
    return {
        item.dataset: {reason.site: codes(reason.violations) for reason in item.reasons}
        for item in refusal.datasets
    }


def verdict_codes(plan: Plan, dataset: str, site: str) -> Codes:
    table = plan.eligibility
    row = table.profile_of[table.datasets.index(dataset)]
    return codes(table.verdicts[row][table.sites.index(site)].violations)


def codes(violations: tuple[Violation, ...]) -> Codes:
    return tuple(sorted({violation.obligation for violation in violations}))
