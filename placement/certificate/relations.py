"""What the catalogue's relations ask of a plan, read again from the raw relations."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import combinations

from models import Catalog, CoLocated, DerivedFrom, Separated

Flows = dict[tuple[str, str], Fraction]
"""(source, derived) -> GB a month, above 0."""

Separations = dict[tuple[str, str], str]
"""(first, second) with first < second -> "site" or "operator"."""


def co_location_groups(catalog: Catalog) -> list[tuple[str, ...]]:
    """Disjoint groups: relations that share a member are one group. Members are sorted."""
    group_of: dict[str, set[str]] = {}
    for relation in catalog.relations:
        if isinstance(relation, CoLocated):
            merged = set(relation.members)
            for member in relation.members:
                merged |= group_of.get(member, set())
            for member in merged:
                group_of[member] = merged
    distinct = {id(group): group for group in group_of.values()}
    return sorted(tuple(sorted(group)) for group in distinct.values())


def separations(catalog: Catalog) -> Separations:
    """Pairs that share no site; no operator where any relation asks for that."""
    pairs: Separations = {}
    for relation in catalog.relations:
        if isinstance(relation, Separated):
            for pair in combinations(sorted(relation.members), 2):
                if pairs.get(pair) != "operator":
                    pairs[pair] = relation.level
    return pairs


def flows(catalog: Catalog) -> Flows:
    """Monthly transfers along lineage, summed where a pair is related more than once."""
    volumes: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for relation in catalog.relations:
        if isinstance(relation, DerivedFrom):
            volumes[relation.source, relation.derived] += Fraction(relation.monthly_transfer_gb)
    return {pair: volume for pair, volume in volumes.items() if volume > 0}
