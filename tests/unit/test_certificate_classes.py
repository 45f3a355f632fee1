"""Effective classes, worked out by hand from the definition in `placement.graph.inheritance`."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

import pytest

from models import (
    AccessRights,
    CoLocated,
    Cumulated,
    Dataset,
    DerivedFrom,
    GdprCategory,
    Level,
    Parameters,
    Transformation,
    TransformationKind,
)
from placement.certificate.classes import effective_classes
from placement.certificate.relations import co_location_groups, flows, separations
from placement.errors import BadInput
from tests import builders

BASIC, NORMAL, HIGH, VERY_HIGH = Level.BASIC, Level.NORMAL, Level.HIGH, Level.VERY_HIGH


def data(name: str, level: Level | None = NORMAL, **changes) -> Dataset:
    return builders.dataset(name, confidentiality=level, **changes)


def classes(*datasets: Dataset, relations=(), least: int = 3):
    catalog = builders.catalog(*datasets, relations=relations)
    groups = co_location_groups(catalog)
    return effective_classes(catalog, Parameters(cumulation_datasets_min=least), groups)


def levels(*datasets: Dataset, **given) -> dict[str, Level | None]:
    return {name: c.confidentiality for name, c in classes(*datasets, **given).items()}


def derived(*path: str, **changes) -> tuple[DerivedFrom, ...]:
    """Each from the one after it."""
    return tuple(DerivedFrom(derived=a, source=b, **changes) for a, b in itertools.pairwise(path))


def transformed(kind: TransformationKind, *, reviewed: bool) -> Transformation:
    review: Any = {"reviewed_by": "the board", "reviewed_on": date(2026, 1, 1)} if reviewed else {}
    return Transformation(kind=kind, method="k-anonymity, k=10", **review)


def test_alone_a_dataset_is_what_it_declares():
    (own,) = classes(data("a", HIGH)).values()
    assert own.confidentiality is HIGH
    assert (own.gdpr_category, own.access_rights) == (GdprCategory.PERSONAL, "restricted")
    assert (own.non_publication_grounds, own.chain) == (("5.1.2e",), ("a",))


def test_the_highest_of_all_ancestors_is_inherited_with_its_chain():
    found = classes(
        data("a", BASIC, gdpr_category=GdprCategory.NONE, access_rights=AccessRights.PUBLIC),
        data("b", NORMAL, non_publication_grounds=("5.2", "5.1.2e")),
        data("c", HIGH, gdpr_category=GdprCategory.SPECIAL, non_publication_grounds=("5.1.1c",)),
        relations=derived("a", "b", "c"),
    )
    assert found["a"].confidentiality is HIGH
    assert found["a"].gdpr_category is GdprCategory.SPECIAL
    assert found["a"].access_rights is AccessRights.RESTRICTED
    assert found["a"].non_publication_grounds == ("5.1.1c", "5.1.2e", "5.2")
    assert found["a"].chain == ("a", "b", "c")
    assert found["c"].chain == ("c",)


def test_the_chain_is_the_shortest_and_of_those_the_smallest():
    relations = (*derived("a", "m", "x"), *derived("a", "k", "l", "x"), *derived("a", "n", "x"))
    others = [data(name) for name in ("a", "k", "l", "m")]
    found = classes(*others, data("n"), data("x", HIGH), relations=relations, least=9)
    assert found["a"].chain == ("a", "m", "x")
    # a nearer source of that level comes before a farther one
    nearer = classes(*others, data("n", HIGH), data("x", HIGH), relations=relations, least=9)
    assert nearer["a"].chain == ("a", "n")


def test_unknown_is_the_top_in_every_attribute():
    found = classes(
        data("a", VERY_HIGH, gdpr_category=GdprCategory.SPECIAL),
        data("b", None, gdpr_category=None, access_rights=None),
        relations=derived("a", "b"),
    )
    assert found["a"].confidentiality is None
    assert found["a"].gdpr_category is None
    assert found["a"].access_rights is None
    assert found["a"].chain == ("a", "b")


@pytest.mark.parametrize("kind", list(TransformationKind))
@pytest.mark.parametrize("reviewed", [True, False])
def test_only_a_reviewed_aggregation_or_anonymisation_releases(kind, reviewed):
    relations = derived("a", "b", transformation=transformed(kind, reviewed=reviewed))
    releases = reviewed and kind in ("aggregation", "anonymisation")
    found = levels(data("a", BASIC), data("b", HIGH), relations=relations)
    assert found["a"] is (BASIC if releases else HIGH)


def test_a_second_relation_without_a_transformation_still_inherits():
    released = transformed(TransformationKind.AGGREGATION, reviewed=True)
    relations = (*derived("a", "b", transformation=released), *derived("a", "b"))
    assert levels(data("a", BASIC), data("b", HIGH), relations=relations)["a"] is HIGH


# --- cumulation --------------------------------------------------------------------------------


def test_enough_personal_members_of_a_level_raise_each_other_by_one():
    together = (Cumulated(members=("a", "b", "c")),)
    assert set(levels(*(data(n) for n in "abc"), relations=together).values()) == {HIGH}
    two = levels(data("a"), data("b"), data("c", BASIC), relations=together)
    assert two == {"a": NORMAL, "b": NORMAL, "c": NORMAL}  # c: three are at least basic


def test_members_that_are_not_personal_neither_count_nor_rise():
    together = (Cumulated(members=("a", "b", "c", "d")),)
    plain = data("d", gdpr_category=GdprCategory.NONE)
    assert levels(data("a"), data("b"), data("c"), plain, relations=together)["d"] is NORMAL
    assert (
        levels(
            data("a"), data("b"), plain.model_copy(update={"id": "c"}), plain, relations=together
        )["a"]
        is NORMAL
    )
    unknown = data("d", gdpr_category=None)
    known = data("c", gdpr_category=GdprCategory.NONE)
    assert levels(data("a"), data("b"), known, unknown, relations=together)["a"] is HIGH


@pytest.mark.parametrize(("level", "raised"), [(Level.OPEN, Level.OPEN), (VERY_HIGH, VERY_HIGH)])
def test_open_data_does_not_cumulate_and_nothing_is_above_the_top(level, raised):
    together = (Cumulated(members=("a", "b", "c")),)
    assert set(levels(*(data(n, level) for n in "abc"), relations=together).values()) == {raised}


def test_a_member_of_unknown_level_counts_and_stays_unknown():
    together = (Cumulated(members=("a", "b", "c")),)
    found = levels(data("a"), data("b"), data("c", None), relations=together)
    assert found == {"a": HIGH, "b": HIGH, "c": None}


def test_co_located_datasets_cumulate_as_one_merged_group():
    relations = (CoLocated(members=("a", "b")), CoLocated(members=("b", "c")))
    assert set(levels(*(data(n) for n in "abc"), relations=relations).values()) == {HIGH}


def test_cumulated_relations_stand_each_by_itself():
    relations = (Cumulated(members=("a", "b")), Cumulated(members=("b", "c")))
    assert set(levels(*(data(n) for n in "abc"), relations=relations).values()) == {NORMAL}


def test_what_combines_enough_sources_rises_above_them():
    names = ("b", "c", "d")
    relations = tuple(r for n in names for r in derived("a", n))
    own = data("a", BASIC, gdpr_category=GdprCategory.NONE)
    found = classes(own, *(data(n) for n in names), relations=relations)
    assert found["a"].confidentiality is HIGH
    assert found["a"].chain == ("a",)  # its own level, by combination
    assert found["b"].confidentiality is NORMAL
    two = classes(own, data("b"), data("c"), data("d", BASIC), relations=relations)
    assert two["a"].confidentiality is NORMAL


def test_a_source_named_twice_counts_once():
    relations = (*derived("a", "b"), *derived("a", "b"), *derived("a", "c"))
    assert levels(data("a", BASIC), data("b"), data("c"), relations=relations)["a"] is NORMAL


def test_a_raise_is_inherited_and_does_not_feed_another_raise():
    together = (Cumulated(members=("a", "b", "c")), *derived("d", "a"))
    found = classes(*(data(n) for n in "abcd"), relations=together)
    assert found["d"].confidentiality is HIGH
    assert found["d"].chain == ("d", "a")
    again = (Cumulated(members=("a", "b", "c")), Cumulated(members=("c", "b", "a")))
    assert set(levels(*(data(n) for n in "abc"), relations=again).values()) == {HIGH}


@pytest.mark.parametrize("least", [0, 1])
def test_a_number_below_two_turns_cumulation_off(least):
    together = (Cumulated(members=("a", "b", "c")),)
    found = levels(*(data(n) for n in "abc"), relations=together, least=least)
    assert set(found.values()) == {NORMAL}


def test_a_circle_of_lineage_is_refused():
    with pytest.raises(BadInput, match="lineage goes in a circle"):
        classes(data("a"), data("b"), relations=derived("a", "b", "a"))


# --- other relations ---------------------------------------------------------------------------


def test_flows_are_summed_for_a_pair_and_those_of_nothing_left_out():
    relations = (
        *derived("a", "b", monthly_transfer_gb="1.5"),
        *derived("a", "b", monthly_transfer_gb="2"),
        *derived("b", "c"),
    )
    catalog = builders.catalog(data("a"), data("b"), data("c"), relations=relations)
    assert flows(catalog) == {("b", "a"): 3.5}


def test_without_relations_there_is_nothing_to_derive():
    catalog = builders.catalog()
    assert (co_location_groups(catalog), separations(catalog), flows(catalog)) == ([], {}, {})
