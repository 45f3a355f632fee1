from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Interface, PolicyComponent, StackComponent, policy_site
from models.licences import LENGTH_MAX, OPEN_CATEGORIES, is_open
from tests import builders

OPEN = {
    "a permissive licence": "MIT",
    "copyleft": "EUPL-1.2",
    "limited copyleft": "LGPL-2.1-only",
    "public domain": "CC0-1.0",
    "blanks around it": "  MIT ",
    "any case": "apache-2.0",
    "any later version": "EUPL-1.2+",
    "or-later as SPDX now names it": "GPL-2.0-or-later",
    "or-later as SPDX once named it": "GPL-2.0+",
    "an exception in a retired id": "GPL-2.0-with-classpath-exception",
    "one side of OR": "LicenseRef-closed OR MIT",
    "both sides of AND": "MIT AND Apache-2.0",
    "operators in lower case": "MIT and (LicenseRef-closed or ISC)",
    "AND binds before OR, right": "MIT OR LicenseRef-closed AND LicenseRef-other",
    "AND binds before OR, left": "LicenseRef-closed AND LicenseRef-other OR MIT",
    "AND in the middle": "LicenseRef-closed OR MIT AND ISC OR LicenseRef-other",
    "brackets without blanks": "(MIT OR LicenseRef-closed)AND(ISC)",
    "brackets forty deep": "(" * 40 + "MIT" + ")" * 40,
    "a known exception": "GPL-2.0-only WITH Classpath-exception-2.0",
    "a known exception, in lower case": "GPL-2.0-only with classpath-exception-2.0",
    "an exception on the right": "MIT AND GPL-2.0-only WITH Classpath-exception-2.0",
    "an exception to any later version": "GPL-2.0+ WITH Classpath-exception-2.0",
}
CLOSED = {
    "not stated": None,
    "empty": "",
    "blank": " ",
    "nobody knows it": "LicenseRef-closed",
    "an alias that only looks like a vendor's own": "LicenseRef-MIT-Bootstrap",
    "another document's": "DocumentRef-x:LicenseRef-closed",
    "source available": "BUSL-1.1",
    "source available, too": "SSPL-1.0",
    "not for every purpose": "CC-BY-NC-4.0",
    "no changes": "CC-BY-ND-4.0",
    "ethical conditions": "Hippocratic-2.1",
    "part of an open one": "MI",
    "an open one and more": "MIT-closed",
    "any later version of nothing": "+",
    "one side of AND": "MIT AND LicenseRef-closed",
    "neither side of OR": "LicenseRef-closed OR LicenseRef-other",
    "AND outside brackets": "(MIT OR LicenseRef-closed) AND LicenseRef-other",
    "two licences without an operator": "MIT ISC",
    "a text": "MIT License, see file",
    "an operator alone": "AND",
    "an operator at the end": "MIT OR",
    "an operator at the start": "OR MIT",
    "two operators": "MIT OR OR ISC",
    "empty brackets": "()",
    "a bracket not closed": "(MIT",
    "a bracket not opened": "MIT)",
    "brackets the wrong way round": ")MIT(",
    "a licence before brackets": "MIT (ISC)",
    "an unknown exception": "GPL-2.0-only WITH closed-exception",
    "an exception to a closed licence": "LicenseRef-closed WITH Classpath-exception-2.0",
    "an exception to nothing": "WITH Classpath-exception-2.0",
    "an exception alone": "Classpath-exception-2.0",
    "an exception not named": "GPL-2.0-only WITH",
    "a licence as an exception": "GPL-2.0-only WITH MIT",
    "any later version of an exception": "GPL-2.0-only WITH Classpath-exception-2.0+",
    "longer than a component may state": "MIT" + " OR MIT" * LENGTH_MAX,
}


@pytest.mark.parametrize("expression", OPEN.values(), ids=OPEN)
def test_open_expressions(expression):
    assert is_open(expression)


@pytest.mark.parametrize("expression", CLOSED.values(), ids=CLOSED)
def test_expressions_that_are_not_open(expression):
    assert not is_open(expression)


def test_what_is_open_are_categories_not_names():
    assert {"Permissive", "Copyleft", "Copyleft Limited", "Public Domain"} == OPEN_CATEGORIES


words = st.sampled_from(
    ["MIT", "ISC", "BUSL-1.1", "LicenseRef-x", "AND", "OR", "WITH", "(", ")", "+", "NOT", ",", "é"]
)


@given(st.lists(words, max_size=12).map(" ".join) | st.text(max_size=60))
def test_any_text_is_answered(expression):
    assert is_open(expression) in (True, False)


known = st.sampled_from(["MIT", "EUPL-1.2", "BUSL-1.1", "LicenseRef-x"])


@given(known, known)
def test_or_needs_one_open_side_and_and_needs_both(one, other):
    assert is_open(f"{one} OR {other}") is (is_open(one) or is_open(other))
    assert is_open(f"({one}) AND {other}") is (is_open(one) and is_open(other))


def test_policies_see_whether_each_component_is_open():
    stack = (
        StackComponent(name="PostGIS", licence="GPL-2.0-only", interfaces=(Interface.POSTGRESQL,)),
        StackComponent(name="Database", licence="LicenseRef-own"),
        StackComponent(name="Cache"),
    )
    register = builders.register()
    (site,) = register.sites[:1]
    seen = policy_site(
        site.model_copy(update={"stack": stack, "administrators": ()}),
        {operator.id: operator for operator in register.operators},
        {},
    )
    assert [component.licence_open for component in seen.stack] == [True, False, False]
    assert seen.stack[0] == PolicyComponent(
        name="PostGIS",
        licence="GPL-2.0-only",
        interfaces=(Interface.POSTGRESQL,),
        licence_open=True,
    )
