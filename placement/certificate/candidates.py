"""Where each dataset could rest: eligible, priced, and with enough ways out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from placement.certificate.city import City
from placement.certificate.costs import Tariff
from placement.certificate.verdicts import Verdicts


@dataclass(frozen=True)
class Candidates:
    """Sites that no constraint on a single dataset rules out."""

    operators: Mapping[str, frozenset[str]]
    """Dataset -> operators that have a site eligible for it."""
    sites: Mapping[str, tuple[str, ...]]
    """Dataset -> sites allowed for it, in register order."""


def find_candidates(city: City, verdicts: Verdicts, tariff: Tariff) -> Candidates:
    """x_ds may be 1 where the verdict is eligible, a price is known and [alternatives] holds.

    Datasets of one row of verdicts share storage kind and availability too: they are part of
    the document that policies see. So the answer is the same for the whole row.
    """
    operators: dict[str, frozenset[str]] = {}
    sites: dict[str, tuple[str, ...]] = {}
    known: dict[int, tuple[frozenset[str], tuple[str, ...]]] = {}
    for dataset in city.datasets:
        row = verdicts.profile_of[dataset]
        if row not in known:
            eligible = [s for s, verdict in verdicts.rows[row].items() if verdict.eligible]
            hosts = frozenset(city.operator_of(s) for s in eligible)
            allowed = tuple(
                s
                for s in eligible
                if tariff.priced(dataset, s) and has_alternatives(city, dataset, s, hosts)
            )
            known[row] = hosts, allowed
        operators[dataset], sites[dataset] = known[row]
    return Candidates(operators, sites)


def has_alternatives(city: City, dataset: str, site: str, hosts: frozenset[str]) -> bool:
    """[alternatives[d]] enough distinct operators besides the site's own could host it."""
    if not city.critical(dataset):
        return True
    return len(hosts - {city.operator_of(site)}) >= city.parameters.alternatives_min
