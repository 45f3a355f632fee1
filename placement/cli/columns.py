"""The commands on catalogues in columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from placement.cli.options import Format
from placement.cli.output import emit
from placement.cli.progress import note, reporting

if TYPE_CHECKING:
    from placement.service import Request

ANSWERED = 0
NO_PLAN = 1


def decide_columns(request: Request, out: Path | None, form: Format, *, quiet: bool) -> int:
    """Decide on a catalogue folder; the plan's file is Parquet, one row a dataset."""
    from models.column_plan import ColumnPlan
    from placement.cli.views import column_plan, no_plan
    from placement.service import in_columns
    from placement.settings import read_settings

    if form is Format.CSV:
        raise typer.BadParameter(
            "a plan of columns is a table already: read its file", param_hint="--format"
        )
    with reporting(quiet=quiet) as progress:
        found = in_columns.decide(request, read_settings(), progress, out=out)
    if not isinstance(found.answer, ColumnPlan):
        emit(no_plan.render(found.answer, form))
        return NO_PLAN
    emit(column_plan.render(found.answer, found.phases, form))
    if out is not None:
        note(f"plan written to {out}", quiet=quiet)
    return ANSWERED
