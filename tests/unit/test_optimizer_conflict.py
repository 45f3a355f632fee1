"""Conflicts told by classes: proven, irreducible, and independent of the number of datasets."""

from dataclasses import replace

import numpy as np
import pytest

from placement.optimizer.arrays.problem import ArrayProblem, Row, pair_weights
from placement.optimizer.conflict import find_conflict
from tests.benchmarks.instances import Recipe, make_instance


def squeezed(units: int, factor: float) -> ArrayProblem:
    """The roomy sites of a made problem lose their room."""
    given = make_instance(Recipe(units, 20, seed=3))
    roomy = ("capacity[19]", "reads[19]", "concentration_volume[5]")
    rows = tuple(
        replace(row, rhs=row.rhs * factor) if row.name in roomy else row for row in given.rows
    )
    return replace(given, rows=rows)


def proven(problem: ArrayProblem, ray: np.ndarray) -> float:
    """L0 of the ray, one unit after the other."""
    units = np.arange(problem.units)
    costs = np.where(problem.open[problem.class_of], 0.0, np.inf)
    for row, price in zip(problem.rows, ray, strict=True):
        costs[:, row.sites] += price * pair_weights(problem, row, units)
    return float(costs.min(axis=1) @ problem.counts - ray @ problem.rhs)


def keeping(problem: ArrayProblem, rows: set[str], classes: np.ndarray) -> ArrayProblem:
    """Only these rows bind, only these classes have units."""
    kept = problem.take(np.flatnonzero(np.isin(problem.class_of, classes)))
    limits = tuple(r if r.name in rows else replace(r, rhs=np.inf) for r in kept.rows)
    return replace(kept, rows=tuple(r for r in limits if np.isfinite(r.rhs)))


@pytest.mark.parametrize("units", [300, 20_000])
def test_a_conflict_is_proven_and_nothing_in_it_can_be_missed(units):
    problem = squeezed(units, 1e-5)
    found = find_conflict(problem)
    assert found is not None
    assert proven(problem, found.ray) > 0
    assert found.excess == pytest.approx(proven(problem, found.ray), rel=1e-6)
    members = np.concatenate(found.classes)
    assert find_conflict(keeping(problem, set(found.rows), members)) is not None
    for row in found.rows:
        rest = set(found.rows) - {row}
        assert find_conflict(keeping(problem, rest, members)) is None, row
    for group in found.classes[:5]:
        others = np.setdiff1d(members, group)
        assert find_conflict(keeping(problem, set(found.rows), others)) is None


def test_a_problem_with_a_plan_has_no_conflict():
    assert find_conflict(make_instance(Recipe(2_000, 10, seed=5))) is None


def test_only_what_conflicts_is_named():
    """Two units of 6 GB that only fit at a site of 10; a third one rests elsewhere."""
    rows = tuple(
        Row(f"capacity[{s}]", np.array([s]), np.array([1]), np.ones((1, 1, 1)), 10.0)
        for s in range(2)
    )
    problem = ArrayProblem(
        class_of=np.array([0, 0, 1]),
        features=np.array([[1.0, 1.0, 1.0], [6.0, 6.0, 6.0]]),
        counts=np.ones(3),
        cost=np.ones((2, 2, 2)),
        open=np.array([[True, False], [False, True]]),
        replicas=np.array([1, 1]),
        operator_of=np.array([0, 1]),
        rows=rows,
    )
    found = find_conflict(problem)
    assert found is not None
    assert found.rows == ("capacity[0]",)
    assert [group.tolist() for group in found.classes] == [[0]]
    assert found.ray[1] == 0.0


def test_replicas_need_room_at_several_sites():
    """Two replicas of 6 GB: one fits at each site, but both datasets need both sites."""
    rows = tuple(
        Row(f"capacity[{s}]", np.array([s]), np.array([1]), np.ones((1, 1, 1)), 10.0)
        for s in range(2)
    )
    problem = ArrayProblem(
        class_of=np.array([0, 0]),
        features=np.array([[1.0, 1.0], [6.0, 6.0]]),
        counts=np.ones(2),
        cost=np.ones((1, 2, 2)),
        open=np.ones((1, 2), dtype=bool),
        replicas=np.array([2]),
        operator_of=np.array([0, 1]),
        rows=rows,
    )
    found = find_conflict(problem)
    assert found is not None
    assert len(found.rows) == 1
    alone = replace(problem, replicas=np.array([1]))
    assert find_conflict(alone) is None
