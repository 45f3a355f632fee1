"""Parquet files, part by part: types that fit, sizes that are bounded, texts kept as dictionaries.

Texts are read as dictionaries wherever they stand, so that a short file cannot unfold into more
memory than its distinct values and eight bytes a row. What a file promises about its sizes is
checked before it is read, and every part is checked against it (offsets, UTF-8) by Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from placement.catalog.columns.codes import arrow_of, list_bounds
from placement.catalog.columns.fields import LEVELS, ROWS_MAX
from placement.catalog.columns.findings import Part, stop
from placement.catalog.columns.footer import FOOTER_MAX, footer_of
from placement.errors import BadInput, Defect

ROWS_AT_ONCE = 1 << 17
_UNPACKED_MAX = 1 << 36
"""Most bytes all columns of a file may unpack to, as the file itself says."""
_NAMES = "members."
"""A list of many different names gains nothing by a dictionary; Arrow stops at 2 GB of them."""
_DAMAGED = "is no Parquet file that can be read"
_SOME = 10_000
_MEMBERS_PER_ROW_MAX = 64
"""Most list members a row, on average."""


def parquet_parts(path: Path, schema: Any) -> Iterator[Part]:
    """The rows of a Parquet file.

    Parameters
    ----------
    path
        The file.
    schema
        The fields that there may be, with their types in JSON lines.

    Raises
    ------
    BadInput
        When it is no Parquet file, is too large, or has other columns.
    """
    with reading(path):
        file = open_parquet(path, ROWS_MAX, _MEMBERS_PER_ROW_MAX)
        check_columns(path, file.schema_arrow, schema)
        first = 1
        for batch in batches_of(file):
            batch.validate(full=True)
            columns = {
                name: _plain_type(batch.column(name), schema.field(name).type)
                for name in batch.schema.names
            }
            yield Part(str(path), "row", first, len(batch), columns)
            first += len(batch)


def open_parquet(path: Path, rows_max: int, members_max: int, footer_max: int = FOOTER_MAX) -> Any:
    """An open file within the bounds; its texts will be read as dictionaries.

    Raises
    ------
    BadInput
        When it is too large.
    """
    told = footer_of(path, most=footer_max)
    if told.rows > rows_max:
        raise stop(path, f"has more than {rows_max} rows")
    if any(values > members_max * rows + _SOME for rows, values in told.members):
        raise stop(path, f"has more than {members_max} list members a row")
    if told.unpacked_bytes > _UNPACKED_MAX:
        raise stop(path, f"unpacks to more than {_UNPACKED_MAX} bytes")
    texts = [name for name in told.texts if not name.startswith(_NAMES)]
    try:
        return pq.ParquetFile(
            path, read_dictionary=texts, page_checksum_verification=True, pre_buffer=False
        )
    except KeyError as error:
        raise stop(path, f"{_DAMAGED}: its footer contradicts itself") from error


def batches_of(file: Any) -> Iterator[Any]:
    """Some rows at once, and never of two row groups: each has dictionaries of its own."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=ROWS_AT_ONCE, row_groups=[group])


def check_columns(path: Path, found: Any, schema: Any) -> None:
    """Only known columns, each once, of types that hold what the field means.

    Raises
    ------
    BadInput
        Naming each that does not fit.
    """
    known = ", ".join(schema.names)
    defects = []
    for name in sorted(set(found.names)):
        if name not in schema.names:
            message = f"unknown field; known fields are {known}"
        elif found.names.count(name) > 1:
            message = "is there more than once"
        elif not _fits(found.field(name).type, schema.field(name).type, name):
            message = f"{schema.field(name).type} is expected, not {found.field(name).type}"
        else:
            continue
        defects.append(Defect(str(path), "", name if name.isprintable() else "", message[:2000]))
    if defects:
        raise BadInput(defects[:40])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Arrow's errors as defects of the file."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else None
        said = reason or " ".join(str(error).split())[:200]
        raise stop(path, f"{_DAMAGED}: {said}") from error


def _fits(found: Any, wanted: Any, name: str) -> bool:
    """Whether a type of the file holds what the field means."""
    inner = found.value_type if pa.types.is_dictionary(found) else found
    if pa.types.is_null(found):
        return True
    if pa.types.is_string(wanted):
        return _is_text(inner) or (name == "reviewed_on" and pa.types.is_date(found))
    if pa.types.is_list(wanted):
        lists = pa.types.is_list(found) or pa.types.is_large_list(found)
        return lists and _fits(found.value_type, wanted.value_type, name)
    if pa.types.is_struct(wanted):
        return pa.types.is_struct(found) and _struct_fits(found, wanted)
    if pa.types.is_boolean(wanted):
        return bool(pa.types.is_boolean(found))
    return _number_fits(inner, wanted, name)


def _struct_fits(found: Any, wanted: Any) -> bool:
    names = [field.name for field in found]
    known = {field.name: field.type for field in wanted}
    return len(set(names)) == len(names) and all(
        field.name in known and _fits(field.type, known[field.name], field.name) for field in found
    )


def _number_fits(found: Any, wanted: Any, name: str) -> bool:
    if pa.types.is_integer(found):
        return True
    if pa.types.is_integer(wanted):
        return name in LEVELS and _is_text(found)
    return bool(pa.types.is_float64(found) or pa.types.is_decimal(found))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain_type(array: Any, wanted: Any) -> Any:
    """The column in the few types that the rest knows."""
    kind = array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), wanted)
    if pa.types.is_struct(kind):
        return _plain_struct(array, wanted)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _plain_list(array, wanted)
    if pa.types.is_large_string(kind) or pa.types.is_date(kind):
        return array.cast(pa.string())
    if pa.types.is_dictionary(kind):
        words = array.dictionary.cast(pa.string())
        if words.null_count:
            return pa.DictionaryArray.from_arrays(array.indices, words).dictionary_decode()
        return pa.DictionaryArray.from_arrays(array.indices, words)
    if pa.types.is_decimal256(kind):
        return array.cast(pa.decimal128(38, min(kind.scale, 38)))
    return array


def _plain_struct(array: Any, wanted: Any) -> Any:
    found = dict(zip([field.name for field in array.type], array.flatten(), strict=True))
    parts = [
        _plain_type(found.get(field.name, pa.nulls(len(array))), field.type) for field in wanted
    ]
    fields = [pa.field(field.name, part.type) for field, part in zip(wanted, parts, strict=True)]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=array.is_null())


def _plain_list(array: Any, wanted: Any) -> Any:
    inside = _plain_type(array.flatten(), wanted.value_type)
    bounds = arrow_of(list_bounds(array)).cast(pa.int32())
    return pa.ListArray.from_arrays(bounds, inside, mask=array.is_null())
