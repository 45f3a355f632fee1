"""The certificate of columns: a sound plan holds, and each fault fails the check that names it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from models import (
    CoLocated,
    DerivedFrom,
    FixedPair,
    GdprCategory,
    Parameters,
    Separated,
    SeparationPrice,
)
from models.columns import Groups
from placement.errors import CertificateError, PolicyEngineError
from tests import builders
from tests.certificate_cases import TRANSFER, Case, ask, closed_at, closed_never, judge, town
from tests.certificate_column_cases import ColumnCase, case_in_columns


def sound() -> ColumnCase:
    """The town with room for the gap that its prices leave."""
    return case_in_columns(town().limited(gap=Decimal("0.5")))


def changed(values, row, value):
    other = values.copy()
    other[row] = value
    return other


def with_facts(case: ColumnCase, **fields) -> ColumnCase:
    return case.but(facts=replace(case.facts, **fields))


def with_placed(case: ColumnCase, **fields) -> ColumnCase:
    return case.but(placed=replace(case.placed, **fields))


def with_site(case: ColumnCase, name: str, **fields) -> ColumnCase:
    sites = tuple(s.model_copy(update=fields) if s.id == name else s for s in case.register.sites)
    return case.but(register=case.register.model_copy(update={"sites": sites}))


def with_parameters(case: ColumnCase, **fields) -> ColumnCase:
    return case.but(parameters=Parameters(**{**case.parameters.model_dump(), **fields}))


# --- what holds --------------------------------------------------------------------------------


def test_a_sound_plan_has_no_failure():
    assert sound().failures() == {}


def test_every_check_of_the_objects_has_one_of_the_columns():
    theirs = {c.name for c in judge(town()).certificate.checks}
    ours = [c.name for c in sound().judged().checks]
    assert theirs <= set(ours)
    assert set(ours) - theirs == {"relations", "profiles", "fixed"}
    assert len(set(ours)) == len(ours)


def test_amounts_are_those_of_the_objects():
    objects, columns = judge(town()), sound().judged()
    assert columns.exact == objects.total
    assert columns.costs == objects.total.rounded()
    assert columns.objective_cents == 42040
    assert columns.price_bound_cents == 28129
    assert columns.price_gap == objects.certificate.price_gap
    assert 0 <= columns.tolerance < Fraction(1, 10**9)
    assert 0 <= objects.price_bound - columns.price_bound <= columns.tolerance
    assert columns.certificate.objective_eur == Decimal("420.40")


def test_every_verdict_of_every_profile_in_use_is_asked_for():
    asked = []

    def counting(question):
        asked.append(question)
        return ask(question)

    case = sound().but(ask=counting)
    answer = {c.name: c for c in case.judged().checks}["eligibility"]
    distinct = {(q.dataset, q.site) for q in asked}
    profiles = len(set(case.eligibility.profile_of.tolist()))
    assert len(asked) == len(distinct) == profiles * len(case.register.sites) == answer.checked


def test_without_policies_the_table_is_taken_as_it_is_and_the_check_says_so():
    answer = {c.name: c for c in sound().but(ask=None).judged().checks}["eligibility"]
    assert answer.holds
    assert answer.checked == 0


def test_a_query_without_an_answer_certifies_nothing():
    def silent(question):
        raise PolicyEngineError("no answer")

    with pytest.raises(PolicyEngineError):
        sound().but(ask=silent).judged()


# --- what was placed ---------------------------------------------------------------------------


def test_a_dataset_where_the_policies_deny_it():
    told = sound().moved("registry", "ashburn").failures()
    assert "registry at ashburn: residency.special_category" in told["policies"][0]


def test_a_dataset_without_a_site():
    case = with_placed(sound(), sites=changed(sound().placed.sites, 0, -1))
    assert case.failures()["assignment"] == ("archive: rests at 0 sites, 1 needed",)


def test_a_replica_too_few_and_one_too_many():
    assert set(sound().moved("sensors", "hall").failures()) == {"assignment"}
    told = sound().moved("archive", "ashburn", "munich").failures()
    assert told["assignment"] == ("archive: rests at 2 sites, 1 needed",)


@pytest.mark.parametrize("site", [-2, 5, 1000])
def test_a_site_that_does_not_exist(site):
    case = sound()
    sites = changed(case.placed.sites, (case.row("trips"), 0), site)
    told = with_placed(case, sites=sites).failures()
    assert told["inputs"] == ("trips: a site is unknown",)
    assert told["assignment"] == ("trips: rests at 0 sites, 1 needed",)


def test_a_site_named_twice():
    case = sound()
    twice = np.full(2, case.site("hall"))
    sites = changed(case.placed.sites, case.row("sensors"), twice)
    told = with_placed(case, sites=sites).failures()
    assert told["inputs"] == ("sensors: a site is named twice",)
    assert told["assignment"] == ("sensors: rests at 1 sites, 2 needed",)


def test_rows_missing_from_the_plan():
    assert "inputs" in with_placed(sound(), sites=sound().placed.sites[:3]).failures()


def test_replicas_with_one_operator():
    told = sound().moved("sensors", "annex", "hall").failures()
    assert told["replica_separation"] == ("sensors: two replicas with one operator (hall, annex)",)


def test_co_located_datasets_apart():
    told = sound().moved("taxes", "munich").failures()
    assert told["co_location"] == ("permits rests at berlin, taxes at munich",)


def test_separated_datasets_at_one_site_and_with_one_operator():
    at_site = sound().moved("archive", "munich").failures()
    assert "archive|parking: both at one site" in at_site["separation"][0]
    with_operator = sound().moved("registry", "annex").moved("trips", "hall").failures()
    assert "registry|trips: both at one operator" in with_operator["separation"][0]
    # apart by site is not apart by operator
    apart = sound().moved("archive", "hall").moved("parking", "annex").failures()
    assert "separation" not in apart


def test_segregated_duties_at_one_site():
    told = sound().moved("registry", "berlin").failures()
    assert told["segregation"] == ("berlin: 1 datasets with duty audit and 1 with duty payment",)


def test_one_dataset_may_have_both_duties():
    both = builders.dataset("a", duties=("payment", "audit"))
    other = builders.dataset("b", duties=("payment",))
    case = Case(
        catalog=builders.catalog(both, other),
        register=builders.register(builders.site("hall"), builders.site("north", operator="nord")),
        parameters=Parameters(
            as_of=builders.AS_OF, operator_volume_share_max=Decimal(1), alternatives_min=0
        ),
        placements={"a": ("north",), "b": ("hall",)},
        ask=closed_never,
    )
    assert "segregation" not in case_in_columns(case).failures()
    assert "segregation" in case_in_columns(case).moved("b", "north").failures()


def test_segregation_that_the_table_does_not_know():
    case = sound()
    table = case.eligibility.table.model_copy(update={"segregated_duties": ()})
    told = case.but(eligibility=replace(case.eligibility, table=table)).failures()
    assert "audit and payment at berlin are missing" in told["segregation"]


def test_critical_data_without_alternatives():
    assert "alternatives" not in with_parameters(sound(), alternatives_min=3).failures()
    told = with_parameters(sound(), alternatives_min=4).failures()
    assert told["alternatives"] == (
        "taxes at berlin: 3 other operators have an eligible site (city, hyper, sued), 4 needed",
    )


def test_a_kind_of_storage_that_the_site_does_not_offer():
    told = with_site(sound(), "berlin", object_price_eur_per_gb_month=None).failures()
    assert any("no price" in failure for failure in told["objective"])


@pytest.mark.parametrize("allowed", [True, False])
def test_fixed_pairs(allowed):
    pair = FixedPair(dataset="trips", site="hall", allowed=allowed)
    told = sound().but(fixed=(pair,)).failures()
    assert ("fixed" in told) is allowed
    unknown = FixedPair(dataset="nobody", site="hall", allowed=allowed)
    with pytest.raises(CertificateError, match="no such pair"):
        sound().but(fixed=(unknown,)).judged()


def test_fixed_pairs_lift_the_bound():
    case = with_placed(sound(), row_prices={})
    free = case.judged().price_bound
    at_hall = FixedPair(dataset="archive", site="hall", allowed=True)
    cheapest = FixedPair(dataset="archive", site="munich", allowed=False)
    assert case.but(fixed=(at_hall,)).judged().price_bound > free
    assert case.but(fixed=(cheapest,)).judged().price_bound > free


# --- limits ------------------------------------------------------------------------------------


def test_capacity_to_the_gigabyte():
    case = sound()
    load = case.judged().rows["capacity[munich]"].load
    assert load == 320
    assert "capacity" not in with_site(case, "munich", capacity_gb=320).failures()
    told = with_site(case, "munich", capacity_gb=319).failures()
    assert told["capacity"] == ("capacity[munich]: 320 GB, at most 319 allowed",)


@pytest.mark.parametrize(
    ("family", "name", "parameter"),
    [
        ("exit_budget", "exit_budget", "exit_budget_eur"),
        ("closed_stack", "closed_stack", "closed_stack_share_max"),
        ("concentration_volume", "concentration_volume[sued]", "operator_volume_share_max"),
    ],
)
def test_limits_to_the_last_digit(family, name, parameter):
    case = sound()
    row = case.judged().rows[name]
    volume = 100 + 150 + 50 + 400 + 80 + 40 + 60
    scale = 1 if family == "exit_budget" else volume
    exact = row.load / scale
    at = Decimal(exact.numerator) / Decimal(exact.denominator)
    above = at.quantize(Decimal("1e-9"), rounding="ROUND_CEILING")
    below = above - Decimal("1e-9")
    assert family not in with_parameters(case, **{parameter: above}).failures()
    assert family in with_parameters(case, **{parameter: below}).failures()


def test_critical_replicas_of_an_operator():
    case = sound().moved("permits", "hall").moved("taxes", "berlin")
    assert case.judged().rows["concentration_critical[nord]"].load == 1
    # at least one is always allowed
    none = with_parameters(case, operator_critical_share_max=Decimal(0)).judged()
    assert none.rows["concentration_critical[nord]"].limit == 1


def test_moves():
    case = sound().moved("parking", "berlin")
    assert "moves" not in case.failures()
    told = with_parameters(case, moves_max=0).failures()
    assert told["moves"] == ("moves: 1 moves, at most 0 allowed",)


# --- what the plan stands on -------------------------------------------------------------------


@pytest.mark.parametrize("field", ["confidentiality", "gdpr_category", "access_rights"])
def test_a_class_that_is_not_the_true_one(field):
    case = sound()
    row = case.row("trips")
    told = with_facts(case, **{field: changed(getattr(case.facts, field), row, 0)}).failures()
    assert set(told) == {"classification"}
    assert told["classification"][0].startswith(f"trips: {field} is claimed 0, it is")


def test_grounds_that_are_not_the_true_ones():
    case = sound()
    facts = {"grounds": (*case.facts.grounds, ("5.9.9z",))}
    rows = changed(case.facts.grounds_of, 0, len(case.facts.grounds))
    told = with_facts(case, **facts, grounds_of=rows).failures()
    assert "claimed 5.9.9z, they are 5.1.2e" in told["classification"][0]


def test_relations_that_are_not_those_of_the_catalogue():
    case = sound()
    none = Groups(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert "relations" in with_facts(case, co_location=none).failures()
    flows = changed(case.facts.flow_ugb, 0, 1)
    assert "relations" in with_facts(case, flow_ugb=flows).failures()
    levels = ~case.facts.pair_whole_operator
    assert "relations" in with_facts(case, pair_whole_operator=levels).failures()


def test_the_groups_judged_by_are_those_of_the_relations_not_the_claimed_ones():
    case = sound()
    none = Groups(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))
    told = with_facts(case, co_location=none).moved("taxes", "munich").failures()
    assert {"relations", "co_location"} <= set(told)


def test_a_verdict_that_is_not_what_the_policies_say():
    case = sound()
    profile = int(case.eligibility.profile_of[case.row("registry")])
    table = case.eligibility.table
    rows = list(table.verdicts)
    rows[profile] = (*rows[profile][:-1], builders.ELIGIBLE)
    table = table.model_copy(update={"verdicts": tuple(rows)})
    told = case.but(eligibility=replace(case.eligibility, table=table)).failures()
    assert told["eligibility"] == (
        f"obligations: {TRANSFER} is violated nowhere",
        f"profile {profile} at ashburn: the table does not say what the policies say",
    )


def test_a_table_for_another_day():
    case = sound()
    table = case.eligibility.table.model_copy(update={"as_of": "2020-01-01"})
    told = case.but(eligibility=replace(case.eligibility, table=table)).failures()
    assert "eligibility" in told


def test_a_dataset_with_the_profile_of_another():
    case = sound()
    profiles = case.eligibility.profile_of
    other = changed(profiles, case.row("registry"), profiles[case.row("archive")])
    told = case.but(eligibility=replace(case.eligibility, profile_of=other)).failures()
    assert any("is not what others of profile" in failure for failure in told["profiles"])


def test_two_datasets_of_one_kind_with_two_profiles():
    case = case_in_columns(
        Case(
            catalog=builders.catalog(builders.dataset("a"), builders.dataset("b")),
            register=builders.register(builders.site("hall")),
            parameters=Parameters(as_of=builders.AS_OF),
            placements={"a": ("hall",), "b": ("hall",)},
            ask=closed_never,
        )
    )
    table = case.eligibility.table
    twice = table.model_copy(update={"verdicts": table.verdicts * 2})
    own = np.array([0, 1], dtype=np.int32)
    told = case.but(eligibility=replace(case.eligibility, table=twice, profile_of=own)).failures()
    assert told == {"profiles": ("b: profile 1, its like have another",)}


# --- prices and claims -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "price"), [("capacity[nowhere]", 1), ("exit_budget", -1), ("closed_stack", 10**70)]
)
def test_prices_that_prove_nothing(row, price):
    case = sound()
    told = with_placed(case, row_prices={**case.placed.row_prices, row: price}).failures()
    assert "prices" in told
    without = {name: p for name, p in case.placed.row_prices.items() if name != row}
    bad = with_placed(case, row_prices={**without, row: price}).judged()
    assert bad.price_bound == with_placed(case, row_prices=without).judged().price_bound


def test_a_price_changes_the_bound():
    case = sound()
    other = {**case.placed.row_prices, "capacity[hall]": 10**12}
    assert with_placed(case, row_prices=other).judged().price_bound != case.judged().price_bound


def message_case(gb: Decimal, egress: Decimal, message: int) -> ColumnCase:
    """One flow out of a site of this egress price, with a message there."""
    case = Case(
        catalog=builders.catalog(
            builders.dataset("a"),
            builders.dataset("b"),
            relations=(DerivedFrom(derived="b", source="a", monthly_transfer_gb=gb),),
        ),
        register=builders.register(
            builders.site("hall"),
            builders.site("north", operator="nord", egress_price_eur_per_gb=egress),
        ),
        parameters=Parameters(as_of=builders.AS_OF),
        placements={"a": ("hall",), "b": ("hall",)},
        ask=closed_never,
    )
    columns = case_in_columns(case)
    return with_placed(columns, flow_prices=np.array([[0, message]], dtype=np.int64))


@pytest.mark.parametrize(
    ("gb", "egress", "most"),
    [
        ("7.25", "0.04", 3_480_000),
        ("0.000001", "0.000001", 0),
        ("1000000000000", "0.5", 6 * 10**18),
        ("1000000000000", "0.123456789", 1_481_481_468_000_000_000),
        ("999999999999.999999", "0.7", 8_399_999_999_999_999_991),
    ],
)
def test_a_message_is_at_most_the_egress_cost_of_the_flow_to_the_last_unit(gb, egress, most):
    assert "prices" not in message_case(Decimal(gb), Decimal(egress), most).failures()
    told = message_case(Decimal(gb), Decimal(egress), most + 1).failures()
    assert told["prices"][0].startswith("flow a -> b at north")


def test_a_negative_message_and_one_of_a_flow_with_replicas():
    assert "prices" in message_case(Decimal(1), Decimal(1), -1).failures()
    case = sound()
    messages = case.placed.flow_prices.copy()
    replicated = case.facts.flow_source.tolist().index(case.row("sensors"))
    messages[replicated, case.site("munich")] = 1
    told = with_placed(case, flow_prices=messages).failures()
    assert told["prices"] == ("flow sensors -> archive: a flow with replicas has no price",)


def with_pair(case: ColumnCase, first: str, second: str, place: int, price: int) -> ColumnCase:
    """With a price for one pair."""
    facts, ends = case.facts, (case.row(first), case.row(second))
    pairs = list(zip(facts.pair_first.tolist(), facts.pair_second.tolist(), strict=True))
    places, prices = np.full(len(pairs), -1, dtype=np.int32), np.zeros(len(pairs), dtype=np.int64)
    places[pairs.index(ends)], prices[pairs.index(ends)] = place, price
    return with_placed(case, pair_places=places, pair_prices=prices)


@pytest.mark.parametrize(
    ("place", "price", "message"),
    [
        (3, -1, "at munich: -1 is not a price of 0 or more"),
        (3, -(2**63), "at munich: -9223372036854775808 is not a price of 0 or more"),
        (-1, 1, "there is no such place to price"),
        (-2, 0, "there is no such place to price"),
        (5, 1, "there is no such place to price"),
        (2**31 - 1, 1, "there is no such place to price"),
    ],
)
def test_prices_of_pairs_that_prove_nothing(place, price, message):
    case = with_pair(sound(), "registry", "trips", place, price)
    joint = " " if message.startswith("at") else ": "
    assert case.failures() == {"prices": (f"separation registry | trips{joint}{message}",)}
    assert case.judged().price_bound == sound().judged().price_bound


def test_prices_of_pairs_of_another_shape():
    case = with_pair(sound(), "registry", "trips", 3, 1)
    for name in ("pair_places", "pair_prices"):
        short = getattr(case.placed, name)[1:]
        told = with_placed(case, **{name: short}).failures()
        assert told["prices"][0].startswith("separation prices: ")


def test_a_pair_that_must_rest_together_has_no_price():
    both = CoLocated(members=("registry", "trips"))
    catalog = town().catalog
    catalog = catalog.model_copy(update={"relations": (*catalog.relations, both)})
    case = with_pair(case_in_columns(town().but(catalog=catalog)), "registry", "trips", 3, 1)
    assert case.failures()["prices"] == (
        "separation registry | trips: a pair that must rest together has no price",
    )


def test_any_site_of_an_operator_stands_for_the_whole_operator():
    hall, annex = sound().site("hall"), sound().site("annex")
    bounds = [
        with_pair(sound(), "registry", "trips", place, 3 * 10**6).judged().price_bound
        for place in (hall, annex)
    ]
    assert bounds[0] == bounds[1] != sound().judged().price_bound


@pytest.mark.parametrize("price", [1, 2**53 + 1, 2**63 - 1])
def test_prices_of_any_size_are_counted_exactly(price):
    case = with_pair(sound(), "archive", "parking", sound().site("ashburn"), price)
    paid = SeparationPrice(
        first="archive", second="parking", place="ashburn", price=Decimal(price).scaleb(-6)
    )
    ours, theirs = case.judged(), judge(town().but(separation_prices=(paid,)))
    assert 0 <= theirs.price_bound - ours.price_bound <= ours.tolerance
    assert ours.tolerance <= Fraction(1, 10**9)


def test_messages_of_another_shape():
    case = sound()
    told = with_placed(case, flow_prices=case.placed.flow_prices[:, 1:]).failures()
    assert "prices" in told


def test_claimed_amounts():
    honest = {"objective_eur": Decimal("420.40"), "dual_bound_eur": Decimal("420.40")}
    assert sound().failures(**honest) == {}
    assert set(sound().failures(objective_eur=421.0)) == {"objective"}
    assert set(sound().failures(objective_eur=float("nan"))) == {"objective"}
    assert set(sound().failures(dual_bound_eur=421.0)) == {"bound"}
    tight = with_parameters(sound(), gap=Decimal("0.001"))
    assert set(tight.failures()) == {"gap"}
    assert tight.failures(dual_bound_eur=420.4) == {}


def test_a_dataset_that_no_plan_could_place():
    nowhere = sound()
    for site in nowhere.register.sites:
        nowhere = with_site(nowhere, site.id, object_price_eur_per_gb_month=None)
    told = nowhere.failures()["bound"]
    assert "archive: fewer sites are open than 1 replicas need" in told


def test_a_pair_that_fits_alone_to_the_gigabyte_is_open():
    """As with objects: at 100 GB of room the cheap site counts, at 99 it does not."""

    def bound(capacity: int) -> Fraction:
        case = Case(
            catalog=builders.catalog(builders.dataset("a", monthly_read_gb=0)),
            register=builders.register(
                builders.site("cheap", capacity_gb=capacity),
                builders.site("dear", object_price_eur_per_gb_month=Decimal("0.05")),
            ),
            parameters=Parameters(as_of=builders.AS_OF),
            placements={"a": ("dear",)},
            ask=closed_at(),
        )
        ours, theirs = case_in_columns(case).judged(), judge(case)
        assert 0 <= theirs.price_bound - ours.price_bound <= ours.tolerance
        return theirs.price_bound

    assert bound(99) - bound(100) == 36


# --- columns that do not fit together ----------------------------------------------------------


def test_rows_that_point_nowhere_are_refused():
    case = sound()
    for field, value in (("kind_of", 99), ("current_of", -1), ("volume_gb", -1)):
        columns = replace(case.columns, **{field: changed(getattr(case.columns, field), 0, value)})
        with pytest.raises(CertificateError, match=field):
            case.but(columns=columns).judged()
    profiles = changed(case.eligibility.profile_of, 0, 99)
    with pytest.raises(CertificateError, match="profile_of"):
        case.but(eligibility=replace(case.eligibility, profile_of=profiles)).judged()
    with pytest.raises(CertificateError, match="flow_source"):
        with_facts(case, flow_source=case.facts.flow_source + 99).judged()
    with pytest.raises(CertificateError, match="confidentiality"):
        with_facts(case, confidentiality=case.facts.confidentiality[1:]).judged()


def test_many_failures_are_counted_not_all_named():
    names = [f"d{i:03}" for i in range(30)]
    case = Case(
        catalog=builders.catalog(
            *(builders.dataset(n, gdpr_category=GdprCategory.SPECIAL) for n in names),
            relations=(CoLocated(members=("d000", "d001")), Separated(members=("d002", "d003"))),
        ),
        register=builders.register(
            builders.site("hall"), builders.site("away", operator="hyper", country="US")
        ),
        parameters=Parameters(as_of=builders.AS_OF),
        placements=dict.fromkeys(names, ("away",)),
    )
    told = case_in_columns(case).failures()["policies"]
    assert len(told) == 21
    assert told[-1] == "and 10 more"
