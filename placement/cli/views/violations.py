"""Violations grouped for reading: each failed obligation once, with the sites that fail it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from models import Obligation, SiteVerdict, Source
from placement.cli.page import INDENT, Page
from placement.cli.text import count, listed


def source_texts(sources: Sequence[Source]) -> str:
    """Where an obligation comes from, on one line."""
    return "; ".join(f"{source.description} ({source.ref})" for source in sources)


def say_reasons(page: Page, reasons: Sequence[SiteVerdict]) -> None:
    """Print why none of these sites will do, the most common reason first."""
    eligible = [reason.site for reason in reasons if not reason.violations]
    denied = [reason for reason in reasons if reason.violations]
    if eligible:
        page.say(f"Eligible, but not enough for its replicas: {listed(eligible)}.", indent=INDENT)
    elif denied:
        nearest = min(denied, key=lambda reason: (len(reason.violations), reason.site))
        fails = count(len(nearest.violations), "violation")
        page.say(f"Nearest to eligible: {nearest.site}, with {fails}.", indent=INDENT)
    for code, sites_by_message in _by_obligation(reasons):
        sites = {site for names in sites_by_message.values() for site in names}
        number = count(len(sites), "site")
        page.items([f"{code}: {f'all {number}' if len(sites) == len(reasons) else number}"])
        for message, names in sites_by_message.items():
            where = "" if len(names) == len(reasons) > 1 else f"{listed(names)}: "
            page.say(f"{where}{message}", indent=3 * INDENT)


def say_obligations(page: Page, obligations: Iterable[Obligation]) -> None:
    """Print what each obligation named above asks for, and where it comes from: once for all."""
    named = {obligation.code: obligation for obligation in obligations}
    if named:
        page.heading("What these obligations ask, and where they come from")
    for code in sorted(named):
        page.items([f"{code} ({named[code].severity.value}): {named[code].text}"])
        page.items((source_texts([source]) for source in named[code].sources), indent=3 * INDENT)


def obligations_in(
    reasons: Iterable[SiteVerdict], obligations: Iterable[Obligation]
) -> list[Obligation]:
    """Those of the obligations that the reasons name."""
    codes = {violation.obligation for reason in reasons for violation in reason.violations}
    return [obligation for obligation in obligations if obligation.code in codes]


def _by_obligation(
    reasons: Iterable[SiteVerdict],
) -> list[tuple[str, Mapping[str, Sequence[str]]]]:
    """Sites by message by obligation; obligations that most sites fail come first."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for reason in reasons:
        for violation in reason.violations:
            groups[violation.obligation][violation.message].append(reason.site)
    return sorted(groups.items(), key=lambda item: (-sum(map(len, item[1].values())), item[0]))
