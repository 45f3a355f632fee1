"""The shape of answers: an explicit empty list of violations, or no eligibility."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Severity, Source
from placement.eligibility.answers import (
    VerdictReader,
    as_segregated,
    checked_version,
    open_envelope,
    read_batch,
    read_pairs,
    read_verdict,
)
from placement.errors import PolicyEngineError, PolicyRevisionMismatch

VIOLATION = {
    "obligation": "residency.stays",
    "text": "Data stays.",
    "severity": "mandatory",
    "sources": [{"description": "GDPR", "ref": "art. 44"}],
    "message": "it left",
}
FULL: dict[str, Any] = {
    "violations": [VIOLATION],
    "host_obligations": [{"code": "security.log", "requirement": "Log."}],
    "preferences": [{"code": "openness.open", "message": "closed", "penalty_eur_per_year": 10}],
    "closed_stack": True,
}
EMPTY = {"violations": [], "host_obligations": [], "preferences": [], "closed_stack": False}


def _paths(value, path=()):
    """Every place in a document."""
    yield path
    if isinstance(value, (dict, list)):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(child, (*path, key))


def _parent(document, path):
    for key in path[:-1]:
        document = document[key]
    return document


@pytest.mark.parametrize("path", [p for p in _paths(FULL) if p and isinstance(p[-1], str)])
def test_a_key_left_out_anywhere_is_an_error(path):
    document = copy.deepcopy(FULL)
    del _parent(document, path)[path[-1]]
    with pytest.raises(PolicyEngineError, match="unexpected shape"):
        read_verdict(document)


def _objects():
    return [p for p in _paths(FULL) if isinstance(_parent(FULL, (*p, None)), dict)]


@pytest.mark.parametrize("path", _objects())
def test_a_key_too_many_anywhere_is_an_error(path):
    document = copy.deepcopy(FULL)
    _parent(document, (*path, None))["eligible"] = True
    with pytest.raises(PolicyEngineError, match="eligible"):
        read_verdict(document)


@pytest.mark.parametrize("path", [p for p in _paths(FULL) if p])
@pytest.mark.parametrize("wrong", [None, 1.5, {}, [1], "", {"a": []}, [[]], True])
def test_another_type_anywhere_is_an_error(path, wrong):
    document = copy.deepcopy(FULL)
    parent = _parent(document, path)
    if wrong is True and parent[path[-1]] is True:
        return
    parent[path[-1]] = wrong
    with pytest.raises(PolicyEngineError, match="unexpected shape"):
        read_verdict(document)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_nothing_but_a_whole_verdict_is_a_verdict(anything):
    with pytest.raises(PolicyEngineError):
        read_verdict(anything)


def test_eligible_only_by_an_explicit_empty_list():
    assert VerdictReader().read(read_verdict(EMPTY)).eligible
    assert not VerdictReader().read(read_verdict(FULL)).eligible


def test_lists_are_ordered_whatever_the_order_they_come_in():
    more = VIOLATION | {"message": "another"}
    other = VIOLATION | {"obligation": "access.reach"}
    one = VerdictReader().read(read_verdict(FULL | {"violations": [VIOLATION, more, other]}))
    two = VerdictReader().read(read_verdict(FULL | {"violations": [other, VIOLATION, more]}))
    assert one == two
    assert [v.obligation for v in one.violations] == [
        "access.reach",
        "residency.stays",
        "residency.stays",
    ]


@pytest.mark.parametrize("penalty", [10.0, "10", True, -1, 10**10])
def test_a_penalty_is_a_whole_number_of_euro(penalty):
    document = copy.deepcopy(FULL)
    document["preferences"][0]["penalty_eur_per_year"] = penalty
    with pytest.raises((PolicyEngineError, ValueError)):
        VerdictReader().read(read_verdict(document))


def test_obligations_are_told_once_with_their_sources():
    reader = VerdictReader()
    one, two, none = (reader.read(read_verdict(wire)) for wire in (FULL, FULL, EMPTY))
    assert one is two is not none
    (obligation,) = reader.obligations()
    assert obligation.code == "residency.stays"
    assert obligation.severity is Severity.MANDATORY
    assert obligation.sources == (Source(description="GDPR", ref="art. 44"),)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Data leaves."},
        {"severity": "municipal"},
        {"sources": [{"description": "GDPR", "ref": "art. 45"}]},
    ],
)
def test_an_obligation_that_says_two_things_is_an_error(change):
    reader = VerdictReader()
    reader.read(read_verdict(FULL))
    other = read_verdict(FULL | {"violations": [VIOLATION | change]})
    with pytest.raises(PolicyEngineError, match=r"residency\.stays in two ways"):
        reader.read(other)


@pytest.mark.parametrize(
    ("rows", "profiles", "sites"),
    [
        ([], 1, 1),
        ([[]], 1, 1),
        ([[EMPTY]], 0, 0),
        ([[EMPTY]], 1, 0),
        ([[EMPTY]], 2, 1),
        ([[EMPTY, EMPTY]], 1, 1),
        ([[EMPTY, EMPTY], [EMPTY]], 2, 2),
    ],
)
def test_dimensions_are_exact(rows, profiles, sites):
    with pytest.raises(PolicyEngineError, match="rows of"):
        read_batch({"verdicts": rows, "segregated_duties": []}, profiles, sites)


def test_segregated_duties_are_sorted():
    pairs = read_pairs(
        [{"site": "s", "duty": "b", "other": "c"}, {"site": "s", "duty": "a", "other": "c"}]
    )
    assert [p.duty for p in as_segregated(pairs, ["s"], ["a", "b", "c"])] == ["a", "b"]


@pytest.mark.parametrize(
    "pair", [("x", "a", "b"), ("s", "b", "a"), ("s", "a", "a"), ("s", "a", "z"), ("s", "A", "b")]
)
def test_a_pair_that_was_not_asked_about_is_an_error(pair):
    pairs = read_pairs([dict(zip(("site", "duty", "other"), pair, strict=True))])
    with pytest.raises(PolicyEngineError, match="not asked"):
        as_segregated(pairs, ["s"], ["a", "b"])


@pytest.mark.parametrize("result", [None, {}, [None], [{"site": "s", "duty": "a"}], "ab"])
def test_pairs_have_one_shape(result):
    with pytest.raises(PolicyEngineError, match="unexpected shape"):
        read_pairs(result)


@pytest.mark.parametrize("version", ["1.10.0", "1.22.2", "1.10.0-dev", "1.100.7"])
def test_versions_that_are_supported(version):
    assert checked_version(version) == version


@pytest.mark.parametrize(
    "version",
    ["1.9.9", "0.70.0", "2.0.0", "10.1.0", "", "1", "1.10", "v1.22.2", "x1.22.2"],
)
def test_versions_that_are_not(version):
    with pytest.raises(PolicyEngineError, match=r"OPA 1\.10 or a later 1\.x"):
        checked_version(version)


def _body(**bundles):
    held = {name: {"revision": revision} for name, revision in bundles.items()}
    return {"provenance": {"version": "1.22.2", "bundles": held}, "result": 1}


def test_a_managed_opa_holds_exactly_its_bundles():
    wanted = {"policies": "p", "authz": "a"}
    assert open_envelope(_body(policies="p", authz="a"), wanted) == (1, "1.22.2")
    for held in ({}, {"policies": "p"}, wanted | {"more": "m"}, wanted | {"policies": "q"}):
        with pytest.raises(PolicyRevisionMismatch):
            open_envelope(_body(**held), wanted)


def test_a_shared_opa_holds_the_revision_among_its_bundles():
    assert open_envelope(_body(city="p", other="o"), "p") == (1, "1.22.2")
    with pytest.raises(PolicyRevisionMismatch, match=r"OPA holds 'o', .*\(p\)"):
        open_envelope(_body(other="o"), "p")


def test_an_old_style_revision_outside_the_bundles_does_not_count():
    body = _body()
    body["provenance"]["revision"] = "p"
    with pytest.raises(PolicyRevisionMismatch, match="no bundle"):
        open_envelope(body, "p")


def test_a_result_of_null_is_not_a_verdict_and_no_result_is_undefined():
    body = json.loads(json.dumps(_body(city="p")))
    del body["result"]
    with pytest.raises(PolicyEngineError, match="undefined"):
        open_envelope(body, "p")
    with pytest.raises(PolicyEngineError, match="unexpected shape"):
        read_verdict(open_envelope(body | {"result": None}, "p")[0])


def test_a_long_or_strange_value_is_not_repeated_in_the_message():
    with pytest.raises(PolicyEngineError) as caught:
        read_verdict(EMPTY | {"closed_stack": "x" * 10_000})
    assert len(str(caught.value)) < 300
