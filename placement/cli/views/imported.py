"""What an import wrote, and what it had to assume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from placement.cli.page import Page
from placement.cli.text import count


def render(out: Path, assumptions: Sequence[str]) -> bytes:
    """The file written and every assumption made for it."""
    page = Page()
    page.say(f"{out} written.")
    if assumptions:
        page.heading(f"{count(len(assumptions), 'assumption')}, also in the file")
        page.items(assumptions)
    else:
        page.say("Nothing had to be assumed.")
    return page.content()
