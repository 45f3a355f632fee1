"""Columns as rows again: what they keep of a catalogue, in the folder's types or as JSON lines.

Titles are the ids, descriptions are gone. Of a transformation columns know only that it ends
inheritance, and the rows say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models import Dataset
from models.canonical import canonical_json
from models.columns import MICRO, CatalogColumns, Groups, Integers
from placement.catalog.columns.fields import DATASET, PRESENCE, RELATION, SHARED, TRANSFORMATION

ROWS_AT_ONCE = 1 << 17
GIGABYTES = pa.decimal128(19, 6)
"""Monthly volumes in Parquet."""
_ENDS = {
    "kind": "anonymisation",
    "method": "not kept in columns",
    "reviewed_by": "not kept in columns",
    "reviewed_on": "1970-01-01",
}


def parquet_schema(schema: Any) -> Any:
    """The folder's types as they are written in Parquet."""
    return pa.schema(
        [(f.name, GIGABYTES if pa.types.is_decimal(f.type) else f.type) for f in schema]
    )


def dataset_batches(columns: CatalogColumns) -> Iterator[Any]:
    """All datasets as record batches."""
    schema = parquet_schema(DATASET)
    kinds = {name: _of_kinds(columns.kinds, name) for name in (*SHARED, *PRESENCE)}
    first = pa.array([sites[0] if sites else None for sites in columns.current_sites], pa.string())
    further = pa.array([sites[1:] for sites in columns.current_sites], pa.list_(pa.string()))
    for start in range(0, len(columns), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        kind, current = pa.array(columns.kind_of[rows]), pa.array(columns.current_of[rows])
        ids = columns.ids[rows]
        found = {name: values.take(kind) for name, values in kinds.items()} | {
            "id": ids,
            "title": ids,
            "volume_gb": pa.array(columns.volume_gb[rows]),
            "monthly_read_gb": gigabytes(columns.monthly_read_ugb[rows]),
            "monthly_egress_gb": gigabytes(columns.monthly_egress_ugb[rows]),
            "current_site": first.take(current),
            "further_current_sites": further.take(current),
        }
        arrays = [found.get(f.name, pa.nulls(len(ids), f.type)) for f in schema]
        yield pa.record_batch(arrays, schema=schema)


def relation_batches(columns: CatalogColumns) -> Iterator[Any]:
    """All relations as record batches."""
    found = columns.derivations
    for start in range(0, len(found.source), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        ends = found.ends_inheritance[rows].astype(np.int64)
        transformations = pa.array([None, _ENDS], TRANSFORMATION)
        yield _relations(
            len(ends),
            "derived_from",
            derived=columns.ids.take(pa.array(found.derived[rows])),
            source=columns.ids.take(pa.array(found.source[rows])),
            monthly_transfer_gb=gigabytes(found.monthly_transfer_ugb[rows]),
            transformation=transformations.take(pa.array(ends)),
        )
    for kind in ("co_located", "cumulated"):
        yield from _group_batches(columns, kind, getattr(columns, kind), None)
    apart = columns.separated
    yield from _group_batches(columns, "separated", apart.groups, apart.whole_operator)


def dataset_lines(columns: CatalogColumns) -> Iterator[Any]:
    """All datasets as JSON lines, in buffers."""
    kinds = pa.array([_kind_text(kind) for kind in columns.kinds])
    current = pa.array([_current_text(sites) for sites in columns.current_sites])
    for start in range(0, len(columns), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        ids = columns.ids[rows]
        yield _lines(
            ('{"id":"', ids),
            ('","title":"', ids),
            ('",', kinds.take(pa.array(columns.kind_of[rows]))),
            ('"volume_gb":', pa.array(columns.volume_gb[rows]).cast(pa.string())),
            (',"monthly_read_gb":', _decimals(columns.monthly_read_ugb[rows])),
            (',"monthly_egress_gb":', _decimals(columns.monthly_egress_ugb[rows])),
            ("", current.take(pa.array(columns.current_of[rows]))),
        )


def relation_lines(columns: CatalogColumns) -> Iterator[Any]:
    """All relations as JSON lines, in buffers."""
    found = columns.derivations
    told = pa.array(["", ',"transformation":' + json.dumps(_ENDS)])
    for start in range(0, len(found.source), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        ends = pa.array(found.ends_inheritance[rows].astype(np.int64))
        yield _lines(
            ('{"kind":"derived_from","derived":"', columns.ids.take(pa.array(found.derived[rows]))),
            ('","source":"', columns.ids.take(pa.array(found.source[rows]))),
            ('","monthly_transfer_gb":', _decimals(found.monthly_transfer_ugb[rows])),
            ("", told.take(ends)),
        )
    yield from _group_lines(columns)


def gigabytes(micro: Integers) -> Any:
    """(n,) millionths as exact decimals."""
    words = np.zeros((len(micro), 2), dtype="<i8")
    words[:, 0] = micro
    return pa.Array.from_buffers(GIGABYTES, len(micro), [None, pa.py_buffer(words.tobytes())])


def _of_kinds(kinds: Sequence[Dataset], name: str) -> Any:
    kind = parquet_schema(DATASET).field(name).type
    return pa.array([kind_record.model_dump()[name] for kind_record in kinds], kind)


def _group_batches(
    columns: CatalogColumns, kind: str, groups: Groups, by_operator: Any
) -> Iterator[Any]:
    for start in range(0, len(groups), ROWS_AT_ONCE):
        bounds = groups.offsets[start : start + ROWS_AT_ONCE + 1]
        inside = columns.ids.take(pa.array(groups.members[bounds[0] : bounds[-1]]))
        members = pa.ListArray.from_arrays(pa.array((bounds - bounds[0]).astype(np.int32)), inside)
        extra = {}
        if by_operator is not None:
            chosen = by_operator[start : start + ROWS_AT_ONCE].astype(np.int64)
            extra["level"] = pa.array(["site", "operator"]).take(pa.array(chosen))
        yield _relations(len(members), kind, members=members, **extra)


def _relations(size: int, kind: str, **found: Any) -> Any:
    schema = parquet_schema(RELATION)
    found["kind"] = pa.repeat(pa.scalar(kind), size)
    arrays = [found.get(f.name, pa.nulls(size, f.type)) for f in schema]
    return pa.record_batch(arrays, schema=schema)


def _group_lines(columns: CatalogColumns) -> Iterator[Any]:
    apart = columns.separated
    for kind, groups, by_operator in (
        ("co_located", columns.co_located, None),
        ("cumulated", columns.cumulated, None),
        ("separated", apart.groups, apart.whole_operator),
    ):
        for batch in _group_batches(columns, kind, groups, by_operator):
            inside = pc.binary_join(batch.column("members"), '","')
            texts = [(f'{{"kind":"{kind}","members":["', inside), ('"]', pa.nulls(0))]
            if by_operator is not None:
                texts[1] = ('"],"level":"', batch.column("level"))
                texts.append(('"', pa.nulls(0)))
            yield _lines(*texts)


def _lines(*pieces: tuple[str, Any]) -> Any:
    """The bytes of one object a row, made of texts and columns in turn."""
    columns = [
        part for text, array in pieces for part in ((text, array) if len(array) else (text,))
    ]
    joined = pc.binary_join_element_wise(*columns, "}\n", "")
    offsets = np.frombuffer(joined.buffers()[1], dtype=np.int32)[
        joined.offset : joined.offset + len(joined) + 1
    ]
    return joined.buffers()[2][int(offsets[0]) : int(offsets[-1])]


def _decimals(micro: Integers) -> Any:
    whole, rest = pa.array(micro // MICRO).cast(pa.string()), pa.array(micro % MICRO)
    padded = pc.utf8_lpad(rest.cast(pa.string()), 6, "0")
    return pc.binary_join_element_wise(whole, padded, ".")


def _kind_text(kind: Dataset) -> str:
    fields = kind.model_dump(exclude_defaults=True, include={*SHARED, *PRESENCE})
    return "".join(f"{json.dumps(k)}:{canonical_json(v).decode()}," for k, v in fields.items())


def _current_text(sites: tuple[str, ...]) -> str:
    if not sites:
        return ""
    further = f',"further_current_sites":{json.dumps(sites[1:])}' if sites[1:] else ""
    return f',"current_site":"{sites[0]}"{further}'
