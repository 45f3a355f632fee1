"""The example city through the real policies and the real solver: is it worth showing?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from models import (
    Catalog,
    EligibilityTable,
    Parameters,
    Problem,
    SiteKind,
    SiteRegister,
    Solution,
    Termination,
    policy_dataset,
    policy_site,
)
from placement.catalog import load_catalog, load_parameters, load_register
from placement.eligibility import open_engine
from placement.example import CATALOG, INTAKE, PARAMETERS, SITES
from placement.graph import derive_facts, role_reach, unreachable
from placement.optimizer import solve
from placement.settings import read_settings

POLICIES = Path(__file__).resolve().parents[2] / "policies"
FAMILIES = {
    "access",
    "classification",
    "openness",
    "procurement",
    "residency",
    "security",
    "transfer",
}


@dataclass(frozen=True)
class Judged:
    catalog: Catalog
    register: SiteRegister
    parameters: Parameters
    table: EligibilityTable

    def sites_of(self, index: int) -> list[str]:
        return [
            site for j, site in enumerate(self.table.sites) if self.table.verdict(index, j).eligible
        ]

    def families(self) -> set[str]:
        return {
            violation.obligation.partition(".")[0]
            for row in self.table.verdicts
            for verdict in row
            for violation in verdict.violations
        }


@cache
def judge(path: Path) -> Judged:
    catalog, register = load_catalog(path), load_register(SITES)
    parameters = load_parameters(PARAMETERS)
    assert parameters.as_of is not None
    effective = derive_facts(catalog, parameters).effective
    roles = {role.id: role for role in (*catalog.roles, *register.roles)}
    operators = {operator.id: operator for operator in register.operators}
    contracts = {contract.id: contract for contract in catalog.contracts}
    views = [
        (dataset.id, policy_dataset(dataset, found, roles, contracts))
        for dataset, found in zip(catalog.datasets, effective, strict=True)
    ]
    sites = [policy_site(site, operators, roles) for site in register.sites]
    with open_engine(POLICIES, read_settings()) as engine:
        table = engine.evaluate(views, sites, parameters.as_of)
    return Judged(catalog, register, parameters, table)


@cache
def problem() -> Problem:
    city = judge(CATALOG)
    return Problem(
        datasets=city.catalog.datasets,
        sites=city.register.sites,
        operators=city.register.operators,
        roles=(*city.catalog.roles, *city.register.roles),
        eligibility=city.table,
        facts=derive_facts(city.catalog, city.parameters),
        parameters=city.parameters,
    )


@cache
def solution() -> Solution:
    return solve(problem())


def with_parameters(**changes) -> Problem:
    parameters = problem().parameters.model_copy(update=changes)
    return problem().model_copy(update={"parameters": parameters})


def with_room_at(kind: SiteKind) -> Problem:
    sites = tuple(
        site.model_copy(update={"capacity_gb": 10**9}) if site.kind == kind else site
        for site in problem().sites
    )
    return problem().model_copy(update={"sites": sites})


def test_every_dataset_of_the_city_has_an_eligible_site_but_none_may_go_everywhere():
    city = judge(CATALOG)
    allowed = [city.sites_of(index) for index in range(len(city.catalog.datasets))]
    assert all(allowed)
    assert max(map(len, allowed)) < len(city.register.sites)


def test_every_family_of_policies_bites():
    """Rules of classification judge a dataset whatever the site, so what they refuse cannot be
    part of a city that is decided: it stands in the intake."""
    assert judge(CATALOG).families() == FAMILIES - {"classification"}
    assert "classification" in judge(INTAKE).families()


def test_the_intake_is_refused_everywhere_but_for_the_one_complete_dataset():
    intake = judge(INTAKE)
    allowed = {d.id: intake.sites_of(i) for i, d in enumerate(intake.catalog.datasets)}
    assert [name for name, sites in allowed.items() if sites] == ["escooter-trips"]
    assert len(allowed) == 5


def test_the_city_is_decided_and_the_public_cloud_the_shared_one_and_the_city_hall_all_win():
    kinds = {site.id: site.kind for site in problem().sites}
    assert solution().termination == Termination.WITHIN_GAP
    assert {kinds[site] for sites in solution().placements for site in sites} == set(SiteKind)


def test_every_role_reaches_what_it_works_with_where_it_was_placed():
    city = judge(CATALOG)
    names = (dataset.id for dataset in city.catalog.datasets)
    placements = dict(zip(names, solution().placements, strict=True))
    assert unreachable(role_reach(city.catalog, city.register, placements)) == ()


def test_replicas_of_critical_datasets_rest_with_different_operators():
    operators = {site.id: site.operator for site in problem().sites}
    replicated = [
        sites
        for dataset, sites in zip(problem().datasets, solution().placements, strict=True)
        if dataset.replicas == 2
    ]
    assert replicated
    assert all(len({operators[site] for site in sites}) == 2 for sites in replicated)


@pytest.mark.parametrize(
    "relaxed",
    [
        pytest.param(lambda: with_room_at(SiteKind.ON_PREMISE), id="capacity"),
        pytest.param(
            lambda: with_parameters(operator_volume_share_max=1), id="concentration_volume"
        ),
        pytest.param(lambda: with_parameters(closed_stack_share_max=1), id="closed_stack"),
        pytest.param(lambda: with_parameters(moves_max=None), id="moves"),
    ],
)
def test_a_cap_that_binds_costs_something(relaxed):
    """Without the cap there is a plan that costs less than any plan with it can."""
    without, bound = solve(relaxed()).objective_eur, solution().dual_bound_eur
    assert without is not None
    assert bound is not None
    assert without < bound
