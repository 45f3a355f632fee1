"""A page for people: headings, sentences, lists and tables, as wide as the terminal allows.

A page is rendered in memory and leaves in one piece. Into a pipe or a file it is as wide as its
content, so that `grep` sees whole records; the environment variable COLUMNS overrides that.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from placement.cli.text import shown

Row = Sequence[str]

NARROWEST = 40
UNBOUNDED = 4000
INDENT = 2
GUTTER = 2


@dataclass(frozen=True)
class Column:
    """A column of a table. Figures stand right and are never broken."""

    title: str
    figures: bool = False


class Page:
    """What a command tells people."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stdout
        self.interactive = stream.isatty()
        encoding = stream.encoding or "utf-8"
        self._buffer = io.BytesIO()
        self._console = Console(
            file=io.TextIOWrapper(self._buffer, encoding, "backslashreplace", write_through=True),
            force_terminal=True if self.interactive else None,
            width=_width(interactive=self.interactive),
            markup=False,
            highlight=False,
            emoji=False,
        )

    def heading(self, text: str) -> None:
        """A line that names what follows."""
        self._console.print()
        self._console.print(Text(shown(text), style="bold"))

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """A paragraph."""
        self._print_wrapped(shown(text), style, indent, hang=0)

    def items(self, texts: Iterable[str], indent: int = INDENT, style: str = "") -> None:
        """A list with one paragraph an item."""
        for text in texts:
            self._print_wrapped(f"- {shown(text)}", style, indent, hang=INDENT)

    def table(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """Aligned columns; records below each other where the terminal is too narrow."""
        cells = [[shown(cell) for cell in row] for row in rows]
        widths = self._fit(columns, cells)
        if widths is None:
            self._records(columns, cells)
            return
        if any(column.title for column in columns):
            self._console.print(_line([c.title for c in columns], columns, widths, style="dim"))
        for row in cells:
            for line in self._folded(row, widths):
                self._console.print(_line(line, columns, widths), soft_wrap=True)

    def _print_wrapped(self, text: str, style: str, indent: int, hang: int) -> None:
        """Lines no wider than the page, all but the first one set in by `hang` more."""
        for number, line in enumerate(self._wrapped(text, self._console.width - indent - hang)):
            blanks = " " * (indent + (hang if number else 0))
            self._console.print(Text(blanks + line, style=style), soft_wrap=True)

    def _wrapped(self, text: str, width: int) -> list[str]:
        if cell_len(text) <= width:
            return [text]
        return [line.plain.rstrip() for line in Text(text).wrap(self._console, width)]

    def content(self) -> bytes:
        """Everything so far, encoded as the terminal wants it."""
        return self._buffer.getvalue()

    def _fit(self, columns: Sequence[Column], cells: Sequence[Row]) -> list[int] | None:
        """Width of each column: natural, or with the widest texts narrowed until all fit.

        Texts break between words alone: an id is found whole, or the table becomes records.
        """
        texts = [(column.title, *(row[i] for row in cells)) for i, column in enumerate(columns)]
        widths = [max(map(cell_len, column)) for column in texts]
        least = [
            width if columns[i].figures else max(map(_longest_word, texts[i]))
            for i, width in enumerate(widths)
        ]
        excess = sum(widths) + GUTTER * (len(columns) - 1) + INDENT - self._console.width
        while excess > 0:
            slack = [width - minimum for width, minimum in zip(widths, least, strict=True)]
            widest = max(range(len(columns)), key=lambda i: widths[i] if slack[i] else 0)
            if not slack[widest]:
                return None
            step = min(excess, slack[widest], max(widths[widest] // 4, 1))
            widths[widest] -= step
            excess -= step
        return widths

    def _folded(self, row: Row, widths: Sequence[int]) -> Iterable[Row]:
        """The lines of one row."""
        if all(cell_len(cell) <= width for cell, width in zip(row, widths, strict=True)):
            return [row]
        columns = [self._wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        height = max(map(len, columns))
        return zip(*(lines + [""] * (height - len(lines)) for lines in columns), strict=True)

    def _records(self, columns: Sequence[Column], cells: Sequence[Row]) -> None:
        """Each row's name, and under it what the other columns say."""
        for first, *rest in cells:
            self.say(first, indent=INDENT)
            facts = [
                f"{column.title}: {cell}" if column.title else cell
                for column, cell in zip(columns[1:], rest, strict=True)
                if cell
            ]
            self.say("; ".join(facts), indent=2 * INDENT)


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _line(cells: Row, columns: Sequence[Column], widths: Sequence[int], style: str = "") -> Text:
    padded = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        blanks = " " * (width - cell_len(cell))
        padded.append(blanks + cell if column.figures else cell + blanks)
    return Text(" " * INDENT + (" " * GUTTER).join(padded).rstrip(), style=style)


def _width(*, interactive: bool) -> int:
    if interactive or os.environ.get("COLUMNS", "").isdigit():
        return max(shutil.get_terminal_size().columns, NARROWEST)
    return UNBOUNDED
