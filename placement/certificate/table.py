"""The eligibility table the solver worked on, compared with fresh single queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from models import Check, EligibilityTable, Verdict
from placement.certificate.checks import check
from placement.certificate.city import City
from placement.certificate.verdicts import Verdicts


def eligibility(city: City, verdicts: Verdicts, table: EligibilityTable, as_of: date) -> Check:
    """Every verdict of the table is what the policies say; nothing is missing or added.

    The bound rests on this as much as the plan does: a site hidden from the solver would make
    an expensive plan look like the cheapest.
    """
    shape = list(_shape(city, table))
    failures = list(shape)
    if table.as_of != as_of:
        failures.append(f"the table is for {table.as_of}, the decision for {as_of}")
    if not shape:
        failures += _profiles(verdicts, table)
    failures += _segregated(verdicts, table)
    failures += _obligations(table)
    return check("eligibility", len(verdicts.rows) * len(city.sites), failures)


def _shape(city: City, table: EligibilityTable) -> Iterator[str]:
    if table.datasets != tuple(city.datasets):
        yield "datasets: not those of the catalogue, in its order"
    if table.sites != tuple(city.sites):
        yield "sites: not those of the register, in its order"
    if len(table.profile_of) != len(table.datasets):
        yield f"profile_of: {len(table.profile_of)} entries for {len(table.datasets)} datasets"
    rows = len(table.verdicts)
    if set(table.profile_of) != set(range(rows)):
        yield f"profile_of: does not name each of the {rows} profiles, and no others"
    if any(len(row) != len(table.sites) for row in table.verdicts):
        yield "verdicts: a row does not have one verdict for each site"


def _profiles(verdicts: Verdicts, table: EligibilityTable) -> Iterator[str]:
    """Compare rows, once for each pair of a fresh and a claimed profile."""
    seen: set[tuple[int, int]] = set()
    for dataset, row in zip(table.datasets, table.profile_of, strict=True):
        pair = (verdicts.profile_of[dataset], row)
        if pair in seen:
            continue
        seen.add(pair)
        for site, claimed in zip(table.sites, table.verdicts[row], strict=True):
            true = verdicts.of(dataset, site)
            if claimed != true:
                yield f"{dataset} at {site} (profile {row}): {_difference(claimed, true)}"
    fresh, claims = ([pair[side] for pair in seen] for side in (0, 1))
    if len(set(fresh)) < len(fresh) or len(set(claims)) < len(claims):
        yield "profile_of: datasets share a profile exactly where policies cannot tell them apart"


def _difference(claimed: Verdict, true: Verdict) -> str:
    """The first field that differs, with what the policies say."""
    if claimed.eligible != true.eligible:
        told = "; ".join(f"{v.obligation}: {v.message}" for v in true.violations)
        return f"claimed {_word(claimed)}, the policies say {_word(true)}{told and f': {told}'}"
    for field in type(true).model_fields:
        given, own = getattr(claimed, field), getattr(true, field)
        if given != own:
            return f"{field} is claimed {given!r}, the policies say {own!r}"
    return "differs"


def _word(verdict: Verdict) -> str:
    return "eligible" if verdict.eligible else "ineligible"


def _segregated(verdicts: Verdicts, table: EligibilityTable) -> Iterator[str]:
    own = {(site, *pair) for site, pairs in verdicts.segregated.items() for pair in pairs}
    listed = [(s.site, s.duty, s.other) for s in table.segregated_duties]
    for site, duty, other in sorted(own - set(listed)):
        yield f"segregated duties: {duty} and {other} at {site} are missing"
    for site, duty, other in sorted(set(listed) - own):
        yield f"segregated duties: {duty} and {other} at {site} are not segregated by the policies"
    if len(set(listed)) < len(listed):
        yield "segregated duties: a pair is listed twice"


def _obligations(table: EligibilityTable) -> Iterator[str]:
    """The obligations explained are those that verdicts name; their texts are not judged here."""
    named = {v.obligation for row in table.verdicts for verdict in row for v in verdict.violations}
    listed = [obligation.code for obligation in table.obligations]
    for code in sorted(named - set(listed)):
        yield f"obligations: {code} is violated and not explained"
    for code in sorted(set(listed) - named):
        yield f"obligations: {code} is explained and violated nowhere"
    if len(set(listed)) < len(listed):
        yield "obligations: one is explained twice"
