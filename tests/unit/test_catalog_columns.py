"""Catalogue folders: what is wrong is refused, and its place is named."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models import CoLocated, DerivedFrom, Level
from placement.catalog.columns import (
    check_columns_references,
    columns_digest,
    columns_of,
    load_catalog_columns,
    write_catalog_folder,
)
from placement.errors import BadInput
from tests import builders
from tests.benchmarks.big_city import make_big_city
from tests.catalog_folder_cases import Folder, assert_same, line, members_of

ROWS: dict[str, list[Any]] = {
    "id": ["a", "b", "c"],
    "title": ["A", "B", "C"],
    "volume_gb": [1, 2, 3],
    "monthly_read_gb": [0.1, 0.2, 1e9],
    "monthly_egress_gb": [0, 1, 2],
}


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "c")


def defects(folder):
    with pytest.raises(BadInput) as caught:
        load_catalog_columns(folder.root)
    root = f"{folder.root}/"
    return [(d.file.removeprefix(root), d.record, d.field, d.message) for d in caught.value.defects]


def only(folder):
    (defect,) = defects(folder)
    return defect


def test_numbers_of_parquet_are_exact_whatever_their_type(folder):
    folder.table(
        ROWS
        | {
            "monthly_read_gb": [0.1, 123456789.123456, 9e11],
            "monthly_egress_gb": pa.array(
                map(Decimal, ["0.1", "0.000001", "7"]), pa.decimal256(50, 9)
            ),
        }
    )
    columns = load_catalog_columns(folder.root)
    assert columns.monthly_read_ugb.tolist() == [100_000, 123456789123456, 9 * 10**17]
    assert columns.monthly_egress_ugb.tolist() == [100_000, 1, 7_000_000]


def test_levels_by_name_and_by_ordinal_are_one_kind(folder):
    folder.lines(line("a", confidentiality="hoch"), name="datasets-1.jsonl")
    folder.lines(line("b", confidentiality=3), name="datasets-2.jsonl")
    folder.table({k: v[2:] for k, v in ROWS.items()} | {"confidentiality": ["high"]})
    columns = load_catalog_columns(folder.root)
    assert columns.kind_of.tolist() == [0, 0, 0]
    assert columns.kinds[0].confidentiality is Level.HIGH


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("volume_gb", [1, -1, 1], "not below 0"),
        ("volume_gb", [1, None, 1], "is missing"),
        ("volume_gb", [1, 10**12 + 1, 1], "not above"),
        ("monthly_read_gb", [0.0, float("nan"), 0.0], "finite"),
        ("monthly_read_gb", [0.0, float("inf"), 0.0], "finite"),
        ("monthly_read_gb", [0.0, 0.1234567, 0.0], "at most 6 decimals"),
        ("monthly_read_gb", [Decimal(0), Decimal("0.1234567"), Decimal(0)], "at most 6 decimals"),
        ("monthly_egress_gb", [0.0, -0.5, 0.0], "not below 0"),
        ("id", ["a", "", "c"], "an id of letters"),
        ("id", ["a", "é", "c"], "an id of letters"),
        ("id", ["a", "b" * 201, "c"], "at most 200"),
        ("id", ["a", None, "c"], "is missing"),
        ("title", ["a", " ", "c"], "at least 1"),
        ("title", ["a", None, "c"], "is missing"),
        ("steward", ["a", "x" * 501, "c"], "at most 500"),
        ("steward", ["a", "x\x1b[2J", "c"], "control characters"),
        ("title", ["a", "x\x85", "c"], "control characters"),
        ("readers", [[], ["r", "r"], []], 'names "r" more than once'),
        ("readers", [[], ["é"], []], "an id of letters"),
        ("readers", [[], [None], []], "a text is expected"),
        ("dpia", [None, "maybe", None], "one of"),
        ("confidentiality", [None, 5, None], "not a level"),
        ("contract", [None, "k", None], "there is no contract k"),
        ("replicas", [1, 6, 1], "not above 5"),
        ("further_current_sites", [[], ["s"], []], "without a current_site"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_row(folder, field, values, message):
    folder.table(ROWS | {field: values})
    file, record, where, said = only(folder)
    whole_record = field == "further_current_sites" or "control" in message
    assert (file, where.split(".")[0]) == ("datasets.parquet", "" if whole_record else field)
    assert message in said
    assert "row 2" in record
    assert record == "dataset b (row 2)" or field == "id"


def test_floats_of_32_bits_are_refused(folder):
    folder.table(ROWS | {"monthly_read_gb": pa.array([0.1, 0.2, 0.3], pa.float32())})
    assert only(folder)[2] == "monthly_read_gb"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"colour": ["x"] * 3}, "unknown field"),
        ({"readers": ["x"] * 3}, "list<"),
        ({"high_value": [1, 0, 1]}, "bool is expected"),
        ({"volume_gb": [1.0, 2.0, 3.0]}, "int64 is expected"),
        ({"technologies": [[{"name": "x", "owner": "y"}]] * 3}, "expected"),
    ],
)
def test_unknown_columns_and_types_are_refused(folder, column, message):
    folder.table(ROWS | column)
    assert message in only(folder)[3]


def test_ids_are_used_once_in_all_files(folder):
    folder.table(ROWS)
    folder.lines(line("z"), line("b"))
    file, record, _, message = only(folder)
    assert (file, record) == ("datasets.parquet", "dataset b (row 2)")
    assert message == "is used more than once: by datasets.jsonl line 2 and datasets.parquet row 2"


def test_many_defects_are_counted(folder):
    size = 1000
    folder.table({"id": [f"d{n}" for n in range(size)], "title": ["x"] * size,
                  "volume_gb": [-1] * size, "monthly_read_gb": [0] * size,
                  "monthly_egress_gb": [0] * size})  # fmt: skip
    found = defects(folder)
    assert len(found) == 41
    assert (str(folder.root), "", "", f"and {size - 40} more") in found


def test_a_wrong_kind_is_named_once_and_counted(folder):
    folder.table(ROWS | {"dpia": ["x", "x", None]})
    found = defects(folder)
    assert [d[3][:6] for d in found] == ["and 1 ", "one of"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "an object is expected"),
        ("", "is empty"),
        ("[]", "an object is expected"),
        ('{"id":"a"} null', "is not JSON"),
        ('{"id":"a"}{"id":"b"}', "is not JSON"),
        ('{"id":"a","id":"b"}', "more than once"),
        ('{"id":NaN}', "NaN is not a number"),
        ('{"id":"a","colour":1}', "unknown field"),
        ('{"id":"\\u0007"}', "control character"),
        ('{"id":"\\ud800"}', "half a surrogate"),
        ("{", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_record_is_named(folder, text, message):
    folder.lines(line("a"), text, line("c"))
    found = defects(folder)
    assert any(message in d[3] and "line 2" in d[1] for d in found), found
    assert all("line 2" in d[1] for d in found)


def test_bytes_that_are_no_text_are_refused(folder):
    (folder.root / "datasets.jsonl").write_bytes(
        json.dumps(line("a")).encode() + b'\n{"id":"\xff"}'
    )
    assert "not UTF-8" in only(folder)[3]


def test_null_stands_only_where_a_field_may_be_unknown(folder):
    folder.lines(line("a") | {"steward": None, "current_site": None})
    assert len(load_catalog_columns(folder.root)) == 1
    folder.lines(line("a") | {"readers": None})
    assert only(folder)[2] == "readers"


def test_lines_may_end_in_many_ways(folder):
    texts = [json.dumps(line(name)).encode() for name in "abc"]
    read = []
    for content in (b"\n".join(texts), b"\r\n".join(texts) + b"\r\n", b"\n".join(texts) + b"\n"):
        (folder.root / "datasets.jsonl").write_bytes(content)
        read.append(load_catalog_columns(folder.root))
    assert_same(read[0], read[1])
    assert_same(read[0], read[2])


def test_blocks_end_where_lines_do(folder, monkeypatch):
    folder.lines(*(line(f"d{n:03}", title="x" * (n % 90 + 1)) for n in range(300)))
    whole = load_catalog_columns(folder.root)
    monkeypatch.setattr("placement.catalog.columns.jsonl.BLOCK", 256)
    assert_same(load_catalog_columns(folder.root), whole)
    folder.lines(line("a", description="x" * 600))
    assert "longer than 256" in only(folder)[3]


RELATIONS = [
    ({"kind": "derived_from", "source": "a", "derived": "x"}, "derived", "there is no dataset x"),
    ({"kind": "derived_from", "source": "a", "derived": "a"}, "source", "derive from itself"),
    ({"kind": "derived_from", "source": "a"}, "derived", "is missing"),
    ({"kind": "co_located", "members": ["a", "x"]}, "members", "there is no dataset x"),
    ({"kind": "co_located", "members": ["a", "twice"]}, "members", "equal replicas"),
    ({"kind": "co_located", "members": ["a", "a"]}, "", "repeat"),
    ({"kind": "co_located", "members": ["a"]}, "members", "at least 2"),
    ({"kind": "co_located", "members": ["a", "b"], "level": "site"}, "level", "unknown field"),
    ({"kind": "separated", "members": ["a", "b"], "level": "city"}, "level", "one of"),
    ({"kind": "separated", "members": ["a", "b"], "source": "a"}, "source", "unknown field"),
    ({"kind": "near", "members": ["a", "b"]}, "", "no kind of relation"),
    ({"members": ["a", "b"]}, "", "kind of relation is missing"),
    (
        {"kind": "derived_from", "source": "a", "derived": "b", "monthly_transfer_gb": -1.5},
        "monthly_transfer_gb",
        "not below 0",
    ),
    (
        {"kind": "derived_from", "source": "a", "derived": "b",
         "transformation": {"kind": "selection"}},
        "transformation.method",
        "is missing",
    ),
    (
        {"kind": "derived_from", "source": "a", "derived": "b",
         "transformation": {"kind": "x", "method": "y"}},
        "transformation.kind",
        "one of",
    ),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@pytest.mark.parametrize(("relation", "where", "message"), RELATIONS)
def test_a_wrong_relation_is_named_with_its_row(folder, kind, relation, where, message):
    folder.lines(line("a"), line("b"), line("twice", replicas=2))
    good = {"kind": "cumulated", "members": ["a", "b"]}
    if kind == "jsonl":
        folder.lines(good, relation, name="relations.jsonl")
    else:
        names = {**good, **relation}
        folder.table(
            pa.table({n: [good.get(n), relation.get(n)] for n in names}), "relations.parquet"
        )
    found = defects(folder)
    row = "line 2" if kind == "jsonl" else "row 2"
    assert any(
        d[:3] == (f"relations.{kind}", f"relation in {row}", where) and message in d[3]
        for d in found
    ), found


def test_a_derivation_stands_once(folder):
    folder.lines(line("a"), line("b"))
    relation = {"kind": "derived_from", "source": "a", "derived": "b"}
    folder.lines(relation, name="relations-1.jsonl")
    folder.lines(relation, name="relations-2.jsonl")
    assert only(folder)[3].startswith("repeats another relation")


def test_only_reviewed_aggregations_end_inheritance(folder):
    folder.lines(line("a"), line("b"), line("c"))
    told = {"kind": "aggregation", "method": "k=10"}
    reviewed = told | {"reviewed_by": "board", "reviewed_on": "2026-01-31"}
    folder.lines(
        {"kind": "derived_from", "source": "a", "derived": "b", "transformation": told},
        {"kind": "derived_from", "source": "a", "derived": "c", "transformation": reviewed},
        {"kind": "derived_from", "source": "b", "derived": "c",
         "transformation": reviewed | {"kind": "pseudonymisation"}},
        name="relations.jsonl",
    )  # fmt: skip
    ends = load_catalog_columns(folder.root).derivations.ends_inheritance
    assert ends.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b[:-20], lambda b: b"PAR1" + b[4:200], lambda b: b"", lambda b: b[:300] + b[400:],
     lambda b: b[:60] + bytes(40) + b[100:]],
)  # fmt: skip
def test_a_damaged_parquet_file_is_refused(folder, spoil):
    folder.table(ROWS, write_page_checksum=True)
    path = folder.root / "datasets.parquet"
    path.write_bytes(spoil(path.read_bytes()))
    assert "no Parquet file" in only(folder)[3]


def test_no_damage_of_a_parquet_file_gets_past_the_reader(folder):
    """Some of these ended the process before footers were read apart."""
    datasets = tuple(
        builders.dataset(f"d{n}", technologies=({"name": "x", "interfaces": ("s3",)},))
        for n in range(9)
    )
    folder = Folder(folder.root.parent / "d")
    (folder.root / "catalog.json").unlink()
    folder.root.rmdir()
    write_catalog_folder(builders.catalog(*datasets), folder.root)
    path = folder.root / "datasets.parquet"
    content, rng = path.read_bytes(), np.random.default_rng(5)
    refused = 0
    for place in rng.integers(4, len(content), 250).tolist():
        path.write_bytes(content[:place] + rng.bytes(1) + content[place + 1 :])
        try:
            load_catalog_columns(folder.root)
        except BadInput:
            refused += 1
    assert refused > 100


def test_a_short_file_that_unfolds_is_refused_before_it_does(folder):
    """Thousands of lists of thousands of one long text: terabytes, in kilobytes."""
    size, members = 2000, 200
    long = pa.DictionaryArray.from_arrays(np.zeros(size * members, np.int32), ["x" * 10**6])
    lists = pa.ListArray.from_arrays(np.arange(size + 1, dtype=np.int32) * members, long)
    folder.table({"id": [f"d{n}" for n in range(size)], "readers": lists}, compression="zstd")
    assert (folder.root / "datasets.parquet").stat().st_size < 10**6
    assert "list members a row" in only(folder)[3]
    alone = pa.DictionaryArray.from_arrays(np.zeros(size, np.int32), ["x" * 10**6])
    before = pa.total_allocated_bytes()
    folder.table({"id": [f"d{n}" for n in range(size)], "steward": alone}, compression="zstd")
    assert len(defects(folder)) == 41
    assert pa.default_memory_pool().max_memory() < before + 10**9


def test_too_many_rows_are_refused_before_they_are_read(folder, monkeypatch):
    monkeypatch.setattr("placement.catalog.columns.parquet.ROWS_MAX", 2)
    folder.table(ROWS)
    assert only(folder)[3] == "has more than 2 rows"


def test_a_folder_without_datasets_or_with_strange_parts_is_refused(folder):
    assert "has neither" in only(folder)[3]
    folder.lines(line("a"))
    folder.lines(line("b"), name="dataset-2.jsonl")
    assert only(folder)[0] == "dataset-2.jsonl"
    (folder.root / "dataset-2.jsonl").unlink()
    folder.header(datasets=[])
    assert "datasets" in {d[2] for d in defects(folder)}
    folder.lines()
    folder.header()
    assert only(folder)[3] == "there is no dataset to place"


def test_sums_that_64_bits_cannot_hold_are_refused(folder):
    folder.lines(*(line(f"d{n}", monthly_read_gb=10**12) for n in range(5)))
    assert only(folder)[2] == "monthly_read_gb"


def test_references_to_sites_and_roles_are_those_of_the_native_check():
    register = builders.register(builders.site("s1"))
    catalog = builders.catalog(
        builders.dataset("a", current_site="s1"),
        builders.dataset("b", current_site="gone"),
        builders.dataset("c", current_site="gone"),
        builders.dataset("d", readers=("ghost",)),
    )
    with pytest.raises(BadInput) as caught:
        check_columns_references(columns_of(catalog), register, catalog_file="c", register_file="s")
    assert [str(d) for d in caught.value.defects] == [
        "c: dataset b: current_site: there is no site gone (1 more dataset alike)",
        "c: dataset d: readers: there is no role ghost",
    ]


def test_the_digest_sees_every_change_that_counts():
    first = builders.catalog(
        builders.dataset("a"), builders.dataset("b"), builders.dataset("c", replicas=1)
    )
    changed: list[dict[str, Any]] = [
        {"datasets": (builders.dataset("a", volume_gb=101), *first.datasets[1:])},
        {"datasets": (builders.dataset("a", steward=None), *first.datasets[1:])},
        {"datasets": (builders.dataset("a", current_site="s"), *first.datasets[1:])},
        {"datasets": first.datasets[:2]},
        {"relations": (DerivedFrom(source="a", derived="b"),)},
        {"relations": (CoLocated(members=("a", "b")),)},
        {"roles": ()},
    ]
    same = [
        {"datasets": first.datasets[::-1]},
        {"datasets": (builders.dataset("a", title="x", steward="y"), *first.datasets[1:])},
    ]
    digest = columns_digest(columns_of(first))
    others = [columns_digest(columns_of(first.model_copy(update=c))) for c in changed]
    assert len({digest, *others}) == len(changed) + 1
    assert {columns_digest(columns_of(first.model_copy(update=c))) for c in same} == {digest}


def test_a_folder_is_not_written_over_another(folder):
    with pytest.raises(BadInput, match="is there already"):
        write_catalog_folder(builders.catalog(), folder.root)


def test_a_big_city_reads_as_it_was_made(tmp_path):
    made = make_big_city(tmp_path / "p", 3000, 10, 7, edges=1.5, apart=0.05)
    make_big_city(tmp_path / "j", 3000, 10, 7, edges=1.5, apart=0.05, kind="jsonl")
    read = load_catalog_columns(tmp_path / "p")
    assert_same(read, load_catalog_columns(tmp_path / "j"))
    assert columns_digest(read) == columns_digest(made)
    assert read.volume_gb.tolist() == made.volume_gb.tolist()
    assert len(read.derivations.source) > 4000
    assert (read.derivations.source < read.derivations.derived).all()
    assert all(len(pair) == 2 for pair in members_of(read.separated.groups))
