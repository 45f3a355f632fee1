"""The price bound worked out by hand, term by term."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest

from models import (
    CoLocated,
    DerivedFrom,
    FlowPrice,
    Level,
    Parameters,
    RowPrice,
    Separated,
    SeparationPrice,
)
from placement.certificate import Certified
from tests import builders
from tests.certificate_cases import Case, closed_at, closed_never, judge


def case(*datasets, relations=(), **parameters) -> Case:
    """Sites at EUR 12, 24 and 36 a year for 100 GB; `large` and `larger` are of "nord"."""
    free = {"handling_price_eur_per_dataset_month": 0}
    north = {**free, "operator": "nord"}
    datasets = datasets or (data("a"),)
    return Case(
        catalog=builders.catalog(*datasets, relations=relations),
        register=builders.register(
            builders.site("small", object_price_eur_per_gb_month=Decimal("0.01"), **free),
            builders.site("large", object_price_eur_per_gb_month=Decimal("0.02"), **north),
            builders.site("larger", object_price_eur_per_gb_month=Decimal("0.03"), **north),
        ),
        parameters=Parameters(
            as_of=builders.AS_OF,
            operator_volume_share_max=Decimal(1),
            operator_critical_share_max=Decimal(1),
            alternatives_min=0,
            **parameters,
        ),
        placements={d.id: ("small",) for d in datasets},
        ask=closed_never,
    )


def data(name: str, **changes):
    return builders.dataset(name, **{"volume_gb": 100, "monthly_egress_gb": 0, **changes})


def bound(given: Case, **prices: str) -> Fraction:
    named = {name.replace("__", "[") + "]" * ("__" in name): p for name, p in prices.items()}
    rows = tuple(RowPrice(row=row, price=Decimal(price)) for row, price in named.items())
    return priced(given.but(prices=rows)).price_bound


def priced(given: Case) -> Certified:
    answer = judge(given)
    assert all(c.holds for c in answer.certificate.checks if c.name == "prices")
    return answer


def test_without_prices_each_dataset_rests_at_its_cheapest_site():
    assert bound(case()) == 12
    assert bound(case(data("a"), data("b", volume_gb=50))) == 18


def test_replicas_rest_at_as_many_cheapest_sites():
    assert bound(case(data("a", replicas=2))) == 12 + 24


def test_replicas_rest_with_different_operators_in_the_bound():
    # the two cheapest sites, 12 and 24, are one operator's; with another one it is 12 + 36
    given = case(data("a", replicas=2)).moved(a=("small", "larger"))
    by_id = {s.id: s for s in given.register.sites}
    together = [
        by_id["small"].model_copy(update={"operator": "nord"}),
        by_id["large"],
        by_id["larger"].model_copy(update={"operator": "sued"}),
    ]
    assert bound(given.but(register=builders.register(*together))) == 12 + 36
    # all three are one operator's: no plan, and the bound keeps the cheapest sites
    alone = [s.model_copy(update={"operator": "nord"}) for s in by_id.values()]
    assert bound(given.but(register=builders.register(*alone))) == 12 + 24


@pytest.mark.parametrize("cheapest", ["small", "large", "larger"])
def test_an_operator_counts_with_its_cheapest_site(cheapest):
    sites = [
        s.model_copy(
            update={
                "operator": "nord",
                "object_price_eur_per_gb_month": Decimal("0.01" if s.id == cheapest else "0.02"),
            }
        )
        for s in case().register.sites
    ]
    assert bound(case().but(register=builders.register(*sites))) == 12


def test_a_limit_on_moves_closes_no_site():
    # neither may move: each alone weighs -1 at "small", where the two together must reach -2
    staying = case(data("a", current_site="small"), data("b", current_site="small"), moves_max=0)
    assert bound(staying) == 12 + 12


def holding(given: Case, **capacities: int) -> Case:
    sites = [
        s.model_copy(update={"capacity_gb": capacities.get(s.id, s.capacity_gb)})
        for s in given.register.sites
    ]
    return given.but(register=builders.register(*sites))


def test_a_site_too_small_for_a_dataset_alone_is_not_its_cheapest():
    assert bound(holding(case(), small=100)) == 12
    assert bound(holding(case(), small=99)) == 24
    assert bound(holding(case(), small=99, large=99)) == 36


def test_a_site_too_small_for_a_group_together_is_not_its_cheapest():
    pair = (data("a"), data("b"))
    assert bound(holding(case(*pair), small=199)) == 12 + 12
    together = case(*pair, relations=(CoLocated(members=("a", "b")),))
    assert bound(holding(together, small=200)) == 12 + 12
    assert bound(holding(together, small=199)) == 24 + 24


def test_where_no_site_is_large_enough_the_bound_keeps_all():
    assert bound(holding(case(), small=99, large=99, larger=99)) == 12
    # two replicas: large and larger would fit, but with one operator
    twice = case(data("a", replicas=2))
    assert bound(holding(twice, small=99)) == 12 + 24


def test_a_dataset_above_another_limit_alone_goes_where_the_limit_does_not_apply():
    dear = case()
    sites = {s.id: s for s in dear.register.sites}
    price = {"object_price_eur_per_gb_month": Decimal("0.05")}  # 60 a year
    dear = dear.but(
        register=builders.register(
            sites["small"].model_copy(update=price), sites["large"], sites["larger"]
        )
    )
    assert bound(dear) == 24
    assert bound(dear.limited(operator_volume_share_max=Decimal("0.99"))) == 60
    # leaving large costs 4 EUR, larger 6 EUR
    assert bound(dear.limited(exit_budget_eur=Decimal(4))) == 24
    assert bound(dear.limited(exit_budget_eur=Decimal("3.99"))) == 60
    # 100 GB on a closed stack of 30 GB at most
    assert bound(dear.but(ask=closed_at("large"))) == 36


def test_critical_members_of_a_group_count_together_against_concentration():
    vital = {"availability": Level.HIGH}
    pair = (data("a", **vital), data("b", **vital))
    given = case(*pair, relations=(CoLocated(members=("a", "b")),), critical_level=Level.HIGH)
    given = holding(given, small=199)
    assert bound(given) == 24 + 24
    # one replica of two at most with nord: no site is left, and the bound keeps all
    assert bound(given.limited(operator_critical_share_max=Decimal("0.5"))) == 12 + 12


def test_a_group_rests_where_all_of_it_is_cheapest():
    # b moves away from small at EUR (100 x 0.02 + 250) / 5 = 50.4; together 12 + 62.4 or 24 + 24
    pair = (data("a"), data("b", current_site="large"))
    assert bound(case(*pair)) == 12 + 24
    together = case(*pair, relations=(CoLocated(members=("a", "b")),))
    assert bound(together) == 24 + 24


def test_capacity_is_paid_for_a_gigabyte():
    # min(12 + 100 p, 24) - 10,000 p
    assert bound(case(), capacity__small="0.05") == 12 + 5 - 500
    assert bound(case(), capacity__small="0.5") == 24 - 5000


def test_concentration_is_paid_at_every_site_of_the_operator():
    dear = case().but(placements={"a": ("large",)})
    # at small 12, at large 24 + 100 p, at larger 36 + 100 p; the limit is the share of 100 GB
    assert bound(dear, concentration_volume__nord="1") == 12 - 100
    half = dear.limited(operator_volume_share_max=Decimal("0.5"))
    assert bound(half, concentration_volume__nord="1") == 12 - 50


def test_critical_concentration_is_paid_for_a_placement():
    vital = case(data("a", availability=Level.HIGH), critical_level=Level.HIGH)
    assert bound(vital, concentration_critical__nord="7") == 12 - 7
    no_small = vital.but(ask=closed_never).moved(a="large")
    sites = [
        s.model_copy(update={"object_price_eur_per_gb_month": None}) if s.id == "small" else s
        for s in no_small.register.sites
    ]
    forced = no_small.but(register=builders.register(*sites))
    assert bound(forced, concentration_critical__nord="7") == 24 + 7 - 7


def test_closed_stacks_are_paid_for_a_gigabyte():
    # 120 of 400 GB may rest on closed stacks: b alone is too large for small
    shut = case(data("a"), data("b", volume_gb=300)).but(ask=closed_at("small"))
    assert bound(shut, closed_stack="0.05") == (12 + 5) + 72 - 6
    assert bound(shut, closed_stack="1") == 24 + 72 - 120


def test_the_exit_budget_is_paid_for_an_euro():
    # leaving large costs 100 GB x 0.02 EUR x 60/30 months = 4 EUR; leaving the city's nothing
    only_north = case(exit_budget_eur=Decimal(10)).moved(a="large")
    sites = [
        s.model_copy(update={"object_price_eur_per_gb_month": None}) if s.id == "small" else s
        for s in only_north.register.sites
    ]
    forced = only_north.but(register=builders.register(*sites))
    assert bound(forced, exit_budget="0.5") == 24 + 2 - 5
    # larger: 36 EUR a year, 6 EUR to leave
    assert bound(forced, exit_budget="100") == 24 + 400 - 1000


def test_staying_is_rewarded_with_the_price_of_a_move():
    # at large 24 - p, at small 12 + 50.4; plus p times (1 with a current site - 0 moves)
    staying = case(data("a", current_site="large"), moves_max=0).moved(a="large")
    assert bound(staying) == 24
    assert bound(staying, moves="5") == 24 - 5 + 5
    assert bound(staying.limited(moves_max=1), moves="5") == 24 - 5


def flowing(price: str, site: str = "large", **datasets) -> Case:
    relation = DerivedFrom(derived="b", source="a", monthly_transfer_gb=Decimal(1))
    given = case(data("a", **datasets), data("b", volume_gb=300, **datasets), relations=(relation,))
    sites = [
        s.model_copy(update={"egress_price_eur_per_gb": Decimal(1)}) for s in given.register.sites
    ]
    flow_price = FlowPrice(source="a", derived="b", site=site, price=Decimal(price))
    return given.but(register=builders.register(*sites), flow_prices=(flow_price,))


def reading_away(given: Case) -> Fraction:
    """The readers work nowhere near: 10 GB a month at EUR 1 for each dataset, anywhere."""
    return Fraction(2 * 12 * 10)


@pytest.mark.parametrize(
    ("site", "price", "eur"),
    [
        ("small", "0", 12 + 36),
        ("small", "12", (12 + 12) + (36 - 12)),  # both stay: the source pays what b is granted
        ("large", "12", 12 + 36),  # b: small 36, large 72 - 12; a: small 12, large 24 + 12
    ],
)
def test_a_flow_price_is_paid_by_the_source_and_granted_to_what_derives(site, price, eur):
    given = flowing(price, site)
    assert priced(given).price_bound == eur + reading_away(given)


def test_a_flow_price_is_granted_at_every_site_of_the_operator():
    given = flowing("12", "larger")
    sites = [
        s.model_copy(update={"object_price_eur_per_gb_month": Decimal(price)})
        for s, price in zip(given.register.sites, ("0.02", "0.02", "0.02"), strict=True)
    ]
    # b costs 72 anywhere, and 72 - 12 with nord, at large as at larger; a costs 24 at large
    answer = priced(given.but(register=builders.register(*sites)))
    assert answer.price_bound == 24 + 60 + reading_away(given)


def test_of_an_operators_flow_prices_the_largest_is_granted_not_their_sum():
    given = flowing("12", "larger")
    sites = [
        s.model_copy(update={"object_price_eur_per_gb_month": Decimal("0.02")})
        for s in given.register.sites
    ]
    second = FlowPrice(source="a", derived="b", site="large", price=Decimal(5))
    given = given.but(register=builders.register(*sites), flow_prices=(*given.flow_prices, second))
    # b costs 72 - 12 with nord, not 72 - 17; a costs 24 at small
    assert priced(given).price_bound == 24 + 60 + reading_away(given)


def test_the_stated_bound_is_rounded_down_and_its_gap_up():
    # 12 / 7 a year: 1.714285...
    given = case(data("a", current_site="large", volume_gb=0)).limited(
        amortisation_years=7, migration_eur_per_dataset=12, moves_max=None
    )
    free = [
        s.model_copy(update={"object_price_eur_per_gb_month": None}) if s.id != "small" else s
        for s in given.register.sites
    ]
    answer = priced(given.but(register=builders.register(*free)))
    assert answer.price_bound == answer.objective == Fraction(12, 7)
    assert answer.certificate.price_bound_eur == Decimal("1.71")
    assert answer.certificate.price_gap == 0


# --- separated pairs: either pays at the place, and the bound is lower by it once --------------


def apart(
    level: Literal["site", "operator"], *datasets, place: str, price: str, together=()
) -> Fraction:
    """The bound where the first and the last dataset rest apart and have this price."""
    datasets = datasets or (data("a"), data("b"))
    first, second = datasets[0].id, datasets[-1].id
    given = case(*datasets, relations=(Separated(members=(first, second), level=level), *together))
    paid = SeparationPrice(first=first, second=second, place=place, price=Decimal(price))
    return priced(given.but(separation_prices=(paid,))).price_bound


def test_both_of_a_pair_pay_at_the_site_and_it_is_taken_off_once():
    assert apart("site", place="small", price="0") == 12 + 12
    assert apart("site", place="small", price="5") == (12 + 5) + (12 + 5) - 5
    # from 12 on both would rather go to "large", for 24
    assert apart("site", place="small", price="12") == 24 + 24 - 12
    assert apart("site", place="small", price="20") == 24 + 24 - 20
    # nobody rests at "larger" anyway
    assert apart("site", place="larger", price="5") == 12 + 12 - 5


def test_a_pair_by_operator_pays_at_all_of_its_sites():
    assert apart("operator", place="city", price="5") == (12 + 5) + (12 + 5) - 5
    # held away from "small", both rest with "nord", at "large", and pay there
    heavy = (data("a", volume_gb=1000), data("b", volume_gb=1000))
    relations = (Separated(members=("a", "b"), level="operator"),)
    given = holding(case(*heavy, relations=relations), small=900)
    paid = SeparationPrice(first="a", second="b", place="nord", price=Decimal(500))
    assert priced(given).price_bound == 240 + 240
    answer = priced(given.but(separation_prices=(paid,)))
    assert answer.price_bound == (240 + 500) + (240 + 500) - 500


def test_each_replica_pays_at_its_own_place_only():
    pair = (data("a", replicas=2), data("b"))
    assert apart("site", *pair, place="large", price="5") == (12 + 24 + 5) + 12 - 5
    assert apart("site", *pair, place="large", price="50") == (12 + 36) + 12 - 50
    assert apart("operator", *pair, place="nord", price="5") == (12 + 24 + 5) + 12 - 5
    assert apart("operator", *pair, place="city", price="5") == (12 + 5 + 24) + (12 + 5) - 5


def test_a_group_pays_for_its_member():
    three = (data("a"), data("b"), data("c"))
    both = (CoLocated(members=("a", "b")),)
    assert apart("site", *three, place="small", price="20", together=both) == (24 + 20) + 24 - 20
