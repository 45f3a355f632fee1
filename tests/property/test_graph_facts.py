"""derive_facts against the definition read literally: sets of ancestors, paths, counts."""

from __future__ import annotations

from datetime import date

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models import (
    AccessRights,
    Catalog,
    CoLocated,
    Cumulated,
    DerivedFrom,
    EffectiveClass,
    GdprCategory,
    Level,
    Parameters,
    Separated,
    Transformation,
    TransformationKind,
)
from placement.certificate.classes import effective_classes as certified_classes
from placement.graph import derive_facts
from tests import builders

NO_DEADLINE = settings(deadline=None)
"""The first example imports networkx; how long that takes is no property of the facts."""

NAMES = ("a", "b", "c", "d", "e", "f")
GROUNDS = ("5.1.1d", "5.1.2e", "5.2")
RELEASE = Transformation(
    kind=TransformationKind.AGGREGATION,
    method="counts",
    reviewed_by="privacy officer",
    reviewed_on=date(2026, 1, 1),
)
DRAFT = Transformation(kind=TransformationKind.AGGREGATION, method="counts")


@st.composite
def datasets(draw):
    return tuple(
        builders.dataset(
            name,
            confidentiality=draw(st.sampled_from([*Level, None])),
            gdpr_category=draw(st.sampled_from([*GdprCategory, None])),
            access_rights=draw(st.sampled_from([*AccessRights, None])),
            non_publication_grounds=tuple(draw(st.sets(st.sampled_from(GROUNDS)))),
        )
        for name in NAMES
    )


@st.composite
def edges(draw):
    pair = sorted(draw(st.sets(st.sampled_from(NAMES), min_size=2, max_size=2)), reverse=True)
    how = draw(st.sampled_from([None, None, DRAFT, RELEASE]))
    return DerivedFrom(source=pair[0], derived=pair[1], transformation=how)


MEMBERS = st.sets(st.sampled_from(NAMES), min_size=2).map(lambda names: tuple(sorted(names)))
GROUPS = st.one_of(
    st.builds(Cumulated, members=MEMBERS),
    st.builds(CoLocated, members=MEMBERS),
    st.builds(Separated, members=MEMBERS, level=st.sampled_from(["site", "operator"])),
)
RELATIONS = st.lists(st.one_of(edges(), edges(), GROUPS), max_size=14)
THRESHOLD = st.integers(0, 4)


def derive(found, relations, threshold) -> dict[str, EffectiveClass]:
    catalog = Catalog(municipality="T", datasets=tuple(found), relations=tuple(relations))
    facts = derive_facts(catalog, Parameters(cumulation_datasets_min=threshold))
    return {effective.dataset: effective for effective in facts.effective}


def height(value) -> int:
    """Where a value stands, unknown on top."""
    if value is None:
        return 99
    return int(value) if isinstance(value, Level) else value.rank


def paths(name: str, relations) -> list[tuple[str, ...]]:
    """Every path over inheriting edges from a dataset to an ancestor."""
    found: list[tuple[str, ...]] = [(name,)]
    for r in relations:
        if isinstance(r, DerivedFrom) and r.derived == name and r.transformation != RELEASE:
            found += [(name, *path) for path in paths(r.source, relations)]
    return found


def merged(relations) -> list[frozenset[str]]:
    groups = [frozenset(r.members) for r in relations if isinstance(r, CoLocated)]
    for name in NAMES:
        touching = [g for g in groups if name in g]
        if touching:
            groups = [g for g in groups if name not in g] + [frozenset().union(*touching)]
    return groups


def naive(found, relations, threshold) -> dict[str, tuple[object, ...]]:
    """The definition in placement/graph/inheritance.py, with no thought for speed."""
    declared = {d.id: d for d in found}
    above = {n: {path[-1] for path in paths(n, relations)} for n in NAMES}

    def highest(name, attribute):
        return max((getattr(declared[a], attribute) for a in above[name]), key=height)

    base = {n: height(highest(n, "confidentiality")) for n in NAMES}
    personal = {n for n in NAMES if highest(n, "gdpr_category") != GdprCategory.NONE}
    groups = [frozenset(r.members) for r in relations if isinstance(r, Cumulated)]
    own = {}
    for name in NAMES:
        candidates = [height(declared[name].confidentiality)]
        for group in [*groups, *merged(relations)]:
            together = {m for m in group & personal if base[m] >= base[name]}
            if name in group & personal and 1 <= base[name] <= 3 and len(together) >= threshold:
                candidates.append(base[name] + 1)
        sources = {path[1] for path in paths(name, relations) if len(path) == 2}
        candidates += [
            level + 1
            for level in (1, 2, 3)
            if len({s for s in sources & personal if base[s] >= level}) >= threshold
        ]
        own[name] = max(candidates) if threshold >= 2 else candidates[0]
    answers: dict[str, tuple[object, ...]] = {}
    for name in NAMES:
        level = max(own[a] for a in above[name])
        answers[name] = (
            None if level == 99 else Level(level),
            highest(name, "gdpr_category"),
            highest(name, "access_rights"),
            tuple(sorted({g for a in above[name] for g in declared[a].non_publication_grounds})),
            min(
                (p for p in paths(name, relations) if own[p[-1]] == level),
                key=lambda p: (len(p), p),
            ),
        )
    return answers


def values(effective: EffectiveClass) -> tuple[object, ...]:
    return (
        effective.confidentiality,
        effective.gdpr_category,
        effective.access_rights,
        effective.non_publication_grounds,
        effective.chain,
    )


@NO_DEADLINE
@given(datasets(), RELATIONS, THRESHOLD)
def test_effective_classes_are_what_the_definition_says(found, relations, threshold):
    answers = derive(found, relations, threshold)
    assert {n: values(e) for n, e in answers.items()} == naive(found, relations, threshold)


@NO_DEADLINE
@given(datasets(), RELATIONS, THRESHOLD, st.randoms(use_true_random=False))
def test_the_order_of_the_file_never_matters(found, relations, threshold, random):
    shuffled = random.sample(list(found), len(found))
    mixed = random.sample(relations, len(relations))
    parameters = Parameters(cumulation_datasets_min=threshold)
    facts = derive_facts(
        Catalog(municipality="T", datasets=found, relations=tuple(relations)), parameters
    )
    other = derive_facts(
        Catalog(municipality="T", datasets=tuple(shuffled), relations=tuple(mixed)), parameters
    )
    assert sorted(facts.effective, key=lambda e: e.dataset) == sorted(
        other.effective, key=lambda e: e.dataset
    )
    assert [e.dataset for e in other.effective] == [d.id for d in shuffled]
    assert facts.model_copy(update={"effective": ()}) == other.model_copy(update={"effective": ()})


def assert_not_lower(before, after):
    for name in NAMES:
        for attribute in ("confidentiality", "gdpr_category", "access_rights"):
            assert height(getattr(after[name], attribute)) >= height(
                getattr(before[name], attribute)
            )
        assert set(before[name].non_publication_grounds) <= set(after[name].non_publication_grounds)


@NO_DEADLINE
@given(datasets(), RELATIONS, st.one_of(edges(), GROUPS), THRESHOLD)
def test_another_relation_never_lowers_a_class(found, relations, another, threshold):
    before = derive(found, relations, threshold)
    after = derive(found, [*relations, another], threshold)
    assert_not_lower(before, after)
    if getattr(another, "transformation", None) == RELEASE:
        assert [values(e) for e in before.values()] == [values(e) for e in after.values()]


@NO_DEADLINE
@given(datasets(), RELATIONS, THRESHOLD, st.integers(0, 5), st.sampled_from([*Level, None]))
def test_a_higher_declaration_never_lowers_a_class(found, relations, threshold, index, level):
    assume(height(level) >= height(found[index].confidentiality))
    higher = list(found)
    higher[index] = found[index].model_copy(update={"confidentiality": level})
    assert_not_lower(derive(found, relations, threshold), derive(higher, relations, threshold))


@NO_DEADLINE
@given(datasets(), RELATIONS, st.integers(2, 5))
def test_cumulating_earlier_never_lowers_a_class(found, relations, threshold):
    assert_not_lower(derive(found, relations, threshold + 1), derive(found, relations, threshold))


@NO_DEADLINE
@given(datasets(), RELATIONS, THRESHOLD)
def test_declaring_what_was_derived_changes_nothing_more(found, relations, threshold):
    """With the classes written into the catalogue, inheritance alone finds nothing to add."""
    once = derive(found, relations, threshold)
    declared = [
        d.model_copy(
            update={
                "confidentiality": once[d.id].confidentiality,
                "gdpr_category": once[d.id].gdpr_category,
                "access_rights": once[d.id].access_rights,
                "non_publication_grounds": once[d.id].non_publication_grounds,
            }
        )
        for d in found
    ]
    twice = derive(declared, relations, 0)
    assert {n: values(e)[:4] for n, e in once.items()} == {
        n: values(e)[:4] for n, e in twice.items()
    }
    assert all(e.chain == (n,) for n, e in twice.items())


@NO_DEADLINE
@given(datasets(), RELATIONS)
def test_separations_and_groups_are_distinct_and_sorted(found, relations):
    catalog = Catalog(municipality="T", datasets=found, relations=tuple(relations))
    facts = derive_facts(catalog, Parameters())
    pairs = [(p.first, p.second) for p in facts.separations]
    assert pairs == sorted(set(pairs))
    assert all(first < second for first, second in pairs)
    assert {frozenset(g) for g in facts.co_location} == set(merged(relations))
    asked = {
        frozenset((x, y))
        for r in relations
        if isinstance(r, Separated)
        for x in r.members
        for y in r.members
        if x != y
    }
    assert {frozenset(p) for p in pairs} == asked


@NO_DEADLINE
@given(datasets(), RELATIONS, THRESHOLD)
def test_the_certificate_comes_to_the_same_classes_on_its_own(found, relations, threshold):
    catalog = Catalog(municipality="T", datasets=found, relations=tuple(relations))
    parameters = Parameters(cumulation_datasets_min=threshold)
    facts = derive_facts(catalog, parameters)
    again = certified_classes(catalog, parameters, facts.co_location)
    assert {n: values(e) for n, e in again.items()} == {
        e.dataset: values(e) for e in facts.effective
    }
