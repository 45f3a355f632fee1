"""Differences between plans: nothing between a plan and itself, and sums that add up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Plan
from placement.eligibility import open_engine
from placement.reading import join
from placement.service.deciding import decide_on
from placement.service.diff import Before, copied_gb, diff, placed_by, resting_today
from placement.service.situation import at_sites
from placement.settings import shipped_policies
from tests.decision_cases import PARAMETERS, catalog, local_settings, register

SITES = ("archive", "hoster", "townhall")
WHERE = st.dictionaries(
    st.sampled_from(["bag", "bag/maps:v1", "secret-register", "trees", "zones", "retired"]),
    st.lists(st.sampled_from(SITES), min_size=1, max_size=2, unique=True).map(tuple),
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    with open_engine(shipped_policies(), local_settings()) as engine:
        answer: Any = decide_on(join(catalog(), register(), PARAMETERS), engine)
    return answer.plan


def test_a_plan_changes_nothing_compared_with_itself(plan):
    same = diff(plan, placed_by(plan, 7))
    assert same.since == 7
    assert not same.moves
    assert same.moved_tb == 0
    assert same.eur_per_year_before == same.eur_per_year_after == plan.objective_eur
    assert same.risk_before == same.risk_after


def test_what_a_plan_costs_and_risks_is_what_its_certificate_says(plan):
    after = diff(plan, resting_today(plan))
    assert after.eur_per_year_after == plan.certificate.objective_eur
    volumes = {d.id: d.volume_gb for d in plan.inputs.catalog.datasets}
    hosted = sum(volumes[p.dataset] for p in plan.placements if "hoster" in p.sites)
    total = sum(volumes[p.dataset] * len(p.sites) for p in plan.placements)
    share = after.risk_after.largest_operator_volume_share
    assert share == round(Decimal(hosted) / total, 9)
    # Volume times (egress 0.01 + 60 days of storage at 0.01 a month).
    assert after.risk_after.exit_cost_eur == hosted * (Decimal("0.01") + 2 * Decimal("0.01"))


@given(where=WHERE)
def test_moves_are_the_differences_and_their_volumes_add_up(plan, where):
    volumes = {d.id: d.volume_gb for d in plan.inputs.catalog.datasets} | {"retired": 12}
    found = diff(plan, Before(3, where, volumes))
    after = {p.dataset: p.sites for p in plan.placements}
    differing = {
        name
        for name in where.keys() | after.keys()
        if set(where.get(name, ())) != set(after.get(name, ()))
    }
    assert {move.dataset for move in found.moves} == differing
    assert len(found.moves) == len(differing)
    copied = 0
    for move in found.moves:
        assert set(move.from_sites) == set(where.get(move.dataset, ()))
        assert move.to_sites == after.get(move.dataset, ())
        assert move.volume_gb == volumes[move.dataset]
        if move.from_sites:
            copied += volumes[move.dataset] * len(set(move.to_sites) - set(move.from_sites))
    assert found.moved_tb * 1000 == copied == sum(map(copied_gb, found.moves))
    if where.keys() <= {"retired"}:
        assert found.eur_per_year_before is None
        assert found.risk_before is None
    else:
        assert found.risk_before is not None
        assert 0 <= found.risk_before.largest_operator_volume_share <= 1
        assert found.risk_before.exit_cost_eur >= 0


@given(where=WHERE)
def test_there_and_back_moves_the_same_datasets(plan, where):
    """Compared from either side, the same datasets differ, with their sites exchanged."""
    placed = {p.dataset: p.sites for p in plan.placements}
    volumes = {d.id: d.volume_gb for d in plan.inputs.catalog.datasets}
    where = {name: where.get(name, placed[name]) for name in placed}
    other = plan.model_copy(
        update={
            "placements": tuple(
                p.model_copy(update={"sites": tuple(sorted(where[p.dataset]))})
                for p in plan.placements
            )
        }
    )
    there = {m.dataset: (m.from_sites, m.to_sites) for m in diff(other, placed_by(plan, 1)).moves}
    back = diff(plan, Before(2, where, volumes)).moves
    assert {m.dataset: (m.to_sites, m.from_sites) for m in back} == there


def test_a_site_that_left_the_register_makes_no_amounts(plan):
    gone = Before(1, {"trees": ("gone",), "bag": ("hoster",)}, {})
    found = diff(plan, gone)
    assert found.eur_per_year_before is None
    assert found.risk_before is None
    assert {move.dataset for move in found.moves} >= {"trees"}


@pytest.mark.parametrize(
    ("parent", "foreign"), [("NL", 0), ("NO", 0), ("CH", 4), ("US", 4), (None, 4)]
)
def test_foreign_is_a_parent_outside_the_eea_or_an_unknown_one(plan, parent, foreign):
    operators = tuple(
        o.model_copy(update={"parent_jurisdiction": parent}) if o.id == "hoster" else o
        for o in plan.inputs.sites.operators
    )
    sites = plan.inputs.sites.model_copy(update={"operators": operators})
    there = plan.model_copy(update={"inputs": plan.inputs.model_copy(update={"sites": sites})})
    at_hoster = [p for p in plan.placements if "hoster" in p.sites]
    assert len(at_hoster) == 4
    risk = diff(there, resting_today(there)).risk_after
    assert risk.foreign_jurisdiction_datasets == foreign


@given(where=WHERE)
def test_data_rests_where_it_is_put_and_nowhere_unknown(where):
    moved = at_sites(catalog(), where, {"archive", "townhall"})
    for before, after in zip(catalog().datasets, moved.datasets, strict=True):
        known = tuple(s for s in where.get(after.id, ()) if s != "hoster")
        assert after.current_sites == (known if after.id in where else before.current_sites)
        assert (
            after.model_copy(
                update={
                    "current_site": before.current_site,
                    "further_current_sites": before.further_current_sites,
                }
            )
            == before
        )
