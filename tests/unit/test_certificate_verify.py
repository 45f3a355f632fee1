"""A certified plan file is edited in every way we could think of; each time `verify` names it.

Edits come in two kinds: as they are, where the digest always fails; and with every digest in the
file computed again afterwards, where only what is really wrong is left to be found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from models import Catalog, GdprCategory, Obligation, Parameters, Plan, SiteRegister, sha256_of
from placement.certificate import plan_digest, verify_plan
from placement.errors import PolicyEngineError
from tests.certificate_cases import OBLIGATION, POLICIES, Case, ask, ask_segregated, release, town

Document = dict[str, Any]
PLAN = release(town())
TEXT = PLAN.model_dump_json()


def verified(
    plan: Plan, case: Case | None = None, parameters: Parameters | None = None
) -> dict[str, tuple[str, ...]]:
    case = case or town()
    certificate = verify_plan(
        plan,
        case.catalog,
        case.register,
        ask,
        ask_segregated,
        policies_digest=POLICIES,
        parameters=parameters,
    )
    assert certificate.holds == all(c.holds for c in certificate.checks)
    return {c.name: c.failures for c in certificate.checks if not c.holds}


def redigested(document: Document) -> Plan:
    """The plan with all its digests made to fit."""
    plan = Plan.model_validate_json(json.dumps(document))
    digests = plan.digests.model_copy(
        update={
            "catalog": sha256_of(plan.inputs.catalog),
            "sites": sha256_of(plan.inputs.sites),
            "parameters": sha256_of(plan.parameters),
        }
    )
    plan = plan.model_copy(update={"digests": digests})
    return plan.model_copy(update={"digest": plan_digest(plan)})


def edited(edit: Callable[[Document], None]) -> Document:
    document = json.loads(TEXT)
    edit(document)
    assert document != json.loads(TEXT)
    return document


def index(document: Document, dataset: str) -> int:
    return [p["dataset"] for p in document["placements"]].index(dataset)


def placement(document: Document, dataset: str) -> Document:
    return document["placements"][index(document, dataset)]


def move(dataset: str, *sites: str) -> Callable[[Document], None]:
    return lambda document: placement(document, dataset).update(sites=list(sites))


def put(*path: Any) -> Callable[[Document], None]:
    """Set the value at a path: put("gap", "0.5"); a name among placements is a dataset."""
    *way, last, value = path

    def edit(document: Document) -> None:
        here: Any = document
        for step in way:
            here = placement(document, step) if here is document["placements"] else here[step]
        here[last] = value

    return edit


def both(*edits: Callable[[Document], None]) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        for one in edits:
            one(document)

    return edit


def swap(document: Document) -> None:
    first, second = placement(document, "registry"), placement(document, "trips")
    first["sites"], second["sites"] = second["sites"], first["sites"]


def drop_dataset(document: Document) -> None:
    del document["placements"][index(document, "parking")]


def duplicate_dataset(document: Document) -> None:
    document["placements"].append(dict(placement(document, "parking")))


def add_dataset(document: Document) -> None:
    document["placements"].append({**placement(document, "parking"), "dataset": "ghost"})


def eligible_in_ashburn(document: Document) -> None:
    table = document["eligibility"]
    profile = table["profile_of"][table["datasets"].index("registry")]
    table["verdicts"][profile][table["sites"].index("ashburn")]["violations"] = []
    table["obligations"] = []


def lower_class(document: Document) -> None:
    trips = next(e for e in document["effective"] if e["dataset"] == "trips")
    trips.update(confidentiality=2, reasons=[])


def raise_bound(document: Document) -> None:
    document["dual_bound_eur"] = "421.00"
    document["gap"] = "0"


def lower_bound(document: Document) -> None:
    document["dual_bound_eur"] = "200.00"
    document["gap"] = "0.524262608"


def other_catalogue(document: Document) -> None:
    document["inputs"]["catalog"]["datasets"][0]["gdpr_category"] = "personal"


def other_prices(document: Document) -> None:
    document["inputs"]["sites"]["sites"][4]["object_price_eur_per_gb_month"] = "0.001"


def plan_of_another_town(document: Document) -> None:
    document["municipality"] = "Elsewhere"


def certificate_says_holds(document: Document) -> None:
    document["placements"][0]["sites"] = ["ashburn"]
    for check in document["certificate"]["checks"]:
        check.update(holds=True, failures=[])


def fewer_checks(document: Document) -> None:
    document["certificate"]["checks"].pop()


def policies_replaced(document: Document) -> None:
    document["eligibility"]["policy_revision"] = "b" * 64
    document["digests"]["policies"] = "b" * 64


EDITS: list[tuple[str, Callable[[Document], None], dict[str, str]]] = [
    (
        "a placement moved to where policy denies it",
        move("registry", "ashburn"),
        {
            "policies": "registry at ashburn: residency.special_category_stays_in_eea",
            "costs": "registry: storage is stated EUR 24.00, it is EUR 4.80: EUR 19.20 apart",
            "objective": "claimed EUR 420.40, the placements cost EUR",
        },
    ),
    (
        "a placement moved to a dearer site",
        move("archive", "hall"),
        {"costs": "archive: storage is stated", "objective": "claimed EUR 420.40"},
    ),
    ("a placement moved to a full site", move("sensors", "annex", "ashburn"), {"costs": "sensors"}),
    (
        "two placements swapped",
        swap,
        {"costs": "registry: ", "certificate": "price_gap is stated"},
    ),
    (
        "one of a co-located pair moved",
        move("taxes", "hall"),
        {"co_location": "permits|taxes: permits at berlin; taxes at hall"},
    ),
    (
        "a separated pair brought together",
        move("registry", "munich"),
        {"separation": "registry|trips: both at operator sued"},
    ),
    (
        "a dataset moved more than allowed",
        both(move("permits", "hall"), move("taxes", "hall"), move("parking", "hall")),
        {"moves": "moves: 2 moves, at most 1 allowed"},
    ),
    (
        "a replica dropped",
        move("sensors", "hall"),
        {"assignment": "sensors: rests at 1 sites, 2 needed"},
    ),
    (
        "a replica added",
        move("archive", "ashburn", "hall"),
        {"assignment": "archive: rests at 2 sites, 1 needed"},
    ),
    (
        "a replica beside the other",
        move("sensors", "annex", "hall"),
        {"replica_separation": "sensors: 2 replicas with operator city"},
    ),
    (
        "a replica named twice",
        move("sensors", "hall", "hall"),
        {"inputs": "sensors: site hall is named 2 times"},
    ),
    (
        "sites in another order",
        move("sensors", "munich", "hall"),
        {"placements": "sensors: sites are not sorted"},
    ),
    ("an unknown site", move("archive", "moon"), {"inputs": "archive: site moon is unknown"}),
    ("a dataset removed", drop_dataset, {"inputs": "parking: is not placed"}),
    ("a dataset added", add_dataset, {"inputs": "ghost: is not in the catalogue"}),
    ("a dataset duplicated", duplicate_dataset, {"inputs": "parking: is placed 2 times"}),
    (
        "placements in another order",
        lambda d: d["placements"].reverse(),
        {"placements": "placements: not one for each dataset, in catalogue order"},
    ),
    (
        "a placement's profile",
        put("placements", "permits", "profile", 0),
        {"placements": "permits: profile is stated 0, the table has 1"},
    ),
    (
        "a cost changed by a cent",
        put("placements", "registry", "cost_eur_per_year", "storage", "24.01"),
        {"costs": "registry: storage is stated EUR 24.01, it is EUR 24.00: EUR 0.01 apart"},
    ),
    (
        "a total changed by a cent",
        put("costs_eur_per_year", "handling", "0.01"),
        {"costs": "total: handling is stated EUR 0.01, it is"},
    ),
    (
        "the objective lowered by a cent",
        put("objective_eur", "420.39"),
        {"costs": "objective is stated EUR 420.39, it is EUR 420.40: EUR 0.01 apart"},
    ),
    ("the objective lowered", put("objective_eur", "400.00"), {"objective": "claimed EUR 400.00"}),
    (
        "a bound raised above the cost",
        raise_bound,
        {
            "bound": "dual bound EUR 421.00 is above the cost EUR 420.40",
            "proof": "dual bound EUR 421.00 is above the objective",
        },
    ),
    (
        "a bound raised by a cent",
        put("dual_bound_eur", "420.41"),
        {"proof": "dual bound EUR 420.41 is above the objective"},
    ),
    (
        "a bound lowered under what the prices prove",
        lower_bound,
        {"proof": "dual bound EUR 200.00 is below EUR 281.29", "gap": "the gap is 0.33088279"},
    ),
    (
        "a gap made smaller",
        put("dual_bound_eur", "420.30"),
        {"proof": "gap is stated 0, objective and dual bound make it 0.000237869"},
    ),
    ("a termination replaced", put("termination", "time_limit"), {"proof": "termination is time_"}),
    (
        "a price changed",
        put("prices", 3, "price", "0.0002"),
        {"certificate": "price_bound_eur is stated 281.29, it is"},
    ),
    (
        "a price made negative",
        put("flow_prices", 0, "price", "99"),
        {"prices": "flow trips -> parking at munich: 99 is not between 0 and the egress cost"},
    ),
    (
        "a price for another row",
        put("prices", 0, "row", "capacity[moon]"),
        {"prices": "capacity[moon]: there is no such constraint to price"},
    ),
    (
        "prices left out",
        lambda d: d["prices"].clear(),
        {"certificate": "price_bound_eur is stated 281.29, it is"},
    ),
    (
        "a verdict made eligible",
        eligible_in_ashburn,
        {"eligibility": "registry at ashburn (profile 0): claimed eligible, the policies say in"},
    ),
    (
        "a verdict's penalty",
        put("eligibility", "verdicts", 1, 4, "preferences", 0, "penalty_eur_per_year", 6),
        {"eligibility": "permits at ashburn (profile 1): preferences is claimed"},
    ),
    (
        "the table's day",
        put("eligibility", "as_of", "2020-01-01"),
        {"eligibility": "the table is for 2020-01-01, the decision for 2026-10-01"},
    ),
    (
        "an effective class lowered",
        lower_class,
        {"classification": "trips: confidentiality is claimed 2, it is 3"},
    ),
    (
        "the catalogue in the file replaced",
        other_catalogue,
        {"catalog": "catalogue: datasets: registry differs from the plan in gdpr_category"},
    ),
    (
        "a dataset in the file's catalogue left out",
        lambda d: d["inputs"]["catalog"]["datasets"].pop(),
        {"catalog": "catalogue: datasets: archive is not in the plan"},
    ),
    (
        "relations in the file's catalogue left out",
        lambda d: d["inputs"]["catalog"]["relations"].pop(),
        {"catalog": "catalogue: relations differ from those in the plan"},
    ),
    (
        "the register in the file replaced",
        other_prices,
        {"sites": "sites: sites: ashburn differs from the plan in object_price_eur_per_gb_month"},
    ),
    (
        "the town's name",
        plan_of_another_town,
        {"catalog": "the plan is for Elsewhere, not for Testburg"},
    ),
    (
        "the certificate's text replaced",
        certificate_says_holds,
        {"policies": "registry at ashburn", "certificate": "policies: stated that it holds, it "},
    ),
    (
        "a check left out of the certificate",
        fewer_checks,
        {"certificate": "the checks stated are not: inputs, classification"},
    ),
    (
        "a check that looked at less",
        put("certificate", "checks", 0, "checked", 3),
        {"certificate": "inputs: the instances checked or the failures are stated otherwise"},
    ),
    (
        "the certificate's price gap",
        put("certificate", "price_gap", "0.1"),
        {"certificate": "price_gap is stated 0.1, it is 0.330882798"},
    ),
    (
        "the policies' revision replaced",
        policies_replaced,
        {"policies_revision": f"digests.policies is stated {'b' * 64}, it is {POLICIES}"},
    ),
    (
        "another OPA than the table's",
        put("versions", "opa", "0.1"),
        {"policies_revision": "versions.opa is 0.1, the table was made by 1.22.2"},
    ),
    (
        "a critical level raised in the parameters",
        put("parameters", "critical_level", 4),
        {"certificate": "alternatives: the instances checked"},
    ),
]

NAMES = [name for name, _, _ in EDITS]


def test_a_certified_plan_verifies():
    assert verified(PLAN) == {}
    assert verified(Plan.model_validate_json(TEXT)) == {}


@pytest.mark.parametrize(("name", "edit", "expected"), EDITS, ids=NAMES)
def test_an_edited_plan_names_the_digest_and_what_is_really_wrong(name, edit, expected):
    plan = Plan.model_validate_json(json.dumps(edited(edit)))
    found = verified(plan)
    assert found["digest"] == (
        f"the file was changed: digest is stated {PLAN.digest}, it is {plan_digest(plan)}",
    )
    for check, start in expected.items():
        assert any(failure.startswith(start) for failure in found[check]), found


@pytest.mark.parametrize(("name", "edit", "expected"), EDITS, ids=NAMES)
def test_computing_the_digests_again_hides_nothing(name, edit, expected):
    found = verified(redigested(edited(edit)))
    assert "digest" not in found
    assert expected.keys() <= found.keys()


@pytest.mark.parametrize("field", ["catalog", "sites", "parameters", "policies"])
def test_each_digest_is_compared(field):
    plan = redigested(json.loads(TEXT))
    wrong = plan.model_copy(update={"digests": plan.digests.model_copy(update={field: "c" * 64})})
    wrong = wrong.model_copy(update={"digest": plan_digest(wrong)})
    check = "policies_revision" if field == "policies" else field
    (failure,) = verified(wrong)[check]
    assert failure.startswith(f"digests.{field} is stated {'c' * 64}, it is ")


@pytest.mark.parametrize(
    "edit",
    [
        put("placements", "archive", "sites", []),
        put("placements", "archive", "extra", 1),
        put("gap", "NaN"),
        put("gap", "1E+999999999"),
        put("dual_bound_eur", "Infinity"),
        put("objective_eur", "420.401"),
        put("objective_eur", "1E+999999999"),
        put("prices", 0, "price", "-1"),
        put("prices", 0, "price", "1E-999999999"),
        put("digest", "not a digest"),
        put("format", "placement-plan/2"),
        put("termination", "optimal"),
        put("certificate", "checks", 0, "holds", "maybe"),
    ],
)
def test_a_plan_that_is_no_plan_is_refused_before_it_is_judged(edit):
    with pytest.raises(ValidationError):
        Plan.model_validate_json(json.dumps(edited(edit)))


# --- other inputs than the plan's --------------------------------------------------------------


def with_dataset(case: Case, name: str, **changes: Any) -> Case:
    datasets = tuple(
        d.model_copy(update=changes) if d.id == name else d for d in case.catalog.datasets
    )
    return case.but(catalog=case.catalog.model_copy(update={"datasets": datasets}))


def test_a_catalogue_that_changed_says_which_datasets():
    found = verified(PLAN, with_dataset(town(), "trips", volume_gb=81, steward=None))
    assert found["catalog"][0] == (
        "catalogue: datasets: trips differs from the plan in steward, volume_gb"
    )
    assert found["catalog"][1].startswith("digests.catalog is stated")
    assert "costs" in found


def test_a_catalogue_with_more_and_with_fewer_datasets():
    case = town()
    more = case.catalog.datasets[0].model_copy(update={"id": "new"})
    grown = case.catalog.model_copy(update={"datasets": (*case.catalog.datasets, more)})
    found = verified(PLAN, case.but(catalog=grown))
    assert found["catalog"][0] == "catalogue: datasets: new is not in the plan"
    assert "new: is not placed" in found["inputs"]
    fewer = case.catalog.model_copy(update={"datasets": case.catalog.datasets[1:], "relations": ()})
    found = verified(PLAN, case.but(catalog=fewer))
    assert found["catalog"][0] == "catalogue: datasets: registry is in the plan alone"
    assert "registry: is not in the catalogue" in found["inputs"]


def test_datasets_in_another_order_are_another_catalogue():
    case = town()
    turned = case.catalog.model_copy(update={"datasets": case.catalog.datasets[::-1]})
    found = verified(PLAN, case.but(catalog=turned))
    assert found["catalog"][0] == "catalogue: datasets: stand in another order in the plan"


def test_a_class_raised_in_the_catalogue_since_names_the_violation():
    found = verified(PLAN, with_dataset(town(), "archive", gdpr_category=GdprCategory.SPECIAL))
    assert found["policies"] == (
        "archive at ashburn: residency.special_category_stays_in_eea: rests in US",
    )
    assert found["classification"] == ("archive: gdpr_category is claimed personal, it is special",)


def test_a_register_that_changed_says_which_sites():
    case = town()
    sites = tuple(
        s.model_copy(update={"capacity_gb": 200}) if s.id == "munich" else s
        for s in case.register.sites
    )
    register = case.register.model_copy(update={"sites": sites})
    found = verified(PLAN, case.but(register=register))
    assert found["sites"][0] == "sites: sites: munich differs from the plan in capacity_gb"
    assert found["capacity"] == ("capacity[munich]: 320 GB, at most 200 allowed",)


def test_other_policies_are_named():
    certificate = verify_plan(
        PLAN, town().catalog, town().register, ask, ask_segregated, policies_digest="d" * 64
    )
    found = {c.name: c.failures for c in certificate.checks if not c.holds}
    assert found == {
        "policies_revision": (
            f"digests.policies is stated {POLICIES}, it is {'d' * 64}",
            f"eligibility.policy_revision is stated {POLICIES}, it is {'d' * 64}",
        )
    }


# --- parameters --------------------------------------------------------------------------------


def test_parameters_given_are_the_ones_a_plan_is_judged_by():
    given = town().parameters
    assert verified(PLAN, parameters=given) == {}
    strict = given.model_copy(update={"moves_max": 0, "operator_volume_share_max": Decimal("0.3")})
    found = verified(PLAN, parameters=strict)
    assert found["parameters"] == (
        "parameters: operator_volume_share_max is 0.3, the plan has 0.5",
        "parameters: moves_max is 0, the plan has 1",
    )
    assert found["concentration_volume"] == (
        "concentration_volume[sued]: 320 GB, at most 264 allowed",
    )


def test_a_cap_raised_in_the_parameters_is_seen_where_the_true_ones_are_given():
    document = edited(put("parameters", "operator_volume_share_max", "0.9"))
    found = verified(redigested(document), parameters=town().parameters)
    assert found["parameters"] == (
        "parameters: operator_volume_share_max is 0.5, the plan has 0.9",
    )


def test_the_day_and_the_time_limit_may_be_left_open():
    open_day = town().parameters.model_copy(update={"as_of": None, "time_limit_s": 7})
    assert verified(PLAN, parameters=open_day) == {}


def with_obligations(plan: Plan, *obligations: Obligation) -> tuple[bool, tuple[str, ...]]:
    certificate = verify_plan(
        plan,
        town().catalog,
        town().register,
        ask,
        ask_segregated,
        policies_digest=POLICIES,
        obligations=obligations,
    )
    (check,) = (c for c in certificate.checks if c.name == "obligations")
    return certificate.holds, check.failures


def test_an_obligation_told_otherwise_is_seen_where_the_true_ones_are_given():
    told = (f"{OBLIGATION.code}: text, severity or sources are not those of the policies",)
    milder = put("eligibility", "obligations", 0, "severity", "municipal")
    assert with_obligations(PLAN, OBLIGATION) == (True, ())
    assert with_obligations(redigested(edited(milder)), OBLIGATION) == (False, told)
    assert with_obligations(PLAN) == (False, told)


# --- what rests on the digest alone ------------------------------------------------------------

DIGEST_ALONE = [
    put("created_at", "2030-01-01T00:00:00Z"),
    put("solver", "solver", "another"),
    put("solver", "variables", 1),
    put("versions", "python", "2.7"),
    put("eligibility", "obligations", 0, "text", "All is well."),
    both(put("dual_bound_eur", "420.30"), put("gap", "0.000237869")),
]


@pytest.mark.parametrize("edit", DIGEST_ALONE)
def test_what_nobody_can_compute_again_rests_on_the_digest(edit):
    """As the table in `placement.certificate.verify` says; keep the two in step."""
    document = edited(edit)
    assert verified(Plan.model_validate_json(json.dumps(document))).keys() == {"digest"}
    assert verified(redigested(document)) == {}


def test_an_engine_that_does_not_answer_is_an_error_and_no_verdict():
    def gone(question: Any) -> Any:
        raise PolicyEngineError("OPA is gone")

    with pytest.raises(PolicyEngineError):
        verify_plan(
            PLAN, town().catalog, town().register, gone, ask_segregated, policies_digest=POLICIES
        )


def test_the_inputs_in_the_file_are_models_of_their_own():
    """The judged inputs are those given: a file that agrees with itself is not enough."""
    assert isinstance(PLAN.inputs.catalog, Catalog)
    assert isinstance(PLAN.inputs.sites, SiteRegister)
    document = edited(both(other_catalogue, move("registry", "ashburn"), eligible_in_ashburn))
    found = verified(redigested(document))
    assert {"catalog", "policies", "eligibility"} <= found.keys()
