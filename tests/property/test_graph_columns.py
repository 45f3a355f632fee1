"""The facts of columns are those of objects, in every value, whatever the relations."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import (
    AccessRights,
    CoLocated,
    Cumulated,
    DerivedFrom,
    GdprCategory,
    GraphFacts,
    Level,
    Parameters,
    Separated,
    Transformation,
    TransformationKind,
)
from placement.catalog.columns import columns_of
from placement.errors import BadInput
from placement.graph import derive_facts
from placement.graph.columns import derive_fact_columns, explain_effective
from placement.graph.columns import lineage as lineage_module
from placement.graph.columns import neighbours as neighbours_module
from tests import builders
from tests.column_cases import as_columns, as_facts, facts_of

NAMES = ("a", "a.b", "a/b", "a:b", "aB", "ab", "B", "b1", "b10", "b2", "c", "d")
"""Code points do not stand in the order of a dictionary."""
REVIEWED = Transformation(
    kind=TransformationKind.AGGREGATION,
    method="sums a district",
    reviewed_by="the board",
    reviewed_on=date(2026, 1, 1),
)
GROUNDS = tuple(f"5.{number}" for number in range(130))
"""More than fit in two words of bits."""

edges = st.builds(
    lambda pair, change, gb: DerivedFrom(
        derived=pair[1], source=pair[0], transformation=change, monthly_transfer_gb=gb
    ),
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True),
    st.sampled_from((None, None, REVIEWED)),
    st.sampled_from((Decimal(0), Decimal("0.000001"), Decimal("2.5"), Decimal(400_000_000_000))),
)
forward = edges.map(
    lambda edge: edge.model_copy(
        update={
            "source": min(edge.source, edge.derived, key=NAMES.index),
            "derived": max(edge.source, edge.derived, key=NAMES.index),
        }
    )
)
members = st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True).map(tuple)
groups = st.one_of(
    st.builds(CoLocated, members=members),
    st.builds(Cumulated, members=members),
    st.builds(Separated, members=members, level=st.sampled_from(("site", "operator"))),
)


@st.composite
def catalogs(draw, lineage=forward):
    datasets = [
        builders.dataset(
            name,
            confidentiality=draw(st.sampled_from((*Level, Level.NORMAL, None))),
            gdpr_category=draw(st.sampled_from((*GdprCategory, GdprCategory.PERSONAL, None))),
            access_rights=draw(st.sampled_from((*AccessRights, None))),
            non_publication_grounds=tuple(
                draw(st.lists(st.sampled_from(GROUNDS), max_size=2, unique=True))
            ),
            replicas=draw(st.sampled_from((1, 1, 1, 2))),
        )
        for name in draw(st.permutations(NAMES))
    ]
    relations = draw(st.lists(st.one_of(lineage, lineage, lineage, groups), max_size=24))
    return builders.catalog(*datasets, relations=tuple(relations))


def outcome(derive, *given_to):
    """What it answers with, or the defects it raises."""
    try:
        return derive(*given_to)
    except BadInput as error:
        return error.defects


def derived_from_columns(catalog, parameters) -> GraphFacts:
    columns = as_columns(catalog)
    return as_facts(columns, derive_fact_columns(columns, parameters))


def asking(least: int) -> Parameters:
    return Parameters(as_of=builders.AS_OF, cumulation_datasets_min=least)


@settings(max_examples=300, deadline=None)
@given(catalogs(), st.integers(0, 4))
def test_columns_say_what_objects_say(catalog, least):
    given_to = (catalog, asking(least))
    assert outcome(derived_from_columns, *given_to) == outcome(facts_of, *given_to)


@settings(max_examples=200, deadline=None)
@given(catalogs(lineage=edges), st.integers(0, 4))
def test_cycles_are_the_same_defects(catalog, least):
    given_to = (catalog, asking(least))
    assert outcome(derived_from_columns, *given_to) == outcome(facts_of, *given_to)


@settings(max_examples=100, deadline=None)
@given(catalogs(), st.integers(0, 4))
def test_single_steps_find_what_waves_find(catalog, least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours_module, "WAVES_MAX", 1)
        patch.setattr(lineage_module, "WAVES_MAX", 1)
        given_to = (catalog, asking(least))
        assert outcome(derived_from_columns, *given_to) == outcome(facts_of, *given_to)


@settings(max_examples=60, deadline=None)
@given(catalogs(), st.integers(0, 4))
def test_a_catalogue_read_as_columns_has_the_facts_of_objects(catalog, least):
    """But for what the reader refuses: repeated relations, co-location of unequal replicas."""
    once = {(r.source, r.derived): r for r in catalog.relations if isinstance(r, DerivedFrom)}
    grouped = [r for r in catalog.relations if not isinstance(r, DerivedFrom)]
    equal = tuple(d.model_copy(update={"replicas": 1}) for d in catalog.datasets)
    catalog = catalog.model_copy(
        update={"datasets": equal, "relations": (*once.values(), *grouped)}
    )
    columns = columns_of(catalog)
    ours = outcome(lambda: as_facts(columns, derive_fact_columns(columns, asking(least))))
    assert ours == outcome(facts_of, catalog, asking(least))


@settings(max_examples=100, deadline=None)
@given(catalogs(), st.integers(0, 4))
def test_an_explanation_is_that_of_the_objects(catalog, least):
    relations = [
        r
        for r in catalog.relations
        if not (isinstance(r, DerivedFrom) and (r.transformation or r.monthly_transfer_gb > 3))
    ]
    catalog = catalog.model_copy(update={"relations": tuple(relations)})
    columns = as_columns(catalog)
    facts = derive_fact_columns(columns, asking(least))
    theirs = {e.dataset: e for e in derive_facts(catalog, asking(least)).effective}
    for row, name in enumerate(columns.ids.to_pylist()):
        assert explain_effective(columns, facts, asking(least), row) == theirs[name]
