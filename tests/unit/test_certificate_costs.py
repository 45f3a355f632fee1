"""Costs by hand, one component at a time, in exact euro."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest

from models import DerivedFrom, Parameters, StorageKind
from placement.certificate import ExactCosts, cents, relative_gap, stated_bound
from placement.certificate.exact import cents_below, exact, tolerance_eur, whole
from tests import builders
from tests.certificate_cases import Case, closed_never, judge, naive_cost, town


def case(**dataset) -> Case:
    """One dataset, and sites of the city, of "nord" (two) and of "sued"."""
    prices = {"egress_price_eur_per_gb": Decimal("0.05")}
    return Case(
        catalog=builders.catalog(
            builders.dataset("a", **dataset),
            roles=(builders.role(), builders.role("clerk", workplace_sites=("north-2",))),
        ),
        register=builders.register(
            builders.site("hall", egress_price_eur_per_gb=Decimal("0.01")),
            builders.site("north", operator="nord", **prices),
            builders.site("north-2", operator="nord", **prices),
            builders.site("south", operator="sued", egress_price_eur_per_gb=Decimal("0.02")),
        ),
        parameters=Parameters(as_of=builders.AS_OF),
        placements={"a": ("north",)},
        ask=closed_never,
    )


def costs(given: Case, name: str = "a") -> ExactCosts:
    return judge(given).costs[name]


def test_storage_at_the_price_of_its_kind():
    assert costs(case(volume_gb=100)).storage == 12 * 100 * Fraction("0.02")
    assert costs(case(volume_gb=100, storage=StorageKind.BLOCK)).storage == Fraction(96)


def test_handling_counts_once_a_replica():
    assert costs(case()).handling == 60
    assert costs(case(replicas=2).moved(a=("north", "south"))).handling == 120


def test_delivery_is_shared_by_the_replicas():
    assert costs(case(monthly_egress_gb=3)).delivery == 12 * 3 * Fraction("0.05")
    shared = case(monthly_egress_gb=3, replicas=2).moved(a=("north", "south"))
    assert costs(shared).delivery == 12 * Fraction(3, 2) * Fraction("0.07")


@pytest.mark.parametrize(
    ("readers", "site", "share"),
    [
        ((), "north", 1),
        (("registrar",), "north", 1),
        (("clerk",), "north", 0),  # works at another site of that operator
        (("clerk",), "south", 1),
        (("clerk", "registrar"), "north", Fraction(1, 2)),
        (("clerk", "registrar"), "south", 1),
    ],
)
def test_reading_counts_the_roles_that_work_elsewhere(readers, site, share):
    given = case(readers=readers, monthly_read_gb=10).moved(a=site)
    egress = {"north": Fraction("0.05"), "south": Fraction("0.02")}[site]
    assert costs(given).reading == 12 * 10 * egress * share


@pytest.mark.parametrize(
    ("current", "eur"),
    [
        (None, 0),
        ("north", 0),
        ("north-2", (100 * Fraction("0.02") + 250) / 5),  # within one operator: no egress
        ("south", (100 * Fraction("0.04") + 250) / 5),
        ("hall", (100 * Fraction("0.03") + 250) / 5),
    ],
)
def test_migration_is_work_and_egress_spread_over_the_years(current, eur):
    assert costs(case(current_site=current)).migration == eur


def test_a_replica_that_stays_does_not_migrate_and_the_other_does():
    given = case(current_site="north", replicas=2).moved(a=("north", "south"))
    assert costs(given).migration == (100 * Fraction("0.07") + 250) / 5


def test_years_that_do_not_divide_stay_exact():
    given = case(current_site="hall").limited(amortisation_years=7)
    assert costs(given).migration == Fraction(253, 7)
    assert costs(given).rounded().migration == Decimal("36.14")


def test_preferences_count_each_replica():
    given = town()
    assert costs(given, "archive").preference == 7
    assert costs(given, "registry").preference == 0


@pytest.mark.parametrize(
    ("source", "derived", "eur"),
    [
        (("north",), ("north",), 0),
        (("north",), ("north-2",), 0),
        (("north",), ("south",), 12 * 4 * Fraction("0.05")),
        (("north", "hall"), ("south",), 12 * 4 * Fraction("0.01")),
        (("north", "hall"), ("south", "north-2"), 12 * 4 * Fraction("0.01")),
        (("south",), ("hall", "north"), 2 * 12 * 4 * Fraction("0.02")),
    ],
)
def test_lineage_feeds_each_replica_from_the_cheapest_source(source, derived, eur):
    given = case(replicas=len(source)).but(placements={"a": source, "b": derived})
    catalog = builders.catalog(
        given.catalog.datasets[0],
        builders.dataset("b", replicas=len(derived)),
        relations=(DerivedFrom(derived="b", source="a", monthly_transfer_gb=Decimal(4)),),
    )
    given = given.but(catalog=catalog)
    assert costs(given, "b").lineage == eur
    assert costs(given, "a").lineage == 0


def test_the_whole_town_costs_what_a_naive_reading_says():
    assert judge(town()).objective == naive_cost(town(), town().placements)


def test_the_total_is_rounded_from_the_exact_sum():
    # three datasets at EUR 0.004 a year each: 0.00 apiece, 0.01 together
    thin = {"object_price_eur_per_gb_month": 0, "handling_price_eur_per_dataset_month": 0}
    names = ("a", "b", "c")
    given = Case(
        catalog=builders.catalog(
            *(
                builders.dataset(n, monthly_egress_gb=1, monthly_read_gb=0, volume_gb=0, readers=())
                for n in names
            )
        ),
        register=builders.register(
            builders.site("hall", egress_price_eur_per_gb=Decimal("0.000333334"), **thin)
        ),
        parameters=Parameters(as_of=builders.AS_OF),
        placements=dict.fromkeys(names, ("hall",)),
        ask=closed_never,
    )
    answer = judge(given)
    assert [answer.costs[n].rounded().delivery for n in names] == [Decimal("0.00")] * 3
    assert answer.total.rounded().delivery == Decimal("0.01")
    assert answer.certificate.objective_eur == Decimal("0.01")
    assert Counter(answer.costs.keys()) == Counter(names)


# --- rounding ----------------------------------------------------------------------------------


def test_cents_are_rounded_half_even_and_bounds_down():
    halves = [Fraction(n, 1000) for n in (5, 15, 25, -5)]
    assert [str(cents(value)) for value in halves] == ["0.00", "0.02", "0.02", "0.00"]
    assert cents_below(Fraction("1.2399")) == Decimal("1.23")
    assert cents_below(Fraction("-1.231")) == Decimal("-1.24")


def test_the_gap_is_rounded_up_and_never_negative():
    assert relative_gap(Decimal(3), Decimal(2)) == Decimal("0.333333334")
    assert relative_gap(Decimal(2), Decimal(1)) == Decimal("0.5")
    assert relative_gap(Decimal(2), Decimal(3)) == 0
    assert relative_gap(Decimal(0), Decimal(-1)) == 0


def test_the_stated_bound_lies_between_price_bound_and_objective():
    assert stated_bound(99.999, Decimal("90.00"), Decimal("100.00")) == Decimal("99.99")
    assert stated_bound(80.0, Decimal("90.00"), Decimal("100.00")) == Decimal("90.00")
    assert stated_bound(100.02, Decimal("90.00"), Decimal("100.00")) == Decimal("100.00")


def test_the_tolerance_is_a_cent_or_a_millionth():
    assert tolerance_eur(Fraction(9999)) == Fraction(1, 100)
    assert tolerance_eur(Fraction(20_000)) == Fraction(2, 100)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("1E+61"), Decimal("1E-61")]
)
def test_what_cannot_be_computed_with_is_refused(value):
    assert exact(value) is None


def test_what_can_be_is_exact():
    assert exact(0.1) == Fraction(0.1) != Fraction("0.1")
    assert exact(Decimal("0.1")) == Fraction("0.1")
    assert exact(Decimal("0E-999999999")) == 0
    assert exact(Decimal("1E+60")) == 10**60


def test_a_unit_that_is_too_coarse_is_an_error_and_not_rounded():
    with pytest.raises(ValueError, match="1/3 is not whole"):
        whole(Fraction(1, 3))
