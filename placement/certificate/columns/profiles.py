"""Profiles and verdicts: who shares a profile, and whether the policies say what the table says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np

from models import (
    AccessRights,
    Check,
    EffectiveClass,
    GdprCategory,
    Level,
    PolicyDataset,
    PolicyInput,
    SiteRegister,
    policy_dataset,
    policy_site,
)
from models.columns import Integers
from placement.certificate.checks import check
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.classes import UNKNOWN, EffectiveColumns
from placement.certificate.columns.naming import cut, told
from placement.certificate.columns.sums import distinct
from placement.certificate.verdicts import QUERIES_AT_ONCE, Ask, AskSegregated

Views = dict[int, PolicyDataset]
"""What policies see of the datasets of each profile in use."""
_RANKS = UNKNOWN + 1


def profiles(city: ColumnCity, own: EffectiveColumns) -> tuple[Check, Views]:
    """Datasets of one profile are the same to the policies, so that one question answers for all.

    Kind and effective class decide what policies see. So a profile must be a function of these,
    and each of the few distinct ones is looked at.
    """
    number, first = _distinct_kinds(city, own)
    profile = city.profile_of
    strays = np.flatnonzero(profile[first][number] != profile)
    failures = told(
        strays,
        lambda d: f"{city.name(d)}: profile {profile[d]}, its like have another",
    )
    contracts = {contract.id: contract for contract in city.columns.contracts}
    views: Views = {}
    for dataset in first.tolist():
        kind = city.columns.kinds[city.columns.kind_of[dataset]]
        seen = policy_dataset(kind, _effective(own, dataset), city.roles, contracts)
        row = int(profile[dataset])
        if views.setdefault(row, seen) != seen:
            failures.append(f"{city.name(dataset)}: is not what others of profile {row} are")
    return check("profiles", len(first), cut(failures)), views


def _distinct_kinds(city: ColumnCity, own: EffectiveColumns) -> tuple[Integers, Integers]:
    """Number of each dataset's (kind, class), and one dataset of each."""
    columns = [(own.confidentiality, _RANKS), (own.gdpr_category, _RANKS)]
    columns.append((own.access_rights, _RANKS))
    for words in own.grounds.T:
        found, grounds = np.unique(words, return_inverse=True)
        columns.append((grounds.ravel(), len(found)))
    number = city.columns.kind_of.astype(np.int64)
    count = len(city.columns.kinds)
    for values, below in columns:
        found, number = distinct(number * below + values, count * below)
        count = len(found)
    first = np.zeros(count, dtype=np.int64)
    first[number[::-1]] = np.arange(len(number))[::-1]
    return number, first


def _effective(own: EffectiveColumns, dataset: int) -> EffectiveClass:
    level, category, rights = (
        int(ranks[dataset]) for ranks in (own.confidentiality, own.gdpr_category, own.access_rights)
    )
    return EffectiveClass(
        dataset="any",
        confidentiality=None if level == UNKNOWN else Level(level),
        gdpr_category=None if category == UNKNOWN else list(GdprCategory)[category],
        access_rights=None if rights == UNKNOWN else list(AccessRights)[rights],
        non_publication_grounds=own.grounds_of(dataset),
    )


def eligibility(city: ColumnCity, register: SiteRegister, views: Views, ask: Ask | None) -> Check:
    """Every verdict of a profile in use is what the policies say, by single queries.

    All sites are asked about, not only those that are used: a site hidden from the solver would
    make an expensive plan look like the cheapest. Without `ask` the table is taken as it is, and
    0 instances are checked.

    Raises
    ------
    PolicyEngineError
        When a query is not answered.
    """
    failures = [*_day(city), *_obligations(city)]
    if ask is None:
        return check("eligibility", 0, failures)
    operators = {operator.id: operator for operator in register.operators}
    sites = [policy_site(site, operators, city.roles) for site in city.places.sites]
    as_of = _as_of(city)
    rows = sorted(views)
    questions = [
        PolicyInput(dataset=views[row], site=site, as_of=as_of) for row in rows for site in sites
    ]
    pool = ThreadPoolExecutor(max_workers=QUERIES_AT_ONCE)
    try:
        answers = list(pool.map(ask, questions))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    places = [(row, s) for row in rows for s in range(len(sites))]
    failures += cut(
        f"profile {row} at {city.places.ids[s]}: the table does not say what the policies say"
        for (row, s), answer in zip(places, answers, strict=True)
        if city.verdicts.rows[row][s] != answer
    )
    return check("eligibility", len(questions), failures)


def _as_of(city: ColumnCity) -> date:
    return city.parameters.as_of or date.fromisoformat(city.eligibility.table.as_of)


def _day(city: ColumnCity) -> Iterator[str]:
    stated = city.eligibility.table.as_of
    if city.parameters.as_of is None:
        yield "parameters: as_of is not set"
    elif stated != city.parameters.as_of.isoformat():
        yield f"the table is for {stated}, the decision for {city.parameters.as_of}"


def _obligations(city: ColumnCity) -> Iterator[str]:
    """The obligations explained are those that verdicts name."""
    verdicts = (verdict for row in city.verdicts.rows for verdict in row)
    named = {violation.obligation for verdict in verdicts for violation in verdict.violations}
    listed = [obligation.code for obligation in city.eligibility.table.obligations]
    for code in sorted(named ^ set(listed)):
        yield f"obligations: {code} is {'not explained' if code in named else 'violated nowhere'}"
    if len(set(listed)) < len(listed):
        yield "obligations: one is explained twice"


def segregated_duties(
    city: ColumnCity, register: SiteRegister, ask: AskSegregated | None
) -> tuple[list[tuple[int, str, str]], list[str]]:
    """(site, duty, other) as the policies say, and how the table differs from it."""
    claimed = {(s.site, s.duty, s.other) for s in city.eligibility.table.segregated_duties}
    true = claimed
    if ask is not None:
        operators = {operator.id: operator for operator in register.operators}
        duties = sorted({duty for kind in city.columns.kinds for duty in kind.duties})
        true = {
            (site.id, *pair)
            for site in city.places.sites
            for pair in ask(policy_site(site, operators, city.roles), duties, _as_of(city))
        }
    failures = [f"{a} and {b} at {s} are missing" for s, a, b in sorted(true - claimed)]
    failures += [f"{a} and {b} at {s} are not segregated" for s, a, b in sorted(claimed - true)]
    return [(city.places.number[s], a, b) for s, a, b in sorted(true)], failures
