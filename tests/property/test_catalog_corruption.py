"""Whatever happens to a file, the answer is a model or a list of defects."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from models import DerivedFrom, Frozen
from placement.catalog import (
    check_references,
    load_catalog,
    load_parameters,
    load_plan,
    load_register,
    write_json,
)
from placement.errors import BadInput
from tests import builders

CATALOG = builders.catalog(
    builders.dataset("a", technologies=({"name": "PostGIS", "licence": "GPL-2.0-only"},)),
    builders.dataset("b"),
    relations=(DerivedFrom(derived="b", source="a", monthly_transfer_gb=Decimal("1.5")),),
)
REGISTER = builders.register()
LOADERS = (load_catalog, load_register, load_parameters, load_plan)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["10 TB", "NaN", "*", "a", "placement-catalog/1", 10**30, -1])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "kind", "members", "derived", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def _plain(model: Frozen):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plain.json"
        write_json(model, path)
        return json.loads(path.read_text())


DOCUMENTS = [_plain(CATALOG), _plain(REGISTER)]


def _places(document, path=()):
    yield path
    members = document.items() if isinstance(document, dict) else enumerate(document)
    if isinstance(document, dict | list):
        for key, value in members:
            yield from (
                _places(value, (*path, key)) if isinstance(value, dict | list) else [(*path, key)]
            )


def _defects(load, path):
    try:
        loaded = load(path)
    except BadInput as error:
        return error.defects or None
    return [] if isinstance(loaded, Frozen) else None


def _answers(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "input.json"
        path.write_bytes(content)
        for load in LOADERS:
            for defect in _defects(load, path):
                assert defect.file == str(path)
                assert defect.message
                assert str(defect).isprintable()
                str(defect).encode("utf-8")


@given(st.data())
def test_a_document_with_any_value_replaced_or_dropped_is_answered(data):
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([p for p in _places(document) if p]))
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        if data.draw(st.booleans()):
            parent[path[-1]] = data.draw(values)
        else:
            del parent[path[-1]]
    _answers(json.dumps(document).encode())


@given(st.data())
def test_a_file_with_any_bytes_changed_is_answered(data):
    content = bytearray(json.dumps(data.draw(st.sampled_from(DOCUMENTS))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content)))
        if data.draw(st.booleans()):
            content[position:position] = data.draw(st.binary(max_size=4))
        else:
            del content[position : position + data.draw(st.integers(1, 50))]
    _answers(bytes(content))


@given(st.binary(max_size=200))
def test_any_file_at_all_is_answered(content):
    _answers(content)


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,20}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(
    lambda text: text.strip() == text
)
amounts = st.decimals(0, 10**6, places=6)


@st.composite
def catalogs(draw):
    ids = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    datasets = [
        builders.dataset(
            name,
            title=draw(texts),
            steward=draw(st.none() | texts),
            confidentiality=draw(st.none() | st.integers(0, 4)),
            volume_gb=draw(st.integers(0, 10**12)),
            monthly_read_gb=draw(amounts),
            monthly_egress_gb=draw(amounts),
        )
        for name in ids
    ]
    pairs = draw(st.lists(st.permutations(ids), max_size=3)) if len(ids) > 1 else []
    relations = {
        (pair[0], pair[1]): DerivedFrom(
            derived=pair[0], source=pair[1], monthly_transfer_gb=draw(amounts)
        )
        for pair in pairs
    }
    return builders.catalog(*datasets, relations=tuple(relations.values()))


@given(catalogs())
def test_a_catalogue_is_read_as_it_was_written(catalog):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.json"
        write_json(catalog, path)
        assert load_catalog(path) == catalog
    check_references(catalog, REGISTER, catalog_file="c", register_file="r")
