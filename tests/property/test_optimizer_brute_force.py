"""The solver against trying every plan, on tiny problems with every kind of constraint."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Problem, Termination, Violation
from placement.optimizer import solve
from tests.optimizer_cases import best_plan, plan_cost, plans, tiny_problems

CENT = Fraction(1, 100)


@settings(max_examples=300, deadline=None)
@given(tiny_problems())
def test_the_cheapest_plan_is_found_or_there_is_none(problem: Problem):
    best, solution = best_plan(problem), solve(problem)
    if best is None:
        assert solution.termination is Termination.INFEASIBLE
        assert solution.core
        return
    assert solution.termination is Termination.WITHIN_GAP
    sites = {s.id: s for s in problem.sites}
    plan = {
        d.id: tuple(sites[s] for s in sorted(at))
        for d, at in zip(problem.datasets, solution.placements, strict=True)
    }
    assert abs(plan_cost(problem, plan) - best) < CENT / 100
    assert plan in list(plans(problem))
    assert solution.objective_eur == pytest.approx(float(best), rel=1e-9, abs=1e-6)
    assert solution.dual_bound_eur == pytest.approx(float(best), rel=1e-6, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(tiny_problems(), st.data())
def test_closing_a_pair_never_lowers_the_cost(problem: Problem, data: st.DataObject):
    before = solve(problem)
    row = data.draw(st.integers(0, len(problem.datasets) - 1))
    column = data.draw(st.integers(0, len(problem.sites) - 1))
    after = solve(_closed(problem, row, column))
    if before.termination is Termination.INFEASIBLE:
        assert after.termination is Termination.INFEASIBLE
    elif after.termination is not Termination.INFEASIBLE:
        assert after.objective_eur is not None
        assert before.objective_eur is not None
        assert after.objective_eur >= before.objective_eur - 1e-6


def _closed(problem: Problem, row: int, column: int) -> Problem:
    table = problem.eligibility
    verdicts = [list(verdicts) for verdicts in table.verdicts]
    denied = (Violation(obligation="a.b", message="new"),)
    verdicts[row][column] = verdicts[row][column].model_copy(update={"violations": denied})
    closed = table.model_copy(update={"verdicts": tuple(tuple(v) for v in verdicts)})
    return problem.model_copy(update={"eligibility": closed})


@settings(max_examples=60, deadline=None)
@given(tiny_problems(), st.data())
def test_the_order_of_the_input_never_matters(problem: Problem, data: st.DataObject):
    rows = data.draw(st.permutations(range(len(problem.datasets))))
    columns = data.draw(st.permutations(range(len(problem.sites))))
    one, other = solve(problem), solve(_shuffled(problem, rows, columns))
    assert other.termination is one.termination
    assert other.objective_eur == one.objective_eur
    assert other.dual_bound_eur == one.dual_bound_eur
    assert other.core == one.core
    if one.placements:
        assert other.placements == tuple(one.placements[i] for i in rows)
    assert other.prices == one.prices


def _shuffled(problem: Problem, rows: list[int], columns: list[int]) -> Problem:
    table = problem.eligibility
    return problem.model_copy(
        update={
            "datasets": tuple(problem.datasets[i] for i in rows),
            "sites": tuple(problem.sites[j] for j in columns),
            "operators": tuple(reversed(problem.operators)),
            "roles": tuple(reversed(problem.roles)),
            "eligibility": table.model_copy(
                update={
                    "datasets": tuple(table.datasets[i] for i in rows),
                    "sites": tuple(table.sites[j] for j in columns),
                    "profile_of": tuple(table.profile_of[i] for i in rows),
                    "verdicts": tuple(tuple(r[j] for j in columns) for r in table.verdicts),
                    "segregated_duties": tuple(reversed(table.segregated_duties)),
                }
            ),
            "facts": problem.facts.model_copy(
                update={
                    "separations": tuple(reversed(problem.facts.separations)),
                    "flows": tuple(reversed(problem.facts.flows)),
                    "co_location": tuple(reversed(problem.facts.co_location)),
                }
            ),
        }
    )
