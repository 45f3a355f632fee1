"""JSON lines, block by block: fast where a block is plain, strict where it is not.

Arrow parses a block with all fields' types given, so unknown and repeated keys, NaN and wrong
types fail. What Arrow is known to let through (or worse: a bare `null` between records ends the
process) is looked for in the bytes before. A block with anything unusual is read again, line by
line, by the reader of the native files, which names the defects or turns out to be content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.json as pj
from numpy.typing import NDArray

from placement.catalog.columns.codes import arrow_of, list_bounds
from placement.catalog.columns.fields import LEVELS, OPTIONAL, ROWS_MAX
from placement.catalog.columns.findings import Findings, Part, Place, stop
from placement.catalog.strict_json import decode_json
from placement.errors import BadInput

BLOCK = 1 << 24
"""Bytes read at once, up to the end of a line: the longest line."""

_MANY = ("id", "title", "description", "derived", "source", "members", "reason")
"""Texts of which most are different."""

Defects = Callable[[dict[str, Any], Place], list[Any]]
"""What is wrong with one record by itself."""
Records = Callable[[dict[str, Any]], dict[str, Any]]
"""From a record without defects to values of the schema's types."""

_UNUSUAL_ESCAPE = re.compile(rb"\\(?:[bf]|u(?:00[01789]|[dD][89a-fA-F]))")
_PRINTABLE, _NEWLINE, _OPEN, _CLOSE, _DELETE = 0x20, 0x0A, 0x7B, 0x7D, 0x7F
_BARE_NULL = re.compile(rb"\}[ \t]*null")
_C1 = re.compile(rb"\xc2[\x80-\x9f]")


def jsonl_parts(
    path: Path,
    schema: Any,
    findings: Findings,
    *,
    defects_of: Defects,
    plain: Records,
    judged: Callable[[Part], bool],
) -> Iterator[Part]:
    """The records of a file of JSON lines.

    Parameters
    ----------
    path
        The file.
    schema
        All fields and their types.
    findings
        Defects of single records are noted here, and their blocks left out.
    defects_of, plain
        The strict way for one record.
    judged
        Whether a part that was read the fast way is right.

    Raises
    ------
    BadInput
        When the file cannot be read at all.
    """
    first = 1
    for found in _blocks(path):
        block = found.replace(b"\r\n", b"\n") if b"\r" in found else found
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        if first + lines - 1 > ROWS_MAX:
            raise stop(path, f"has more than {ROWS_MAX} lines")
        part = _fast(str(path), block, lines, first, schema)
        if part is None or not judged(part):
            part = _strict(str(path), block, first, schema, findings, defects_of, plain)
        if part is not None:
            yield part
        if not findings.room:
            return
        first += lines


def _blocks(path: Path) -> Iterator[bytes]:
    """Whole lines, some megabytes at once."""
    try:
        with path.open("rb") as stream:
            yield from _cut(stream, path)
    except OSError as error:
        raise stop(path, f"cannot be read: {error.strerror}") from error


def _cut(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(BLOCK):
        end = chunk.rfind(b"\n") + 1
        if not end:
            rest += chunk
        else:
            yield rest + chunk[:end]
            rest = chunk[end:]
        if len(rest) > BLOCK:
            raise stop(path, f"has a line longer than {BLOCK} bytes")
    if rest:
        yield rest


def _fast(file: str, block: bytes, lines: int, first: int, schema: Any) -> Part | None:
    if not _is_plain(block, lines):
        return None
    for kinds in (schema, _with_named_levels(schema)):
        table = _parsed(block, kinds)
        if table is not None:
            break
    else:
        return None
    if table.num_rows != lines or (b"null" in block and _nulls_matter(block, table)):
        return None
    table.validate(full=True)
    columns = {
        name: _plain_column(name, table.column(name))
        for name in schema.names
        if table.column(name).null_count < lines
    }
    return Part(file, "line", first, lines, columns)


def _is_plain(block: bytes, lines: int) -> bool:
    """Whether every line is one object of printable UTF-8, as far as bytes can tell."""
    codes = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(codes < _PRINTABLE)
    if len(ends) != lines - (not block.endswith(b"\n")) or (codes[ends] != _NEWLINE).any():
        return False
    last = codes[ends - 1] == _CLOSE
    first = codes[ends[ends < len(codes) - 1] + 1] == _OPEN
    return (
        bool(last.all() and first.all())
        and block.startswith(b"{")
        and block.endswith((b"}", b"}\n"))
        and _is_printable(block, codes)
        and not (b"null" in block and _BARE_NULL.search(block))
        and not (b"\\" in block and _UNUSUAL_ESCAPE.search(block))
    )


def _is_printable(block: bytes, codes: NDArray[np.uint8]) -> bool:
    if (codes == _DELETE).any():
        return False
    if block.isascii():
        return True
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not _C1.search(block)


def _plain_column(name: str, column: Any) -> Any:
    whole = column.combine_chunks()
    return whole if name in _MANY else _shared_words(whole)


def _shared_words(array: Any) -> Any:
    """Texts as a dictionary: they repeat, and each is looked at once."""
    kind = array.type
    if pa.types.is_string(kind):
        return array.dictionary_encode()
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        inside = array.flatten().dictionary_encode()
        bounds = arrow_of(list_bounds(array)).cast(pa.int32())
        return pa.ListArray.from_arrays(bounds, inside, mask=array.is_null())
    return array


def _parsed(block: bytes, schema: Any) -> Any:
    parse = pj.ParseOptions(
        explicit_schema=schema, unexpected_field_behavior="error", newlines_in_values=False
    )
    read = pj.ReadOptions(block_size=max(1 << 20, len(block) // 4 + 1), use_threads=True)
    try:
        return pj.read_json(pa.BufferReader(block), read_options=read, parse_options=parse)
    except (pa.ArrowException, UnicodeDecodeError):
        return None


def _nulls_matter(block: bytes, table: Any) -> bool:
    """Whether some field that may be left out, but not null, may be null."""
    for name in table.schema.names:
        column = table.column(name)
        given = len(column) - column.null_count
        if name not in OPTIONAL and block.count(b'"%s"' % name.encode()) > given:
            return True
    return any(_has_inner_nulls(column) for column in table.columns)


def _has_inner_nulls(column: Any) -> bool:
    kind = column.type
    if pa.types.is_struct(kind):
        return bool(column.null_count < len(column))
    if not pa.types.is_list(kind):
        return False
    return any(
        chunk.flatten().null_count or (pa.types.is_struct(kind.value_type) and len(chunk.flatten()))
        for chunk in column.chunks
    )


def _with_named_levels(schema: Any) -> Any:
    kinds = [(f.name, pa.string() if f.name in LEVELS else f.type) for f in schema]
    return pa.schema(kinds)


def _strict(
    file: str,
    block: bytes,
    first: int,
    schema: Any,
    findings: Findings,
    defects_of: Defects,
    plain: Records,
) -> Part | None:
    """The block by the native rules, or nothing and its defects."""
    records = []
    for number, line in enumerate(block.removesuffix(b"\n").split(b"\n"), first):
        if not findings.room:
            findings.add((), rows=1)
            return None
        place = Place(file, "line", number)
        record = _decoded(line, place, findings)
        if record is not None:
            defects = defects_of(record, place)
            findings.add(defects)
            records += [] if defects else [plain(record)]
    count = block.count(b"\n") + (not block.endswith(b"\n"))
    if len(records) < count:
        return None
    table = pa.Table.from_pylist(records, schema=schema).combine_chunks()
    columns = {name: table.column(name).combine_chunks() for name in schema.names}
    return Part(file, "line", first, count, columns)


def _decoded(line: bytes, place: Place, findings: Findings) -> dict[str, Any] | None:
    if not line.strip():
        findings.add([place.defect("line", None, "", "is empty; a record is expected")])
        return None
    try:
        record = decode_json(line, place.file)
    except BadInput as error:
        findings.add(
            place.defect("record", None, defect.field, _without_line(defect.message))
            for defect in error.defects
        )
        return None
    if not isinstance(record, dict):
        findings.add([place.defect("record", None, "", "an object is expected")])
        return None
    return record


def _without_line(message: str) -> str:
    """A line is a document of its own; its number is told by its place."""
    return message.replace(" at line 1, column ", " at column ")
