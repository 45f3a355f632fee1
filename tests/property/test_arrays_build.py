"""A town in columns, as arrays: the same plans, costs and limits, and the best plan of all."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from models import Parameters, Termination
from placement.optimizer.arrays.build import Built, City, build
from placement.optimizer.arrays.problem import load_of, row_totals
from placement.optimizer.arrays.solution import plan_cost, violations
from placement.optimizer.by_columns import solve_columns
from tests.certificate_cases import Case, all_placements, town
from tests.certificate_column_cases import ColumnCase, case_in_columns
from tests.property.test_certificate_bound import priced

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JUDGED_ELSEWHERE = {"eligibility", "profiles", "gap", "prices", "bound", "objective"}


def city_of(case: ColumnCase, **parameters: object) -> City:
    roles = {role.id: role for role in (*case.columns.roles, *case.register.roles)}
    return City(
        columns=case.columns,
        facts=case.facts,
        eligibility=case.eligibility,
        sites=case.register.sites,
        operators=case.register.operators,
        roles=tuple(roles.values()),
        parameters=Parameters(**{**case.parameters.model_dump(), **parameters}),
        fixed=case.fixed,
    )


def holding(case: Case) -> list[Fraction]:
    """What each of the placements that hold costs, by the certificate of columns."""
    found = []
    for placements in all_placements(case):
        ours = case_in_columns(
            case.but(placements=placements, prices=(), flow_prices=(), separation_prices=())
        )
        proof = ours.judged()
        if all(c.holds for c in proof.checks if c.name not in JUDGED_ELSEWHERE):
            found.append(proof.objective)
    return found


@SLOW
@given(priced())
def test_arrays_cost_and_weigh_what_the_certificate_says(case):
    case = case.but(prices=(), flow_prices=(), separation_prices=())
    for placements in all_placements(case)[:6]:
        ours = case_in_columns(case.but(placements=placements))
        proof = ours.judged()
        told = {check.name: check.holds for check in proof.checks}
        if not (told["co_location"] and told["assignment"] and told["replica_separation"]):
            continue
        built = build(city_of(ours))
        problem, sites = built.problem, sorted_sites(built, ours)
        failed = {n for n, held in told.items() if not held} - JUDGED_ELSEWHERE
        assert (violations(problem, sites, tolerance=1e-12) == []) == (not failed), failed
        if np.isfinite(plan_cost(problem, sites)):  # no pair is closed
            assert plan_cost(problem, sites) == pytest.approx(float(proof.objective), rel=1e-12)
            totals = row_totals(problem, load_of(problem, sites))
            limits = {row.name: (t, row.rhs) for row, t in zip(problem.rows, totals, strict=True)}
            for name, row in proof.rows.items():
                if name == "moves":  # arrays count who stays
                    continue
                assert limits[name][0] == pytest.approx(float(row.load), rel=1e-12, abs=1e-9)
                assert limits[name][1] == pytest.approx(float(row.limit // 1), abs=1.0)


def sorted_sites(built: Built, case: ColumnCase) -> np.ndarray:
    """(U, n) sites of the case's plan as the problem numbers them, ascending, -1 last."""
    column = np.empty(len(built.site_order), dtype=np.intp)
    column[built.site_order] = np.arange(len(built.site_order))
    rows = case.placed.sites
    beyond = len(column)
    at = np.sort(np.where(rows >= 0, column[rows], beyond), axis=1)
    sites = np.empty((built.problem.units, rows.shape[1]), dtype=np.intp)
    sites[built.unit_of] = np.where(at == beyond, -1, at)
    return sites


@SLOW
@given(priced())
def test_the_plan_is_the_best_of_all_and_certified(case):
    case = case.but(prices=(), flow_prices=(), separation_prices=())
    best = min(holding(case), default=None)
    ours = case_in_columns(case)
    solution = solve_columns(city_of(ours, gap=0))
    if best is None:
        assert solution.termination is Termination.INFEASIBLE
        assert solution.core
        return
    assert solution.termination is Termination.WITHIN_GAP
    assert solution.placed is not None
    proof = ours.but(placed=solution.placed).judged(
        objective_eur=solution.objective_eur, dual_bound_eur=solution.dual_bound_eur
    )
    wrong = [(c.name, c.failures) for c in proof.checks if not c.holds]
    assert [found for found in wrong if found[0] != "eligibility"] == []
    assert abs(proof.objective - best) <= Fraction(1, 10**6) * max(Fraction(1), best)


def test_a_town_of_units_has_the_rows_of_its_rules():
    built = build(city_of(case_in_columns(town())))
    names = [row.name for row in built.problem.rows]
    assert len(set(names)) == len(names)
    assert {name.split("[")[0] for name in names} >= {"capacity", "concentration_volume"}
