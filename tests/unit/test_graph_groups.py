from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from models import (
    CoLocated,
    DerivedFrom,
    Flow,
    Parameters,
    Separated,
    SeparatedPair,
)
from placement.errors import BadInput
from placement.graph import derive_facts
from tests import builders


def facts(*relations, replicas=None):
    wanted = replicas or {}
    datasets = [builders.dataset(name, replicas=wanted.get(name, 1)) for name in "abcdef"]
    return derive_facts(builders.catalog(*datasets, relations=relations), Parameters())


def flow(source: str, derived: str, gb: str) -> DerivedFrom:
    return DerivedFrom(source=source, derived=derived, monthly_transfer_gb=Decimal(gb))


def test_co_location_groups_that_share_a_member_are_one():
    found = facts(
        CoLocated(members=("f", "b")),
        CoLocated(members=("c", "a")),
        CoLocated(members=("b", "d")),
    )
    assert found.co_location == (("a", "c"), ("b", "d", "f"))


def test_a_separated_group_keeps_every_pair_apart_and_operator_wins_over_site():
    found = facts(
        Separated(members=("c", "a"), level="operator"),
        Separated(members=("a", "b", "c"), level="site"),
    )
    assert found.separations == (
        SeparatedPair(first="a", second="b", level="site"),
        SeparatedPair(first="a", second="c", level="operator"),
        SeparatedPair(first="b", second="c", level="site"),
    )


def test_operator_wins_in_either_order():
    found = facts(
        Separated(members=("a", "b"), level="site"),
        Separated(members=("b", "a"), level="operator"),
    )
    assert found.separations == (SeparatedPair(first="a", second="b", level="operator"),)


def test_flows_are_summed_for_each_pair_and_empty_ones_left_out():
    found = facts(
        flow("b", "c", "0"), flow("a", "b", "1.5"), flow("a", "b", "2"), flow("a", "c", "0.000001")
    )
    assert found.flows == (
        Flow(source="a", derived="b", monthly_transfer_gb=Decimal("3.5")),
        Flow(source="a", derived="c", monthly_transfer_gb=Decimal("0.000001")),
    )


def test_flows_that_add_up_beyond_any_volume_are_bad_input():
    largest = str(10**12)
    with pytest.raises(BadInput, match="dataset b: monthly_transfer_gb: the flows from a add up"):
        facts(flow("a", "b", largest), flow("a", "b", "1"))


def test_a_pair_both_together_and_apart_is_a_contradiction():
    found = facts(
        CoLocated(members=("a", "b")), CoLocated(members=("b", "c")), Separated(members=("c", "a"))
    )
    assert found.contradictions == (
        "a and c must rest apart (separation by site) and together (co-location of a, b, c)",
    )


def test_members_of_different_groups_may_be_apart():
    found = facts(
        CoLocated(members=("a", "b")), CoLocated(members=("c", "d")), Separated(members=("a", "c"))
    )
    assert found.contradictions == ()


def test_a_group_that_wants_different_numbers_of_replicas_is_a_contradiction():
    found = facts(CoLocated(members=("a", "b")), replicas={"a": 2})
    assert len(found.contradictions) == 1
    assert "a wants 2, b wants 1" in found.contradictions[0]


def test_importing_the_room_does_not_import_networkx():
    code = "import sys, placement.graph; sys.exit('networkx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
