"""What a draft may not hold, found before any program looks at it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import PolicyFiles
from placement.review.capabilities import RULES, TESTS, allowed
from placement.review.limits import (
    MAX_DEPTH,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_TOTAL_BYTES,
    limit_defects,
)

MANIFEST = json.dumps({"roots": ["a"], "rego_version": 1})


def found(files: dict[str, str]) -> list[str]:
    return [str(d) for d in limit_defects(PolicyFiles(files={".manifest": MANIFEST, **files}))]


def test_an_ordinary_draft_has_no_defects():
    files = {"a/a.rego": 'package a\n\nx := "((((" # ]\n', "a/a_test.rego": "", "data.json": "{}"}
    assert found(files) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a.rego",
        "../a.rego",
        "a/../b.rego",
        "a//b.rego",
        "a/./b.rego",
        "./a.rego",
        "a\\b.rego",
        "C:/a.rego",
        "a\x00.rego",
        "a\n.rego",
        "a b.rego",
        "é.rego",
        "a\u202e.rego",
        ".hidden.rego",
        ".regal/rules/x.rego",
        ".signatures.json",
        "-rf.rego",
        "a/.manifest",
        "__pycache__/a.rego",
        "x.json",
        "data.yaml",
        "data.yml",
        "policy.wasm",
        "patch.json",
        "a.rego/",
        "a.REGO",
        "authz/x.rego",
        "authz_more/x.rego",
        "system/x.rego",
        "a/b/c/d/e/f/g/h/i/j.rego",
    ],
)
def test_names_that_are_refused(name):
    assert found({name: "package a\n"})


@pytest.mark.parametrize(
    ("first", "second"),
    [("a/b.rego", "a/B.rego"), ("a.rego", "a.rego/b.rego"), ("A/x.rego", "a/X.rego")],
)
def test_names_that_some_disk_takes_for_the_same(first, second):
    assert any("same name" in text for text in found({first: "", second: ""}))


@pytest.mark.parametrize("brackets", ["[]", "{}", "()"])
def test_depth(brackets):
    start, end = brackets
    text = (
        "package a\n\nx := " + "\n".join([start] * MAX_DEPTH) + "1" + "\n".join([end] * MAX_DEPTH)
    )
    assert found({"a/a.rego": text}) == []
    deeper = text.replace("1", start + "1" + end)
    assert found({"a/a.rego": deeper}) == [
        f"a/a.rego: limits: brackets nested more than {MAX_DEPTH} deep"
    ]


def test_brackets_in_texts_and_comments_do_not_nest():
    text = f'package a\n\n# {"[" * 100}\nx := "{"[" * 100}"\n\ny := `{"(" * 100}`\n'
    assert found({"a/a.rego": text}) == []


@pytest.mark.parametrize(
    "text", ["\ufeff", "a\r\n", "\x00", "\u202e", "\u2028", "\x1b[31m", "\ud800"]
)
def test_characters_that_hide_something(text):
    assert found({"a/a.rego": f"package a\n\n# {text}\n"})


def test_sizes():
    assert found({"a/a.rego": "#\n" * (MAX_FILE_BYTES // 2)}) == []
    assert "larger" in found({"a/a.rego": "#\n" * (MAX_FILE_BYTES // 2) + "#"})[0]
    many = {f"a/f{number}.rego": "#\n" * (MAX_FILE_BYTES // 2) for number in range(5)}
    assert f"larger than {MAX_TOTAL_BYTES}" in found(many)[0]
    files = {f"a/f{number}.rego": "" for number in range(MAX_FILES)}
    assert f"at most {MAX_FILES}" in found(files)[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"authz": {}}',
        '{"system": {}}',
        '{"a": ' + "[" * 1000 + "]" * 1000 + "}",
        '{"a": "`"' + ', "b": "`' + "[" * 100,
    ],
)
def test_data_that_is_refused(text):
    assert found({"data.json": text})


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{}",
        '{"roots": []}',
        '{"roots": "a"}',
        '{"roots": [""]}',
        '{"roots": ["system"]}',
        '{"roots": ["authz"]}',
        '{"roots": ["a/../authz"]}',
        '{"roots": ["/authz"]}',
        '{"roots": [1]}',
        '{"roots": ["a"], "rego_version": 0}',
        '{"roots": ["a"], "rego_version": true}',
        '{"roots": ["a"], "wasm": []}',
    ],
)
def test_manifests_that_are_refused(manifest):
    assert found({".manifest": manifest})


def test_a_manifest_is_needed():
    assert limit_defects(PolicyFiles(files={"a/a.rego": ""}))


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5))
def test_whatever_comes_is_judged(files):
    for defect in limit_defects(PolicyFiles(files=files)):
        assert defect.check == "limits"


def test_capabilities_name_nothing_that_reaches_out_or_asks_for_gigabytes():
    outside = {"http.send", "opa.runtime", "net.lookup_ip_addr", "rego.parse_module", "rand.intn"}
    outside |= {"time.now_ns", "uuid.rfc4122", "print", "trace", "internal.print", "bits.lsh"}
    names = [*outside, "numbers.range", "count", "equal"]
    current = {
        "builtins": [{"name": name} for name in names]
        + [{"name": "sum", "nondeterministic": True}],
        "future_keywords": ["in", "or"],
        "features": ["rego_v1", "rego_v3"],
        "wasm_abi_versions": [{"version": 1}],
    }
    cut = json.loads(allowed(json.dumps(current).encode(), RULES))
    assert [builtin["name"] for builtin in cut["builtins"]] == ["count", "equal"]
    assert (cut["future_keywords"], cut["features"]) == (["in"], ["rego_v1"])
    assert cut["allow_net"] == []
    assert "wasm_abi_versions" not in cut
    assert {"numbers.range"} == TESTS - RULES
