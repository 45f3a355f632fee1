"""Corners of the vectorised graph facts: nothing, depth, many grounds, sums, hopeless input."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from models import (
    AccessRights,
    Catalog,
    CoLocated,
    Cumulated,
    DerivedFrom,
    GdprCategory,
    Level,
    Parameters,
    Separated,
    Transformation,
    TransformationKind,
)
from models.columns import Derivations, Groups, Separations
from placement.errors import BadInput
from placement.graph import derive_facts
from placement.graph.columns import derive_fact_columns, explain_effective, groups
from placement.graph.columns.groups import merged_co_location
from tests import builders
from tests.column_cases import as_columns, as_facts, facts_of

PARAMETERS = Parameters(as_of=builders.AS_OF, cumulation_datasets_min=2)
REVIEWED = Transformation(
    kind=TransformationKind.ANONYMISATION,
    method="k-anonymity",
    reviewed_by="the board",
    reviewed_on=date(2026, 1, 1),
)


def chain(length: int) -> Catalog:
    """Each dataset derives from the one before; the first is special, the others open."""
    names = [f"d{number:05}" for number in range(length)]
    datasets = [
        builders.dataset(names[0], gdpr_category=GdprCategory.SPECIAL, confidentiality=Level.HIGH),
        *(
            builders.dataset(name, gdpr_category=GdprCategory.NONE, confidentiality=Level.OPEN)
            for name in names[1:]
        ),
    ]
    relations = (DerivedFrom(source=source, derived=derived) for source, derived in pairwise(names))
    return builders.catalog(*datasets, relations=tuple(relations))


def test_an_empty_catalogue_has_no_facts():
    columns = as_columns(Catalog(municipality="Nowhere", datasets=()))
    facts = derive_fact_columns(columns, PARAMETERS)
    assert facts.grounds == ()
    assert facts.contradictions == ()
    assert len(facts.co_location) == 0
    for name in ("confidentiality", "grounds_of", "pair_first", "flow_ugb"):
        assert len(getattr(facts, name)) == 0


def test_a_class_comes_down_a_chain_longer_than_there_are_waves():
    columns = as_columns(chain(3_500))
    facts = derive_fact_columns(columns, PARAMETERS)
    assert set(facts.confidentiality.tolist()) == {int(Level.HIGH)}
    assert set(facts.gdpr_category.tolist()) == {GdprCategory.SPECIAL.rank}


def test_a_cycle_behind_and_before_long_chains_is_named_alone():
    catalog = chain(60)
    knot = DerivedFrom(source="d00031", derived="d00029")
    catalog = catalog.model_copy(update={"relations": (*catalog.relations, knot)})
    with pytest.raises(BadInput) as raised:
        derive_fact_columns(as_columns(catalog), PARAMETERS)
    (defect,) = raised.value.defects
    assert defect.record == "dataset d00029"
    assert defect.message.endswith(": d00029 -> d00030 -> d00031 -> d00029")


def test_a_dataset_derived_from_itself_is_a_cycle():
    columns = as_columns(builders.catalog(builders.dataset("a"), builders.dataset("b")))
    loop = Derivations(
        source=np.array([1]),
        derived=np.array([1]),
        monthly_transfer_ugb=np.array([0]),
        ends_inheritance=np.array([True]),
    )
    with pytest.raises(BadInput, match="b -> b"):
        derive_fact_columns(replace(columns, derivations=loop), PARAMETERS)


def test_grounds_beyond_a_word_of_bits_are_united():
    own = [(f"g{number:03}", f"h{number:03}") for number in range(100)]
    datasets = [
        builders.dataset(f"d{number:03}", non_publication_grounds=grounds)
        for number, grounds in enumerate(own)
    ]
    datasets.append(builders.dataset("sum", non_publication_grounds=()))
    relations = [DerivedFrom(source=f"d{n:03}", derived="sum") for n in (0, 30, 60, 99)]
    catalog = builders.catalog(*datasets, relations=tuple(relations))
    facts = derive_fact_columns(as_columns(catalog), PARAMETERS)
    found = [facts.grounds[row] for row in facts.grounds_of]
    assert found == [
        effective.non_publication_grounds
        for effective in derive_facts(catalog, PARAMETERS).effective
    ]
    assert facts.grounds == tuple(sorted(set(found)))


def test_flows_are_summed_beyond_64_bits_before_they_are_refused():
    names = ("a", "b")
    relations = tuple(
        DerivedFrom(source="a", derived="b", monthly_transfer_gb=Decimal(10**12)) for _ in range(30)
    )
    catalog = builders.catalog(*map(builders.dataset, names), relations=relations)
    with pytest.raises(BadInput, match="the flows from a add up to 30000000000000 GB"):
        derive_fact_columns(as_columns(catalog), PARAMETERS)


def test_the_largest_flow_is_no_defect_and_a_millionth_more_is():
    def flows(*volumes: str) -> np.ndarray:
        relations = tuple(
            DerivedFrom(source="a", derived="b", monthly_transfer_gb=Decimal(volume))
            for volume in volumes
        )
        catalog = builders.catalog(*map(builders.dataset, ("a", "b")), relations=relations)
        return derive_fact_columns(as_columns(catalog), PARAMETERS).flow_ugb

    assert flows("999999999999.5", "0.5").tolist() == [10**18]
    with pytest.raises(BadInput, match=r"1000000000000\.000001 GB"):
        flows("999999999999.5", "0.500001")


def test_relations_in_another_order_make_the_same_columns():
    rng = np.random.default_rng(7)
    names = [f"d{number:02}" for number in range(40)]
    levels = [Level(int(level)) for level in rng.integers(1, 4, 40)]
    datasets = [
        builders.dataset(name, confidentiality=level)
        for name, level in zip(names, levels, strict=True)
    ]

    def some(size: int) -> tuple[str, ...]:
        return tuple(names[row] for row in np.sort(rng.choice(40, size, replace=False)))

    relations = [
        *(
            DerivedFrom(source=a, derived=b, monthly_transfer_gb=Decimal(1))
            for a, b in (some(2),) * 2
        ),
        *(DerivedFrom(source=a, derived=b) for a, b in (some(2) for _ in range(50))),
        *(CoLocated(members=some(2)) for _ in range(8)),
        *(Cumulated(members=some(5)) for _ in range(5)),
        *(Separated(members=some(3), level="operator") for _ in range(5)),
    ]
    catalog = builders.catalog(*datasets, relations=tuple(relations))
    turned = builders.catalog(*datasets[::-1], relations=tuple(relations[::-1]))
    ours = derive_fact_columns(as_columns(catalog), PARAMETERS)
    theirs = derive_fact_columns(as_columns(turned), PARAMETERS)
    for field in fields(ours):
        one, other = getattr(ours, field.name), getattr(theirs, field.name)
        if isinstance(one, Groups):
            assert np.array_equal(one.offsets, other.offsets)
            one, other = one.members, other.members
        assert np.array_equal(one, other), field.name


def test_a_city_of_two_thousand_datasets_has_the_facts_of_objects():
    rng = np.random.default_rng(11)
    names = [f"d{number:04}" for number in rng.permutation(2_000)]
    categories = rng.choice(list(GdprCategory), 2_000, p=(0.7, 0.1, 0.1, 0.05, 0.05))
    datasets = [
        builders.dataset(
            name,
            confidentiality=Level(int(rng.choice(4, p=(0.6, 0.2, 0.15, 0.05)))),
            gdpr_category=GdprCategory(category),
            access_rights=AccessRights.PUBLIC,
            non_publication_grounds=("5.2",) if rng.random() < 0.01 else (),
        )
        for name, category in zip(names, categories, strict=True)
    ]

    def some(size: int) -> tuple[str, ...]:
        return tuple(names[row] for row in np.sort(rng.choice(2_000, size, replace=False)))

    relations = [
        *(
            DerivedFrom(source=a, derived=b, monthly_transfer_gb=Decimal(int(rng.integers(3))))
            for a, b in (some(2) for _ in range(2_500))
        ),
        *(CoLocated(members=some(2)) for _ in range(600)),
        *(Cumulated(members=some(20)) for _ in range(20)),
        *(Separated(members=some(3)) for _ in range(100)),
    ]
    catalog = builders.catalog(*datasets, relations=tuple(relations))
    columns = as_columns(catalog)
    facts = derive_fact_columns(columns, PARAMETERS)
    assert len(np.unique(facts.confidentiality)) == 5
    assert as_facts(columns, facts) == facts_of(catalog, PARAMETERS)


@pytest.mark.parametrize("seed", range(5))
def test_long_ways_within_a_component_are_one_group(seed):
    order = np.random.default_rng(seed).permutation(5_000)
    pairs = np.stack((order[:-1], order[1:]), axis=1)
    pairs = pairs[np.arange(len(pairs)) != 2_000]
    found = merged_co_location(Groups(np.arange(len(pairs) + 1) * 2, pairs.ravel()))
    parts = sorted((sorted(order[:2_001].tolist()), sorted(order[2_001:].tolist())))
    assert [found.members[a:b].tolist() for a, b in pairwise(found.offsets)] == parts


def test_a_pair_apart_by_site_and_by_operator_is_apart_by_operator():
    relations = (
        Separated(members=("a", "b", "c"), level="site"),
        Separated(members=("b", "a"), level="operator"),
        Separated(members=("a", "b"), level="site"),
    )
    catalog = builders.catalog(*map(builders.dataset, "abc"), relations=relations)
    facts = derive_fact_columns(as_columns(catalog), PARAMETERS)
    assert facts.pair_first.tolist() == [0, 0, 1]
    assert facts.pair_second.tolist() == [1, 2, 2]
    assert facts.pair_whole_operator.tolist() == [True, False, False]


def test_contradictions_beyond_the_limit_are_counted(monkeypatch):
    names = ("a", "b", "c", "d")
    relations = (CoLocated(members=names), Separated(members=names))
    catalog = builders.catalog(*map(builders.dataset, names), relations=relations)
    columns = as_columns(catalog)
    all_of_them = derive_fact_columns(columns, PARAMETERS).contradictions
    assert len(all_of_them) == 6
    monkeypatch.setattr(groups, "CONTRADICTIONS_MAX", 2)
    limited = derive_fact_columns(columns, PARAMETERS).contradictions
    assert limited == (*all_of_them[:2], "and 4 more contradictions")


def test_more_separated_pairs_than_can_be_held_are_refused():
    columns = as_columns(builders.catalog(builders.dataset("a"), builders.dataset("b")))
    huge = Groups(np.array([0, 10**6]), np.zeros(10**6, dtype=np.int64))
    columns = replace(columns, separated=Separations(huge, np.array([False])))
    with pytest.raises(BadInput, match="more than 200000000 pairs"):
        derive_fact_columns(columns, PARAMETERS)


def test_an_explanation_names_what_ends_inheritance():
    secret = builders.dataset("secret", confidentiality=Level.VERY_HIGH)
    counts = builders.dataset("counts", confidentiality=Level.OPEN)
    relation = DerivedFrom(source="secret", derived="counts", transformation=REVIEWED)
    columns = as_columns(builders.catalog(secret, counts, relations=(relation,)))
    facts = derive_fact_columns(columns, PARAMETERS)
    found = explain_effective(columns, facts, PARAMETERS, 0)
    assert found.dataset == "counts"
    assert found.confidentiality is Level.OPEN
    assert found.chain == ("counts",)
    assert found.reasons == ("the transformation of secret ends inheritance: it was reviewed",)
    for row in (-1, 2):
        with pytest.raises(IndexError):
            explain_effective(columns, facts, PARAMETERS, row)
