"""Plan files of many placements: what was written is read, and damage is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.columns import PlacedColumns
from placement.catalog.columns import (
    columns_of,
    placements_digest,
    read_plan_columns,
    write_plan_columns,
)
from placement.errors import BadInput
from tests import builders

SITES = ("s0", "s1", "s2")
COLUMNS = columns_of(builders.catalog(*(builders.dataset(name) for name in "abcd")))
FLOWS = np.array([0, 0, 3])
PLACED = PlacedColumns(
    sites=np.array([[0, -1], [1, 2], [2, -1], [0, 2]], dtype=np.int32),
    row_prices={"capacity[s0]": 10**30, "moves": -5},
    flow_prices=np.array([[1, -2, 3], [4, 5, 6], [7, 8, -(10**15)]]),
)
EXTRA = {
    "profile": np.array([3, 2, 1, 0], dtype=np.int32),
    "storage_cents": np.array([1, -2, 3, 10**17]),
    "share": np.array([0.5, 0.25, 0.0, 1.0]),
    "moved": np.array([True, False, True, False]),
}


def write(path, header=b'{"a": 1}', placed=PLACED, extra=EXTRA, flow_source=FLOWS):
    write_plan_columns(path, header, COLUMNS, SITES, placed, extra, flow_source=flow_source)


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "plan.parquet")
    return tmp_path / "plan.parquet"


def refused(path):
    with pytest.raises(BadInput) as caught:
        read_plan_columns(path)
    (defect,) = caught.value.defects
    assert defect.file == str(path)
    return defect.message


def rewritten(path, change, metadata=None):
    """The file with its table, or its metadata, changed by somebody."""
    file = pq.ParquetFile(path)
    table = change(file.read())
    told = {
        k.decode(): v for k, v in file.metadata.metadata.items() if k.startswith(b"placement-plan")
    }
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(told | (metadata or {}))


def test_what_was_written_is_read(path):
    plan = read_plan_columns(path)
    assert (plan.header, plan.site_ids) == (b'{"a": 1}', SITES)
    assert plan.ids.to_pylist() == list("abcd")
    assert plan.placed.row_prices == PLACED.row_prices
    pairs: list[tuple[np.ndarray, np.ndarray]] = [
        (plan.placed.sites, PLACED.sites),
        (plan.placed.flow_prices, PLACED.flow_prices),
        *((plan.extra[name], EXTRA[name]) for name in EXTRA),
    ]
    for read, written in pairs:
        assert read.dtype == written.dtype
        assert read.tolist() == written.tolist()
    assert list(plan.extra) == list(EXTRA)


def test_many_row_groups_are_one_plan(path, tmp_path, monkeypatch):
    monkeypatch.setattr("placement.catalog.columns.plan.ROWS_AT_ONCE", 1)
    write(tmp_path / "many.parquet")
    one, many = read_plan_columns(path), read_plan_columns(tmp_path / "many.parquet")
    assert pq.read_metadata(tmp_path / "many.parquet").num_row_groups == 4
    assert many.placed.sites.tolist() == one.placed.sites.tolist()
    assert many.placed.flow_prices.tolist() == one.placed.flow_prices.tolist()
    assert many.ids.to_pylist() == one.ids.to_pylist()


def test_equal_plans_are_equal_bytes(path, tmp_path):
    write(tmp_path / "again.parquet")
    assert path.read_bytes() == (tmp_path / "again.parquet").read_bytes()


def test_a_plan_without_flows_has_none(tmp_path):
    placed = dataclasses.replace(PLACED, flow_prices=np.zeros((0, 3), dtype=np.int64))
    write(tmp_path / "p.parquet", placed=placed, extra={}, flow_source=None)
    plan = read_plan_columns(tmp_path / "p.parquet")
    assert plan.placed.flow_prices.shape == (0, 3)
    assert plan.extra == {}


PAIRS = np.array([0, 0, 2])
PAIRED = dataclasses.replace(
    PLACED,
    pair_places=np.array([2, -1, 0], dtype=np.int32),
    pair_prices=np.array([10**15, 0, 7]),
)


def with_pairs(path, pair_first=PAIRS, placed=PAIRED):
    write_plan_columns(
        path, b"{}", COLUMNS, SITES, placed, EXTRA, flow_source=FLOWS, pair_first=pair_first
    )


def test_prices_of_pairs_are_read_as_they_were_written(tmp_path, monkeypatch):
    path = tmp_path / "p.parquet"
    for rows in (1, 3, 100):
        monkeypatch.setattr("placement.catalog.columns.plan.ROWS_AT_ONCE", rows)
        with_pairs(path)
        placed = read_plan_columns(path).placed
        for name in ("pair_places", "pair_prices", "flow_prices"):
            assert getattr(placed, name).tolist() == getattr(PAIRED, name).tolist()
            assert getattr(placed, name).dtype == getattr(PAIRED, name).dtype
    with_pairs(tmp_path / "again.parquet")
    assert path.read_bytes() == (tmp_path / "again.parquet").read_bytes()
    assert "pair_prices" not in read_plan_columns(path).extra


def test_a_plan_without_prices_of_pairs_is_the_file_it_was_before(path, tmp_path):
    assert pq.read_schema(path).names[:3] == ["dataset", "sites", "messages"]
    assert not {"pair_places", "pair_prices"} & set(pq.read_schema(path).names)
    placed = read_plan_columns(path).placed
    assert placed.pair_places.shape == placed.pair_prices.shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pair_first": None},
        {"pair_first": PAIRS[:2]},
        {"pair_first": PAIRS[::-1]},
        {"placed": dataclasses.replace(PAIRED, pair_places=PAIRED.pair_places[:2])},
        {"placed": dataclasses.replace(PAIRED, pair_prices=PAIRED.pair_prices[:0])},
    ],
)
def test_prices_of_pairs_that_do_not_fit_are_not_written(tmp_path, wrong):
    with pytest.raises(ValueError, match="pairs"):
        with_pairs(tmp_path / "p.parquet", **wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns("pair_places"), "or neither"),
        (lambda t: t.set_column(4, "pair_prices", pa.array([[1]] * 4)), "for every place"),
        (lambda t: t.set_column(4, "pair_prices", pa.array([[1, None], [], [1], []])), "missing"),
        (lambda t: t.set_column(4, "pair_prices", pa.array([1] * 4)), "lists of"),
        (lambda t: t.set_column(3, "pair_places", pa.array([["x"]] * 4)), "lists of"),
        (lambda t: t.set_column(3, "pair_places", pa.array([[2**40] * 3] * 4)), "not in range"),
    ],
)
def test_columns_of_pairs_of_another_form_are_refused(tmp_path, change, message):
    with_pairs(tmp_path / "p.parquet")
    rewritten(tmp_path / "p.parquet", change)
    assert message in refused(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    "wrong",
    [
        {"flow_source": None},
        {"flow_source": FLOWS[::-1]},
        {"flow_source": FLOWS[:2]},
        {"extra": {"sites": np.zeros(4)}},
        {"extra": {"x": np.zeros(3)}},
        {"placed": dataclasses.replace(PLACED, sites=PLACED.sites - 1)},
        {"placed": dataclasses.replace(PLACED, sites=PLACED.sites + 1)},
        {"placed": dataclasses.replace(PLACED, sites=PLACED.sites[:3])},
    ],
)
def test_what_does_not_fit_together_is_not_written(path, wrong):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"."):
        write(path, **wrong)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_plan_that_cannot_be_written_leaves_no_trace(path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadInput, match="No space left on device"):
        write(path, header=b"other")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def with_sites(*last):
    """The table with other sites in its last row."""
    lists = pa.array([["s0"]] * 3 + list(last), pa.list_(pa.string()))
    return lambda table: table.set_column(1, "sites", lists)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.slice(0, 0), "has no placements"),
        (lambda t: t.take([1, 0, 2, 3]), "ascending order"),
        (lambda t: t.take([0, 0, 2, 3]), "ascending order"),
        (lambda t: t.drop_columns("sites"), "are expected"),
        (lambda t: t.append_column("text", pa.array(["x"] * 4)), "neither numbers nor flags"),
        (with_sites(["x"]), "plan's sites"),
        (with_sites([]), "plan's sites"),
        (with_sites(["s1", "s0"]), "in the order"),
        (with_sites(["s1", "s1"]), "in the order"),
        (with_sites(None), "is missing"),
        (lambda t: t.set_column(2, "messages", pa.array([[1]] * 4)), "a price for every site"),
        (lambda t: t.set_column(2, "messages", pa.array([[1.5]] * 4)), "lists of"),
        (lambda t: t.set_column(0, "dataset", pa.array(["a", None, "c", "d"])), "is missing"),
        (lambda t: t.set_column(3, "profile", pa.array([1, None, 2, 3])), "is missing"),
    ],
)  # fmt: skip
def test_a_table_of_another_form_is_refused(path, change, message):
    rewritten(path, change)
    assert message in refused(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("placement-plan-columns/1/sites", b'["s0", "s0"]', "different site ids"),
        ("placement-plan-columns/1/sites", b"[]", "different site ids"),
        ("placement-plan-columns/1/sites", b"{", "not JSON"),
        ("placement-plan-columns/1/row-prices", b'{"a": 1.5}', "whole numbers"),
        ("placement-plan-columns/1/row-prices", b'{"a": 1, "a": 2}', "more than once"),
        ("placement-plan-columns/1/row-prices", b'{"a": true}', "whole numbers"),
    ],
)
def test_metadata_of_another_form_is_refused(path, key, value, message):
    rewritten(path, lambda table: table, {key: value})
    assert message in refused(path)


def test_other_parquet_files_are_no_plans(path):
    pq.write_table(pa.table({"x": [1]}), path)
    assert "is no plan" in refused(path)


@pytest.mark.parametrize("cut", [0, 3, 8, 100, 400, -1, -9, -200])
def test_a_truncated_file_is_refused(path, cut):
    path.write_bytes(path.read_bytes()[:cut])
    assert "no Parquet file" in refused(path)


def test_every_damaged_byte_of_the_data_is_noticed(path):
    content = path.read_bytes()
    data_end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(4, data_end, 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            plan = read_plan_columns(path)
        except BadInput:
            continue
        # Only headers of pages are outside the checksums; what they say may not matter.
        assert plan.placed.sites.tolist() == PLACED.sites.tolist()
        assert plan.placed.flow_prices.tolist() == PLACED.flow_prices.tolist()
        assert plan.extra["storage_cents"].tolist() == EXTRA["storage_cents"].tolist()


def test_digests_tell_every_part_and_take_plans_without_flows():
    profiles = np.array([3, 2, 1, 0], dtype=np.int32)
    bare = PlacedColumns(PLACED.sites, {}, np.zeros((0, 3), dtype=np.int64))
    moved = dataclasses.replace(PLACED, sites=PLACED.sites[::-1])
    told = {
        placements_digest(COLUMNS.ids, profiles, PLACED),
        placements_digest(COLUMNS.ids, profiles, bare),
        placements_digest(COLUMNS.ids, profiles, moved),
        placements_digest(COLUMNS.ids, profiles[::-1], PLACED),
        placements_digest(COLUMNS.ids[:3], profiles, PLACED),
    }
    assert len(told) == 5
