"""Whatever stands in an operator's files, there is a catalogue or a list of defects."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Dataset
from placement.catalog import load_catalog
from placement.errors import BadInput, Defect
from placement.example.mobility import FOLDER

FILES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("*.json")
    if path.name != "parameters.json"
)
KEPT = 2
"""Members of each list: what is wrong with one of them is wrong with any."""


def shortened(value: Any) -> Any:
    """The same document with short lists."""
    if isinstance(value, dict):
        return {key: shortened(member) for key, member in value.items()}
    return [shortened(member) for member in value[:KEPT]] if isinstance(value, list) else value


DOCUMENTS = {
    name: shortened(json.loads((FOLDER / name).read_text(encoding="utf-8"))) for name in FILES
}


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a document."""
    found = [way]
    if isinstance(value, dict):
        members = list(value.items())
    else:
        members = list(enumerate(value)) if isinstance(value, list) else []
    for key, member in members:
        found += places(member, (*way, key))
    return found


PLACES = [(name, way) for name, document in DOCUMENTS.items() for way in places(document) if way]
strange = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["../x", "2.0.0", "3.0", 10**400, -1, 0, 1e-300]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), strange), min_size=1, max_size=3))
def test_there_is_a_catalogue_or_there_are_defects(changes):
    documents = copy.deepcopy(DOCUMENTS)
    for (name, way), value in changes:
        at = documents[name]
        try:
            for part in way[:-1]:
                at = at[part]
            at[way[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    with tempfile.TemporaryDirectory() as folder:
        for name, document in documents.items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(document), encoding="utf-8")
        defects, datasets = read(Path(folder))
    assert len(datasets) == (0 if defects else 6)
    assert all(defect.file.startswith(folder) for defect in defects)


def read(folder: Path) -> tuple[tuple[Defect, ...], tuple[Dataset, ...]]:
    """What is wrong with a folder, or its datasets; anything else that is raised fails the test."""
    try:
        return (), load_catalog(folder, "mobility").datasets
    except BadInput as error:
        return error.defects or (), ()
