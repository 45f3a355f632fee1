"""Cover inequalities cut off what overloads a row, and no plan."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Problem
from placement.optimizer.exact import ExactCheck, Overload
from placement.optimizer.highs import Ending, Task, run
from placement.optimizer.instance import read_instance
from placement.optimizer.progress import Watch
from placement.optimizer.whole import whole_model
from tests.optimizer_cases import best_plan, tiny_problems


@settings(max_examples=150, deadline=None)
@given(tiny_problems(datasets_max=4), st.data())
def test_covers_of_any_overload_leave_the_best_plan_in(problem: Problem, data: st.DataObject):
    best, instance = best_plan(problem), read_instance(problem)
    if best is None:
        return
    covers = _covers(problem, instance.site_ids(instance.allowed), data)
    model = whole_model(instance, instance.allowed, covers, Watch(60)).model
    model.charge([])
    outcome = run(model, Task(), Watch(60))
    assert outcome.ending is Ending.OPTIMAL
    assert outcome.bound == pytest.approx(float(best), rel=1e-6, abs=1e-4)


def _covers(problem: Problem, allowed: dict[str, tuple[str, ...]], data) -> list[Overload]:
    """Overloads of placements drawn at random; co-located datasets stay together."""
    check, covers = ExactCheck(problem), []
    together = {d: group[0] for group in problem.facts.co_location for d in group}
    for _ in range(4):
        drawn = {
            d.id: tuple(data.draw(st.permutations(allowed[d.id]))[: d.replicas])
            for d in problem.datasets
        }
        placed = {d: drawn[together.get(d, d)] for d in drawn}
        covers += [cover for cover in check.exceeded(placed) if cover not in covers]
    return covers
