"""Jobs: what was asked for, how far it is, what it came to."""

from __future__ import annotations

from collections.abc import Iterable

from models import Job, decimal_text
from placement.cli.options import Format
from placement.cli.text import percent
from placement.cli.views.listing import Fact, Field, render_list, render_one, words


def came_to(job: Job) -> str | None:
    """What a job came to, in a few words; none while it has not ended."""
    if job.problem is not None:
        return f"{job.problem.get('code')}: {job.problem.get('detail')}"
    result = job.result or {}
    plain = (item for item in result.items() if isinstance(item[1], str | int | bool))
    return ", ".join(f"{name} {words(value)}" for name, value in plain)


FIELDS = (
    Field("id", lambda job: job.id),
    Field("kind", lambda job: job.kind),
    Field("state", lambda job: job.state),
    Field("created_at", lambda job: job.created_at),
    Field("ended_at", lambda job: job.ended_at),
    Field("author", lambda job: job.author),
    Field("result", came_to),
)


def render_jobs(jobs: Iterable[Job], form: Format) -> bytes:
    """Jobs below each other."""
    return render_list(jobs, FIELDS, form, "There are no such jobs.")


def render_job(job: Job, form: Format) -> bytes:
    """One job."""
    said = job.progress
    facts: list[Fact] = [
        *((field.name, field.of(job)) for field in FIELDS),
        ("attempt", job.attempt),
        ("progress", f"{said.phase}: {said.message}" if said.phase else None),
        ("incumbent_eur", None if said.incumbent_eur is None else decimal_text(said.incumbent_eur)),
        ("gap", None if said.gap is None else percent(said.gap)),
    ]
    return render_one(job, facts, form)
