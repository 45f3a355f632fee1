"""Columns say what the catalogue says, however its folder is written."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import (
    Catalog,
    CollectionContract,
    CoLocated,
    Cumulated,
    Dataset,
    DerivedFrom,
    Separated,
)
from placement.catalog import catalog_of
from placement.catalog.columns import (
    columns_digest,
    columns_of,
    load_catalog_columns,
    write_catalog_folder,
)
from placement.catalog.strict_json import decode_json
from placement.errors import BadInput
from tests import builders
from tests.catalog_folder_cases import Folder, assert_same, expected, line, shuffled_folder, told

names = st.lists(
    st.text("ab0.:/-_Z", min_size=1, max_size=3).filter(lambda t: t[0].isalnum()),
    min_size=1,
    max_size=9,
    unique=True,
)
amounts = st.one_of(
    st.decimals(0, 1000, places=6),
    st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("999999999999.999999"), Decimal("1E+3")]),
)
texts = st.none() | st.sampled_from(["x", "é ß", '"quoted"\\', "z" * 500])
roles = st.lists(st.sampled_from(["r1", "r2", "r3"]), max_size=3, unique=True).map(tuple)
components: st.SearchStrategy[tuple[dict[str, Any], ...]] = st.lists(
    st.builds(
        dict,
        name=st.sampled_from(["PostGIS", "MinIO"]),
        licence=st.sampled_from([None, "MIT"]),
        open_standard=st.sampled_from([None, True, False]),
        interfaces=st.sampled_from([(), ("s3",), ("s3", "wfs"), ("wfs", "s3")]),
    ),
    max_size=2,
    unique_by=repr,
).map(tuple)
currents = st.lists(st.sampled_from(["s1", "s2", "s3"]), max_size=3, unique=True)


@st.composite
def datasets(draw, name):
    resting = draw(currents)
    return Dataset(
        id=name,
        title=draw(st.sampled_from(["A title", "ü", "a\u2028b", "{}"])),
        description=draw(st.sampled_from(["", "null", "a } null"])),
        owner_department=draw(texts),
        steward=draw(texts),
        lawful_basis=draw(texts),
        confidentiality=draw(st.sampled_from([None, 0, 4])),
        availability=draw(st.sampled_from([None, 2])),
        high_value=draw(st.booleans()),
        non_publication_grounds=draw(st.sampled_from([(), ("",), ("5.1.2e", "a,b"), ("5.1.2e",)])),
        readers=draw(roles),
        writers=draw(roles),
        collected_by=draw(st.sampled_from([None, "contractor"])),
        contract=draw(st.sampled_from([None, "k1"])),
        volume_gb=draw(st.integers(0, 10**12)),
        monthly_read_gb=draw(amounts),
        monthly_egress_gb=draw(amounts),
        technologies=draw(components),
        current_site=resting[0] if resting else None,
        further_current_sites=tuple(resting[1:]),
        synthetic=draw(st.sampled_from([(), ("title",)])),
    )


@st.composite
def relations(draw, ids):
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), unique=True))
    transformations: st.SearchStrategy[dict[str, Any] | None] = st.none() | st.builds(
        dict,
        kind=st.sampled_from(["aggregation", "anonymisation", "selection"]),
        method=st.just("k=10"),
        reviewed_by=st.sampled_from([None, "board"]),
        reviewed_on=st.sampled_from([None, date(2026, 1, 31)]),
    )
    found = [
        DerivedFrom(
            source=a,
            derived=b,
            transformation=draw(transformations),
            monthly_transfer_gb=draw(amounts),
        )
        for a, b in pairs
        if a != b
    ]
    members = st.lists(st.sampled_from(ids), min_size=2, max_size=4, unique=True).map(tuple)
    for kind in draw(st.lists(st.sampled_from([CoLocated, Cumulated, Separated]), max_size=4)):
        level = {"level": draw(st.sampled_from(["site", "operator"]))} if kind is Separated else {}
        found.append(kind(members=draw(members), reason=draw(st.sampled_from(["", "é"])), **level))
    return draw(st.permutations(found))


@st.composite
def catalogs(draw):
    ids = draw(names)
    return Catalog(
        municipality="Testburg",
        source="ü",
        datasets=tuple(draw(datasets(name)) for name in ids),
        roles=(builders.role("r1"),),
        contracts=(CollectionContract(id="k1", contractor="Acme", end_date=date(2027, 1, 1)),),
        relations=tuple(draw(relations(ids))) if len(ids) > 1 else (),
    )


@settings(max_examples=40, deadline=None)
@given(catalogs(), st.sampled_from(["parquet", "jsonl"]), st.integers(0, 99))
def test_a_folder_says_what_the_catalogue_says(catalog, kind, seed):
    columns = columns_of(catalog)
    assert told(columns) == expected(catalog)
    assert (columns.roles, columns.contracts) == (catalog.roles, catalog.contracts)
    with TemporaryDirectory() as name:
        root = Path(name)
        shuffled_folder(catalog, root / "native", kind, np.random.default_rng(seed))
        loaded = load_catalog_columns(root / "native")
        assert_same(loaded, columns)
        write_catalog_folder(columns, root / "again", kind)
        assert_same(load_catalog_columns(root / "again"), columns)
    assert columns_digest(loaded) == columns_digest(columns)


values = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 5), st.floats(), st.text(max_size=4),
    st.sampled_from(["high", "a", "object", "10 TB", 10**30, 1e-7, [], ["a", "a"], [None], {}]),
    st.lists(st.text(max_size=2), max_size=2),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*Dataset.model_fields, "x"]), values, st.booleans())
def test_a_line_is_refused_where_the_native_catalogue_refuses_it(field, value, alone):
    """Whether lines around it are read the fast way or not."""

    text = json.dumps(line("a") | {field: value})
    others = [] if alone else [line(f"b{n}") for n in range(3)]
    try:
        document = [decode_json(t.encode(), "f") for t in [text, *map(json.dumps, others)]]
        native = catalog_of({"municipality": "Testburg", "datasets": document}, "f")
    except BadInput:
        native = None
    with TemporaryDirectory() as name:
        folder = Folder(Path(name) / "c")
        folder.lines(text, *others)
        if native is None:
            with pytest.raises(BadInput) as caught:
                load_catalog_columns(folder.root)
            assert all("datasets.jsonl" in d.file for d in caught.value.defects)
        else:
            loaded = load_catalog_columns(folder.root)
            assert told(loaded) == expected(native)
