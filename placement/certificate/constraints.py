"""The constraints of a plan, one check a family, under the names the optimizer gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from models import Check
from placement.certificate.candidates import Candidates, has_alternatives
from placement.certificate.checks import check
from placement.certificate.city import City
from placement.certificate.rows import Row, Rows
from placement.certificate.verdicts import Verdicts

Placed = Mapping[str, tuple[str, ...]]
"""Dataset -> the distinct known sites it is said to rest at; every dataset is a key."""


@dataclass(frozen=True)
class Proposal:
    """A plan to judge, with everything it is judged by."""

    city: City
    verdicts: Verdicts
    candidates: Candidates
    rows: Rows
    placed: Placed


def constraint_checks(plan: Proposal) -> list[Check]:
    """Every constraint family, in the order of the README's symbol table."""
    families: list[Callable[[Proposal], Check]] = [
        policies,
        assignment,
        alternatives,
        co_location,
        separation,
        replica_separation,
        segregation,
    ]
    return [family(plan) for family in families] + coupling_checks(plan)


def policies(plan: Proposal) -> Check:
    """x_ds = 0 where a single query finds a violation."""
    pairs = [(d, s) for d, sites in plan.placed.items() for s in sites]
    return check(
        "policies",
        len(pairs),
        (
            f"{dataset} at {site}: {violation.obligation}: {violation.message}"
            for dataset, site in pairs
            for violation in plan.verdicts.of(dataset, site).violations
        ),
    )


def assignment(plan: Proposal) -> Check:
    """[assignment[d]] as many distinct sites as replicas."""
    wanted = {dataset: plan.city.datasets[dataset].replicas for dataset in plan.placed}
    failures = [
        f"{dataset}: rests at {len(sites)} sites, {wanted[dataset]} needed"
        for dataset, sites in plan.placed.items()
        if len(sites) != wanted[dataset]
    ]
    return check("assignment", len(plan.placed), failures)


def alternatives(plan: Proposal) -> Check:
    """[alternatives[d]] critical data rests only where enough other operators could host it."""
    city, least = plan.city, plan.city.parameters.alternatives_min
    critical = [d for d in plan.placed if city.critical(d)]
    failures = []
    for dataset in critical:
        hosts = plan.candidates.operators[dataset]
        for site in plan.placed[dataset]:
            if not has_alternatives(city, dataset, site, hosts):
                others = sorted(hosts - {city.operator_of(site)})
                failures.append(
                    f"{dataset} at {site}: {len(others)} other operators have an eligible site"
                    f" ({', '.join(others) or 'none'}), {least} needed"
                )
    return check("alternatives", len(critical), failures)


def co_location(plan: Proposal) -> Check:
    """[co_location[a|b|...]] all members of a group rest at the same sites."""
    failures = []
    for group in plan.city.groups:
        where = {member: set(plan.placed[member]) for member in group}
        if len({frozenset(sites) for sites in where.values()}) > 1:
            told = "; ".join(f"{m} at {_list(sites)}" for m, sites in where.items())
            failures.append(f"{'|'.join(group)}: {told}")
    return check("co_location", len(plan.city.groups), failures)


def separation(plan: Proposal) -> Check:
    """[separation[a|b]] the two share no site, or no operator."""
    failures = []
    for (first, second), level in plan.city.separations.items():
        a, b = set(plan.placed[first]), set(plan.placed[second])
        if level == "operator":
            a, b = ({plan.city.operator_of(s) for s in sites} for sites in (a, b))
        if a & b:
            failures.append(f"{first}|{second}: both at {level} {_list(a & b)}")
    return check("separation", len(plan.city.separations), failures)


def replica_separation(plan: Proposal) -> Check:
    """[replica_separation[d]] no two replicas with one operator."""
    replicated = [d for d in plan.placed if plan.city.datasets[d].replicas > 1]
    failures = []
    for dataset in replicated:
        operators = Counter(plan.city.operator_of(s) for s in set(plan.placed[dataset]))
        failures += [
            f"{dataset}: {count} replicas with operator {operator}"
            for operator, count in sorted(operators.items())
            if count > 1
        ]
    return check("replica_separation", len(replicated), failures)


def segregation(plan: Proposal) -> Check:
    """[segregation[s]] datasets with duties that must not meet are not both at the site."""
    carriers: dict[tuple[str, str], list[str]] = {}
    for dataset, sites in plan.placed.items():
        for site in set(sites):
            for duty in set(plan.city.datasets[dataset].duties):
                carriers.setdefault((site, duty), []).append(dataset)
    failures = set()
    for site, pairs in plan.verdicts.segregated.items():
        for duty, other in pairs:
            for a in carriers.get((site, duty), ()):
                for b in carriers.get((site, other), ()):
                    if a != b:
                        failures.add(f"{site}: {a} with duty {duty} and {b} with duty {other}")
    asked = sum(len(pairs) for pairs in plan.verdicts.segregated.values())
    return check("segregation", asked, sorted(failures))


COUPLING_FAMILIES = (
    "capacity",
    "concentration_volume",
    "concentration_critical",
    "exit_budget",
    "closed_stack",
    "moves",
)


def coupling_checks(plan: Proposal) -> list[Check]:
    """The families of [capacity], [concentration_...], [exit_budget], [closed_stack], [moves]."""
    loads = plan.rows.loads(plan.placed)
    checks = []
    for family in COUPLING_FAMILIES:
        rows = [row for row in plan.rows.rows.values() if row.family == family]
        failures = [
            _overload(row, loads[row.name], plan.rows.with_current_site)
            for row in rows
            if loads[row.name] > row.limit
        ]
        checks.append(check(family, len(rows), failures))
    return checks


def _overload(row: Row, load: int, with_current_site: int) -> str:
    """How far a row is over its limit, in the unit a person thinks in."""
    constant = with_current_site if row.family == "moves" else 0
    amount, limit = ((Fraction(n) / row.weight_unit) + constant for n in (load, row.limit))
    unit = {
        "capacity": "GB",
        "concentration_volume": "GB",
        "concentration_critical": "critical replicas",
        "exit_budget": "EUR",
        "closed_stack": "GB",
        "moves": "moves",
    }[row.family]
    return f"{row.name}: {_number(amount)} {unit}, at most {_number(limit)} allowed"


def _number(value: Fraction) -> str:
    return f"{float(value):.9f}".rstrip("0").rstrip(".")


def _list(names: Iterable[str] | Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "no site"
