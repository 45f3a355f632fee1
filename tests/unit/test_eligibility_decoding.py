"""JSON that two readers could understand differently is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placement.eligibility.decoding import strict_json

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_JSON)
def test_every_honest_document_is_read_as_it_was_written(document):
    assert strict_json(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": 1, "a": 1}', "'a' is repeated"),
        (b'[{"x": {"b": 1, "c": 2, "b": 3}}]', "'b' is repeated"),
        (b'{"a": 1, "\\u0061": 2}', "'a' is repeated"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"1e400", "too large"),
        (b"{} {}", "Extra data"),
        (b"{}\x00", "Extra data"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'"\xff"', "utf-8"),
        (b"{'a': 1}", "double quotes"),
        (b"[1,]", "Expecting value|Illegal trailing comma"),
        (b"", "Expecting value"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"1" * 10_000, "digits"),
    ],
)
def test_anything_else_is_refused(body, reason):
    with pytest.raises(ValueError, match=reason):
        strict_json(body)
