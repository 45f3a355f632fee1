"""Changing only what one has seen."""

from __future__ import annotations

import pytest

from placement.errors import PreconditionFailed, PreconditionRequired
from placement.service.preconditions import Precondition


@pytest.mark.parametrize(
    ("expected", "current"),
    [
        (Precondition(match=("a",)), "a"),
        (Precondition(match=("b", "a")), "a"),
        (Precondition(match=("*",)), "a"),
        (Precondition(none_match=("*",)), None),
        (Precondition(none_match=("b",)), "a"),
        (Precondition(none_match=("b",)), None),
    ],
)
def test_holds(expected, current):
    expected.check(current)


@pytest.mark.parametrize(
    ("expected", "current"),
    [
        (Precondition(match=("b",)), "a"),
        (Precondition(match=()), "a"),
        (Precondition(match=("a",)), None),
        (Precondition(match=("*",)), None),
        (Precondition(none_match=("*",)), "a"),
        (Precondition(none_match=("a", "b")), "a"),
        (Precondition(match=("a",), none_match=("a",)), "a"),
    ],
)
def test_fails(expected, current):
    with pytest.raises(PreconditionFailed):
        expected.check(current)


@pytest.mark.parametrize("current", ["a", None])
def test_is_required(current):
    with pytest.raises(PreconditionRequired):
        Precondition().check(current)
