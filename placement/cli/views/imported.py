"""What an import wrote, and what it had to assume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models import CatalogDifference
from placement.cli.options import Format
from placement.cli.page import Page
from placement.cli.text import count
from placement.cli.views.machine import as_csv, as_json


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


def render_difference(found: CatalogDifference, assumptions: Sequence[str], form: Format) -> bytes:
    """What an import changed at a service, or would change, and what it had to assume."""
    if form is Format.JSON:
        return as_json({**found.model_dump(), "assumptions": list(assumptions)})
    if form is Format.CSV:
        rows = [(change.kind, change.id, change.digest is None) for change in found.changes]
        return as_csv(("kind", "id", "removed"), rows)
    page = Page()
    page.say(_sentence(found))
    if assumptions:
        page.heading(f"{count(len(assumptions), 'assumption')}, also in the catalogue")
        page.items(assumptions)
    return page.content()


def _sentence(found: CatalogDifference) -> str:
    if not found.changes:
        return f"Nothing changes: version {found.base} of the catalogue is like that."
    if found.dry_run:
        return f"It would change version {found.base} of the catalogue: {found.summary}."
    return f"Version {found.version} of the catalogue: {found.summary}."
