"""Lists of things and single things, in the same three forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from models import Frozen
from placement.cli.options import Format
from placement.cli.page import Column, Page
from placement.cli.text import listed
from placement.cli.views.machine import as_csv, as_json

LONGEST_DIGEST = 12
Fact = tuple[str, object]


class Field(NamedTuple):
    """A column: its name in CSV (in tables with blanks), and what stands in it."""

    name: str
    of: Callable[[Any], object]
    figures: bool = False


def render_list(
    items: Iterable[Frozen], fields: Sequence[Field], form: Format, nothing: str
) -> bytes:
    """Things below each other; `nothing` is what a table says where there are none."""
    found = list(items)
    if form is Format.JSON:
        return as_json({"items": [item.model_dump() for item in found]})
    if form is Format.CSV:
        rows = [[_plain(field.of(item)) for field in fields] for item in found]
        return as_csv([field.name for field in fields], rows)
    page = Page()
    if found:
        say_list(page, found, fields)
    else:
        page.say(nothing)
    return page.content()


def say_list(page: Page, items: Iterable[Any], fields: Sequence[Field]) -> None:
    """Print things as a table."""
    columns = [Column(_title(field.name), field.figures) for field in fields]
    page.table(columns, [[words(field.of(item)) for field in fields] for item in items])


def render_one(model: Frozen, facts: Sequence[Fact], form: Format) -> bytes:
    """One thing: its facts below each other."""
    if form is Format.JSON:
        return as_json(model)
    if form is Format.CSV:
        return as_csv(("fact", "value"), [(name, _plain(value)) for name, value in facts])
    page = Page()
    say_facts(page, facts)
    return page.content()


def say_facts(page: Page, facts: Sequence[Fact]) -> None:
    """Print facts that there are."""
    rows = [(_title(name), words(value)) for name, value in facts if value not in (None, "", ())]
    page.table((Column(""), Column("")), rows)


def words(value: object) -> str:
    """A value as people read it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
        case Decimal():
            return f"{value:,f}"
        case Enum():
            return str(value.value)
        case tuple() | list():
            return listed(words(item) for item in value)
        case _:
            return str(value)


def digest(value: str | None) -> str | None:
    """The beginning of a digest: enough to tell two apart."""
    return value[:LONGEST_DIGEST] if value else None


def _title(name: str) -> str:
    parts = [_NAMES.get(part, part) for part in name.split("_")]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


_NAMES = {"eur": "EUR", "gb": "GB", "gdpr": "GDPR"}


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return " ".join(str(_plain(item)) for item in value)
        case Enum():
            return value.value
        case _:
            return value
