from __future__ import annotations

from datetime import date

import pytest

from models import (
    AccessRights,
    CoLocated,
    Cumulated,
    DerivedFrom,
    EffectiveClass,
    GdprCategory,
    Level,
    Parameters,
    Transformation,
    TransformationKind,
)
from placement.errors import BadInput
from placement.graph import derive_facts
from tests import builders

REVIEWED = {"reviewed_by": "privacy officer", "reviewed_on": date(2026, 3, 2)}


def transformation(kind: TransformationKind, **review) -> Transformation:
    return Transformation(kind=kind, method="k-anonymity, k=10", **review)


def edge(derived: str, source: str, how: Transformation | None = None) -> DerivedFrom:
    return DerivedFrom(derived=derived, source=source, transformation=how)


def effective(*datasets, relations=(), cumulation=5) -> dict[str, EffectiveClass]:
    catalog = builders.catalog(*datasets, relations=tuple(relations))
    facts = derive_facts(catalog, Parameters(cumulation_datasets_min=cumulation))
    return {found.dataset: found for found in facts.effective}


def open_dataset(name: str, **changes):
    fields = {
        "confidentiality": Level.OPEN,
        "gdpr_category": GdprCategory.NONE,
        "access_rights": AccessRights.PUBLIC,
        "non_publication_grounds": (),
    }
    return builders.dataset(name, **(fields | changes))


def normals(*names: str, **changes):
    return [builders.dataset(name, **changes) for name in names]


def test_a_dataset_without_relations_keeps_what_it_declares():
    declared = builders.dataset("permits", non_publication_grounds=("5.1.2e", "5.1.1d"))
    found = effective(declared)["permits"]
    assert found == EffectiveClass(
        dataset="permits",
        confidentiality=Level.NORMAL,
        gdpr_category=GdprCategory.PERSONAL,
        access_rights=AccessRights.RESTRICTED,
        non_publication_grounds=("5.1.1d", "5.1.2e"),
        chain=("permits",),
    )


def test_a_copy_of_a_copy_inherits_every_attribute_with_the_chain_and_a_reason_for_each():
    found = effective(
        builders.dataset(
            "register",
            confidentiality=Level.HIGH,
            gdpr_category=GdprCategory.SPECIAL,
            access_rights=AccessRights.NON_PUBLIC,
        ),
        open_dataset("extract"),
        open_dataset("map"),
        relations=[edge("map", "extract"), edge("extract", "register")],
    )["map"]
    assert found.confidentiality == Level.HIGH
    assert found.gdpr_category == GdprCategory.SPECIAL
    assert found.access_rights == AccessRights.NON_PUBLIC
    assert found.non_publication_grounds == ("5.1.2e",)
    assert found.chain == ("map", "extract", "register")
    assert found.reasons == (
        "confidentiality high is inherited from register (map -> extract -> register)",
        "GDPR category special is inherited from register (map -> extract -> register)",
        "access rights non public is inherited from register (map -> extract -> register)",
        "non-publication grounds 5.1.2e come from extract",
    )


def test_inheritance_never_lowers_a_declaration():
    found = effective(
        open_dataset("open"),
        builders.dataset("closed", confidentiality=Level.VERY_HIGH),
        relations=[edge("closed", "open")],
    )["closed"]
    assert (found.confidentiality, found.chain, found.reasons) == (
        Level.VERY_HIGH,
        ("closed",),
        (),
    )


@pytest.mark.parametrize("kind", [TransformationKind.AGGREGATION, TransformationKind.ANONYMISATION])
def test_a_reviewed_release_ends_inheritance_and_says_who_reviewed_it(kind):
    found = effective(
        builders.dataset("trips"),
        open_dataset("counts"),
        relations=[edge("counts", "trips", transformation(kind, **REVIEWED))],
    )["counts"]
    assert found.confidentiality == Level.OPEN
    assert found.gdpr_category == GdprCategory.NONE
    assert found.access_rights == AccessRights.PUBLIC
    assert found.non_publication_grounds == ()
    sentence = (
        f"the {kind.value} of trips (k-anonymity, k=10) ends inheritance: "
        "reviewed by privacy officer on 2026-03-02"
    )
    assert found.reasons == (sentence,)


@pytest.mark.parametrize(
    ("how", "because"),
    [
        (transformation(TransformationKind.AGGREGATION), "has not been reviewed"),
        (
            transformation(TransformationKind.ANONYMISATION, reviewed_by="somebody"),
            "has not been reviewed, or the review has no name or no date",
        ),
        (transformation(TransformationKind.PSEUDONYMISATION, **REVIEWED), "recital 26"),
        (transformation(TransformationKind.SELECTION, **REVIEWED), "as sensitive as the data"),
    ],
)
def test_any_other_transformation_inherits_and_says_why(how, because):
    found = effective(
        builders.dataset("trips"),
        open_dataset("derived", gdpr_category=GdprCategory.PSEUDONYMISED),
        relations=[edge("derived", "trips", how)],
    )["derived"]
    assert found.confidentiality == Level.NORMAL
    assert found.gdpr_category == GdprCategory.PERSONAL
    assert "does not end inheritance" in found.reasons[-1]
    assert because in found.reasons[-1]


def test_a_plain_copy_beside_a_reviewed_aggregate_still_inherits():
    found = effective(
        builders.dataset("trips"),
        open_dataset("both"),
        relations=[
            edge("both", "trips", transformation(TransformationKind.AGGREGATION, **REVIEWED)),
            edge("both", "trips"),
        ],
    )["both"]
    assert found.confidentiality == Level.NORMAL


def test_an_aggregate_over_a_copy_of_an_aggregate_shields_what_lies_behind_it():
    release = transformation(TransformationKind.AGGREGATION, **REVIEWED)
    found = effective(
        builders.dataset("trips"),
        open_dataset("counts", confidentiality=Level.BASIC),
        open_dataset("site"),
        relations=[edge("counts", "trips", release), edge("site", "counts")],
    )
    assert found["site"].confidentiality == Level.BASIC
    assert found["site"].chain == ("site", "counts")


@pytest.mark.parametrize("attribute", ["confidentiality", "gdpr_category", "access_rights"])
def test_an_unknown_source_makes_the_attribute_unknown(attribute):
    found = effective(
        builders.dataset("vague", **{attribute: None}),
        builders.dataset("secret", confidentiality=Level.VERY_HIGH),
        open_dataset("derived"),
        relations=[edge("derived", "vague"), edge("derived", "secret")],
    )["derived"]
    assert getattr(found, attribute) is None
    known = {"confidentiality", "gdpr_category", "access_rights"} - {attribute}
    assert all(getattr(found, name) is not None for name in known)
    assert any("is unknown, because vague does not declare it" in r for r in found.reasons)


def test_the_chain_is_the_shortest_then_the_alphabetically_first():
    found = effective(
        builders.dataset("z"),
        builders.dataset("y"),
        open_dataset("b"),
        open_dataset("a"),
        open_dataset("far"),
        open_dataset("derived"),
        relations=[
            edge("derived", "far"),
            edge("far", "a"),
            edge("a", "z"),
            edge("b", "y"),
            edge("derived", "b"),
            edge("derived", "a"),
        ],
    )["derived"]
    assert found.chain == ("derived", "a", "z")


def test_a_cycle_is_refused_with_its_shortest_round_trip():
    datasets = [builders.dataset(name) for name in "abcd"]
    relations = [edge("b", "a"), edge("c", "b"), edge("a", "c"), edge("a", "b"), edge("d", "d")]
    catalog = builders.catalog(*datasets, relations=tuple(relations))
    with pytest.raises(BadInput) as caught:
        derive_facts(catalog, Parameters())
    assert [d.message for d in caught.value.defects] == [
        "a dataset cannot derive from itself (source -> derived): a -> b -> a",
        "a dataset cannot derive from itself (source -> derived): d -> d",
    ]
    assert [d.record for d in caught.value.defects] == ["dataset a", "dataset d"]


def test_five_normal_datasets_used_together_rise_to_high():
    names = tuple("abcde")
    found = effective(
        *normals(*names), relations=[Cumulated(members=names, reason="one case file")]
    )
    assert {found[name].confidentiality for name in names} == {Level.HIGH}
    assert found["a"].chain == ("a",)
    sentence = (
        "confidentiality rises to high by cumulation: 5 datasets with personal data of level "
        "normal or above are used together (one case file)"
    )
    assert found["a"].reasons == (sentence,)


def test_four_datasets_do_not_cumulate_where_five_are_asked_for():
    names = tuple("abcd")
    found = effective(*normals(*names), relations=[Cumulated(members=names)])
    assert {found[name].confidentiality for name in names} == {Level.NORMAL}


@pytest.mark.parametrize("least", [0, 1])
def test_below_two_turns_cumulation_off(least):
    found = effective(
        *normals("a", "b"), relations=[Cumulated(members=("a", "b"))], cumulation=least
    )
    assert found["a"].confidentiality == Level.NORMAL


def test_impersonal_and_open_members_neither_count_nor_rise():
    found = effective(
        *normals("a", "b"),
        builders.dataset("trees", gdpr_category=GdprCategory.NONE),
        open_dataset("faces", gdpr_category=GdprCategory.PERSONAL),
        relations=[Cumulated(members=("a", "b", "trees", "faces"))],
        cumulation=3,
    )
    assert [found[n].confidentiality for n in ("a", "b", "trees", "faces")] == [
        Level.NORMAL,
        Level.NORMAL,
        Level.NORMAL,
        Level.OPEN,
    ]


def test_members_above_count_for_those_below_but_do_not_rise_with_them():
    found = effective(
        *normals("a", "b"),
        builders.dataset("c", confidentiality=Level.HIGH),
        relations=[Cumulated(members=("a", "b", "c"))],
        cumulation=3,
    )
    assert {found[name].confidentiality for name in "abc"} == {Level.HIGH}
    assert found["c"].reasons == ()


def test_very_high_is_the_top_and_unknown_stays_unknown_but_counts():
    found = effective(
        builders.dataset("top", confidentiality=Level.VERY_HIGH),
        builders.dataset("high", confidentiality=Level.HIGH),
        builders.dataset("vague", confidentiality=None),
        relations=[Cumulated(members=("top", "high", "vague"))],
        cumulation=3,
    )
    assert found["top"].confidentiality == Level.VERY_HIGH
    assert found["high"].confidentiality == Level.VERY_HIGH
    assert found["vague"].confidentiality is None


def test_an_unknown_gdpr_category_counts_as_personal():
    found = effective(
        *normals("a", gdpr_category=None),
        *normals("b"),
        relations=[Cumulated(members=("a", "b"))],
        cumulation=2,
    )
    assert found["b"].confidentiality == Level.HIGH


def test_co_located_datasets_cumulate_over_the_merged_group():
    found = effective(
        *normals("a", "b", "c"),
        relations=[CoLocated(members=("a", "b")), CoLocated(members=("c", "b"))],
        cumulation=3,
    )
    assert {found[name].confidentiality for name in "abc"} == {Level.HIGH}


def test_overlapping_cumulated_groups_are_judged_one_by_one():
    found = effective(
        *normals("a", "b", "c"),
        relations=[Cumulated(members=("a", "b")), Cumulated(members=("c", "b"))],
        cumulation=3,
    )
    assert {found[name].confidentiality for name in "abc"} == {Level.NORMAL}


def test_combining_many_sources_raises_the_derived_dataset_alone():
    found = effective(
        *normals("a", "b", "c"),
        open_dataset("dossier"),
        relations=[edge("dossier", name) for name in "abc"],
        cumulation=3,
    )
    assert found["dossier"].confidentiality == Level.HIGH
    assert found["dossier"].chain == ("dossier",)
    assert "3 datasets" in found["dossier"].reasons[0]
    assert "combined in this dataset" in found["dossier"].reasons[0]
    assert {found[name].confidentiality for name in "abc"} == {Level.NORMAL}


def test_sources_behind_a_reviewed_release_do_not_cumulate():
    release = transformation(TransformationKind.AGGREGATION, **REVIEWED)
    found = effective(
        *normals("a", "b", "c"),
        open_dataset("statistics"),
        relations=[edge("statistics", name, release) for name in "abc"],
        cumulation=3,
    )["statistics"]
    assert found.confidentiality == Level.OPEN


def test_a_raise_is_inherited_with_its_reason_but_feeds_no_second_raise():
    names = ("a", "b", "c")
    found = effective(
        *normals(*names),
        open_dataset("dossier"),
        relations=[Cumulated(members=names), *(edge("dossier", name) for name in names)],
        cumulation=3,
    )["dossier"]
    assert found.confidentiality == Level.HIGH
    copy = effective(
        *normals(*names),
        open_dataset("copy"),
        relations=[Cumulated(members=names), edge("copy", "b")],
        cumulation=3,
    )["copy"]
    assert copy.confidentiality == Level.HIGH
    assert copy.chain == ("copy", "b")
    assert copy.reasons[0].startswith(
        "confidentiality high is inherited from b (copy -> b), whose confidentiality rises"
    )
