"""Two implementations of one definition: the certificate's classes and those of the graph room."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from models import (
    AccessRights,
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
from placement.certificate.city import read_city
from placement.graph import derive_facts
from tests import builders

NAMES = tuple("abcdefgh")
REVIEWED = Transformation(
    kind=TransformationKind.AGGREGATION,
    method="sums a district",
    reviewed_by="the board",
    reviewed_on=builders.AS_OF,
)
OPEN = REVIEWED.model_copy(update={"reviewed_by": None})

lineage = st.builds(
    lambda pair, change, gb: DerivedFrom(
        derived=max(pair), source=min(pair), transformation=change, monthly_transfer_gb=gb
    ),
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True),
    st.sampled_from((None, None, REVIEWED, OPEN)),
    st.integers(0, 3),
)
members = st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True).map(tuple)
relations = st.one_of(
    lineage,
    lineage,
    lineage,
    members.map(lambda m: CoLocated(members=m)),
    members.map(lambda m: Cumulated(members=m)),
    st.builds(
        lambda m, level: Separated(members=m, level=level),
        members,
        st.sampled_from(("site", "operator")),
    ),
)


@st.composite
def catalogs(draw: st.DrawFn):
    datasets = [
        builders.dataset(
            name,
            confidentiality=draw(st.sampled_from((*Level, Level.NORMAL, None))),
            gdpr_category=draw(st.sampled_from((*GdprCategory, GdprCategory.PERSONAL, None))),
            access_rights=draw(st.sampled_from((*AccessRights, None))),
            non_publication_grounds=draw(st.sampled_from(((), ("5.2",), ("5.1.2e", "5.1.1c")))),
        )
        for name in NAMES
    ]
    chosen = draw(st.lists(relations, max_size=14))
    return builders.catalog(*datasets, relations=tuple(chosen))


@settings(max_examples=300, deadline=None)
@given(catalogs(), st.integers(0, 4))
def test_both_rooms_derive_the_same_facts(catalog, least):
    parameters = Parameters(as_of=builders.AS_OF, cumulation_datasets_min=least)
    facts = derive_facts(catalog, parameters)
    city = read_city(catalog, builders.register(), parameters)
    for theirs in facts.effective:
        ours = city.classes[theirs.dataset]
        assert ours == theirs.model_copy(update={"reasons": ()})
    assert city.groups == facts.co_location
    assert city.separations == {(p.first, p.second): p.level for p in facts.separations}
    assert city.flows == {(f.source, f.derived): f.monthly_transfer_gb for f in facts.flows}
