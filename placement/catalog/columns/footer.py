"""What a Parquet file promises of its sizes, read before Arrow reads anything.

Arrow tells the sizes of column chunks only through calls that end the process when a footer is
damaged, so they are read here: the footer is one struct in Thrift's compact protocol.
Source: the Apache Parquet format, parquet.thrift (FileMetaData, RowGroup, ColumnMetaData).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOOTER_MAX = 1 << 24
"""Most bytes of a footer, but for what a plan keeps there."""
_MAGIC = b"PAR1"
_BYTE_ARRAY = 6
_DEPTH_MAX = 16
_ALL_ONES = 0xF


@dataclass(frozen=True)
class Footer:
    """Sizes of a file, as it says."""

    rows: int
    unpacked_bytes: int
    members: tuple[tuple[int, int], ...]
    """(rows, most values of a column) of each row group."""
    texts: tuple[str, ...]
    """Dotted paths of the columns of texts."""


def footer_of(path: Path, *, most: int = FOOTER_MAX) -> Footer:
    """The sizes that a file promises.

    Raises
    ------
    ValueError
        When there is no footer that can be read.
    OSError
        When the file cannot be read.
    """
    try:
        told = _Reader(_footer_bytes(path, most)).struct()
        groups = told.get(4, [])
        chunks = [[column[3] for column in group[1]] for group in groups]
        if sum(group[3] for group in groups) != told[3] or any(g[3] < 0 for g in groups):
            raise ValueError("it miscounts its rows")
        members = tuple(
            (group[3], max((chunk[5] for chunk in inside), default=0))
            for group, inside in zip(groups, chunks, strict=True)
        )
        return Footer(
            rows=told[3],
            unpacked_bytes=sum(chunk[6] for inside in chunks for chunk in inside),
            members=members,
            texts=tuple(dict.fromkeys(_path(c) for cs in chunks for c in cs if _is_text(c))),
        )
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError("its footer is damaged") from error


def _path(chunk: dict[int, Any]) -> str:
    return ".".join(name.decode() for name in chunk[3])


def _is_text(chunk: dict[int, Any]) -> bool:
    return bool(chunk[1] == _BYTE_ARRAY)


def _footer_bytes(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 8))
        tail = stream.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size - 12:
            raise ValueError("it has no footer")
        if length > most:
            raise ValueError(f"its footer has more than {most} bytes")
        stream.seek(size - 8 - length)
        return stream.read(length)


class _Reader:
    """A struct in Thrift's compact protocol, as values by field number."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._depth = 0
        self._readers: dict[int, Callable[[], Any]] = {
            1: lambda: True,
            2: lambda: False,
            3: self._byte,
            4: self._whole,
            5: self._whole,
            6: self._whole,
            7: lambda: self._bytes(8),
            8: lambda: self._bytes(self._varint()),
            9: self._list,
            10: self._list,
            12: self.struct,
        }

    def struct(self) -> dict[int, Any]:
        """The struct that starts here."""
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ValueError("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._whole()
            fields[number] = self._readers[head & _ALL_ONES]()
        self._depth -= 1
        return fields

    def _list(self) -> list[Any]:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ValueError("its footer is nested too deeply")
        head = self._byte()
        size = head >> 4 if head >> 4 != _ALL_ONES else self._varint()
        kind = head & _ALL_ONES
        read = self._byte if kind in (1, 2) else self._readers[kind]
        found = [read() for _ in range(size)]
        self._depth -= 1
        return found

    def _byte(self) -> int:
        value = self._content[self._at]
        self._at += 1
        return value

    def _bytes(self, size: int) -> bytes:
        if size > len(self._content) - self._at:
            raise ValueError("its footer is damaged")
        self._at += size
        return self._content[self._at - size : self._at]

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            part = self._byte()
            value |= (part & 0x7F) << shift
            if part < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("its footer is damaged")

    def _whole(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
