"""An earlier answer saves work and decides nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from models import FixedPair, Termination
from placement.optimizer import Start, solve
from placement.optimizer.instance import read_instance
from placement.optimizer.warm import chosen_before, prices_before, warm_of
from tests import builders


def city(datasets: int = 8):
    return builders.problem(
        datasets=tuple(builders.dataset(f"d{n}", volume_gb=10 + n) for n in range(datasets)),
        sites=(
            builders.site("hall", capacity_gb=60),
            builders.site("depot", capacity_gb=500, object_price_eur_per_gb_month=Decimal("0.2")),
        ),
    )


def start_of(problem, solution) -> Start:
    placed = zip((d.id for d in problem.datasets), solution.placements, strict=True)
    return Start(solution.prices, dict(placed))


def test_the_same_question_has_the_same_answer_at_once():
    problem = city()
    cold = solve(problem)
    warm = solve(problem, start=start_of(problem, cold))
    assert warm.termination is Termination.WITHIN_GAP
    assert warm.objective_eur == pytest.approx(cold.objective_eur, rel=1e-3)


def test_placements_that_do_not_hold_any_more_are_left():
    problem = city()
    cold = solve(problem)
    before = start_of(problem, cold)
    kept = next(d for d, at in before.placements.items() if at == ("hall",))
    asked = problem.model_copy(
        update={"fixed": (FixedPair(dataset=kept, site="hall", allowed=False),)}
    )
    assert chosen_before(read_instance(asked), before) is None
    again = solve(asked, start=before)
    placed = dict(zip((d.id for d in asked.datasets), again.placements, strict=True))
    assert placed[kept] == ("depot",)
    assert again.objective_eur == pytest.approx(solve(asked).objective_eur, rel=1e-3)


def test_a_wrong_start_makes_no_wrong_answer():
    problem = city()
    everywhere = Start((), {d.id: ("hall",) for d in problem.datasets})
    assert solve(problem, start=everywhere).objective_eur == pytest.approx(
        solve(problem).objective_eur, rel=1e-3
    )
    nobody = Start((), {})
    assert chosen_before(read_instance(problem), nobody) is None


def test_prices_are_taken_by_name():
    problem = city()
    cold = solve(problem)
    assert cold.prices
    instance = read_instance(problem)
    prices = prices_before(instance, start_of(problem, cold))
    named = {row.name: price for row, price in zip(instance.rows, prices, strict=True)}
    assert {name for name, price in named.items() if price} == {p.row for p in cold.prices}
    warm = warm_of(instance, start_of(problem, cold))
    assert np.array_equal(warm.prices, prices)
    assert warm.sites is not None
    unknown = replace(start_of(problem, cold), prices=())
    assert not prices_before(instance, unknown).any()
