"""What a re-check found."""

from __future__ import annotations

from models import Certificate
from placement.cli.options import Format
from placement.cli.page import Column, Page
from placement.cli.text import count, eur, percent, whole
from placement.cli.views.machine import as_csv, as_json


def render(certificate: Certificate, form: Format) -> bytes:
    """Every check with its result, and what does not hold."""
    if form is Format.JSON:
        return as_json({"holds": certificate.holds, **certificate.model_dump()})
    if form is Format.CSV:
        return _csv(certificate)
    return _page(certificate)


def summary(certificate: Certificate) -> str:
    """The certificate in one sentence."""
    failed = [check.name for check in certificate.checks if not check.holds]
    looked_at = whole(sum(check.checked for check in certificate.checks))
    checks = count(len(certificate.checks), "check")
    if failed:
        return f"FAILED: {', '.join(failed)} ({len(failed)} of {checks})"
    return f"all {checks} hold ({looked_at} single facts looked at, without the solver)"


def _page(certificate: Certificate) -> bytes:
    page = Page()
    verdict = "The plan holds." if certificate.holds else "The plan does NOT hold."
    page.say(verdict, style="bold green" if certificate.holds else "bold red")
    page.heading("Checks")
    rows = [
        (check.name, "ok" if check.holds else "FAILED", whole(check.checked))
        for check in certificate.checks
    ]
    page.table((Column("Check"), Column("Result"), Column("Looked at", figures=True)), rows)
    for check in certificate.checks:
        if not check.holds:
            page.heading(f"{check.name}: FAILED")
            page.items(check.failures)
    page.heading("Costs")
    page.say(
        f"EUR {eur(certificate.objective_eur)} a year, summed up exactly. No plan costs less than "
        f"EUR {eur(certificate.price_bound_eur)}: re-computed from the plan's prices "
        f"(gap {percent(certificate.price_gap)})."
    )
    return page.content()


def _csv(certificate: Certificate) -> bytes:
    rows = [
        (check.name, check.holds, check.checked, failure)
        for check in certificate.checks
        for failure in check.failures or ("",)
    ]
    return as_csv(("check", "holds", "checked", "failure"), rows)
