"""Patterns of strangers: what they match, what is refused, and what they may cost."""

from __future__ import annotations

import random
import re
import warnings

import pytest

from placement.errors import BadInput
from placement.provision.ngsi_ld.patterns import Budget, Pattern

TEXTS = ("", "a", "b", "ab", "aab", "abab", "bbb", "a1", "1-2", "a.b", "[]", "abba" * 3)


def found(pattern, text, steps=10**6):
    return Pattern(pattern, "q").found_in(text, Budget(steps))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("Tree", "Trees of the city", True),
        ("^Trees$", "Trees", True),
        ("^Trees$", "Trees of the city", False),
        ("^(bomen|wegen)-[0-9]{2,4}$", "wegen-203", True),
        ("^(bomen|wegen)-[0-9]{2,4}$", "wegen-20300", False),
        (r"\d+\.\d", "version 12.3", True),
        (r"^[^\s]+$", "two words", False),
        ("[]x]", "a]", True),
        ("[a-]", "-", True),
        ("(?:ab)+?c", "ababc", True),
        ("^$", "", True),
        ("^$", "x", False),
        ("x|", "anything", True),
        ("é", "café", True),
    ],
)
def test_patterns_match_as_they_are_known(pattern, text, expected):
    assert found(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "leaves a group open"),
        (")", "did not open"),
        ("*a", "repeats nothing"),
        ("a**", "repeats a repetition"),
        ("[a", "ends too early"),
        ("[z-a]", "ends before it begins"),
        ("[[:alpha:]]", "has a class such as"),
        (r"(a)\1", "backtracking"),
        ("(?=a)", "looks around"),
        ("(?i)a", "looks around"),
        ("a{3,2}", "the smaller number first"),
        ("a{999}", "at most 255"),
        ("((a{255}){255}){255}", "is too large"),
        ("(" * 40 + "a" + ")" * 40, "too deep"),
        ("a" * 257, "longer than 256"),
        ("\\", "ends too early"),
    ],
)
def test_what_no_automaton_matches_is_refused_with_the_place(pattern, words):
    with pytest.raises(BadInput) as refused:
        Pattern(pattern, "idPattern")
    (defect,) = refused.value.defects
    assert defect.field == "idPattern"
    assert words in defect.message


def test_ten_thousand_random_patterns_match_as_pythons_do_or_are_refused():
    chance = random.Random(7)
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for _ in range(10_000):
            text = "".join(chance.choices("ab.*+?()[]|^$-\\{}12,d", k=chance.randint(1, 8)))
            try:
                ours = Pattern(text, "q")
                theirs = re.compile(text, re.DOTALL)
            except (BadInput, re.error):
                continue
            compared += 1
            for subject in TEXTS:
                expected = theirs.search(subject) is not None
                assert ours.found_in(subject, Budget()) is expected, (text, subject)
    assert compared > 2000


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(a*)*b$", ".*.*.*.*.*.*=", "(.*)*x"])
def test_what_takes_backtracking_years_costs_one_step_a_character(pattern):
    compiled = Pattern(pattern, "q")
    text = "a" * 5000 + "!"
    # Sets of states are met once: what they cost does not grow with the text.
    assert compiled.found_in(text, Budget(len(text) + 5000)) is False


def test_a_pattern_whose_sets_of_states_never_repeat_ends_with_the_budget():
    chance = random.Random(1)
    text = "".join(chance.choices("ab", k=50_000))
    compiled = Pattern("(a|b)*a(a|b){14}c", "q")
    with pytest.raises(BadInput, match="take too long"):
        compiled.found_in(text, Budget(1_000_000))
