"""Prices: whatever they are, the bound they give is one; those published give a good one."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pulp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Problem, Solution, Termination
from placement.optimizer import solve
from placement.optimizer.instance import read_instance
from placement.optimizer.loaded import Loaded
from placement.optimizer.prices import Prices, price_bound, published
from placement.optimizer.progress import Watch
from placement.optimizer.relaxation import dual_bound
from placement.optimizer.whole import whole_model
from tests.optimizer_cases import (
    best_plan,
    exit_cost,
    is_critical,
    plan_cost,
    plans,
    separable_cost,
    tiny_problems,
    verdict_of,
)


@settings(max_examples=150, deadline=None)
@given(tiny_problems(datasets_max=4))
def test_published_prices_prove_a_bound_below_the_dual_bound(problem: Problem):
    solution = solve(problem)
    if solution.termination is not Termination.WITHIN_GAP:
        return
    best = best_plan(problem)
    assert best is not None
    bound = _exact_bound(problem, solution)
    assert bound <= best
    assert solution.dual_bound_eur is not None
    assert float(bound) <= solution.dual_bound_eur + 1e-6 * max(1.0, float(best))


@settings(max_examples=150, deadline=None)
@given(tiny_problems(datasets_max=4), st.data())
def test_any_prices_prove_a_bound(problem: Problem, data: st.DataObject):
    instance = read_instance(problem)
    if instance.unplaceable():
        return
    price = st.floats(0, 50).map(lambda p: round(p, 3))
    rows = np.array([data.draw(price) for _ in instance.rows])
    share = st.floats(0, 0.999)
    flows = np.zeros((len(instance.flows), len(problem.sites)))
    for e, flow in enumerate(instance.flows):
        if instance.replicas[[flow.source, flow.derived]].max() == 1:
            most = flow.yearly_gb * instance.of.egress_eur_per_gb
            flows[e] = [data.draw(share) * m for m in most]
    bound = price_bound(instance, Prices(rows, flows))
    row_prices, flow_prices = published(instance, Prices(rows, flows))
    claimed = Solution(
        termination=Termination.WITHIN_GAP,
        prices=tuple(row_prices),
        flow_prices=tuple(flow_prices),
    )
    assert bound == pytest.approx(float(_exact_bound(problem, claimed)), rel=1e-9, abs=1e-6)
    costs = [plan_cost(problem, plan) for plan in plans(problem)]
    assert all(bound <= float(cost) + 1e-6 for cost in costs)


@settings(max_examples=40, deadline=None)
@given(tiny_problems(datasets_max=4))
def test_published_prices_are_as_good_as_the_relaxation_they_come_from(problem: Problem):
    """By linear duality, the best L with sums of messages granted equals the relaxation without
    the rows L leaves out; with the largest ones granted, it can only be better."""
    problem = problem.model_copy(update={"fixed": ()})  # which prices do not see
    solution = solve(problem)
    if solution.termination is not Termination.WITHIN_GAP:
        return
    instance = read_instance(problem)
    whole = whole_model(instance, instance.light, [], Watch(60))
    model = whole.model.finish()
    for row in model.constraints()[whole.priced :]:
        model._constraints.pop(row.name)
    model.solve(pulp.HiGHS(msg=False, mip=False, threads=1))
    relaxed = pulp.value(model.objective) / whole.model.cost_scale
    bound, equal = (
        float(_exact_bound(problem, solution)),
        pytest.approx(relaxed, rel=1e-6, abs=1e-3),
    )
    assert bound == equal or (bound > relaxed and solution.flow_prices)


@settings(max_examples=100, deadline=None)
@given(tiny_problems(datasets_max=4), st.data())
def test_any_duals_of_all_rows_prove_a_bound(problem: Problem, data: st.DataObject):
    """D(y), which the search works with, holds for y that no linear programme has seen."""
    instance, best = read_instance(problem), best_plan(problem)
    if best is None:
        return
    model = whole_model(instance, instance.allowed, [], Watch(60)).model
    loaded = Loaded(model, Watch(60), integer=False)
    duals = [data.draw(st.floats(-20, 5)) for _ in model.row_names]
    bound, reduced = dual_bound(model, loaded, instance.fitting, np.array(duals))
    assert bound <= float(best) + 1e-6 * max(1.0, float(best))
    assert np.isfinite(reduced[instance.fitting]).all()


def _exact_bound(problem: Problem, solution: Solution) -> Fraction:
    """L(p, m), written down from its definition, in fractions."""
    prices = {p.row: Fraction(p.price) for p in solution.prices}
    messages = {(p.source, p.derived, p.site): Fraction(p.price) for p in solution.flow_prices}
    grouped = {d for group in problem.facts.co_location for d in group}
    units = [
        *problem.facts.co_location,
        *((d.id,) for d in problem.datasets if d.id not in grouped),
    ]
    total = Fraction(0)
    for unit in units:
        allowed = [s for s in range(len(problem.sites)) if _open(problem, unit, s)]
        wanted = next(d.replicas for d in problem.datasets if d.id == unit[0])
        light = [s for s in allowed if _fits(problem, unit, s)]
        choices = [
            chosen
            for open_sites in (light, allowed)
            for chosen in combinations(open_sites, wanted)
            if len({problem.sites[s].operator for s in chosen}) == wanted
        ]
        apart = [chosen for chosen in choices if set(chosen) <= set(light)]
        total += min(
            sum(_reduced(problem, d, s, prices, messages) for d in unit for s in chosen)
            for chosen in apart or choices
        )
    instance = read_instance(problem)
    for row in instance.rows:
        total -= prices.get(row.name, Fraction(0)) * _limit(problem, row.name)
    return total


def _fits(problem: Problem, unit: tuple[str, ...], site: int) -> bool:
    """The unit keeps every row with weights >= 0 at the site, if all the others rest elsewhere."""
    s, members = problem.sites[site], [d for d in problem.datasets if d.id in unit]
    closed = [d for d in members if verdict_of(problem, d, s).closed_stack]
    weights = {
        f"capacity[{s.id}]": sum(d.volume_gb for d in members),
        f"concentration_volume[{s.operator}]": sum(d.volume_gb for d in members),
        f"concentration_critical[{s.operator}]": sum(is_critical(problem, d) for d in members),
        "exit_budget": sum(exit_cost(problem, d, s) for d in members),
        "closed_stack": sum(d.volume_gb for d in closed),
    }
    names = {row.name for row in read_instance(problem).rows}
    return all(w <= _limit(problem, row) for row, w in weights.items() if row in names)


def _open(problem: Problem, unit: tuple[str, ...], site: int) -> bool:
    instance = read_instance(problem)
    of = instance.of
    column = [s.id for s in of.sites].index(problem.sites[site].id)
    member = [d.id for d in of.datasets].index(unit[0])
    row = next(u for u, members in enumerate(instance.members) if member in members)
    return bool(instance.allowed[row, column])


def _reduced(problem, name, site, prices, messages) -> Fraction:
    d = next(d for d in problem.datasets if d.id == name)
    s = problem.sites[site]
    cost = separable_cost(problem, d, s)
    cost += prices.get(f"capacity[{s.id}]", 0) * d.volume_gb
    cost += prices.get(f"concentration_volume[{s.operator}]", 0) * d.volume_gb
    cost += prices.get(f"concentration_critical[{s.operator}]", 0) * int(is_critical(problem, d))
    cost += prices.get("exit_budget", 0) * exit_cost(problem, d, s)
    cost += prices.get("closed_stack", 0) * d.volume_gb * verdict_of(problem, d, s).closed_stack
    cost -= prices.get("moves", 0) * (d.current_site == s.id)
    operator = {t.id: t.operator for t in problem.sites}
    granted: dict[str, Fraction] = {}
    for (source, derived, at), message in messages.items():
        if source == name and at == s.id:
            cost += message
        if derived == name and operator[at] == s.operator:
            granted[source] = max(message, granted.get(source, message))
    return Fraction(cost) - sum(granted.values())


def _limit(problem: Problem, row: str) -> Fraction:
    """Right-hand sides as the contract of prices has them."""
    return Fraction(next(r for r in read_instance(problem).rows if r.name == row).rhs)
