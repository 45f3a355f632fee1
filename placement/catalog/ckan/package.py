"""One package of CKAN: what it says, and what in it is not what CKAN's API promises.

Fields are those of CKAN 2.x (`package_show`); keys of extras those that ckanext-dcat writes.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from models import AccessRights, Distribution
from placement.catalog.open_data import MAX_BYTES_STATED
from placement.catalog.places import shown
from placement.errors import Defect

Record = dict[str, Any]

_TEXT_MAX = 500
_ADDRESS_MAX = 2_000
_ACCESS = {right.value.replace("_", ""): right for right in AccessRights}
_HVD_LAW = "eli/reg_impl/2023/138"


class Package:
    """A package. What is of the wrong type is read as if it were not there, and is a defect."""

    def __init__(self, record: Record, file: str, position: int) -> None:
        """Look at the package at a 1-based position."""
        self._record = record
        self._file = file
        self.defects: list[Defect] = []
        self._place = f"package {position}"
        self.name = self.text("name") or self.text("id")
        if self.name:
            self._place = f"package {shown(self.name)}"

    def wrong(self, field: str, message: str) -> None:
        """Note a defect."""
        self.defects.append(Defect(self._file, self._place, field, message))

    def text(self, key: str, most: int = _TEXT_MAX) -> str:
        """A text in one printable line; "" where there is none."""
        return self._text_of(self._record, key, key, most)

    @cached_property
    def private(self) -> bool | None:
        """Whether only the members of its organisation see it; None where not said."""
        value = self._record.get("private")
        if value is None or isinstance(value, bool):
            return value
        self.wrong("private", f"true or false is expected, not {shown(value)}")
        return None

    @cached_property
    def organization(self) -> str:
        """Title, or name, of the organisation that owns it."""
        found = self._record.get("organization")
        if found is None:
            return ""
        if not isinstance(found, dict):
            self.wrong("organization", f"an object is expected, not {shown(found)}")
            return ""
        title = self._text_of(found, "title", "organization.title")
        return title or self._text_of(found, "name", "organization.name")

    @cached_property
    def extras(self) -> dict[str, str]:
        """Extras by key; later ones do not replace earlier ones."""
        found: dict[str, str] = {}
        for number, extra in self._objects("extras"):
            key = self._text_of(extra, "key", f"extras.{number}.key")
            value = extra.get("value")
            if key and isinstance(value, str):
                found.setdefault(key, _line(value, _ADDRESS_MAX))
        return found

    @cached_property
    def resources(self) -> list[tuple[int, Record]]:
        """Its resources with their 1-based positions."""
        return self._objects("resources")

    @cached_property
    def derives_from(self) -> list[str]:
        """Names of packages that it is derived from."""
        return [
            self._text_of(found, "object", f"relationships_as_subject.{number}.object")
            for number, found in self._objects("relationships_as_subject")
            if found.get("type") == "derives_from"
        ]

    def has_tags(self) -> bool:
        """Whether it has tags or groups."""
        return bool(self._record.get("tags") or self._record.get("groups"))

    def said(self, *keys: str) -> str:
        """The first of some fields, or extras of that key, that says something."""
        found = (self.text(key, _ADDRESS_MAX) or self.extras.get(key, "") for key in keys)
        return next(filter(None, found), "")

    def stated_access(self) -> AccessRights | None:
        """Access rights by name or by IRI of the EU's authority list; None where not stated."""
        last = re.split(r"[/#]", self.said("access_rights").rstrip("/#"))[-1]
        return _ACCESS.get(re.sub(r"[^a-z]", "", last.lower()))

    def is_high_value(self) -> bool:
        """A high-value dataset under Implementing Regulation (EU) 2023/138."""
        return _HVD_LAW in self.said("applicable_legislation") or bool(self.said("hvd_category"))

    def licence(self) -> str:
        """URL of its licence, else its id, else its title."""
        return self.text("license_url") or self.text("license_id") or self.text("license_title")

    def distributions(self) -> tuple[Distribution, ...]:
        """Its resources."""
        found = []
        for number, resource in self.resources:
            keys = {"title": "name", "access_url": "url", "format": "format"}
            said = {
                field: self._text_of(
                    resource,
                    key,
                    f"resources.{number}.{key}",
                    _ADDRESS_MAX if key == "url" else _TEXT_MAX,
                )
                for field, key in keys.items()
            }
            told = {field: value for field, value in said.items() if value}
            if told:
                found.append(Distribution.model_validate(told))
        return tuple(found)

    def stated_bytes(self) -> tuple[int | None, bool]:
        """Sum of the sizes that resources state (None for none), and whether some are unclear."""
        values = [resource.get("size") for _, resource in self.resources]
        sizes = [_whole(value) for value in values if value not in (None, "")]
        clear = [size for size in sizes if size is not None]
        total = sum(clear)
        unclear = len(clear) < len(sizes) or total > MAX_BYTES_STATED
        return (total if clear and total <= MAX_BYTES_STATED else None), unclear

    def _objects(self, key: str) -> list[tuple[int, Record]]:
        listed = self._record.get(key)
        if listed is None:
            return []
        if not isinstance(listed, list):
            self.wrong(key, f"a list is expected, not {shown(listed)}")
            return []
        found = []
        for number, member in enumerate(listed, start=1):
            if isinstance(member, dict):
                found.append((number, member))
            else:
                self.wrong(f"{key}.{number}", f"an object is expected, not {shown(member)}")
        return found

    def _text_of(self, record: Record, key: str, field: str, most: int = _TEXT_MAX) -> str:
        value = record.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.wrong(field, f"a text is expected, not {shown(value)}")
            return ""
        return _line(value, most)


def _line(text: str, most: int) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:most].strip()


def _whole(value: Any) -> int | None:
    """A whole, sensible number of bytes; None for anything else ("1.2 MB")."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite() or not 0 <= number <= MAX_BYTES_STATED:
        return None
    return int(number)
