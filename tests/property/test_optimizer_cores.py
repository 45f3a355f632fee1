"""Every core against trying everything: it cannot hold, and without any one member it can."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings

from models import Problem, Termination
from placement.optimizer import solve
from tests.optimizer_cases import can_hold, tiny_problems


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(tiny_problems(datasets_max=3))
def test_a_core_cannot_hold_and_is_minimal(problem: Problem):
    solution = solve(problem)
    assume(solution.termination is Termination.INFEASIBLE)
    assume(len(problem.sites) <= 3)
    core = set(solution.core)
    assert not can_hold(problem, core)
    for name in core:
        assert can_hold(problem, core - {name}), f"{name} is not needed in {sorted(core)}"
