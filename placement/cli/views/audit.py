"""The audit log, and whether it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable

from models import AuditRecord, AuditReport, SignedHead
from placement.cli.options import Format
from placement.cli.page import Page
from placement.cli.text import count
from placement.cli.views.listing import Field, digest, render_list, render_one, words
from placement.cli.views.machine import as_csv, as_json

FIELDS = (
    Field("sequence", lambda record: record.sequence, figures=True),
    Field("at", lambda record: record.at),
    Field("action", lambda record: record.event.action),
    Field("actor", lambda record: record.event.actor),
    Field("subject", lambda record: record.event.subject),
    Field("request_id", lambda record: record.event.request_id),
    Field("detail", lambda record: json.dumps(record.event.detail, sort_keys=True)),
)


def render_records(records: Iterable[AuditRecord], form: Format) -> bytes:
    """Records below each other."""
    fields = FIELDS if form is not Format.TABLE else FIELDS[:-2]
    return render_list(records, fields, form, "There are no such records.")


def render_head(head: SignedHead, form: Format) -> bytes:
    """The signed end of the log."""
    return render_one(head, [(name, value) for name, value in head], form)


def render_report(report: AuditReport, form: Format, by: str | None) -> bytes:
    """What a verification found; `by` is the service that said so, none where it was done here."""
    if form is Format.JSON:
        return as_json({"holds": report.holds, **report.model_dump()})
    if form is Format.CSV:
        return as_csv(("sequence", "defect"), [(d.sequence, d.message) for d in report.defects])
    page = Page()
    verdict = "The audit log holds." if report.holds else "The audit log does NOT hold."
    page.say(verdict, style="bold green" if report.holds else "bold red")
    who = "as it was read here" if by is None else f"says {by}"
    page.say(f"{count(report.records, 'record')}, {count(report.heads, 'signed end')}, {who}.")
    if report.head is not None:
        end = report.head
        page.say(f"It ends with record {end.sequence} ({digest(end.hash)}) of {words(end.at)}.")
    if report.defects:
        page.heading("Defects")
    page.items(f"record {defect.sequence}: {defect.message}" for defect in report.defects)
    return page.content()
