"""What a solver claims of its solution, against what is so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from models import (
    CoLocated,
    EligibilityTable,
    FlowPrice,
    Level,
    PolicyInput,
    RowPrice,
    SegregatedDuties,
    SeparationPrice,
    Solution,
    StorageKind,
    Termination,
    Verdict,
    Violation,
)
from placement.certificate import Claims, claims_of
from placement.errors import PolicyEngineError, SolverError
from tests import builders
from tests.certificate_cases import Case, ask, certified, failures, judge, town


def claims(case: Case, **changes) -> Claims:
    honest = Claims(
        placements=tuple(case.placements.items()),
        objective_eur=Decimal("420.40"),
        dual_bound_eur=Decimal("420.30"),
        gap=Decimal("0.000237869"),
        prices=case.prices,
        flow_prices=case.flow_prices,
        eligibility=case.table(),
        effective=case.effective(),
    )
    return replace(honest, **changes)


def found(**changes) -> dict[str, tuple[str, ...]]:
    answer = certified(town(), claims(town(), **changes))
    return {c.name: c.failures for c in answer.certificate.checks if not c.holds}


def test_honest_claims_hold():
    assert found() == {}


# --- objective, bound, gap ---------------------------------------------------------------------


def test_an_objective_off_by_a_cent_is_float_noise_and_by_two_is_not():
    exact = judge(town()).objective
    assert found(objective_eur=float(exact) + 0.0099) == {}
    told = found(objective_eur=Decimal("420.42"))["objective"]
    assert told == ("claimed EUR 420.42, the placements cost EUR 420.40: EUR 0.02 apart",)


def test_a_large_objective_may_be_off_by_a_millionth():
    case = town()
    sites = [
        s.model_copy(update={"handling_price_eur_per_dataset_month": Decimal(10**6)})
        for s in case.register.sites
    ]
    case = case.but(register=builders.register(*sites))
    exact = judge(case).objective
    near = case.but(claimed={"objective_eur": float(exact * (1 - 9 * 10**-7))})
    far = case.but(claimed={"objective_eur": float(exact * (1 - 11 * 10**-7))})
    assert "objective" not in failures(near)
    assert "objective" in failures(far)


def test_a_bound_above_the_cost_cannot_be():
    told = found(dual_bound_eur=Decimal("421"), gap=0.0)["bound"]
    assert told == ("dual bound EUR 421.00 is above the cost EUR 420.40",)


def test_a_gap_that_is_not_that_of_objective_and_bound():
    told = found(dual_bound_eur=Decimal("400"), gap=Decimal("0.000237869"))
    assert told["bound"] == ("the gap is claimed 0.000237869, it is 0.048525214",)
    assert told["gap"] == ("the gap is 0.048525214, at most 0.001 allowed",)


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), Decimal("1E+999999999")])
def test_what_is_no_amount_is_a_failure_and_not_an_error(value):
    assert "objective" in found(objective_eur=value)
    assert "bound" in found(dual_bound_eur=value)
    assert "bound" in found(gap=value)


def test_the_gap_at_its_limit_and_beyond():
    case = town().limited(gap=Decimal("0.05"))
    exact = judge(case).objective
    # one cent of tolerance, for float sums: 5 % of the objective and a little less than that cent
    for cents, holds in ((Decimal("0.009"), True), (Decimal("0.011"), False)):
        bound = float(exact) * 0.95 - float(cents)
        gap = 1 - bound / float(exact)
        claimed = {"dual_bound_eur": bound, "gap": gap}
        assert ("gap" not in failures(case.but(claimed=claimed))) is holds


def test_a_gap_that_the_prices_prove_needs_no_solver():
    case = town().limited(gap=Decimal("0.34"))
    assert "gap" not in failures(case.but(claimed={"dual_bound_eur": 0.0, "gap": 1.0}))
    case = case.limited(gap=Decimal("0.33"))
    assert "gap" in failures(case.but(claimed={"dual_bound_eur": 0.0, "gap": 1.0}))


def test_a_plan_cheaper_than_its_price_bound_breaks_a_constraint():
    case = Case(
        catalog=builders.catalog(builders.dataset("a"), builders.dataset("b")),
        register=builders.register(
            builders.site("small", capacity_gb=199, object_price_eur_per_gb_month=Decimal("0.01")),
            builders.site("large"),
        ),
        parameters=town().parameters,
        placements={"a": ("small",), "b": ("small",)},
    )
    # EUR 12 + 60 at "small" and 24 + 60 at "large": 2 min(72 + 100 p, 84) - 199 p, at p = 0.12
    priced = case.but(prices=(RowPrice(row="capacity[small]", price=Decimal("0.12")),))
    assert failures(case).keys() == {"capacity"}
    assert failures(priced)["bound"] == (
        (
            "the price bound EUR 144.12 is above the cost EUR 144.00:"
            " no plan that keeps all constraints costs so little"
        ),
    )


def test_a_place_without_a_price_is_not_for_free():
    case = town()
    sites = [
        s.model_copy(update={"object_price_eur_per_gb_month": None}) if s.id == "hall" else s
        for s in case.register.sites
    ]
    told = failures(case.but(register=builders.register(*sites)))["objective"]
    assert told == (
        "registry at hall: the site has no price for this kind of storage",
        "sensors at hall: the site has no price for this kind of storage",
    )


def test_a_dataset_without_enough_sites_has_no_bound():
    block = builders.dataset("a", storage=StorageKind.BLOCK)
    case = Case(
        catalog=builders.catalog(block),
        register=builders.register(builders.site(block_price_eur_per_gb_month=None)),
        parameters=town().parameters,
        placements={"a": ("townhall",)},
    )
    assert failures(case)["bound"] == ("a: 0 sites are allowed, 1 are needed",)


# --- prices ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("capacity[moon]", "there is no such constraint to price"),
        ("concentration_volume[city]", "there is no such constraint to price"),
        ("separation[a|b]", "there is no such constraint to price"),
        ("capacity[hall]", "priced twice"),
    ],
)
def test_prices_for_rows_that_are_not_there(row, message):
    price = RowPrice(row=row, price=Decimal(1))
    assert found(prices=(*town().prices, price))["prices"] == (f"{row}: {message}",)


def test_a_row_that_the_parameters_switch_off_has_no_price():
    told = failures(town().limited(moves_max=None, exit_budget_eur=None))["prices"]
    assert told == (
        "exit_budget: there is no such constraint to price",
        "moves: there is no such constraint to price",
    )


@pytest.mark.parametrize("price", [Decimal("-0.1"), Decimal("1E-400"), Decimal("1E+400")])
def test_a_price_that_proves_nothing_counts_as_none(price):
    wrong = RowPrice.model_construct(row="capacity[hall]", price=price)
    rest = town().prices[1:]
    told = found(prices=(wrong, *rest))["prices"]
    assert told == (f"capacity[hall]: {price} is not a price of 0 or more",)
    answer = certified(town(), claims(town(), prices=(wrong, *rest)))
    assert answer.price_bound == certified(town(), claims(town(), prices=rest)).price_bound


def flow_price(**changes) -> FlowPrice:
    fields = {"source": "trips", "derived": "parking", "site": "berlin", "price": Decimal(1)}
    return FlowPrice(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "parking", "derived": "trips"}, "there is no such flow to price"),
        ({"source": "sensors", "derived": "archive"}, "a flow with replicas has no price"),
        ({"site": "moon"}, "there is no such site"),
        ({"site": "munich"}, "priced twice"),
        (
            # 12 months x 7.25 GB x 0.05 EUR
            {"price": Decimal("4.350000001")},
            "4.350000001 is not between 0 and the egress cost of 4.35 EUR a year",
        ),
    ],
)
def test_flow_prices_outside_their_box(changes, message):
    given = flow_price(**changes)
    name = f"flow {given.source} -> {given.derived} at {given.site}"
    told = found(flow_prices=(*town().flow_prices, given))["prices"]
    assert told == (f"{name}: {message}",)


def test_a_flow_price_at_the_edges_of_its_box():
    for price in (Decimal(0), Decimal("4.35")):
        assert found(flow_prices=(flow_price(price=price),)) == {}


def pair_price(**changes) -> SeparationPrice:
    """`registry` and `trips` share no operator, `archive` and `parking` no site."""
    fields = {"first": "registry", "second": "trips", "place": "sued", "price": Decimal(1)}
    return SeparationPrice.model_construct(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"second": "parking"}, "there is no such pair to price"),
        ({"first": "trips", "second": "registry"}, "there is no such pair to price"),
        ({"place": "munich"}, "there is no such operator"),
        ({"first": "archive", "second": "parking"}, "there is no such site"),
        ({"price": Decimal("-0.01")}, "-0.01 is not a price of 0 or more"),
        ({"price": Decimal("NaN")}, "NaN is not a price of 0 or more"),
        ({"price": Decimal("1e61")}, "1E+61 is not a price of 0 or more"),
    ],
)
def test_prices_of_pairs_that_prove_nothing(changes, message):
    given = pair_price(**changes)
    name = f"separation {given.first} | {given.second} at {given.place}"
    changed = claims(town(), separation_prices=(given,))
    answer = certified(town(), changed)
    assert {c.name: c.failures for c in answer.certificate.checks if not c.holds} == {
        "prices": (f"{name}: {message}",)
    }
    assert answer.price_bound == certified(town(), claims(town())).price_bound


def test_a_pair_priced_twice_at_one_place_and_once_at_each_of_two():
    given = pair_price()
    told = found(separation_prices=(given, given))["prices"]
    assert told == ("separation registry | trips at sued: priced twice",)
    assert found(separation_prices=(given, pair_price(place="nord"))) == {}


def test_a_pair_that_must_rest_together_has_no_price():
    case = town()
    both = CoLocated(members=("registry", "trips"))
    catalog = case.catalog.model_copy(update={"relations": (*case.catalog.relations, both)})
    told = failures(case.but(catalog=catalog, separation_prices=(pair_price(),)))["prices"]
    assert told == (
        "separation registry | trips at sued: a pair that must rest together has no price",
    )


# --- eligibility and classes -------------------------------------------------------------------


def edited(table: EligibilityTable, profile: int, site: int, verdict: Verdict) -> EligibilityTable:
    rows = [list(row) for row in table.verdicts]
    rows[profile][site] = verdict
    return table.model_copy(update={"verdicts": tuple(tuple(row) for row in rows)})


OTHER = Violation(obligation="security.other", message="elsewhere")


def test_a_verdict_made_eligible_is_named_with_what_the_policies_say():
    table = town().table()
    told = found(eligibility=edited(table, table.profile_of[0], 4, builders.ELIGIBLE))
    assert told["eligibility"][0] == (
        "registry at ashburn (profile 0): claimed eligible, the policies say ineligible:"
        " residency.special_category_stays_in_eea: rests in US"
    )


def test_a_site_hidden_from_the_solver_is_named():
    table = town().table()
    told = found(eligibility=edited(table, 1, 2, table.verdict(0, 4)))
    assert told["eligibility"] == (
        "permits at berlin (profile 1): claimed ineligible, the policies say eligible",
    )


def test_a_verdict_with_other_preferences_or_stack_is_named():
    table = town().table()
    verdict = table.verdict(1, 4)
    told = found(eligibility=edited(table, 1, 4, verdict.model_copy(update={"preferences": ()})))
    assert told["eligibility"][0].startswith(
        "permits at ashburn (profile 1): preferences is claimed (), the policies say (Preference("
    )
    told = found(
        eligibility=edited(table, 1, 4, verdict.model_copy(update={"closed_stack": False}))
    )
    assert told["eligibility"] == (
        "permits at ashburn (profile 1): closed_stack is claimed False, the policies say True",
    )


def test_a_violation_worded_otherwise_is_named():
    table = town().table()
    verdict = table.verdict(0, 4).model_copy(update={"violations": (OTHER,)})
    told = found(eligibility=edited(table, 0, 4, verdict))["eligibility"]
    assert told[0].startswith("registry at ashburn (profile 0): violations is claimed")
    assert "obligations: security.other is violated and not explained" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"datasets": t.datasets[::-1]}, "datasets: not those of the catalogue"),
        (lambda t: {"sites": t.sites[::-1]}, "sites: not those of the register"),
        (lambda t: {"profile_of": t.profile_of[:-1]}, "profile_of: 6 entries for 7 datasets"),
        (lambda t: {"profile_of": (9, *t.profile_of[1:])}, "profile_of: does not name each"),
        (lambda t: {"profile_of": (-1, *t.profile_of[1:])}, "profile_of: does not name each"),
        (lambda t: {"verdicts": (*t.verdicts, t.verdicts[0])}, "profile_of: does not name each"),
        (lambda t: {"verdicts": ((), *t.verdicts[1:])}, "verdicts: a row does not have one"),
        (lambda t: {"segregated_duties": ()}, "segregated duties: audit and payment at ashburn"),
        (
            lambda t: {"segregated_duties": (*t.segregated_duties, t.segregated_duties[0])},
            "segregated duties: a pair is listed twice",
        ),
        (
            lambda t: {
                "segregated_duties": (
                    *t.segregated_duties,
                    SegregatedDuties(site="hall", duty="audit", other="payment"),
                )
            },
            "segregated duties: audit and payment at hall are not segregated by the policies",
        ),
        (lambda t: {"obligations": ()}, "obligations: residency.special_category_stays_in_eea is"),
        (lambda t: {"obligations": t.obligations * 2}, "obligations: one is explained twice"),
        (lambda t: {"as_of": t.as_of.replace(year=2027)}, "the table is for 2027-10-01"),
    ],
)
def test_a_table_that_is_not_the_policies_answer(change, message):
    table = town().table()
    told = found(eligibility=table.model_copy(update=change(table)))["eligibility"]
    assert any(failure.startswith(message) for failure in told), told


def test_two_datasets_that_policies_can_tell_apart_do_not_share_a_profile():
    case = town()
    table = case.table()
    trips, permits = table.datasets.index("trips"), table.datasets.index("permits")
    assert table.profile_of[trips] != table.profile_of[permits]
    assert table.verdicts[table.profile_of[trips]] == table.verdicts[table.profile_of[permits]]
    profiles = list(table.profile_of)
    profiles[trips] = profiles[permits]
    own = [p if p < table.profile_of[trips] else p - 1 for p in profiles]
    rows = tuple(r for i, r in enumerate(table.verdicts) if i != table.profile_of[trips])
    told = found(eligibility=table.model_copy(update={"profile_of": tuple(own), "verdicts": rows}))
    assert told["eligibility"] == (
        "profile_of: datasets share a profile exactly where policies cannot tell them apart",
    )


def test_a_lowered_class_is_named():
    classes = town().effective()
    trips = next(c for c in classes if c.dataset == "trips")
    assert trips.confidentiality is Level.HIGH  # three personal datasets cumulate
    lowered = trips.model_copy(update={"confidentiality": Level.NORMAL})
    told = found(effective=tuple(lowered if c is trips else c for c in classes))
    assert told["classification"] == ("trips: confidentiality is claimed 2, it is 3",)


def test_classes_left_out_added_and_in_another_order_are_named():
    classes = town().effective()
    order = "effective classes: not one for each dataset, in catalogue order"
    assert found(effective=classes[1:])["classification"] == (order,)
    assert found(effective=classes[::-1])["classification"] == (order,)
    ghost = classes[0].model_copy(update={"dataset": "ghost"})
    assert found(effective=(*classes, ghost))["classification"] == (order, "ghost: is unknown")


def test_a_changed_chain_and_other_attributes_are_named():
    classes = town().effective()
    changed = classes[0].model_copy(
        update={"chain": ("registry", "trips"), "non_publication_grounds": ()}
    )
    assert found(effective=(changed, *classes[1:]))["classification"] == (
        "registry: non_publication_grounds is claimed none, it is 5.1.2e",
        "registry: chain is claimed registry, trips, it is registry",
    )


# --- asking ------------------------------------------------------------------------------------


def test_each_distinct_question_is_asked_once():
    asked = []

    def counting(question: PolicyInput) -> Verdict:
        asked.append((question.dataset, question.site.id))
        return ask(question)

    case = town().but(ask=counting)
    made = claims(town())
    certified(case, made)
    assert len(asked) == len(set(asked)) == 6 * 5
    assert {q[1] for q in asked} == {s.id for s in case.register.sites}


def test_an_engine_that_fails_ends_it_at_once():
    asked = []

    def failing(question: PolicyInput) -> Verdict:
        asked.append(question)
        raise PolicyEngineError("OPA is gone")

    with pytest.raises(PolicyEngineError, match="OPA is gone"):
        certified(town().but(ask=failing), claims(town()))
    assert len(asked) < 30


# --- from a solution ---------------------------------------------------------------------------


def solution(**changes) -> Solution:
    fields = {
        "termination": Termination.WITHIN_GAP,
        "placements": tuple(town().placements.values()),
        "objective_eur": 420.4,
        "dual_bound_eur": 420.3,
        "gap": 0.000237869,
    }
    return Solution(**{**fields, **changes})


def test_claims_pair_datasets_with_the_sites_found_for_them():
    table = town().table()
    made = claims_of(solution(), table, town().effective())
    assert dict(made.placements) == dict(town().placements)
    assert (made.objective_eur, made.dual_bound_eur, made.gap) == (420.4, 420.3, 0.000237869)


@pytest.mark.parametrize(
    "changes",
    [
        {"placements": ()},
        {"placements": (("hall",),)},
        {"objective_eur": None},
        {"dual_bound_eur": None},
        {"gap": None},
    ],
)
def test_a_solution_without_a_whole_plan_makes_no_claims(changes):
    with pytest.raises(SolverError):
        claims_of(solution(**changes), town().table(), town().effective())
