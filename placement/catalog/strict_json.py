"""Strict JSON: what other readers let through by accident is a defect here.

Refused: duplicate keys, NaN and infinities, numbers out of any sensible range, invalid UTF-8,
a byte order mark, lone surrogates and control characters in texts, nesting beyond the
interpreter's limit, and anything that is not a regular file. Numbers with a fraction or an
exponent are read as exact decimals, never as binary floats.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO

from placement.catalog.places import place_of, shown
from placement.errors import BadInput, Defect

MAX_BYTES = 2**30
"""Largest file read; a catalogue of a million datasets stays below it."""

_PORTION = 2**20
_DIGITS_MAX = 100
_EXPONENT_MAX = 100
_SUSPECT_ESCAPE = re.compile(r"\\(?:[bf]|u(?:00[01789]|[dD][89a-fA-F]))")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """The decoded content of a JSON file.

    Raises
    ------
    BadInput
        With every defect of the content, or the one that makes it unreadable.
    """
    return decode_json(read_bytes(path, max_bytes=max_bytes), str(path))


def read_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular, non-empty file of at most `max_bytes`; BadInput otherwise."""
    file = str(path)
    try:
        if path.is_dir():
            raise _bad(file, "is a folder; a file is expected")
        if not path.exists():
            raise _bad(file, "does not exist")
        if not path.is_file():
            raise _bad(file, "is not a regular file")
        with path.open("rb") as stream:
            content = _up_to(stream, max_bytes + 1)
    except (OSError, ValueError) as error:
        raise _bad(file, f"cannot be read: {_reason(error)}") from error
    if len(content) > max_bytes:
        raise _bad(file, f"is larger than {max_bytes} bytes")
    if not content.strip():
        raise _bad(file, "is empty")
    return content


def _up_to(stream: BinaryIO, most: int) -> bytes:
    """At most so many bytes; a small file takes little memory, whatever the limit."""
    parts = []
    while most > 0:
        part = stream.read(min(most, _PORTION))
        if not part:
            break
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def decode_json(content: bytes, file: str) -> Any:
    """The value a JSON text stands for; `file` names it in defects."""
    decoding = _Decoding()
    text = _decode_text(content, file)
    try:
        document = json.loads(
            text,
            object_pairs_hook=decoding.pairs,
            parse_float=decoding.decimal,
            parse_int=decoding.integer,
            parse_constant=decoding.constant,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _bad(file, f"is not JSON: {error.msg.rstrip(' :')} at {place}") from error
    except RecursionError as error:
        raise _bad(file, "is nested too deeply") from error
    suspect = bool(_SUSPECT_ESCAPE.search(text) or _UNPRINTABLE.search(text))
    defects = decoding.defects(document, file, look_at_texts=suspect)
    if defects:
        raise BadInput(defects)
    return document


class _Unreadable:
    """Stands in the document where a number was refused, until its place is known."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Decoding:
    """The hooks of one decoding, and what they noticed."""

    def __init__(self) -> None:
        self._repeated: dict[int, tuple[dict[str, Any], list[str]]] = {}
        self._refused = False

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            counted = Counter(key for key, _ in pairs)
            # The object is kept, too: its id() must not be given to another one.
            self._repeated[id(record)] = (record, [key for key, n in counted.items() if n > 1])
        return record

    def decimal(self, text: str) -> Decimal | _Unreadable:
        try:
            value = Decimal(text) if len(text) <= _DIGITS_MAX else None
        except InvalidOperation:
            value = None
        if value is None or abs(value.adjusted()) > _EXPONENT_MAX:
            return self._refuse(text)
        return value

    def integer(self, text: str) -> int | _Unreadable:
        return int(text) if len(text) <= _DIGITS_MAX else self._refuse(text)

    def constant(self, text: str) -> _Unreadable:
        self._refused = True
        return _Unreadable(f"{text} is not a number")

    def _refuse(self, text: str) -> _Unreadable:
        self._refused = True
        return _Unreadable(f"the number {text[:20]}{'...' * (len(text) > 20)} is out of range")

    def defects(self, document: Any, file: str, *, look_at_texts: bool) -> list[Defect]:
        """What the hooks noticed, each with its place. Looks again only if there is cause."""
        if not (self._repeated or self._refused or look_at_texts):
            return []
        found = []
        for path, value in _walk(document):
            found += [
                Defect(file, *place_of(document, path), message) for message in self._wrong(value)
            ]
        return found

    def _wrong(self, value: Any) -> Iterator[str]:
        if isinstance(value, _Unreadable):
            yield value.message
        elif isinstance(value, str) and _UNPRINTABLE.search(value):
            yield "the text holds a control character or half a surrogate pair"
        elif isinstance(value, dict):
            if any(_UNPRINTABLE.search(key) for key in value):
                yield "a key holds a control character or half a surrogate pair"
            _, repeated = self._repeated.get(id(value), (None, []))
            yield from (f"the key {shown(key)} appears more than once" for key in repeated)


def _walk(document: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value with its path; without recursion, whatever the depth."""
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while pending:
        path, value = pending.pop()
        yield path, value
        if isinstance(value, dict):
            pending += [((*path, key), part) for key, part in value.items()]
        elif isinstance(value, list):
            pending += [((*path, index), part) for index, part in enumerate(value)]


def _decode_text(content: bytes, file: str) -> str:
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _bad(file, "starts with a byte order mark; plain UTF-8 is expected")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _bad(file, f"is not UTF-8: byte {error.start + 1}, on line {line}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "the path is not valid"


def _bad(file: str, message: str) -> BadInput:
    return BadInput([Defect(file, "", "", message)])
