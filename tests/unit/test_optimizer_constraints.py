"""Each constraint family at its limit and just beyond it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models import (
    FixedPair,
    Flow,
    Level,
    Problem,
    SegregatedDuties,
    SeparatedPair,
    Solution,
    Termination,
)
from placement.optimizer import solve
from tests.builders import ELIGIBLE, INELIGIBLE, dataset, problem, site
from tests.optimizer_cases import CHEAP, CLOSED, DEAR, clouds, free


def placed(given: Problem) -> tuple[tuple[str, ...], ...]:
    solution = solve(given)
    assert solution.termination is Termination.WITHIN_GAP, solution
    return solution.placements


def count_at(solution: Solution, site_id: str) -> int:
    return sum(site_id in at for at in solution.placements)


THREE = tuple(dataset(name) for name in ("a", "b", "c"))


@pytest.mark.parametrize(("capacity", "there"), [(300, 3), (299, 2), (200, 2), (199, 1), (0, 0)])
def test_capacity_is_whole_gb(capacity, there):
    sites = (
        site("cheap", capacity_gb=capacity, object_price_eur_per_gb_month=CHEAP),
        site("dear", object_price_eur_per_gb_month=DEAR),
    )
    assert count_at(solve(problem(THREE, sites, parameters=free())), "cheap") == there


@pytest.mark.parametrize(("share", "there"), [("1", 3), ("0.67", 2), ("0.66", 1), ("0.33", 0)])
def test_concentration_volume_caps_an_operator_over_all_its_sites(share, there):
    sites = (*clouds("big", "big"), site("home", object_price_eur_per_gb_month=DEAR))
    limits = free(operator_volume_share_max=Decimal(share))
    solution = solve(problem(THREE, sites, parameters=limits))
    assert count_at(solution, "s0") + count_at(solution, "s1") == there


def test_concentration_does_not_cap_the_municipality():
    given = problem(THREE, (site(),), parameters=free(operator_volume_share_max=0))
    assert placed(given) == (("townhall",),) * 3


@pytest.mark.parametrize(
    ("share", "critical", "there"),
    [("1", 3, 3), ("0.67", 3, 2), ("0.5", 3, 1), ("0", 3, 1), ("0", 1, 3), ("0", 0, 3)],
)
def test_concentration_critical_counts_replicas_and_always_allows_one(share, critical, there):
    datasets = tuple(
        dataset(f"d{k}", availability=Level.HIGH if k < critical else Level.NORMAL)
        for k in range(3)
    )
    sites = (*clouds("big"), site("home", object_price_eur_per_gb_month=DEAR))
    limits = free(operator_critical_share_max=Decimal(share))
    assert count_at(solve(problem(datasets, sites, parameters=limits)), "s0") == there


@pytest.mark.parametrize(("budget", "there"), [(None, 3), ("15", 3), ("14.99", 2), ("4.99", 0)])
def test_exit_budget_is_spent_at_sites_of_others(budget, there):
    sites = (
        *clouds(
            "cloud",
            egress_price_eur_per_gb=Decimal("0.03"),
            exit_notice_days=60,
            transfer_window_days=None,
        ),
        site("home", object_price_eur_per_gb_month=DEAR),
    )
    limits = free(exit_budget_eur=budget and Decimal(budget))
    assert count_at(solve(problem(THREE, sites, parameters=limits)), "s0") == there


@pytest.mark.parametrize(("share", "there"), [("1", 3), ("0.67", 2), ("0.34", 1), ("0.33", 0)])
def test_closed_stack_caps_the_share_of_all_volume(share, there):
    sites = (*clouds("cloud"), site("home", object_price_eur_per_gb_month=DEAR))
    given = problem(
        THREE,
        sites,
        verdicts=((CLOSED, ELIGIBLE),) * 3,
        parameters=free(closed_stack_share_max=Decimal(share)),
    )
    assert count_at(solve(given), "s0") == there


@pytest.mark.parametrize(("most", "moved"), [(None, 3), (3, 3), (2, 2), (0, 0)])
def test_moves_are_counted_for_datasets_that_rest_somewhere(most, moved):
    resting = [dataset(d.id, current_site="home", volume_gb=10_000) for d in THREE]
    datasets = (*resting, dataset("new"))
    sites = (
        *clouds("cloud", capacity_gb=100_000),
        site("home", object_price_eur_per_gb_month=DEAR, capacity_gb=100_000),
    )
    solution = solve(problem(datasets, sites, parameters=free(moves_max=most)))
    assert count_at(solution, "s0") == moved + 1


@pytest.mark.parametrize(("least", "expected"), [(0, "s0"), (1, "s0"), (2, None)])
def test_alternatives_are_distinct_operators_with_an_eligible_site(least, expected):
    """Two sites of one operator are one way out; where d is denied is none."""
    critical = dataset("d", availability=Level.HIGH)
    sites = clouds("a", "b", "b", "c")
    given = problem(
        (critical,),
        sites,
        verdicts=((ELIGIBLE, ELIGIBLE, ELIGIBLE, INELIGIBLE),),
        parameters=free(alternatives_min=least),
    )
    if expected is None:
        assert solve(given).termination is Termination.INFEASIBLE
    else:
        assert placed(given) == ((expected,),)


def test_alternatives_are_not_asked_of_datasets_that_are_not_critical():
    given = problem((dataset("d"),), clouds("a"), parameters=free(alternatives_min=3))
    assert placed(given) == (("s0",),)


def test_co_located_datasets_rest_together_where_all_may():
    sites = clouds("a", "b", "c")
    verdicts = ((ELIGIBLE, ELIGIBLE, INELIGIBLE), (INELIGIBLE, ELIGIBLE, ELIGIBLE))
    facts = {"co_location": (("a", "b"),)}
    pair = (dataset("a"), dataset("b"))
    apart = problem(pair, sites, verdicts=verdicts, parameters=free())
    together = problem(pair, sites, verdicts=verdicts, facts=facts, parameters=free())
    assert placed(apart) == (("s0",), ("s1",))
    assert placed(together) == (("s1",), ("s1",))


@pytest.mark.parametrize(("level", "second"), [("site", "s1"), ("operator", "s2")])
def test_separated_datasets_share_no_site_or_no_operator(level, second):
    facts = {"separations": (SeparatedPair(first="a", second="b", level=level),)}
    pair = (dataset("a", volume_gb=200), dataset("b"))
    given = problem(pair, clouds("x", "x", "y"), facts=facts, parameters=free())
    assert placed(given) == (("s0",), (second,))


def test_replicas_rest_with_different_operators():
    given = problem((dataset("d", replicas=2),), clouds("x", "x", "y"), parameters=free())
    assert placed(given) == (("s0", "s2"),)


def test_a_separated_replica_keeps_off_every_operator_of_the_other():
    facts = {"separations": (SeparatedPair(first="a", second="b", level="operator"),)}
    given = problem(
        (dataset("a", replicas=2, volume_gb=200), dataset("b")),
        clouds("x", "y", "x", "z"),
        facts=facts,
        parameters=free(),
    )
    assert placed(given) == (("s0", "s1"), ("s3",))


def segregated(*datasets, sites):
    given = problem(datasets, sites, parameters=free())
    rule = SegregatedDuties(site="s0", duty="audit", other="cash")
    table = given.eligibility.model_copy(update={"segregated_duties": (rule,)})
    return given.model_copy(update={"eligibility": table})


@pytest.mark.parametrize(
    ("duties", "expected"),
    [
        ((("audit",), ("cash",)), (("s0",), ("s1",))),
        ((("audit",), ("audit",)), (("s0",), ("s0",))),
        ((("audit", "cash"), ()), (("s0",), ("s0",))),
        ((("audit", "cash"), ("cash",)), (("s0",), ("s1",))),
        ((("audit", "cash"), ("audit", "cash")), (("s0",), ("s1",))),
    ],
)
def test_segregated_duties_do_not_meet_at_the_site(duties, expected):
    big, small = (
        dataset("a", volume_gb=200, duties=duties[0]),
        dataset("b", duties=duties[1]),
    )
    assert placed(segregated(big, small, sites=clouds("x", "x"))) == expected


def test_co_located_datasets_of_segregated_duties_avoid_the_site():
    pair = (dataset("a", duties=("audit",)), dataset("b", duties=("cash",)))
    given = segregated(*pair, sites=clouds("x", "x"))
    facts = given.facts.model_copy(update={"co_location": (("a", "b"),)})
    assert placed(given.model_copy(update={"facts": facts})) == (("s1",), ("s1",))


@pytest.mark.parametrize(("allowed", "expected"), [(True, "s1"), (False, "s0")])
def test_a_what_if_puts_a_dataset_there_or_keeps_it_away(allowed, expected):
    given = problem(
        (dataset("d"),),
        clouds("x", "y"),
        parameters=free(),
        fixed=(FixedPair(dataset="d", site="s1", allowed=allowed),),
    )
    assert placed(given) == ((expected,),)


def test_a_what_if_for_one_replica_leaves_the_other_free():
    given = problem(
        (dataset("d", replicas=2),),
        clouds("x", "y", "z"),
        parameters=free(),
        fixed=(FixedPair(dataset="d", site="s2", allowed=True),),
    )
    assert placed(given) == (("s0", "s2"),)


def test_sites_whose_ids_differ_in_punctuation_are_different_sites():
    """PuLP's own naming would let these collide."""
    sites = (
        site("eu-west", object_price_eur_per_gb_month=DEAR),
        site("eu_west", object_price_eur_per_gb_month=CHEAP),
        site("eu.west", object_price_eur_per_gb_month=DEAR),
    )
    given = problem((dataset("a-b"), dataset("a_b")), sites, parameters=free())
    assert placed(given) == (("eu_west",), ("eu_west",))


def test_the_dearest_and_largest_of_everything_still_has_prices():
    most = 10**12
    sites = (
        site(
            "a",
            operator="x",
            capacity_gb=most,
            egress_price_eur_per_gb=most,
            object_price_eur_per_gb_month=most,
        ),
        site(
            "b",
            operator="y",
            capacity_gb=most,
            egress_price_eur_per_gb=most,
            object_price_eur_per_gb_month=most - 1,
        ),
    )
    given = problem(
        (dataset("d", volume_gb=most), dataset("e", volume_gb=most)),
        sites,
        verdicts=((ELIGIBLE, INELIGIBLE), (INELIGIBLE, ELIGIBLE)),
        parameters=free(),
        facts={"flows": (Flow(source="d", derived="e", monthly_transfer_gb=Decimal(most)),)},
    )
    solution = solve(given)
    assert solution.placements == (("a",), ("b",))
    assert solution.objective_eur == pytest.approx(12 * (3 * float(most) ** 2), rel=1e-9)
    (flow_price,) = solution.flow_prices
    assert Decimal(12) * most * most * Decimal("0.999999") < flow_price.price <= 12 * most * most


def test_nothing_to_place_costs_nothing():
    solution = solve(problem((), (site(),)))
    assert solution.termination is Termination.WITHIN_GAP
    assert (solution.placements, solution.objective_eur, solution.gap) == ((), 0.0, 0.0)


def test_free_sites_cost_nothing():
    gratis = site(object_price_eur_per_gb_month=0, handling_price_eur_per_dataset_month=0)
    solution = solve(problem(THREE, (gratis,), parameters=free()))
    assert solution.termination is Termination.WITHIN_GAP
    assert (solution.objective_eur, solution.dual_bound_eur, solution.gap) == (0.0, 0.0, 0.0)
