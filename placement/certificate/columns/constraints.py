"""The constraints of a plan in columns, one check a family, under the names of the optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from models import Check
from models.columns import Flags, Groups, Numbers32
from placement.certificate.checks import check
from placement.certificate.columns.city import ColumnCity
from placement.certificate.columns.naming import cut, listed, told
from placement.certificate.columns.placed import operators_at
from placement.certificate.columns.rows import Row, Totals
from placement.certificate.columns.sums import count_by
from placement.certificate.constraints import COUPLING_FAMILIES

UNITS = {"exit_budget": "EUR", "concentration_critical": "critical replicas", "moves": "moves"}
"""Of a row's load, where it is not GB."""


def policies(city: ColumnCity, sites: Numbers32) -> Check:
    """x_ds = 0 where the verdict of the dataset's profile is not eligible."""
    denied = _flagged(~city.verdicts.eligible[city.profile_of, column] for column in sites.T)
    denied &= sites >= 0

    def sentence(dataset: int) -> str:
        site = sites[dataset][denied[dataset]][0]
        verdict = city.verdicts.rows[city.profile_of[dataset]][site]
        said = "; ".join(f"{v.obligation}: {v.message}" for v in verdict.violations)
        return f"{city.name(dataset)} at {city.places.ids[site]}: {said}"

    failures = told(np.flatnonzero(denied.any(axis=1)), sentence)
    return check("policies", int((sites >= 0).sum()), failures)


def assignment(city: ColumnCity, sites: Numbers32) -> Check:
    """[assignment[d]] as many distinct sites as replicas."""
    found = (sites >= 0).sum(axis=1)
    failures = told(
        np.flatnonzero(found != city.replicas),
        lambda d: f"{city.name(d)}: rests at {found[d]} sites, {city.replicas[d]} needed",
    )
    return check("assignment", len(city), failures)


def alternatives(city: ColumnCity, sites: Numbers32) -> Check:
    """[alternatives[d]] critical data rests only where enough other operators could host it."""
    stuck = _flagged(~with_alternatives(city)[city.profile_of, column] for column in sites.T)
    stuck &= (sites >= 0) & city.critical[:, None]

    def sentence(dataset: int) -> str:
        site = int(sites[dataset][stuck[dataset]][0])
        others = city.verdicts.hosts[city.profile_of[dataset]].copy()
        others[city.places.operator_of[site]] = False
        return (
            f"{city.name(dataset)} at {city.places.ids[site]}: {others.sum()} other operators have"
            f" an eligible site ({listed(others, city.places.operators)}),"
            f" {city.parameters.alternatives_min} needed"
        )

    failures = told(np.flatnonzero(stuck.any(axis=1)), sentence)
    return check("alternatives", int(city.critical.sum()), failures)


def with_alternatives(city: ColumnCity) -> Flags:
    """(P, S) enough operators besides the site's own have a site eligible for the profile."""
    hosts = city.verdicts.hosts
    others = hosts.sum(axis=1)[:, None] - hosts[:, city.places.operator_of]
    enough: Flags = others >= city.parameters.alternatives_min
    return enough


def _flagged(columns: object) -> Flags:
    flags: Flags = np.stack(list(columns), axis=1)  # type: ignore[call-overload]
    return flags


def co_location(city: ColumnCity, sites: Numbers32, groups: Groups) -> Check:
    """[co_location[a|b|...]] all members of a group rest at the same sites."""
    first = np.repeat(groups.members[groups.offsets[:-1]], np.diff(groups.offsets))
    ordered = np.sort(sites, axis=1)
    parted = np.flatnonzero((ordered[groups.members] != ordered[first]).any(axis=1))
    failures = told(
        parted,
        lambda m: (
            f"{city.name(first[m])} rests at {_at(city, sites, int(first[m]))},"
            f" {city.name(groups.members[m])} at {_at(city, sites, int(groups.members[m]))}"
        ),
    )
    return check("co_location", len(groups), failures)


def _at(city: ColumnCity, sites: Numbers32, dataset: int) -> str:
    return ", ".join(city.places.ids[s] for s in sites[dataset] if s >= 0) or "no site"


def separation(city: ColumnCity, sites: Numbers32) -> Check:
    """[separation[a|b]] the two share no site, or no operator."""
    facts = city.facts
    clash = np.zeros(len(facts.pair_first), dtype=np.bool_)
    for one in sites.T:
        for other in sites.T:
            a, b = one[facts.pair_first], other[facts.pair_second]
            operators = operators_at(city, a) == operators_at(city, b)
            same = np.where(facts.pair_whole_operator, operators, a == b)
            clash |= same & (a >= 0) & (b >= 0)

    def sentence(pair: int) -> str:
        a, b = int(facts.pair_first[pair]), int(facts.pair_second[pair])
        level = "operator" if facts.pair_whole_operator[pair] else "site"
        where = f"{_at(city, sites, a)} and {_at(city, sites, b)}"
        return f"{city.name(a)}|{city.name(b)}: both at one {level} ({where})"

    return check("separation", len(clash), told(np.flatnonzero(clash), sentence))


def replica_separation(city: ColumnCity, sites: Numbers32) -> Check:
    """[replica_separation[d]] no two replicas with one operator."""
    operators = np.sort(operators_at(city, sites), axis=1)
    twice = (operators[:, 1:] == operators[:, :-1]) & (operators[:, 1:] >= 0)
    failures = told(
        np.flatnonzero(twice.any(axis=1)),
        lambda d: f"{city.name(d)}: two replicas with one operator ({_at(city, sites, d)})",
    )
    return check("replica_separation", int((city.replicas > 1).sum()), failures)


def segregation(
    city: ColumnCity, sites: Numbers32, rules: Sequence[tuple[int, str, str]], table: list[str]
) -> Check:
    """[segregation[s]] datasets with duties that must not meet are not both at the site.

    `table` tells where the table's own rules differ from the policies'.
    """
    kinds, failures = city.columns.kinds, list(table)
    if not rules:
        return check("segregation", 0, failures)
    resting = sum(
        count_by(city.columns.kind_of, column, (len(kinds), len(city.places.ids)))
        for column in sites.T
    )
    duties = {duty for _, *pair in rules for duty in pair}
    carries = {u: np.array([u in k.duties for k in kinds], dtype=np.bool_) for u in duties}
    for site, duty, other in rules:
        there = np.asarray(resting)[:, site]
        one, two = carries[duty] & (there > 0), carries[other] & (there > 0)
        if one.any() and two.any() and there[one | two].sum() > 1:
            a, b = (int(there[flags].sum()) for flags in (one, two))
            name = city.places.ids[site]
            failures.append(f"{name}: {a} datasets with duty {duty} and {b} with duty {other}")
    return check("segregation", len(rules), cut(failures))


def fixed(city: ColumnCity, sites: Numbers32) -> Check:
    """[fixed[d|s]] a what-if's pairs are kept."""
    failures = [
        f"{city.name(d)}: {'does not rest' if allowed else 'rests'} at {city.places.ids[s]}"
        for d, s, allowed in city.fixed
        if bool((sites[d] == s).any()) is not allowed
    ]
    return check("fixed", len(city.fixed), cut(failures))


def coupling(rows: Mapping[str, Row], loads: Mapping[str, Fraction], totals: Totals) -> list[Check]:
    """The families of coupling rows: exact totals against exact limits."""
    checks = []
    for family in COUPLING_FAMILIES:
        members = [row for row in rows.values() if row.family == family]
        over = [row for row in members if loads[row.name] > row.limit]
        failures = [_overload(row, loads[row.name], totals) for row in over]
        checks.append(check(family, len(members), failures))
    return checks


def _overload(row: Row, load: Fraction, totals: Totals) -> str:
    constant = totals.placed if row.family == "moves" else 0
    amount, limit = (_number(n + constant) for n in (load, row.limit))
    return f"{row.name}: {amount} {UNITS.get(row.family, 'GB')}, at most {limit} allowed"


def _number(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):.9f}"
