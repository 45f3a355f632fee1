"""Reading documents whose form nobody guarantees: every mismatch is a defect, none a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.base import Identifier
from placement.catalog.places import dotted, shown
from placement.catalog.strict_json import read_json
from placement.errors import BadInput, Defect

_TEXT_MAX = 500
_ALLOWED = "letters, digits and . _ : / - that starts with a letter or a digit"
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)


def is_identifier(value: Any) -> bool:
    """Whether a value can be an id."""
    try:
        _IDENTIFIER.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


class Folder:
    """A folder of JSON files, and every defect met while reading it.

    Files are opened only where they stand inside the folder: a reference with "..", an absolute
    path or a link that leads out of it is a defect.
    """

    def __init__(self, root: Path, *, file_max_bytes: int) -> None:
        """Open the folder at `root`; BadInput where it is none."""
        self.root = root
        self.defects: list[Defect] = []
        self._file_max_bytes = file_max_bytes
        try:
            self._real_root = root.resolve(strict=True)
            is_folder = self._real_root.is_dir()
        except (OSError, RuntimeError, ValueError):
            is_folder = False
        if not is_folder:
            raise BadInput([Defect(str(root), "", "", "is not a folder that can be read")])

    def path(self, relative: str) -> Path:
        """The path as the user would write it."""
        return self.root / relative

    def holds(self, relative: str) -> bool:
        """Whether there is such a file inside the folder."""
        try:
            return self._is_inside(relative) and self.path(relative).is_file()
        except (OSError, ValueError):
            return False

    def read(self, relative: str, record: str) -> Node | None:
        """The object in a JSON file of the folder; None, with a defect, where there is none."""
        file = str(self.path(relative))
        try:
            if not self._is_inside(relative):
                raise BadInput([Defect(file, record, "", "leads out of the folder")])
            value = read_json(self.path(relative), max_bytes=self._file_max_bytes)
        except BadInput as error:
            self.defects += [
                Defect(d.file, d.record or record, d.field, d.message) for d in error.defects
            ]
            return None
        return self.node(value, file, record)

    def node(self, value: Any, file: str, record: str) -> Node | None:
        """A node for an object; None, with a defect, for anything else."""
        if isinstance(value, dict):
            return Node(self, file, record, (), value)
        self.defects.append(Defect(file, record, "", f"an object is expected, not {shown(value)}"))
        return None

    def _is_inside(self, relative: str) -> bool:
        try:
            real = self.path(relative).resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        return real.is_relative_to(self._real_root)


class Node:
    """An object of a document, with its place. Absent and null values are the same."""

    def __init__(
        self,
        folder: Folder,
        file: str,
        record: str,
        path: tuple[str | int, ...],
        value: dict[str, Any],
    ) -> None:
        """Wrap `value`, which stands at `path` of `file`."""
        self.folder, self.file, self.record, self._path, self.value = (
            folder,
            file,
            record,
            path,
            value,
        )

    def defect(self, key: str, message: str) -> None:
        """Note a defect of one field."""
        field = dotted((*self._path, key)) if key else dotted(self._path)
        self.folder.defects.append(Defect(self.file, self.record, field, message))

    def named(self, record: str) -> Node:
        """The same object under another record name."""
        return Node(self.folder, self.file, record, self._path, self.value)

    def text(self, key: str) -> str:
        """A text in one line, cut to what a title may hold; "" where absent."""
        value = self.value.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.defect(key, f"a text is expected, not {shown(value)}")
            return ""
        return " ".join(value.split())[:_TEXT_MAX]

    def identifier(self, key: str) -> str | None:
        """An id; None, with a defect, where it is absent or not one."""
        value = self.value.get(key)
        if is_identifier(value):
            return str(value).strip()
        self.defect(key, f"an id of {_ALLOWED} is expected, not {shown(value)}")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """One text, or a list of texts; distinct, in their order."""
        value = self.value.get(key)
        listed = [] if value is None else value if isinstance(value, list) else [value]
        found: dict[str, None] = {}
        for member in listed:
            if isinstance(member, str) and member.strip():
                found[" ".join(member.split())[:_TEXT_MAX]] = None
            else:
                self.defect(key, f"a text or a list of texts is expected, not {shown(member)}")
        return tuple(found)

    def identifiers(self, key: str) -> tuple[str, ...]:
        """One id, or a list of ids; distinct, in their order."""
        found = self.texts(key)
        for text in found:
            if not is_identifier(text):
                self.defect(key, f"an id of {_ALLOWED} is expected, not {shown(text)}")
        return tuple(text for text in found if is_identifier(text))

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.value.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.defect(key, f"true or false is expected, not {shown(value)}")
        return default

    def number(self, key: str, *, maximum: int = 10**9) -> Decimal | None:
        """A number from 0 to `maximum`, exact; None where absent."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.defect(key, f"a number is expected, not {shown(value)}")
            return None
        if not 0 <= value <= maximum:
            self.defect(key, f"a number from 0 to {maximum} is expected, not {shown(value)}")
            return None
        return Decimal(value)

    def node(self, key: str) -> Node | None:
        """An object; None where absent."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, dict):
            return Node(self.folder, self.file, self.record, (*self._path, key), value)
        self.defect(key, f"an object is expected, not {shown(value)}")
        return None

    def nodes(self, key: str) -> Iterator[Node]:
        """The objects of a list; nothing where absent."""
        value = self.value.get(key)
        if value is not None and not isinstance(value, list):
            self.defect(key, f"a list is expected, not {shown(value)}")
            return
        for position, member in enumerate(value or []):
            if isinstance(member, dict):
                path = (*self._path, key, position)
                yield Node(self.folder, self.file, self.record, path, member)
            else:
                self.defect(key, f"a list of objects is expected, not of {shown(member)}")

    def members(self) -> Iterator[tuple[str, Node]]:
        """The objects that are values of this one; other values are defects."""
        for key in self.value:
            if (node := self.node(key)) is not None:
                yield key, node
