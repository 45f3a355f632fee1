"""Why a dataset rests where it does, and why not elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from models import EffectiveClass, Explanation, WhyNot
from placement.cli.options import Format
from placement.cli.page import INDENT, Page
from placement.cli.text import eur, listed
from placement.cli.views.classes import class_text
from placement.cli.views.machine import as_csv, as_json
from placement.cli.views.violations import say_obligations, source_texts


def render(explanation: Explanation, form: Format) -> bytes:
    """The answer for the dataset's own sites and for every other one."""
    if form is Format.JSON:
        return as_json(explanation)
    if form is Format.CSV:
        return _csv(explanation)
    return _page(explanation)


def _page(explanation: Explanation) -> bytes:
    page = Page()
    dataset, placement = explanation.dataset, explanation.placement
    page.say(f"{dataset.id} rests at {listed(placement.sites)}", style="bold")
    page.say(f"{dataset.title}: {class_text(explanation.effective)}")
    page.items(_class_reasons(explanation.effective))
    if explanation.drift:
        page.heading("Not as decided")
        page.items(explanation.drift)
    page.heading("Why here")
    page.items(explanation.why)
    if explanation.host_obligations:
        page.heading("What the host must do")
        page.items(f"{o.requirement} ({o.code})" for o in explanation.host_obligations)
    if explanation.preferences:
        page.heading("What is not ideal here")
        page.items(f"{p.message} ({p.code})" for p in explanation.preferences)
    if explanation.why_not:
        page.heading("Why not elsewhere")
    for answer in explanation.why_not:
        page.say(f"{answer.site}: {verdict(answer)}", indent=INDENT)
        page.items(_details(answer), indent=2 * INDENT)
    failed = (item.obligation for answer in explanation.why_not for item in answer.violations)
    say_obligations(page, failed)
    return page.content()


def verdict(answer: WhyNot) -> str:
    """The answer for one site, in a few words."""
    if answer.violations:
        return "not allowed"
    extra = answer.extra_eur_per_year
    if extra is None and not answer.blocked_by:
        return "allowed; what it would cost is not known"
    if extra is None:
        blocked = listed(answer.blocked_by)
        if answer.others_stay:
            return f"not while everything else stays where it is, because of {blocked}"
        return f"not possible: it cannot hold together with {blocked}"
    if extra < 0:
        return f"EUR {eur(-extra)} a year less, within what the plan's gap leaves open"
    if answer.others_stay:
        return f"EUR {eur(extra)} a year more, with everything else where it is"
    return f"EUR {eur(extra)} a year more, with the whole plan decided again"


def _details(answer: WhyNot) -> Iterable[str]:
    for violation in answer.violations:
        yield f"{violation.obligation.code}: {violation.message}"


def _class_reasons(effective: EffectiveClass) -> Iterable[str]:
    yield from effective.reasons
    if len(effective.chain) > 1:
        yield f"its class comes along {' <- '.join(effective.chain)}"


def _csv(explanation: Explanation) -> bytes:
    dataset = explanation.dataset.id
    columns = (
        "dataset",
        "site",
        "answer",
        "obligation",
        "message",
        "sources",
        "extra_eur_per_year",
    )
    rows: list[tuple[object, ...]] = [
        (dataset, site, "placed", "", "", "", 0) for site in explanation.placement.sites
    ]
    for answer in explanation.why_not:
        if not answer.violations:
            kind = "blocked" if answer.extra_eur_per_year is None else "costlier"
            blocked = listed(answer.blocked_by)
            rows.append((dataset, answer.site, kind, "", blocked, "", answer.extra_eur_per_year))
        for violation in answer.violations:
            code, sources = violation.obligation.code, source_texts(violation.obligation.sources)
            rows.append((dataset, answer.site, "violation", code, violation.message, sources, None))
    return as_csv(columns, rows)
