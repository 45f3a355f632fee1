"""The answers without a plan: a dataset that no site may hold, or constraints that clash."""

from __future__ import annotations

from models import Infeasible, NoEligibleSite
from placement.cli.options import Format
from placement.cli.page import Page
from placement.cli.text import count
from placement.cli.views.machine import as_csv, as_json
from placement.cli.views.violations import say_obligations, say_reasons


def render(answer: NoEligibleSite | Infeasible, form: Format) -> bytes:
    """Which datasets cannot be placed and why, or which constraints cannot all hold."""
    if form is Format.JSON:
        return as_json(answer)
    if isinstance(answer, NoEligibleSite):
        return _no_site_csv(answer) if form is Format.CSV else _no_site_page(answer)
    return _infeasible_csv(answer) if form is Format.CSV else _infeasible_page(answer)


def _no_site_page(answer: NoEligibleSite) -> bytes:
    page = Page()
    number = count(len(answer.datasets), "dataset")
    page.say(f"No plan: {number} cannot be placed. Nothing was written.", style="bold red")
    for unplaceable in answer.datasets:
        page.heading(unplaceable.dataset)
        say_reasons(page, unplaceable.reasons)
    say_obligations(page, answer.obligations)
    return page.content()


def _no_site_csv(answer: NoEligibleSite) -> bytes:
    severity = {obligation.code: obligation.severity for obligation in answer.obligations}
    rows = [
        (item.dataset, reason.site, v.obligation, severity.get(v.obligation), v.message)
        for item in answer.datasets
        for reason in item.reasons
        for v in reason.violations
    ]
    return as_csv(("dataset", "site", "obligation", "severity", "message"), rows)


def _infeasible_page(answer: Infeasible) -> bytes:
    page = Page()
    page.say("No plan: these constraints cannot all hold. Nothing was written.", style="bold red")
    page.items(answer.core)
    page.heading("What they say")
    page.items(answer.explanation)
    page.say("Each of them is needed for the clash: easing any one of them may help.")
    return page.content()


def _infeasible_csv(answer: Infeasible) -> bytes:
    rows = [("constraint", name) for name in answer.core]
    rows += [("explanation", sentence) for sentence in answer.explanation]
    return as_csv(("kind", "text"), rows)
