"""Each component of the objective, on numbers small enough to check by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from models import Flow, Parameters, Preference, StorageKind, Verdict
from placement.errors import SolverError
from placement.optimizer import costs, solve
from placement.optimizer.attributes import read_attributes
from tests.builders import (
    AS_OF,
    ELIGIBLE,
    INELIGIBLE,
    dataset,
    operator,
    problem,
    role,
    site,
)


def at_two_sites(**changes):
    """One dataset of 100 GB, a municipal site `home` and a cloud site `away`."""
    sites = (
        site(
            "away",
            operator="cloud",
            object_price_eur_per_gb_month=Decimal("0.01"),
            block_price_eur_per_gb_month=Decimal("0.03"),
            handling_price_eur_per_dataset_month=Decimal(2),
            egress_price_eur_per_gb=Decimal("0.05"),
            exit_notice_days=60,
            transfer_window_days=None,
        ),
        site("home"),
    )
    return problem((dataset(**changes),), sites)


def read(given):
    return read_attributes(given)


def test_storage_is_twelve_months_of_the_price_for_the_kind():
    assert costs.storage(read(at_two_sites())).tolist() == [[12.0, 24.0]]
    block = at_two_sites(storage=StorageKind.BLOCK)
    assert costs.storage(read(block)).tolist() == [[36.0, 96.0]]


def test_handling_is_twelve_months_whatever_the_volume():
    assert costs.handling(read(at_two_sites(volume_gb=0))).tolist() == [[24.0, 60.0]]


def test_delivery_is_egress_shared_by_the_replicas():
    one = at_two_sites(monthly_egress_gb=Decimal(40))
    two = at_two_sites(monthly_egress_gb=Decimal(40), replicas=2)
    assert costs.delivery(read(one)).tolist() == [[pytest.approx(24.0), 0.0]]
    assert costs.delivery(read(two)).tolist() == [[pytest.approx(12.0), 0.0]]


@pytest.mark.parametrize(
    ("readers", "share"),
    [
        ((), 1),
        (("near",), 0),
        (("far",), 1),
        (("near", "far"), 0.5),
        (("near", "near", "far"), 0.5),
    ],
)
def test_reading_counts_the_share_of_roles_without_a_workplace_there(readers, share):
    given = at_two_sites(monthly_read_gb=Decimal(10), readers=readers)
    roles = (role("near", workplace_sites=("away",)), role("far", workplace_sites=("home",)))
    assert costs.reading(read(given), roles)[0, 0] == pytest.approx(12 * 10 * 0.05 * share)


def test_a_workplace_at_another_site_of_the_operator_is_near():
    sites = (
        site("east", operator="cloud", egress_price_eur_per_gb=Decimal(1)),
        site("west", operator="cloud", egress_price_eur_per_gb=Decimal(1)),
    )
    given = problem((dataset(monthly_read_gb=Decimal(1), readers=("near",)),), sites)
    near = (role("near", workplace_sites=("west",)),)
    assert costs.reading(read(given), near).tolist() == [[0.0, 0.0]]


def test_migration_pays_work_and_the_egress_of_the_site_that_is_left():
    parameters = Parameters(
        as_of=AS_OF,
        amortisation_years=5,
        migration_eur_per_gb=Decimal("0.02"),
        migration_eur_per_dataset=Decimal(250),
    )
    leaving = costs.migration(read(at_two_sites(current_site="away")), parameters)
    assert leaving.tolist() == [[0.0, pytest.approx((100 * (0.02 + 0.05) + 250) / 5)]]
    coming = costs.migration(read(at_two_sites(current_site="home")), parameters)
    assert coming.tolist() == [[pytest.approx((100 * 0.02 + 250) / 5), 0.0]]
    assert costs.migration(read(at_two_sites()), parameters).tolist() == [[0.0, 0.0]]


def test_no_egress_is_paid_for_a_move_within_one_operator():
    sites = tuple(
        site(name, operator="cloud", egress_price_eur_per_gb=Decimal(9)) for name in ("a", "b")
    )
    given = problem((dataset(current_site="a"),), sites)
    parameters = Parameters(migration_eur_per_dataset=Decimal(0), amortisation_years=1)
    assert costs.migration(read(given), parameters).tolist() == [[0.0, pytest.approx(2.0)]]


def test_preferences_weigh_their_penalties():
    disliked = Verdict(
        violations=(),
        host_obligations=(),
        preferences=tuple(
            Preference(code=f"a.{k}", message="", penalty_eur_per_year=k) for k in (3, 4)
        ),
        closed_stack=False,
    )
    given = problem((dataset(),), (site(),), verdicts=((disliked,),))
    assert costs.preference(read(given)).tolist() == [[7.0]]


def test_exit_costs_are_egress_and_storage_until_the_end_of_notice_and_window():
    closed = Verdict(violations=(), host_obligations=(), preferences=(), closed_stack=True)
    given = at_two_sites().model_copy()
    table = given.eligibility.model_copy(update={"verdicts": ((closed, closed),)})
    given = given.model_copy(update={"eligibility": table})
    cost = costs.exit_costs(read(given), Parameters(closed_rework_eur_per_dataset=Decimal(5000)))
    assert cost.tolist() == [[pytest.approx(100 * 0.05 + 100 * 0.01 * 60 / 30 + 5000), 0.0]]


def test_every_component_reaches_the_objective():
    sites = (
        site("home"),
        site("away", operator="cloud", egress_price_eur_per_gb=Decimal("0.05")),
    )
    given = problem(
        (
            dataset("a", monthly_egress_gb=Decimal(3), current_site="home"),
            dataset("b", volume_gb=7, monthly_read_gb=Decimal(2)),
        ),
        sites,
        parameters=Parameters(as_of=AS_OF, gap=Decimal(0)),
        facts={"flows": (Flow(source="a", derived="b", monthly_transfer_gb=Decimal(5)),)},
    )
    solution = solve(given)
    assert solution.placements == (("home",), ("home",))
    assert solution.objective_eur == pytest.approx(12 * (100 * 0.02 + 7 * 0.02 + 5 + 5))


def test_lineage_is_paid_at_the_cheapest_source_once_an_operator():
    """The source rests at two operators; the derived dataset at a third pays the cheaper one."""
    sites = tuple(
        site(name, operator=name, egress_price_eur_per_gb=price)
        for name, price in (("x", Decimal("0.4")), ("y", Decimal("0.3")), ("z", Decimal(0)))
    )
    only = {"a": ("x", "y"), "b": ("z",)}
    given = problem(
        (dataset("a", replicas=2), dataset("b")),
        sites,
        parameters=Parameters(
            as_of=AS_OF, gap=Decimal(0), operator_volume_share_max=Decimal(1), alternatives_min=0
        ),
        facts={"flows": (Flow(source="a", derived="b", monthly_transfer_gb=Decimal(10)),)},
        verdicts=tuple(tuple(_verdict(s.id in only[d]) for s in sites) for d in ("a", "b")),
    )
    paid = solve(given).objective_eur or 0
    free = (
        solve(
            given.model_copy(update={"facts": given.facts.model_copy(update={"flows": ()})})
        ).objective_eur
        or 0
    )
    assert paid - free == pytest.approx(12 * 10 * 0.3)


def _verdict(eligible: bool) -> Verdict:
    return ELIGIBLE if eligible else INELIGIBLE


def test_no_price_means_no_place():
    given = problem(
        (dataset(storage=StorageKind.BLOCK),),
        (
            site("cheap", block_price_eur_per_gb_month=None),
            site("dear", block_price_eur_per_gb_month=Decimal(1)),
        ),
    )
    assert np.isnan(costs.storage(read(given))[0, 0])
    assert solve(given).placements == (("dear",),)


def test_a_site_without_an_operator_is_refused():
    given = problem((dataset(),), (site(),)).model_copy(update={"operators": (operator("x"),)})
    with pytest.raises(SolverError, match="city"):
        solve(given)
