"""Which datasets may rest where, and what rules out the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from models import EligibilityReport, Verdict
from placement.cli.options import Format
from placement.cli.page import Column, Page
from placement.cli.text import count, listed, whole
from placement.cli.views.classes import DERIVED, DERIVED_MEANS, class_text
from placement.cli.views.machine import as_csv, as_json
from placement.cli.views.violations import obligations_in, say_obligations, say_reasons

# A matrix is readable as long as a row of it is one glance.
WIDEST_MATRIX = 60


def render(report: EligibilityReport, form: Format) -> bytes:
    """The eligibility matrix with the violations behind it."""
    if form is Format.JSON:
        return as_json(_json(report))
    if form is Format.CSV:
        return _csv(report)
    return _page(report)


def _page(report: EligibilityReport) -> bytes:
    page = Page()
    table = report.table
    datasets, sites = count(len(table.datasets), "dataset"), count(len(table.sites), "site")
    page.say(f"{report.catalog.municipality}: {datasets}, {sites}, judged as of {table.as_of}")
    _say_matrix(page, report)
    _say_exclusions(page, report)
    if not report.unplaceable:
        page.heading("Every dataset has an eligible site.")
    for unplaceable in report.unplaceable:
        page.heading(f"{unplaceable.dataset} cannot be placed")
        say_reasons(page, unplaceable.reasons)
    reasons = [reason for item in report.unplaceable for reason in item.reasons]
    say_obligations(page, obligations_in(reasons, table.obligations))
    return page.content()


def _say_matrix(page: Page, report: EligibilityReport) -> None:
    sites = report.table.sites
    page.heading("Eligible sites of each dataset")
    matrix = len(sites) <= WIDEST_MATRIX
    if matrix:
        page.say("o eligible, . not; the sites in this order: " + listed(sites), indent=2)
    columns = [Column("Dataset"), Column("Class"), Column("Eligible", figures=True)]
    rows = []
    for i, dataset in enumerate(report.table.datasets):
        marks = "".join("o" if verdict.eligible else "." for verdict in _row(report, i))
        row = [dataset, class_text(report.facts.effective[i]), f"{marks.count('o')}/{len(sites)}"]
        rows.append([*row, marks] if matrix else row)
    page.table([*columns, Column("Sites", figures=True)] if matrix else columns, rows)
    if any(effective.reasons for effective in report.facts.effective):
        page.say(f"{DERIVED} {DERIVED_MEANS}", style="dim", indent=2)


def _say_exclusions(page: Page, report: EligibilityReport) -> None:
    pairs: dict[str, int] = defaultdict(int)
    datasets: dict[str, set[int]] = defaultdict(set)
    sites: dict[str, set[int]] = defaultdict(set)
    for i in range(len(report.table.datasets)):
        for j, verdict in enumerate(_row(report, i)):
            for code in {violation.obligation for violation in verdict.violations}:
                pairs[code] += 1
                datasets[code].add(i)
                sites[code].add(j)
    if not pairs:
        return
    page.heading("What rules sites out")
    rows = [
        (code, whole(pairs[code]), whole(len(datasets[code])), whole(len(sites[code])))
        for code in sorted(pairs, key=lambda code: (-pairs[code], code))
    ]
    figures = [Column(title, figures=True) for title in ("Pairs", "Datasets", "Sites")]
    page.table([Column("Obligation"), *figures], rows)


def _row(report: EligibilityReport, dataset_index: int) -> Sequence[Verdict]:
    return report.table.verdicts[report.table.profile_of[dataset_index]]


def _csv(report: EligibilityReport) -> bytes:
    titles = {dataset.id: dataset.title for dataset in report.catalog.datasets}
    rows = [
        (
            dataset,
            titles.get(dataset, ""),
            site,
            verdict.eligible,
            " ".join(violation.obligation for violation in verdict.violations),
            " | ".join(violation.message for violation in verdict.violations),
        )
        for i, dataset in enumerate(report.table.datasets)
        for site, verdict in zip(report.table.sites, _row(report, i), strict=True)
    ]
    return as_csv(("dataset", "title", "site", "eligible", "obligations", "messages"), rows)


def _json(report: EligibilityReport) -> dict[str, Any]:
    """Datasets with their eligible sites; verdicts stand once a profile, in the order of sites."""
    table = report.table
    datasets = [
        {
            "dataset": dataset,
            "profile": table.profile_of[i],
            "eligible_sites": [
                site
                for site, verdict in zip(table.sites, _row(report, i), strict=True)
                if verdict.eligible
            ],
        }
        for i, dataset in enumerate(table.datasets)
    ]
    return {
        "answer": "no_eligible_site" if report.unplaceable else "eligible",
        "datasets": datasets,
        "unplaceable": [item.model_dump() for item in report.unplaceable],
        "effective": [item.model_dump() for item in report.facts.effective],
        "table": table.model_dump(),
    }
