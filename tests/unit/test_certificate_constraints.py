"""Each constraint family: a case that breaks it, named exactly, and one at the very limit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from models import (
    CoLocated,
    Level,
    Parameters,
    PolicyInput,
    PolicySite,
    Separated,
    Verdict,
    Violation,
)
from placement.certificate import Claims, certify
from tests import builders
from tests.certificate_cases import TRANSFER, Case, closed_at, failures, judge, town


def two_sites(**parameters) -> Case:
    """Two datasets of 100 GB; a hall of the city, two sites of one operator, one of another."""
    return Case(
        catalog=builders.catalog(builders.dataset("a"), builders.dataset("b")),
        register=builders.register(
            builders.site("hall"),
            builders.site("north", operator="nord"),
            builders.site("north-2", operator="nord"),
            builders.site("south", operator="sued"),
        ),
        parameters=Parameters(as_of=builders.AS_OF, **parameters),
        placements={"a": ("hall",), "b": ("north",)},
    )


def with_datasets(case: Case, *datasets, relations=()) -> Case:
    return case.but(catalog=builders.catalog(*datasets, relations=relations))


def with_capacity(case: Case, name: str, capacity_gb: int) -> Case:
    sites = [
        s.model_copy(update={"capacity_gb": capacity_gb}) if s.id == name else s
        for s in case.register.sites
    ]
    return case.but(register=builders.register(*sites))


def test_a_sound_plan_has_no_failure():
    assert failures(two_sites()) == {}
    assert failures(town()) == {}


def test_every_family_and_statement_is_checked():
    assert [c.name for c in judge(town()).certificate.checks] == [
        "inputs",
        "classification",
        "eligibility",
        "policies",
        "assignment",
        "alternatives",
        "co_location",
        "separation",
        "replica_separation",
        "segregation",
        "capacity",
        "concentration_volume",
        "concentration_critical",
        "exit_budget",
        "closed_stack",
        "moves",
        "objective",
        "prices",
        "bound",
        "gap",
    ]


def test_nothing_to_place_costs_nothing_and_holds():
    case = two_sites().but(catalog=builders.catalog().model_copy(update={"datasets": ()}))
    answer = judge(case.but(placements={}))
    assert answer.certificate.holds
    assert answer.objective == answer.price_bound == 0
    assert answer.certificate.price_gap == 0


def test_without_sites_nothing_is_placed_and_that_is_said():
    case = two_sites().but(register=builders.register().model_copy(update={"sites": ()}))
    found = failures(case)
    assert "a: rests at 0 sites, 1 needed" in found["assignment"]
    assert "a: 0 sites are allowed, 1 are needed" in found["bound"]


def test_one_failure_does_not_hide_another():
    case = two_sites(operator_volume_share_max=Decimal("0.4"), moves_max=0)
    moving = builders.dataset("a", current_site="north")
    found = failures(with_datasets(case, moving, builders.dataset("b")))
    assert {"concentration_volume", "moves"} <= set(found)


# --- inputs ------------------------------------------------------------------------------------


def with_placements(case: Case, *placements) -> dict[str, tuple[str, ...]]:
    claims = Claims(
        placements=placements,
        objective_eur=0.0,
        dual_bound_eur=0.0,
        gap=0.0,
        prices=(),
        flow_prices=(),
        eligibility=case.table(),
        effective=case.effective(),
    )
    answer = certify(
        case.catalog, case.register, case.parameters, claims, case.ask, lambda *_: frozenset()
    )
    return {c.name: c.failures for c in answer.certificate.checks if not c.holds}


def test_a_dataset_left_out_is_named():
    found = with_placements(two_sites(), ("a", ("hall",)))
    assert found["inputs"] == ("b: is not placed",)
    assert found["assignment"] == ("b: rests at 0 sites, 1 needed",)


def test_a_dataset_placed_twice_is_named_and_both_places_count():
    case = two_sites()
    found = with_placements(case, ("a", ("hall",)), ("b", ("hall",)), ("b", ("north",)))
    assert found["inputs"] == ("b: is placed 2 times",)
    assert found["assignment"] == ("b: rests at 2 sites, 1 needed",)


def test_a_dataset_nobody_knows_is_named():
    found = with_placements(
        two_sites(), ("a", ("hall",)), ("b", ("hall",)), ("ghost", ("hall", "moon"))
    )
    assert found["inputs"] == ("ghost: is not in the catalogue", "ghost: site moon is unknown")


def test_a_site_nobody_knows_is_named_and_holds_no_replica():
    found = with_placements(two_sites(), ("a", ("moon",)), ("b", ("hall",)))
    assert found["inputs"] == ("a: site moon is unknown",)
    assert found["assignment"] == ("a: rests at 0 sites, 1 needed",)


def test_a_site_named_twice_is_one_site():
    case = with_datasets(two_sites(), builders.dataset("a", replicas=2), builders.dataset("b"))
    found = with_placements(case, ("a", ("hall", "hall")), ("b", ("hall",)))
    assert found["inputs"] == ("a: site hall is named 2 times",)
    assert found["assignment"] == ("a: rests at 1 sites, 2 needed",)


def test_a_decision_without_a_day_is_no_decision():
    assert failures(two_sites().limited(as_of=None)) == {
        "inputs": ("parameters: as_of is not set",)
    }


# --- policies ----------------------------------------------------------------------------------


def test_a_denied_pair_names_the_obligation_and_what_is_the_case():
    found = failures(town().moved(registry="ashburn"))
    assert found["policies"] == (
        "registry at ashburn: residency.special_category_stays_in_eea: rests in US",
    )


def test_every_violation_of_a_pair_is_named():
    def deny(question: PolicyInput) -> Verdict:
        return Verdict(
            violations=(
                Violation(obligation="security.one", message="first"),
                Violation(obligation="security.two", message="second"),
            )
            if question.site.id == "north"
            else (),
            host_obligations=(),
            preferences=(),
            closed_stack=False,
        )

    found = failures(two_sites().but(ask=deny))
    assert found["policies"] == (
        "b at north: security.one: first",
        "b at north: security.two: second",
    )


# --- coupling rows -----------------------------------------------------------------------------


def test_capacity_over_by_a_gigabyte_and_full_to_the_last():
    over = with_capacity(two_sites(), "north", 99)
    assert failures(over)["capacity"] == ("capacity[north]: 100 GB, at most 99 allowed",)
    assert "capacity" not in failures(with_capacity(two_sites(), "north", 100))


def test_volume_concentration_over_and_exactly_at_its_share():
    over = two_sites(operator_volume_share_max=Decimal("0.499999999"))
    assert failures(over)["concentration_volume"] == (
        "concentration_volume[nord]: 100 GB, at most 99.9999998 allowed",
    )
    assert "concentration_volume" not in failures(two_sites())


def test_volume_concentration_sums_an_operators_sites_and_spares_the_city():
    apart = two_sites().moved(a="north-2")
    assert failures(apart)["concentration_volume"] == (
        "concentration_volume[nord]: 200 GB, at most 100 allowed",
    )
    assert failures(two_sites().moved(b="hall")) == {}


def critical(*names: str, **parameters) -> Case:
    datasets = [builders.dataset(n, availability=Level.HIGH) for n in names]
    case = two_sites(operator_volume_share_max=1, alternatives_min=0, **parameters)
    return with_datasets(case, *datasets).but(placements=dict.fromkeys(names, ("north",)))


def test_critical_concentration_over_and_at_the_rounded_down_share():
    share = {"operator_critical_share_max": Decimal("0.7")}
    case = critical("a", "b", "c", **share)  # 0.7 of 3 is 2.1, so 2
    assert failures(case)["concentration_critical"] == (
        "concentration_critical[nord]: 3 critical replicas, at most 2 allowed",
    )
    assert failures(case.moved(c="south")) == {}


def test_one_critical_dataset_may_always_rest_somewhere():
    assert failures(critical("a", operator_critical_share_max=Decimal(0))) == {}
    found = failures(critical("a", "b", operator_critical_share_max=Decimal(0)))
    assert set(found) == {"concentration_critical"}


def test_without_critical_datasets_there_is_no_critical_row():
    checks = {c.name: c.checked for c in judge(two_sites()).certificate.checks}
    assert checks["concentration_critical"] == 0


def test_exit_budget_counts_egress_paid_time_and_rework_outside_the_city():
    # north: 100 GB x (0.05 egress + 0.02 a month x 60/30 months) = 9 EUR; the hall: nothing
    case = two_sites(exit_budget_eur=Decimal("9"))
    sites = [
        s.model_copy(update={"egress_price_eur_per_gb": Decimal("0.05")})
        for s in case.register.sites
    ]
    case = case.but(register=builders.register(*sites))
    assert failures(case) == {}
    assert failures(case.limited(exit_budget_eur=Decimal("8.999999999")))["exit_budget"] == (
        "exit_budget: 9 EUR, at most 8.999999999 allowed",
    )
    closed = failures(case.but(ask=closed_at("north")))
    assert closed["exit_budget"] == ("exit_budget: 5009 EUR, at most 9 allowed",)


def test_closed_stacks_over_and_exactly_at_their_share():
    case = two_sites(closed_stack_share_max=Decimal("0.5")).but(ask=closed_at("north", "hall"))
    assert failures(case)["closed_stack"] == ("closed_stack: 200 GB, at most 100 allowed",)
    assert failures(case.but(ask=closed_at("north"))) == {}


def test_moves_over_and_at_the_limit():
    case = with_datasets(
        two_sites(moves_max=1),
        builders.dataset("a", current_site="north"),
        builders.dataset("b", current_site="south"),
    )
    assert failures(case)["moves"] == ("moves: 2 moves, at most 1 allowed",)
    assert failures(case.moved(a="north", b="hall")) == {}
    assert "moves" not in failures(case.limited(moves_max=None))


# --- constraints on single datasets and groups -------------------------------------------------


def test_alternatives_are_other_operators_not_other_sites():
    case = critical("a", operator_critical_share_max=1).limited(alternatives_min=2)
    assert failures(case) == {}  # from nord: the city and sued
    three = failures(case.limited(alternatives_min=3))
    assert three["alternatives"] == (
        "a at north: 2 other operators have an eligible site (city, sued), 3 needed",
    )


def test_alternatives_must_be_eligible():
    def only_nord(question: PolicyInput) -> Verdict:
        wrong = (
            ()
            if question.site.operator.id == "nord"
            else (Violation(obligation=TRANSFER, message="not here"),)
        )
        return Verdict(violations=wrong, host_obligations=(), preferences=(), closed_stack=False)

    case = critical("a", operator_critical_share_max=1).limited(alternatives_min=1)
    assert failures(case.but(ask=only_nord).limited(alternatives_min=0)) == {}
    assert failures(case.but(ask=only_nord))["alternatives"] == (
        "a at north: 0 other operators have an eligible site (none), 1 needed",
    )


def test_datasets_below_the_critical_level_need_no_alternatives():
    assert failures(two_sites(alternatives_min=9)) == {}
    level = failures(two_sites(alternatives_min=9, critical_level=Level.NORMAL))
    assert len(level["alternatives"]) == 2


def test_co_located_datasets_that_part():
    datasets = [builders.dataset(n) for n in "abc"]
    # a-b and b-c are one group: a and c must meet as well
    relations = (CoLocated(members=("a", "b")), CoLocated(members=("b", "c")))
    case = with_datasets(two_sites(operator_volume_share_max=1), *datasets, relations=relations)
    together = case.but(placements=dict.fromkeys("abc", ("north",)))
    assert failures(together) == {}
    assert failures(together.moved(c="south"))["co_location"] == (
        "a|b|c: a at north; b at north; c at south",
    )


@pytest.mark.parametrize(
    ("level", "where", "failure"),
    [
        ("site", "north", "a|b: both at site north"),
        ("site", "north-2", None),
        ("operator", "north-2", "a|b: both at operator nord"),
        ("operator", "south", None),
    ],
)
def test_separated_datasets_that_meet(level, where, failure):
    relations = (Separated(members=("b", "a"), level=level),)
    case = two_sites(operator_volume_share_max=1).moved(a=where)
    case = with_datasets(case, *case.catalog.datasets, relations=relations)
    assert failures(case).get("separation", ()) == ((failure,) if failure else ())


def test_the_stricter_separation_counts_in_any_order():
    both = (Separated(members=("a", "b"), level="operator"), Separated(members=("b", "a")))
    for relations in (both, both[::-1]):
        case = two_sites(operator_volume_share_max=1).moved(a="north-2")
        case = with_datasets(case, *case.catalog.datasets, relations=relations)
        assert failures(case)["separation"] == ("a|b: both at operator nord",)


def test_replicas_rest_with_different_operators():
    case = two_sites(operator_volume_share_max=1)
    case = with_datasets(case, builders.dataset("a", replicas=2), builders.dataset("b"))
    assert failures(case.moved(a=("north", "south"))) == {}
    assert failures(case.moved(a=("north", "north-2")))["replica_separation"] == (
        "a: 2 replicas with operator nord",
    )


def test_too_many_and_too_few_replicas():
    case = two_sites(operator_volume_share_max=1)
    assert failures(case.moved(a=("north", "south")))["assignment"] == (
        "a: rests at 2 sites, 1 needed",
    )
    case = with_datasets(case, builders.dataset("a", replicas=2), builders.dataset("b"))
    assert failures(case)["assignment"] == ("a: rests at 1 sites, 2 needed",)


def test_segregated_duties_that_meet_at_a_site():
    case = town().moved(registry="berlin", trips="hall")
    found = failures(case)
    assert found["segregation"] == ("berlin: taxes with duty audit and registry with duty payment",)
    # the same two datasets may meet in the hall, where the stub segregates nothing
    assert "segregation" not in failures(town().moved(permits="hall", taxes="hall"))


def test_one_dataset_with_both_duties_is_for_the_policies_to_judge():
    def always(site: PolicySite, duties: Sequence[str], as_of: date) -> frozenset[tuple[str, str]]:
        return frozenset({("audit", "payment")})

    both = builders.dataset("a", duties=("audit", "payment"))
    for others, expected in (
        ((), ()),
        (("audit",), ("hall: b with duty audit and a with duty payment",)),
    ):
        case = with_datasets(two_sites(), both, builders.dataset("b", duties=others))
        placements = (("a", ("hall",)), ("b", ("hall",)))
        claims = Claims(placements, 0.0, 0.0, 0.0, (), (), case.table(), case.effective())
        answer = certify(case.catalog, case.register, case.parameters, claims, case.ask, always)
        found = {c.name: c.failures for c in answer.certificate.checks}
        assert found["segregation"] == expected
