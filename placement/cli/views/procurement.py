"""What contracts must say, as a checklist for a tender; and which contracts do not say it."""

from __future__ import annotations

from collections.abc import Iterator

from models import EffectiveClass
from models.procurement import (
    ClauseChecklist,
    ContractClause,
    ContractKind,
    EndangeredDataset,
    MissedClause,
    ProcurementReport,
)
from placement.cli.options import Format
from placement.cli.page import INDENT, Column, Page
from placement.cli.text import count, listed, shown, whole
from placement.cli.views.classes import class_text
from placement.cli.views.machine import as_csv, as_json

KINDS = {
    ContractKind.COLLECTION: "Contracts under which a private party collects data for the city",
    ContractKind.HOSTING: "Contracts with an operator that hosts the city's data",
}
_COLUMNS = (
    "contract", "kind", "obligation", "severity", "missed", "findings", "keeps_out",
    "dataset", "derived_from", "volume_gb", "confidentiality", "gdpr_category", "access_rights",
)  # fmt: skip


# --- the checklist -------------------------------------------------------------------------------


def render_clauses(checklist: ClauseChecklist, *, markdown: bool) -> bytes:
    """A checklist in Markdown, with a box for every clause, or in JSON."""
    if not markdown:
        return as_json(checklist)
    return ("\n".join(_document(checklist)) + "\n").encode()


def _document(checklist: ClauseChecklist) -> Iterator[str]:
    yield "# Clauses for a tender"
    yield ""
    yield f"Made from the policies {checklist.policy_revision[:12]}. A mandatory clause follows"
    yield "from law or a binding standard, a municipal one from the city's own rules."
    for kind, title in KINDS.items():
        yield from ("", f"## {title}", "")
        for clause in checklist.of(kind):
            yield from _box(clause)
    yield from ("", "## What the operator does for the data, where its classification asks for it")
    yield ""
    for duty in checklist.host_obligations:
        yield f"- [ ] **`{duty.code}`** {shown(duty.requirement)}"


def _box(clause: ContractClause) -> Iterator[str]:
    yield f"- [ ] **`{clause.obligation}`** ({clause.severity.value}): {shown(clause.text)}"
    yield f"  - Asked for by: {shown(clause.requirement)}"
    for source in clause.sources:
        yield f"  - Source: [{shown(source.description)}]({source.ref})"
    yield f"  - Recorded in: {', '.join(f'`{place}`' for place in clause.states)}"


# --- the report ----------------------------------------------------------------------------------


def render_report(report: ProcurementReport, form: Format) -> bytes:
    """Every contract with what it misses; in CSV a line for every clause and dataset."""
    match form:
        case Format.JSON:
            return as_json({**report.model_dump(), "missed": len(report.missed)})
        case Format.CSV:
            return as_csv(_COLUMNS, _rows(report))
        case _:
            return _page(report)


def _page(report: ProcurementReport) -> bytes:
    page = Page()
    page.say(
        f"{report.municipality}: {count(len(report.collection), 'collection contract')}, "
        f"{count(len(report.hosting), 'hosting contract')}, judged as of {report.as_of}"
    )
    for title, _, missed in _contracts(report):
        now = [item for item in missed if item.misses]
        if now:
            names = {found.dataset for item in now for found in item.endangers}
            page.heading(
                f"{title}: {count(len(now), 'clause')} missed, "
                f"{count(len(names), 'dataset')} endangered"
            )
            _say_missed(page, now)
    _say_reminders(page, report)
    _say_kept_out(page, report)
    page.heading(
        f"{count(len(report.missed), 'clause')} missed."
        if report.missed
        else "Every contract has the clauses that its data needs."
    )
    return page.content()


def _contracts(
    report: ProcurementReport,
) -> Iterator[tuple[str, tuple[str, ...], tuple[MissedClause, ...]]]:
    """Every contract in words, its datasets, and what it misses."""
    for finding in report.collection:
        contract = finding.contract
        yield f"{contract.id} (collection, {contract.contractor})", finding.datasets, finding.missed
    for hosting in report.hosting:
        title = f"{hosting.site} (hosting, {hosting.operator})"
        yield title, hosting.datasets, hosting.missed
    if report.without_contract:
        yield "No contract", (), report.without_contract


def _say_missed(page: Page, missed: list[MissedClause]) -> None:
    for item in missed:
        clause = item.clause
        page.items([f"{clause.obligation} ({clause.severity.value}): {clause.text}"])
        for finding in item.findings:
            page.say(finding, indent=2 * INDENT)
        sources = listed(source.description for source in clause.sources)
        page.say(f"Source: {sources}", style="dim", indent=2 * INDENT)
        if not item.endangers:
            page.say("No dataset rests there yet; any would fail it.", indent=2 * INDENT)
            continue
        columns = (Column("Endangers"), Column("Class"), Column("GB", figures=True), Column("By"))
        page.table(columns, [_row(found) for found in item.endangers])


def _row(found: EndangeredDataset) -> tuple[str, str, str, str]:
    by = f"derived from {found.derived_from}" if found.derived_from else "itself"
    return found.dataset, _class(found), whole(found.volume_gb), by


def _say_kept_out(page: Page, report: ProcurementReport) -> None:
    """Clauses that only data would miss which rests elsewhere: why it does not rest there."""
    rows = [
        (title, whole(len(datasets)), item.clause.obligation, whole(item.keeps_out))
        for title, datasets, missed in _contracts(report)
        for item in missed
        if not item.misses
    ]
    if rows:
        page.heading("What contracts lack for data that rests elsewhere: no miss")
        columns = (
            Column("Contract"),
            Column("Holds", figures=True),
            Column("Obligation"),
            Column("Keeps out", figures=True),
        )
        page.table(columns, rows)


def _say_reminders(page: Page, report: ProcurementReport) -> None:
    if report.ending:
        page.heading(f"Contracts that end within {report.ending_within_days} days")
        page.items(
            f"{item.contract} ({item.contractor}): {item.end_date}, in "
            f"{count(item.days_left, 'day')}, with {count(len(item.datasets), 'dataset')}"
            for item in report.ending
        )
    if report.without_datasets:
        page.heading("Contracts under which nothing is collected: nothing judges them")
        page.items(report.without_datasets)


def _class(found: EndangeredDataset) -> str:
    return class_text(
        EffectiveClass(
            dataset=found.dataset,
            confidentiality=found.confidentiality,
            gdpr_category=found.gdpr_category,
            access_rights=found.access_rights,
            non_publication_grounds=(),
        )
    )


def _rows(report: ProcurementReport) -> Iterator[tuple[object, ...]]:
    for contract, kind, missed in _named(report):
        for item in missed:
            clause = item.clause
            said = (contract, kind, clause.obligation, clause.severity, item.misses)
            words = " | ".join(item.findings)
            for found in item.endangers or (None,):
                which: tuple[object, ...] = ("", "", "", "", "", "")
                if found is not None:
                    which = (
                        found.dataset, found.derived_from, found.volume_gb, found.confidentiality,
                        found.gdpr_category, found.access_rights,
                    )  # fmt: skip
                yield (*said, words, item.keeps_out, *which)


def _named(report: ProcurementReport) -> Iterator[tuple[str, str, tuple[MissedClause, ...]]]:
    for finding in report.collection:
        yield finding.contract.id, ContractKind.COLLECTION.value, finding.missed
    for hosting in report.hosting:
        yield hosting.site, ContractKind.HOSTING.value, hosting.missed
    yield "", ContractKind.COLLECTION.value, report.without_contract
